// The points themselves: by WebGL on a graphics card, without one laid into the pixels by raster.js.

const GREY = [0.6, 0.6, 0.65];
const BELOW = [...GREY, 0.22]; // the colour of what is not selected
const REST = 255; // the colour of points of no named value
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i; // drivers that have no card

const SHADER = `
attribute vec2 place; attribute float color; attribute float on;
uniform vec2 scale; uniform vec2 shift; uniform float size; uniform sampler2D palette; uniform float dim;
varying vec4 shade; varying float soft;
void main() {
  bool below = on < 0.5;
  gl_Position = vec4(place * scale + shift, below ? 0.5 : -0.5, 1.0); // what is not selected lies behind, in whatever order it is drawn
  gl_PointSize = below ? size * 0.8 : size;
  soft = gl_PointSize < 2.0 ? 0.0 : 1.0; // of a pixel nothing is cut off
  vec4 own = texture2D(palette, vec2((color + 0.5) / 256.0, 0.5));
  shade = below ? vec4(${BELOW.join(",")}) : vec4(own.rgb, own.a * dim);
}`;
const PAINT = `
precision mediump float; varying vec4 shade; varying float soft;
void main() {
  float edge = 1.0 - soft * smoothstep(0.38, 0.5, length(gl_PointCoord - 0.5));
  if (edge < 0.01) discard;
  gl_FragColor = vec4(shade.rgb, shade.a * edge);
}`;

const css = (colour, alpha) => `rgba(${colour.map((each) => Math.round(each * 255)).join(",")},${alpha})`;

class Points extends View {
  /** How wide a point is: the fewer there are and the closer they are looked at, the wider. */
  get dot() { return clamp(10 - 1.35 * Math.log10(Math.max(this.data.count, 10)) ** 1.08, 8) * clamp(0.8 + 0.2 * Math.log2(this.view.zoom + 1), 3); }

  /** Which points lie inside the region: all where there is none. */
  select() {
    const { places, count } = this.data;
    this.on = new Uint8Array(count).fill(1);
    if (this.region?.length > 2) for (let i = 0; i < count; i++) this.on[i] = inside(this.region, places[2 * i], places[2 * i + 1]);
    this.upload("on", this.on, 1);
  }

  /** The colour and opacity of each of the values that a point may have. */
  get shades() { return this.palette.map((rgb, i) => [...rgb, i === REST ? 0.5 : 0.85]); }

  /** WebGL on a graphics card, else null. */
  card() {
    const gl = this.under.getContext("webgl", { antialias: false, failIfMajorPerformanceCaveat: true });
    const says = gl?.getExtension("WEBGL_debug_renderer_info");
    if (!gl || !says || !SOFTWARE.test(gl.getParameter(says.UNMASKED_RENDERER_WEBGL))) return gl;
    gl.getExtension("WEBGL_lose_context")?.loseContext();
    const fresh = this.under.cloneNode(); // a canvas keeps to the kind of context that it had first
    this.under.replaceWith(fresh);
    this.under = fresh;
    return null;
  }

  prepare() {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, SHADER], [gl.FRAGMENT_SHADER, PAINT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    gl.enable(gl.BLEND);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    gl.blendFuncSeparate(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA, gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.program = program;
    this.buffers = {};
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
  }

  upload(name, array, size) {
    const gl = this.gl;
    if (!gl) return;
    gl.bindBuffer(gl.ARRAY_BUFFER, (this.buffers[name] ??= gl.createBuffer()));
    gl.bufferData(gl.ARRAY_BUFFER, array, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(gl.getAttribLocation(this.program, name));
    if (name !== "color") return;
    const texels = new Uint8Array(this.shades.flat().map((each) => each * 255));
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, texels);
  }

  paint() {
    const gl = this.gl, { count } = this.data, at = (name) => gl.getUniformLocation(this.program, name);
    const [sx, sy] = [(2 * this.scale) / this.width, (2 * this.scale) / this.height];
    gl.viewport(0, 0, this.under.width, this.under.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniform2f(at("scale"), sx, sy);
    gl.uniform2f(at("shift"), -this.view.x * sx, -this.view.y * sy);
    gl.uniform1f(at("size"), this.dot * this.ratio);
    gl.uniform1f(at("dim"), this.shown ? 0.25 : 1);
    const step = this.thin ?? 1;
    for (const [name, size, kind] of [["place", 2, gl.FLOAT], ["color", 1, gl.UNSIGNED_BYTE], ["on", 1, gl.UNSIGNED_BYTE]]) {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
      gl.vertexAttribPointer(gl.getAttribLocation(this.program, name), size, kind, false, step * (size === 2 ? 8 : 1), 0);
    }
    const start = performance.now();
    gl.drawArrays(gl.POINTS, 0, Math.ceil(count / step));
    if (step === 1 && this.cost === undefined) {
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); // waits until they are drawn
      this.cost = performance.now() - start;
    }
  }

  /** Without a card: the same dots, those that are not selected below the others. */
  lay() {
    const start = performance.now(), { width, height } = this.under, dot = Math.max(1, this.dot * this.ratio), margin = Math.ceil(dot) + 1;
    if (this.raster?.fits(width, height, margin)) this.raster.clear();
    else this.raster = new Raster(width, height, margin);
    const scale = this.scale * this.ratio, step = this.thin ?? 1, dim = this.shown ? 0.25 : 1;
    const how = { step, scale, left: width / 2 - this.view.x * scale, top: height / 2 + this.view.y * scale };
    if (this.region?.length > 2) this.raster.lay(this.data, this.on, 0, { ...how, width: dot * 0.8, shades: Array(256).fill(BELOW) });
    this.raster.lay(this.data, this.on, 1, { ...how, width: dot, shades: this.shades.map(([r, g, b, alpha]) => [r, g, b, alpha * dim]) });
    this.under.getContext("2d").putImageData(this.raster.image(), -margin, -margin);
    if (step === 1) this.cost = performance.now() - start;
  }
}

const rgbs = (hexes) => hexes.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255));

/** The colour of each of the 256 values a point may have, red, green and blue in [0, 1]. */
function colours({ heat, names, hues, ramp }) {
  const rgb = rgbs(hues);
  const made = Array.from({ length: 256 }, (_, i) => (heat ? along(rgbs(ramp), i / 254) : rgb[i % rgb.length]));
  if (heat || names.length < REST) made[REST] = GREY;
  return made;
}

/** The colour at t in [0, 1] of a scale of several colours. */
function along(stops, t) {
  const at = clamp(t, 1) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
  return stops[low].map((each, i) => each + (stops[low + 1][i] - each) * (at - low));
}

/** Whether a ray from the point crosses the border an odd number of times, as `projection.inside` decides it. */
function inside(corners, x, y) {
  let odd = 0;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [x1, y1] = corners[j], [x2, y2] = corners[i];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) odd ^= 1;
  }
  return odd;
}
