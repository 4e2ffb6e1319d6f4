// Which part of the plane is in sight, and what lies where in it.

const SMOOTH = 16; // milliseconds a frame may take while the points are moved; if all take longer, fewer are drawn until they rest
const CLOSE = 14; // pixels from a point within which it is pointed at

const clamp = (value, high, low = 0) => Math.min(Math.max(value, low), high);

/** A point (x, y) lies at (x − view.x) · scale pixels from the middle; a grid over the plane finds what is pointed at. */
class View {
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

  /** A number as the visitor's language writes it. */
  decimal(value) { return value.toLocaleString(this.data.language, { minimumFractionDigits: 2, maximumFractionDigits: 2 }); }

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
    this.rest = setTimeout(() => { this.thin = 1; this.draw(); this.look(); }, 180);
    this.draw();
  }

  /** Says what is in sight, where only some of the points are here. */
  look() {
    if (!this.data.some) return;
    const [left, high] = this.toPlane(0, 0), [right, low] = this.toPlane(this.width, this.height);
    this.send("sight", [left, right, low, high]);
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
    if (!this.starts) this.index(); // not before it is asked for: the points are seen sooner
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
}
