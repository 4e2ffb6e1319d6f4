// Dots laid into pixels by the processor, where no graphics card draws them. A software driver, which does the same for any
// shader there may be, takes many times as long.

const PHASES = 4; // places between two pixels, each way, at which a dot may lie
const LEVELS = 16; // shares of a pixel that a dot may cover

/** How a dot that begins somewhere within a pixel covers those under it: their places in rows of `stride` pixels, and levels. */
function stamp(width, stride, right, down) {
  if (width < 2) return { offsets: [0], levels: [LEVELS] }; // a dot this small is a pixel
  const side = Math.ceil(width) + 1, offsets = [], levels = [];
  const away = (pixel, phase) => pixel + 0.5 - (phase + 0.5) / PHASES - width / 2;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const level = Math.round(LEVELS * (1 - smooth(Math.hypot(away(x, right), away(y, down)) / width)));
      if (level) { offsets.push(y * stride + x); levels.push(level); }
    }
  }
  return { offsets, levels };
}

/** 0 within a dot, 1 outside, rising between as in the shader. */
function smooth(away) {
  const t = clamp((away - 0.38) / 0.12, 1);
  return t * t * (3 - 2 * t);
}

/** A colour that covers so much of a pixel, premultiplied, as the bytes red, green, blue, alpha in memory. */
function ink([r, g, b, alpha], share) {
  const [red, green, blue, all] = [r, g, b, 1].map((each) => Math.floor(255 * each * alpha * share));
  return (all << 24) | (blue << 16) | (green << 8) | red;
}

/** One premultiplied colour over another: two bytes at a time, since neither product reaches into the other. */
function over(above, below) {
  const alpha = above >>> 24, rest = 256 - alpha - (alpha >>> 7);
  return (above + ((Math.imul(below & 0xff00ff, rest) >>> 8) & 0xff00ff) + (Math.imul((below >>> 8) & 0xff00ff, rest) & 0xff00ff00)) | 0;
}

/** The pixels of a canvas, with a margin for what reaches over its border. */
class Raster {
  constructor(width, height, margin) {
    Object.assign(this, { width, height, margin, stride: width + 2 * margin });
    this.pixels = new Int32Array(this.stride * (height + 2 * margin));
  }

  fits(width, height, margin) { return this.width === width && this.height === height && this.margin === margin; }
  clear() { this.pixels.fill(0); }

  /** A dot for each point, `step` by step, of which `on` says `which`; `shades` has red, green, blue and alpha in [0, 1] for each of 256 colours. */
  lay({ places, colors, count }, on, which, { width, shades, step, scale, left, top }) {
    const { pixels, stride, margin } = this, inks = new Int32Array(256 * (LEVELS + 1)), stamps = [];
    shades.forEach((shade, i) => { for (let level = 1; level <= LEVELS; level++) inks[i * (LEVELS + 1) + level] = ink(shade, level / LEVELS); });
    for (let phase = 0; phase < PHASES ** 2; phase++) stamps.push(stamp(width, stride, phase % PHASES, Math.floor(phase / PHASES)));
    const half = width < 2 ? 0 : width / 2, right = this.width + margin - 1, low = this.height + margin - 1;
    for (let i = 0; i < count; i += step) {
      if (on[i] !== which) continue;
      const x = places[2 * i] * scale + left - half + margin, y = top - places[2 * i + 1] * scale - half + margin;
      if (!(x >= 0 && y >= 0 && x < right && y < low)) continue;
      const column = Math.floor(x), line = Math.floor(y), own = colors[i] * (LEVELS + 1);
      const { offsets, levels } = stamps[Math.floor((y - line) * PHASES) * PHASES + Math.floor((x - column) * PHASES)];
      for (let part = 0, at = line * stride + column; part < offsets.length; part++) {
        const pixel = at + offsets[part];
        pixels[pixel] = over(inks[own + levels[part]], pixels[pixel]);
      }
    }
  }

  /** The pixels as a canvas takes them: their colours no longer premultiplied. */
  image() {
    const { pixels } = this, bytes = new Uint8ClampedArray(pixels.buffer);
    for (let i = 0; i < pixels.length; i++) {
      const alpha = pixels[i] >>> 24;
      if (alpha === 0 || alpha === 255) continue;
      for (let part = 4 * i; part < 4 * i + 3; part++) bytes[part] = (bytes[part] * 255) / alpha;
    }
    return new ImageData(bytes, this.stride);
  }
}
