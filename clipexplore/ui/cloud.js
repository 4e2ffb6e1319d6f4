// A cloud of points on a plane: WebGL for the points, a canvas above it for what is drawn on them, a line above both while a loop is drawn.
// What comes in is small: what to say and to draw, and the names of the blocks of bytes that block.js keeps (see cloud.py).
// What goes out is a polygon or the row of one point, never a list of points.

const GREY = [0.6, 0.6, 0.65];
const REST = 255; // the colour of points of no named value
const CLOSE = 14; // pixels from a point within which it is pointed at
const CORNERS = 40; // of a polygon, so that it fits into a link
const PICTURES = 260; // points in sight, up to which they are drawn as pictures
const SMOOTH = 25; // milliseconds a frame may take while the points are moved; if all take longer, fewer are drawn until they rest
// Ten colours that stay apart on light and on dark, also for most who see fewer; Streamlit's own come in pairs of one hue.
const COLOURS = ["#4e79d8", "#f28e2b", "#d8433f", "#20a39e", "#b8a000", "#a45fc4", "#4fa34a", "#ff7fa7", "#8d6748", "#7f8cff"];

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

const clouds = new WeakMap();
const blocks = (window.clipexploreBlocks ??= new Map()); // of bytes by slot, put there by block.js
const sheets = (window.clipexploreSheets ??= new Map()); // of thumbnails by name, put there by sheet.js

export default function (component) {
  const { parentElement, data } = component;
  let cloud = clouds.get(parentElement);
  if (!cloud) clouds.set(parentElement, (cloud = new Cloud(parentElement)));
  cloud.send = component.setTriggerValue;
  cloud.receive(data);
  return () => cloud.end();
}

/** The arrays that a head names, or null while one of them is on its way. */
function arrays(head) {
  const found = {};
  for (const [slot, name] of Object.entries(head.blocks)) {
    const block = blocks.get(`${head.key}-${slot}`);
    if (block?.name !== name) return null;
    found[slot] = slot === "places" ? new Float32Array(block.bytes.buffer) : slot === "rows" ? new Uint32Array(block.bytes.buffer) : block.bytes;
  }
  return found;
}

class Cloud {
  constructor(root) {
    this.root = root;
    this.box = root.querySelector(".cloud");
    [this.under, this.over] = this.box.querySelectorAll("canvas");
    this.tip = root.querySelector(".tip");
    this.pen = this.over.getContext("2d");
    this.loop = root.querySelector(".loop");
    this.idle = matchMedia("(pointer: coarse)").matches ? "" : "lasso"; // a finger that is not asked to do anything scrolls the page
    this.turn(this.idle);
    this.fingers = new Map();
    this.gl = this.under.getContext("webgl", { antialias: false });
    if (this.gl) this.prepare();
    this.listen();
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.box);
    this.onSheet = () => this.draw();
    window.addEventListener("clipexplore-sheet", this.onSheet);
    this.onBlock = () => this.waited && this.receive(this.waited);
    window.addEventListener("clipexplore-block", this.onBlock);
  }

  end() {
    this.watch.disconnect();
    clearTimeout(this.rest);
    window.removeEventListener("clipexplore-sheet", this.onSheet);
    window.removeEventListener("clipexplore-block", this.onBlock);
    this.gl?.getExtension("WEBGL_lose_context")?.loseContext();
    clouds.delete(this.root);
  }

  // ---- what is shown

  /** Shows what a head says as soon as its blocks are here; until then what was shown before stays. */
  receive(head) {
    const found = arrays(head);
    this.waited = found ? null : head;
    if (found) this.update({ rows: null, ...head, ...found, count: found.colors.length });
  }

  update(data) {
    const before = this.data ?? { blocks: {} }, palette = colours(data);
    const moved = before.blocks.places !== data.blocks.places, viewed = String(before.bounds) !== String(data.bounds);
    const coloured = before.blocks.colors !== data.blocks.colors || String(this.palette) !== String(palette);
    const lassoed = moved || String(this.region) !== String(data.region);
    Object.assign(this, { data, palette, region: data.region, chosen: data.chosen, styles: getComputedStyle(this.box) });
    if (moved) { this.point(null); this.cost = undefined; this.index(); this.upload("place", data.places, 2); }
    if (lassoed) this.select();
    if (coloured) this.upload("color", data.colors, 1);
    this.over.setAttribute("aria-label", data.alt);
    this.root.querySelector(".axes").textContent = data.axes.join("  ×  ");
    this.buttons();
    this.legend();
    this.resize();
    if (viewed) this.home();
    this.draw(moved || viewed || coloured || lassoed);
  }

  /** The row of a point in the collection: of a filtered map not its own number. */
  row(i) { return this.data.rows ? this.data.rows[i] : i; }

  /** Which points lie inside the region: all where there is none. */
  select() {
    const { places, count } = this.data;
    this.on = new Uint8Array(count).fill(1);
    if (this.region?.length > 2) for (let i = 0; i < count; i++) this.on[i] = inside(this.region, places[2 * i], places[2 * i + 1]);
    this.upload("on", this.on, 1);
  }

  // ---- the view: a point lies at (x − view.x) · view.scale pixels from the middle

  home() {
    const [left, right, low, high] = this.data.bounds;
    this.view = { x: (left + right) / 2, y: (low + high) / 2, zoom: 1 };
    this.fit();
  }

  fit() {
    const [left, right, low, high] = this.data.bounds;
    this.unit = 0.92 * Math.min(this.width / (right - left || 1), this.height / (high - low || 1));
  }

  get scale() { return this.unit * this.view.zoom; }
  toScreen(x, y) { return [(x - this.view.x) * this.scale + this.width / 2, this.height / 2 - (y - this.view.y) * this.scale]; }
  toPlane(px, py) { return [(px - this.width / 2) / this.scale + this.view.x, (this.height / 2 - py) / this.scale + this.view.y]; }

  zoom(factor, px, py) {
    const [x, y] = this.toPlane(px, py);
    this.view.zoom = Math.min(Math.max(this.view.zoom * factor, 0.5), 5000);
    const [x2, y2] = this.toPlane(px, py);
    this.view.x += x - x2;
    this.view.y += y - y2;
    this.moved();
  }

  /** While the view moves every few points will do, where all would take too long. */
  moved() {
    clearTimeout(this.rest);
    this.thin = Math.max(1, Math.ceil((this.cost ?? 0) / SMOOTH));
    this.rest = setTimeout(() => { this.thin = 1; this.draw(); }, 180);
    this.draw();
  }

  resize() {
    const { clientWidth, clientHeight } = this.box;
    if (!clientWidth || !this.data) return;
    if (this.width === clientWidth && this.height === clientHeight && this.ratio === (window.devicePixelRatio || 1)) return;
    this.ratio = window.devicePixelRatio || 1;
    [this.width, this.height] = [clientWidth, clientHeight];
    for (const canvas of [this.under, this.over]) {
      const [w, h] = [Math.round(clientWidth * this.ratio), Math.round(clientHeight * this.ratio)];
      if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    }
    this.view ? this.fit() : this.home();
    this.draw();
  }

  // ---- a grid over the plane, to find what is pointed at

  index() {
    const { places, count } = this.data;
    this.cells = Math.max(1, Math.min(700, Math.ceil(Math.sqrt(count / 4))));
    const cellOf = new Uint32Array(count);
    this.starts = new Uint32Array(this.cells ** 2 + 1);
    for (let i = 0; i < count; i++) this.starts[(cellOf[i] = this.cell(places[2 * i], places[2 * i + 1])) + 1]++;
    for (let c = 0; c < this.cells ** 2; c++) this.starts[c + 1] += this.starts[c];
    const next = this.starts.slice();
    this.inCells = new Uint32Array(count);
    for (let i = 0; i < count; i++) this.inCells[next[cellOf[i]]++] = i;
  }

  column(x) { return clamp(Math.floor(((x - this.data.bounds[0]) / (this.data.bounds[1] - this.data.bounds[0] || 1)) * this.cells), this.cells - 1); }
  line(y) { return clamp(Math.floor(((y - this.data.bounds[2]) / (this.data.bounds[3] - this.data.bounds[2] || 1)) * this.cells), this.cells - 1); }
  cell(x, y) { return this.line(y) * this.cells + this.column(x); }

  /** The rows between two corners of the plane, at most `most` of them, else null. */
  within(left, low, right, high, most) {
    const rows = [];
    for (let line = this.line(low); line <= this.line(high); line++) {
      for (let column = this.column(left); column <= this.column(right); column++) {
        const cell = line * this.cells + column;
        for (let at = this.starts[cell]; at < this.starts[cell + 1]; at++) {
          const i = this.inCells[at], x = this.data.places[2 * i], y = this.data.places[2 * i + 1];
          if (x >= left && x <= right && y >= low && y <= high && rows.push(i) > most) return null;
        }
      }
    }
    return rows;
  }

  nearest(px, py) {
    const [x, y] = this.toPlane(px, py), reach = (this.shown ? this.side / 2 : CLOSE) / this.scale;
    let best = null, closest = reach ** 2;
    for (const i of this.within(x - reach, y - reach, x + reach, y + reach, 20000) ?? []) {
      const away = (this.data.places[2 * i] - x) ** 2 + (this.data.places[2 * i + 1] - y) ** 2;
      if (away < closest) [best, closest] = [i, away];
    }
    return best;
  }

  // ---- WebGL

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

  // ---- drawing

  get dot() { return clamp(10 - 1.35 * Math.log10(Math.max(this.data.count, 10)) ** 1.08, 8) * clamp(0.8 + 0.2 * Math.log2(this.view.zoom + 1), 3); }
  get sheet() { return sheets.get(this.data.sheet); }

  /** Draws at the next frame: all, or only what lies above the points, which leaves those as they are. */
  draw(points = true) {
    this.stale ||= points;
    if (this.waiting || !this.data || !this.width) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.drawNow(); });
  }

  drawNow() {
    if (this.stale) {
      this.shown = this.pictures();
      this.gl ? this.paint() : this.paintPlainly();
      this.stale = false;
    }
    const pen = this.pen;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    this.drawOver(pen);
    this.box.dataset.drawn = `${this.data.count}`;
  }

  /** The rows in sight, where they are few enough to be shown as pictures. */
  pictures() {
    if (!this.sheet || (this.view.zoom < 1.6 && this.data.count > 40)) return null;
    const [left, high] = this.toPlane(0, 0), [right, low] = this.toPlane(this.width, this.height);
    const rows = this.within(left, low, right, high, PICTURES);
    this.side = rows && clamp(Math.sqrt((this.width * this.height) / Math.max(rows.length, 1)) * 0.55, 72, 26);
    return rows;
  }

  drawOver(pen) {
    if (this.shown) for (const i of this.shown) this.drawPicture(pen, i);
    for (const [x1, y1, x2, y2] of this.data.lines) this.stroke(pen, [[x1, y1], [x2, y2]], false, 1.5);
    if (this.region?.length > 2) this.stroke(pen, this.region, true, 1.5);
    if (this.chosen != null) this.ring(pen, this.chosen, 2.5);
    if (this.pointed != null) this.ring(pen, this.pointed, 1.5);
    for (const [x, y, label] of this.data.labels) this.write(pen, ...this.toScreen(x, y), label, false);
    for (const [x, y, label] of this.data.marks) this.mark(pen, ...this.toScreen(x, y), label);
  }

  drawPicture(pen, i, x = null, y = null, side = this.side) {
    const { image, size, columns, place } = this.sheet, row = this.row(i), at = place ? place.get(row) : row;
    if (at === undefined) return;
    const [px, py] = x === null ? this.toScreen(this.data.places[2 * i], this.data.places[2 * i + 1]).map((each) => each - side / 2) : [x, y];
    pen.globalAlpha = this.on[i] ? 1 : 0.25;
    pen.drawImage(image, (at % columns) * size, Math.floor(at / columns) * size, size, size, px, py, side, side);
    pen.globalAlpha = 1;
  }

  stroke(pen, corners, closed, width) { this.outline(pen, corners.map(([x, y]) => this.toScreen(x, y)), closed, width); }

  outline(pen, corners, closed, width) {
    pen.beginPath();
    corners.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    if (closed) pen.closePath();
    pen.lineWidth = width;
    pen.strokeStyle = this.styles.getPropertyValue("--st-primary-color");
    pen.stroke();
  }

  ring(pen, i, width) {
    const [x, y] = this.toScreen(this.data.places[2 * i], this.data.places[2 * i + 1]);
    pen.beginPath();
    pen.arc(x, y, this.shown ? this.side * 0.62 : this.dot * 0.5 + 4, 0, 7);
    pen.lineWidth = width;
    pen.strokeStyle = this.styles.getPropertyValue("--st-text-color");
    pen.stroke();
  }

  mark(pen, x, y, label) {
    pen.beginPath();
    for (const [dx, dy] of [[0, -8], [7, 0], [0, 8], [-7, 0]]) pen.lineTo(x + dx, y + dy);
    pen.closePath();
    pen.fillStyle = "#ff4b4b";
    pen.strokeStyle = "white";
    pen.lineWidth = 1.5;
    pen.fill();
    pen.stroke();
    this.write(pen, x, y - 19, label, true);
  }

  write(pen, x, y, label, strong) {
    pen.font = `${strong ? 600 : 500} 13px ${this.styles.fontFamily}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const width = pen.measureText(label).width + 10;
    if (x < -20 || y < -30 || x > this.width + 20 || y > this.height + 30) return;
    x = Math.min(Math.max(x, width / 2), this.width - width / 2);
    pen.globalAlpha = strong ? 0.9 : 0.72;
    pen.fillStyle = this.styles.getPropertyValue("--st-background-color");
    pen.beginPath();
    pen.roundRect(x - width / 2, y - 10, width, 20, 5);
    pen.fill();
    pen.globalAlpha = 1;
    pen.fillStyle = this.styles.getPropertyValue("--st-text-color");
    pen.fillText(label, x, y);
  }

  // ---- hands

  listen() {
    const over = this.over;
    over.onwheel = (event) => { event.preventDefault(); this.zoom(Math.exp(-event.deltaY * 0.0015), event.offsetX, event.offsetY); };
    over.onpointerdown = (event) => this.down(event);
    over.onpointermove = (event) => this.move(event);
    over.onpointerup = (event) => this.up(event);
    over.onpointercancel = (event) => this.drop(event); // the browser scrolls the page instead
    over.onpointerleave = (event) => event.pointerType === "mouse" && this.point(null);
    over.ondblclick = () => this.clear();
    over.onkeydown = (event) => this.key(event);
  }

  down(event) {
    this.over.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.travelled = 0;
    this.drawing = this.mode === "lasso" && this.fingers.size === 1 && !event.shiftKey ? [[event.offsetX, event.offsetY]] : null;
    this.loop.replaceChildren();
  }

  /** The next piece of the loop. A small shape of its own: all else stays as it is, so the line follows the hand however many points there are. */
  trace([x1, y1], [x2, y2]) {
    const piece = document.createElementNS("http://www.w3.org/2000/svg", "line");
    for (const [name, value] of Object.entries({ x1, y1, x2, y2 })) piece.setAttribute(name, value);
    this.loop.append(piece);
  }

  move(event) {
    const before = this.fingers.get(event.pointerId), now = [event.offsetX, event.offsetY];
    if (!before) return this.point(this.nearest(...now), now);
    this.point(null);
    this.travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    this.fingers.set(event.pointerId, now);
    if (other) {
      this.zoom(distance(now, other) / Math.max(distance(before, other), 1), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else if (this.drawing) {
      this.drawing.push(now);
      this.trace(before, now);
    } else if (this.mode || event.pointerType === "mouse") {
      this.view.x -= (now[0] - before[0]) / this.scale;
      this.view.y += (now[1] - before[1]) / this.scale;
      this.moved();
    }
  }

  up(event) {
    const drawn = this.drawing, at = [event.offsetX, event.offsetY];
    this.drop(event);
    if (this.travelled < 5) this.pick(this.nearest(...at), at);
    else if (drawn?.length > 2) this.take(drawn.map(([x, y]) => this.toPlane(x, y)));
  }

  drop(event) {
    this.fingers.delete(event.pointerId);
    this.drawing = null;
    this.loop.replaceChildren();
  }

  take(corners) {
    const step = Math.max(1, Math.ceil(corners.length / CORNERS));
    this.region = corners.filter((_, i) => i % step === 0).map((corner) => corner.map((each) => Number(each.toPrecision(5))));
    this.send("region", this.region); // first, so that the server looks for pictures while the points turn grey
    this.select();
    this.draw();
  }

  pick(point, at) {
    this.point(point, at);
    if (point !== null) this.send("pick", this.row(point));
  }

  clear() {
    this.send("region", []);
    this.region = null;
    this.select();
    this.draw();
  }

  key(event) {
    const step = 60 / this.scale, moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[event.key]) { this.view.x += moves[event.key][0]; this.view.y += moves[event.key][1]; this.moved(); }
    else if (event.key === "+" || event.key === "-") this.zoom(event.key === "+" ? 1.3 : 1 / 1.3, this.width / 2, this.height / 2);
    else if (event.key === "0") { this.home(); this.draw(); }
    else if (event.key === "Escape") this.clear();
    else return;
    event.preventDefault();
  }

  /** A ring around a point, and beside it its picture and what it is. */
  point(i, at) {
    if (i !== this.pointed) { this.pointed = i; this.draw(false); }
    this.tip.style.display = i === null ? "none" : "block";
    if (i === null) return;
    const image = this.tip.querySelector("canvas"), said = this.tip.querySelector("span"), { heat, names, colors } = this.data;
    image.style.display = this.sheet ? "block" : "none";
    if (this.sheet) { const pen = image.getContext("2d"); pen.clearRect(0, 0, 96, 96); this.drawPicture(pen, i, 0, 0, 96); }
    const value = heat && colors[i] !== REST ? (heat.low + (colors[i] / 254) * (heat.high - heat.low)).toFixed(2) : names[colors[i]] ?? "";
    said.textContent = [this.sheet?.captions?.[this.row(i)] ?? `${this.row(i) + 1}`, value].filter(Boolean).join(" · ");
    const left = at[0] + 200 > this.width ? at[0] - this.tip.offsetWidth - 12 : at[0] + 14;
    this.tip.style.left = `${Math.max(left, 2)}px`;
    this.tip.style.top = `${Math.min(at[1] + 12, this.height - this.tip.offsetHeight - 4)}px`;
  }

  // ---- what stands around

  buttons() {
    const bar = this.root.querySelector(".bar"), says = this.data.says;
    const turn = (mode) => this.turn(this.mode === mode ? this.idle : mode);
    const does = { lasso: () => turn("lasso"), pan: () => turn("pan"), home: () => { this.home(); this.draw(); }, png: () => this.savePng(), svg: () => this.saveSvg() };
    bar.replaceChildren(...Object.entries(does).map(([name, act]) => {
      const button = document.createElement("button");
      [button.textContent, button.type, button.onclick, button.dataset.does] = [says[name], "button", act, name];
      if (name === "lasso" || name === "pan") button.setAttribute("aria-pressed", this.mode === name);
      return button;
    }));
  }

  /** "lasso" or "pan" is what one finger, or the mouse, does from now on; "" leaves one finger to the page. */
  turn(mode) {
    this.mode = mode;
    this.over.dataset.mode = mode;
    if (this.data) this.buttons();
  }

  legend() {
    const { heat, names, rest, colors } = this.data, list = this.root.querySelector(".legend"), there = new Set(colors);
    const parts = heat
      ? [span(`${heat.title}  ${heat.low.toFixed(2)}`), bar(), span(heat.high.toFixed(2))]
      : [...names.map((name, i) => there.has(i) && dot(css(this.palette[i], 1), name)), rest && there.has(REST) && dot(css(GREY, 1), rest)].filter(Boolean);
    list.replaceChildren(...parts);
  }

  // ---- export

  savePng() {
    const both = document.createElement("canvas");
    [both.width, both.height] = [this.over.width, this.over.height];
    const pen = both.getContext("2d");
    pen.fillStyle = this.styles.getPropertyValue("--st-background-color");
    pen.fillRect(0, 0, both.width, both.height);
    this.stale = true;
    this.drawNow();
    pen.drawImage(this.under, 0, 0);
    pen.drawImage(this.over, 0, 0);
    both.toBlob((blob) => save(blob, "map.png"));
  }

  saveSvg() {
    const { places, colors, count, marks, labels } = this.data, shapes = [];
    const place = (x, y) => this.toScreen(x, y).map((each) => each.toFixed(1));
    for (let i = 0; i < count; i++) {
      const [x, y] = place(places[2 * i], places[2 * i + 1]);
      if (x < 0 || y < 0 || x > this.width || y > this.height) continue;
      shapes.push(`<circle cx="${x}" cy="${y}" r="${(this.dot / 2).toFixed(1)}" fill="${css(this.on[i] ? this.palette[colors[i]] : GREY, 1)}" opacity="${this.on[i] ? 0.8 : 0.25}"/>`);
    }
    for (const [x, y, label] of [...labels, ...marks]) {
      const [px, py] = place(x, y), safe = label.replace(/[&<>]/g, (each) => `&#${each.charCodeAt(0)};`);
      shapes.push(`<text x="${px}" y="${py}" font-size="13" text-anchor="middle" font-family="sans-serif">${safe}</text>`);
    }
    const size = `width="${this.width}" height="${this.height}"`;
    save(new Blob([`<svg xmlns="http://www.w3.org/2000/svg" ${size}>${shapes.join("")}</svg>`], { type: "image/svg+xml" }), "map.svg");
  }
}

const clamp = (value, high, low = 0) => Math.min(Math.max(value, low), high);
const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const css = (colour, alpha) => `rgba(${colour.map((each) => Math.round(each * 255)).join(",")},${alpha})`;

/** The colour of each of the 256 values a point may have, red, green and blue in [0, 1]. */
function colours({ heat, names }) {
  const rgb = COLOURS.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255));
  const made = Array.from({ length: 256 }, (_, i) => (heat ? ramp(i / 254) : rgb[i % rgb.length]));
  if (heat || names.length < REST) made[REST] = GREY;
  return made;
}


/** From violet over teal to amber, rising in lightness, so that it reads without colours too; visible on light and on dark. */
function ramp(t) {
  const stops = [[0.4, 0.32, 0.72], [0.2, 0.48, 0.75], [0.12, 0.62, 0.56], [0.52, 0.74, 0.27], [0.98, 0.77, 0.1]];
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

function span(text) {
  const made = document.createElement("span");
  made.textContent = text;
  return made;
}

function dot(colour, text) {
  const made = span(text), spot = document.createElement("i");
  spot.style.background = colour;
  made.prepend(spot);
  return made;
}

function bar() {
  const made = span("");
  made.className = "ramp";
  made.style.background = `linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map((t) => css(ramp(t), 1)).join(",")})`;
  return made;
}

function save(blob, name) {
  const link = document.createElement("a");
  [link.href, link.download] = [URL.createObjectURL(blob), name];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 5000);
}
