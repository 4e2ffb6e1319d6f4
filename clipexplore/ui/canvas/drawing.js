// What is drawn on the points: pictures, lines, the region, rings, marks and labels.

const FACE = 44; // pixels
const PICTURES = 260; // points in sight, up to which they are drawn as pictures

const sheets = (window.clipexploreSheets ??= new Map()); // of thumbnails by name, put there by sheet.js

class Drawing extends Points {
  get sheet() { return sheets.get(this.data.sheet); }

  /** Draws at the next frame: all, or only what lies above the points, which leaves those as they are. */
  draw(points = true) {
    this.stale ||= points;
    if (this.waiting || !this.data || !this.width) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.drawNow(); });
  }

  drawNow() {
    if (this.stale) {
      this.shown = this.pictures();
      this.gl ? this.paint() : this.lay();
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
    if (!this.sheet?.image || (this.view.zoom < 1.6 && this.data.count > 40)) return null;
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
    this.written = [];
    pen.font = `600 13px ${this.styles.fontFamily}`;
    for (const [x, y, label] of this.data.marks) this.mark(pen, ...this.toScreen(x, y), label);
    const named = this.data.labels.filter(([x, y, label]) => this.write(pen, ...this.toScreen(x, y), label, false));
    if (this.sheet?.image && !this.shown) this.drawFaces(pen, named);
  }

  drawPicture(pen, i, x = null, y = null, side = this.side) {
    const { image, size, columns, place } = this.sheet, row = this.row(i), at = place ? place.get(row) : row;
    if (at === undefined) return;
    const [px, py] = x === null ? this.toScreen(this.data.places[2 * i], this.data.places[2 * i + 1]).map((each) => each - side / 2) : [x, y];
    pen.globalAlpha = this.on[i] ? 1 : 0.25;
    pen.drawImage(image, (at % columns) * size, Math.floor(at / columns) * size, size, size, px, py, side, side);
    pen.globalAlpha = 1;
  }

  /** Above the names of groups their faces, where nothing else is written or shown. */
  drawFaces(pen, named) {
    const taken = this.written.map(([x, y, width]) => [x, y, width, 20]);
    for (const [x, y, label] of named) {
      const [px, foot] = this.toScreen(x, y), py = foot - 12 - FACE / 2, face = this.face(label, x, y);
      const free = taken.every(([at, line, wide, high]) => Math.abs(at - px) >= (wide + FACE) / 2 || Math.abs(line - py) >= (high + FACE) / 2);
      if (face === null || !free || py < FACE / 2) continue;
      this.drawPicture(pen, face, px - FACE / 2, py - FACE / 2, FACE);
      taken.push([px, py, FACE, FACE]);
    }
    this.box.dataset.faces = taken.length - this.written.length;
  }

  /** Of a group the picture that lies nearest to where its name stands. */
  face(label, x, y) {
    if (this.facesOf !== this.data) [this.facesOf, this.faces] = [this.data, new Map()];
    if (!this.faces.has(label)) {
      const { names, colors, places } = this.data, colour = names.indexOf(label);
      let found = null, least = Infinity;
      for (let i = 0; i < colors.length; i++) {
        const far = colors[i] === colour ? (places[2 * i] - x) ** 2 + (places[2 * i + 1] - y) ** 2 : Infinity;
        if (far < least) [found, least] = [i, far];
      }
      this.faces.set(label, found);
    }
    return this.faces.get(label);
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
    this.write(pen, x, y + (this.free(pen, x, y - 19, label) ? -19 : 19), label, true);
  }

  /** Whether no label stands where this one would. */
  free(pen, x, y, label) {
    const width = pen.measureText(label).width + 10;
    return !this.written.some(([at, line, wide]) => Math.abs(at - x) < (wide + width) / 2 && Math.abs(line - y) < 20);
  }

  /** A label; one that is not strong is left out where others stand already, until there is room. */
  write(pen, x, y, label, strong) {
    pen.font = `${strong ? 600 : 500} 13px ${this.styles.fontFamily}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const width = pen.measureText(label).width + 10;
    if (x < -20 || y < -30 || x > this.width + 20 || y > this.height + 30) return;
    x = Math.min(Math.max(x, width / 2), this.width - width / 2);
    if (!strong && !this.free(pen, x, y, label)) return;
    this.written.push([x, y, width]);
    pen.globalAlpha = strong ? 0.9 : 0.72;
    pen.fillStyle = this.styles.getPropertyValue("--st-background-color");
    pen.beginPath();
    pen.roundRect(x - width / 2, y - 10, width, 20, 5);
    pen.fill();
    pen.globalAlpha = 1;
    pen.fillStyle = this.styles.getPropertyValue("--st-text-color");
    pen.fillText(label, x, y);
    return true;
  }
}
