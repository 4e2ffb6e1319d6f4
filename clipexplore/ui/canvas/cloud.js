// A cloud of points on a plane: what the server says is taken in here, and what stands around the canvas is made here.
// What comes in is small: what to say and to draw, and the names of the blocks of bytes that block.js keeps (see cloud.py).
// What goes out is a polygon or the row of one point, never a list of points.
// One module of several files, put together in the order view, raster, points, drawing, hands, export, cloud; each stands on the one before.

const clouds = new WeakMap();
const blocks = (window.clipexploreBlocks ??= new Map()); // of bytes by slot, put there by block.js

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

class Cloud extends Exports {
  constructor(root) {
    super();
    this.root = root;
    this.box = root.querySelector(".cloud");
    [this.under, this.over] = this.box.querySelectorAll("canvas");
    this.tip = root.querySelector(".tip");
    this.pen = this.over.getContext("2d");
    this.loop = root.querySelector(".loop");
    this.idle = matchMedia("(pointer: coarse)").matches ? "" : "lasso"; // a finger that is not asked to do anything scrolls the page
    this.turn(this.idle);
    this.fingers = new Map();
    this.gl = this.card();
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
    cancelAnimationFrame(this.waiting ?? 0); // the canvas may be another cloud's by then
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
    if (moved) { this.point(null); this.cost = this.starts = undefined; this.upload("place", data.places, 2); }
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

  // ---- what stands around

  buttons() {
    const bar = this.root.querySelector(".bar"), says = this.data.says;
    const turn = (mode) => this.turn(this.mode === mode ? this.idle : mode);
    const does = { lasso: () => turn("lasso"), pan: () => turn("pan"), home: () => { this.home(); this.draw(); this.look(); }, png: () => this.savePng(), svg: () => this.saveSvg() };
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
    const { heat, ramp } = this.data, values = this.values().map(([colour, name]) => dot(css(colour, 1), name));
    const scale = heat ? [span(heat.title), bar(ramp, this.decimal(heat.low), this.decimal(heat.high))] : [];
    this.root.querySelector(".legend").replaceChildren(...scale, ...values);
  }

  /** Colour and name of each value that some point has; of a scale, only what is not on it. */
  values() {
    const { names, rest, colors } = this.data, there = new Set(colors);
    const named = names.map((name, i) => [this.palette[i], name]).filter((_, i) => there.has(i));
    return rest && there.has(REST) ? [...named, [GREY, rest]] : named;
  }
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

function bar(ramp, low, high) {
  const made = span(low), scale = document.createElement("b");
  scale.style.background = `linear-gradient(to right, ${ramp.join(",")})`;
  made.append(scale, high);
  return made;
}
