// The player of a walk: pictures, a scrubber, and the walk on a plane. What comes in is said in player.py; nothing goes out.

const PAD = 26; // pixels around the plane
const REACH = 30; // pixels within which a click on the plane chooses a frame

const players = new WeakMap();

export default function (component) {
  const { parentElement, data } = component;
  let player = players.get(parentElement);
  if (!player) players.set(parentElement, (player = new Player(parentElement)));
  player.receive(data);
  return () => player.end();
}

class Player {
  constructor(root) {
    const find = (name) => root.querySelector(name);
    [this.screens, this.canvas, this.button, this.range, this.output, this.select] =
      [".screens", "canvas", ".play", "input", "output", "select"].map(find);
    this.at = 0;
    this.button.onclick = () => (this.timer ? this.pause() : this.play());
    this.range.oninput = () => (this.pause(), this.show(+this.range.value));
    this.select.onchange = () => this.timer && (this.pause(), this.play());
    this.canvas.onclick = (event) => this.pick(event);
    this.canvas.onkeydown = (event) => this.step(event);
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.canvas.parentElement);
  }

  receive(data) {
    const name = JSON.stringify([data.way, data.tracks.map((track) => [track.name, track.frames.length, track.frames[0].length, track.frames.at(-1).length])]);
    this.data = data;
    this.count = data.way.length;
    this.range.max = this.count - 1;
    this.canvas.setAttribute("aria-label", data.texts.alt);
    this.range.setAttribute("aria-label", data.texts.frame);
    this.select.setAttribute("aria-label", data.texts.speed);
    if (name !== this.name) this.fill(data);
    this.name = name;
    this.show(Math.min(this.at, this.count - 1));
  }

  /** New pictures: decoded ahead, so that playing never waits. */
  fill(data) {
    this.screens.replaceChildren(...data.tracks.map((track) => {
      const figure = document.createElement("figure"), caption = document.createElement("figcaption");
      caption.textContent = track.name;
      figure.append(document.createElement("img"), caption);
      return figure;
    }));
    this.ahead = data.tracks.flatMap((track) => track.frames.map((source) => Object.assign(new Image(), { src: source })));
    const chosen = this.select.selectedIndex;
    this.select.replaceChildren(...data.speeds.map((speed) => new Option(`${speed}/s`, speed)));
    this.select.selectedIndex = chosen < 0 ? 0 : chosen;
    this.button.textContent = `▶ ${data.texts.play}`;
  }

  show(at) {
    this.at = at;
    this.range.value = at;
    [...this.screens.children].forEach((figure, number) => {
      const image = figure.firstChild, source = this.data.tracks[number].frames[at];
      if (image.src !== source) image.src = source;
      image.alt = this.data.says[at];
    });
    this.output.textContent = this.data.says[at];
    this.draw();
  }

  play() {
    this.button.textContent = `❚❚ ${this.data.texts.pause}`;
    let forward = this.at < this.count - 1; // there and back again
    this.timer = setInterval(() => {
      if (this.at >= this.count - 1) forward = false;
      if (this.at <= 0) forward = true;
      this.show(Math.max(0, Math.min(this.count - 1, this.at + (forward ? 1 : -1))));
    }, 1000 / +this.select.value);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = `▶ ${this.data.texts.play}`;
  }

  step(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.pause();
    this.show(Math.max(0, Math.min(this.count - 1, this.at + by)));
  }

  /** From places to pixels; both axes have one scale, so that distances are what they are. */
  scale() {
    const box = this.canvas.parentElement.getBoundingClientRect();
    const all = [...this.data.behind, ...this.data.way, ...this.data.stops];
    const [xs, ys] = [0, 1].map((axis) => all.map((place) => place[axis]));
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const by = Math.min((box.width - 2 * PAD) / (right - left || 1), (box.height - 2 * PAD) / (high - low || 1));
    const [x, y] = [box.width / 2 - (by * (left + right)) / 2, box.height / 2 + (by * (low + high)) / 2];
    return { box, to: (place) => [x + by * place[0], y - by * place[1]] };
  }

  draw() {
    if (!this.data) return;
    const { box, to } = this.scale(), ratio = window.devicePixelRatio || 1;
    const style = getComputedStyle(this.canvas), colour = (name) => style.getPropertyValue(name).trim();
    Object.assign(this.canvas, { width: box.width * ratio, height: box.height * ratio });
    const paint = this.canvas.getContext("2d");
    paint.scale(ratio, ratio);
    const dot = (place, size, fill) => (paint.beginPath(), paint.arc(...to(place), size, 0, 7), (paint.fillStyle = fill), paint.fill());
    this.data.behind.forEach((place) => dot(place, 2, "rgba(150, 150, 165, 0.35)"));
    paint.strokeStyle = colour("--st-primary-color");
    paint.lineWidth = 2;
    paint.beginPath();
    this.data.way.forEach((place) => paint.lineTo(...to(place)));
    paint.stroke();
    this.data.way.forEach((place) => dot(place, 3, colour("--st-primary-color")));
    this.data.stops.forEach((place, number) => this.label(paint, to(place), this.data.labels[number], colour, box.width));
    dot(this.data.way[this.at], 9, colour("--st-background-color"));
    dot(this.data.way[this.at], 7, "#e0813a");
  }

  /** A stop as a diamond with its name, which stays inside the plane. */
  label(paint, [x, y], name, colour, width) {
    paint.save();
    paint.translate(x, y);
    paint.rotate(Math.PI / 4);
    paint.fillStyle = "#ff4b4b";
    paint.fillRect(-5, -5, 10, 10);
    paint.restore();
    paint.font = `13px ${colour("--st-font") || "sans-serif"}`;
    const half = paint.measureText(name).width / 2 + 4, middle = Math.max(half, Math.min(width - half, x));
    paint.fillStyle = colour("--st-secondary-background-color");
    paint.fillRect(middle - half, y - 28, 2 * half, 18);
    paint.fillStyle = colour("--st-text-color");
    paint.textAlign = "center";
    paint.fillText(name, middle, y - 14);
  }

  pick(event) {
    const { box, to } = this.scale();
    const far = this.data.way.map((place) => Math.hypot(to(place)[0] - (event.clientX - box.left), to(place)[1] - (event.clientY - box.top)));
    const nearest = far.indexOf(Math.min(...far));
    if (far[nearest] < REACH) this.pause(), this.show(nearest);
  }

  end() {
    this.pause();
    this.watch.disconnect();
  }
}
