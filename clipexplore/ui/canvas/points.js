// The points themselves, by WebGL or, where there is none, as plain squares.

const GREY = [0.6, 0.6, 0.65];
const REST = 255; // the colour of points of no named value

const SHADER = `
attribute vec2 place; attribute float color; attribute float on;
uniform vec2 scale; uniform vec2 shift; uniform float size; uniform sampler2D palette; uniform float dim;
varying vec4 shade;
void main() {
  bool below = on < 0.5;
  gl_Position = vec4(place * scale + shift, below ? 0.5 : -0.5, 1.0); // what is not selected lies behind, in whatever order it is drawn
  gl_PointSize = below ? size * 0.8 : size;
  vec4 own = texture2D(palette, vec2((color + 0.5) / 256.0, 0.5));
  shade = below ? vec4(${GREY.join(",")}, 0.22) : vec4(own.rgb, own.a * dim);
}`;
const PAINT = `
precision mediump float; varying vec4 shade;
void main() {
  float edge = 1.0 - smoothstep(0.38, 0.5, length(gl_PointCoord - 0.5));
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
    const texels = new Uint8Array(this.palette.flatMap(([r, g, b], i) => [r, g, b, i === REST ? 0.5 : 0.85].map((each) => each * 255)));
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

  /** Where there is no WebGL: the same points as squares, all of them once. */
  paintPlainly() {
    const pen = this.under.getContext("2d"), { places, colors, count } = this.data;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    for (let i = 0; i < count; i++) {
      const [x, y] = this.toScreen(places[2 * i], places[2 * i + 1]);
      pen.fillStyle = css(this.on[i] ? this.palette[colors[i]] : GREY, this.on[i] ? 0.8 : 0.25);
      pen.fillRect(x - this.dot / 2, y - this.dot / 2, this.dot, this.dot);
    }
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
