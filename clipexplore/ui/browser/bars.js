// Horizontal bars with a label before and a note behind each. Plotly draws the same from five megabytes of script, which
// is most of what a first visit would wait for.

const ROW = 26, THICK = 19, GAP = 8, TOP = 14, NICE = [0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10];

function add(parent, tag, attributes, text = "") {
  const made = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

// Colours fall back on what they are now where the drawing is taken out of the page.
function coloured(root, name) {
  return `fill: var(${name}, ${getComputedStyle(root).getPropertyValue(name) || "#555"})`;
}

// Pixels, larger where a page is presented.
function type() {
  return Math.min(18, 0.75 * parseFloat(getComputedStyle(document.documentElement).fontSize));
}

function longest(texts) {
  return Math.max(0, ...texts.map((each) => each.length)) * type() * 0.53;
}

// From where to where the values go, beside their labels and notes.
function scale({ labels, values, notes, whole }, width) {
  const low = Math.min(0, ...values), high = whole ? 1 : Math.max(1e-6, ...values);
  const left = Math.min(longest(labels) + GAP, width * 0.4) + (low < 0 ? longest(notes) / 2 : 0);
  const right = Math.max(left + 40, width - longest(notes) - GAP);
  return { low, high, left, at: (value) => left + ((value - low) / (high - low)) * (right - left) };
}

// As many as do not run into each other.
function ticks({ low, high, at }) {
  const most = Math.min(5, (at(high) - at(low)) / (2.6 * type()));
  const step = NICE.find((each) => (high - low) / each <= most) ?? high - low;
  const count = Math.floor(high / step) - Math.ceil(low / step) + 1;
  return Array.from({ length: count }, (_, i) => (Math.ceil(low / step) + i) * step);
}

function draw(root, data) {
  const width = root.clientWidth, bottom = TOP + ROW * data.values.length, plane = scale(data, width);
  if (!width) return;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), ink = coloured(root, "--st-text-color");
  const font = getComputedStyle(root).fontFamily.replaceAll('"', "'");
  for (const [name, value] of Object.entries({ class: "main-svg", width, height: data.height, role: "img", "aria-label": data.alt })) svg.setAttribute(name, value);
  const small = { "font-family": font, "font-size": type(), style: ink }, faint = { ...small, opacity: 0.75 };
  data.values.forEach((value, row) => {
    const middle = TOP + ROW * (row + 0.5), from = plane.at(Math.min(0, value)), to = plane.at(Math.max(0, value));
    const text = { y: middle, "dominant-baseline": "central" };
    const label = add(svg, "text", { ...small, ...text, x: Math.min(plane.left, plane.at(0)) - GAP, "text-anchor": "end" }, data.labels[row]);
    add(svg, "rect", { x: from, y: middle - THICK / 2, width: Math.max(1, to - from), height: THICK, rx: 3, fill: value < 0 ? data.other : data.accent });
    add(svg, "text", { ...faint, ...text, x: to + 5 }, data.notes[row]);
    add(label, "title", {}, data.labels[row]);
  });
  for (const tick of ticks(plane)) {
    add(svg, "text", { ...faint, x: plane.at(tick), y: bottom + 16, "text-anchor": "middle" }, (+tick.toFixed(2)).toLocaleString(data.language));
  }
  add(svg, "text", { ...faint, x: (plane.at(plane.low) + plane.at(plane.high)) / 2, y: bottom + 36, "text-anchor": "middle" }, data.title);
  root.replaceChildren(svg);
}

export default function ({ parentElement, data }) {
  const root = parentElement.querySelector(".bars");
  root.data = data;
  draw(root, data);
  root.watch ??= new ResizeObserver(() => draw(root, root.data));
  root.watch.observe(root);
}
