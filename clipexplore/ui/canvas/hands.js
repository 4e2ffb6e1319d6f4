// What mouse, fingers and keys do: point, choose, lasso, move, zoom.

const CORNERS = 40; // of a polygon, so that it fits into a link

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

class Hands extends Drawing {
  listen() {
    const over = this.over;
    over.onwheel = (event) => this.wheel(event);
    over.onpointerdown = (event) => this.down(event);
    over.onpointermove = (event) => this.move(event);
    over.onpointerup = (event) => this.up(event);
    over.onpointercancel = (event) => this.drop(event); // the browser scrolls the page instead
    over.onpointerleave = (event) => event.pointerType === "mouse" && this.point(null);
    over.ondblclick = () => this.clear();
    over.onkeydown = (event) => this.key(event);
  }

  wheel(event) {
    const at = [event.offsetX, event.offsetY];
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * 0.0015), ...at);
    this.point(this.nearest(...at), at); // what was pointed at may have moved away
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
    this.send("region", this.region);
    setTimeout(() => { this.select(); this.draw(); }); // after that has left: the server looks for pictures while the points turn grey
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
    else if (event.key === "0") { this.home(); this.draw(); this.look(); }
    else if (event.key === "Escape") this.clear();
    else return;
    this.point(null);
    event.preventDefault();
  }

  /** A ring around a point, and beside it its picture and what it is. */
  point(i, at) {
    if (i !== this.pointed) { this.pointed = i; this.draw(false); }
    this.tip.style.display = i === null ? "none" : "block";
    if (i === null) return;
    const image = this.tip.querySelector("canvas"), said = this.tip.querySelector("span"), { heat, names, colors } = this.data;
    image.style.display = this.sheet?.image ? "block" : "none";
    if (this.sheet?.image) { const pen = image.getContext("2d"); pen.clearRect(0, 0, 96, 96); this.drawPicture(pen, i, 0, 0, 96); }
    const value = heat && colors[i] !== REST ? this.decimal(heat.low + (colors[i] / 254) * (heat.high - heat.low)) : names[colors[i]] ?? "";
    said.textContent = [this.sheet?.captions?.[this.row(i)] || `${this.row(i) + 1}`, value].filter(Boolean).join(" · ");
    const left = at[0] + 200 > this.width ? at[0] - this.tip.offsetWidth - 12 : at[0] + 14;
    this.tip.style.left = `${Math.max(left, 2)}px`;
    this.tip.style.top = `${Math.min(at[1] + 12, this.height - this.tip.offsetHeight - 4)}px`;
  }
}
