// The result of the page as one PNG: its pictures, charts and maps where they stand, its title, its link and QR code.

const PAD = 24, GAP = 14, SCALE = 2, CODE = 132; // pixels
const LEAVES = "img, canvas, svg.main-svg, h3, .gallery .name, .gallery .score";
const APART = "a, button:not(.open), details:not([open]), .stPopover, .tip"; // what is in these is not the result
const SMALL = 50; // pixels; smaller pictures stand beside the words they are of

// What is drawn, in the order of the page, also inside of components.
function* leaves(root) {
  for (const each of root.querySelectorAll("*")) {
    if (each.shadowRoot) yield* leaves(each.shadowRoot);
    if (!each.matches(LEAVES) || each.closest(APART)) continue;
    const box = each.getBoundingClientRect();
    if (box.height && box.width > (each.tagName === "IMG" ? SMALL : 0)) {
      yield { each, x: box.left, y: box.top, width: box.width, height: box.height };
    }
  }
}

function asImage(svg, { width, height }) {
  const copy = svg.cloneNode(true), image = new Image(width, height);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  return image.decode().then(() => image);
}

function load(source) {
  const image = new Image();
  image.src = source;
  return image.decode().then(() => image);
}

// Rows that overlap keep their places; what lay between them and is not drawn is closed up.
function stack(parts) {
  let bottom = -Infinity, shift = 0, end = 0;
  for (const part of parts.sort((one, other) => one.y - other.y)) {
    if (part.y > bottom + GAP) shift = end + (end ? GAP : 0) - part.y;
    bottom = Math.max(bottom, part.y + part.height);
    part.y += shift;
    end = Math.max(end, part.y + part.height);
  }
  return end;
}

function wrapped(pen, text, width) {
  const lines = [""];
  for (const sign of text) {
    if (pen.measureText(lines.at(-1) + sign).width > width) lines.push("");
    lines[lines.length - 1] += sign;
  }
  return lines;
}

function draw(pen, { each, source, x, y, width, height }) {
  if (!source) {
    const style = getComputedStyle(each);
    pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    pen.save();
    pen.beginPath();
    pen.rect(x, y, width, height);
    pen.clip();
    pen.fillText(each.innerText, x, y + height / 2);
    pen.restore();
    return;
  }
  const share = each.tagName === "IMG" ? Math.min(width / source.naturalWidth, height / source.naturalHeight) : 0;
  const [w, h] = share ? [source.naturalWidth * share, source.naturalHeight * share] : [width, height];
  pen.drawImage(source, x + (width - w) / 2, y + (height - h) / 2, w, h);
}

async function card(main, data) {
  dispatchEvent(new Event("clipexplore-sheet")); // maps draw again, or the browser has thrown their pixels away
  await new Promise(requestAnimationFrame);
  const parts = [...leaves(main)];
  for (const part of parts) {
    if (part.each.tagName === "CANVAS") part.source = createImageBitmap(part.each); // as it is in this very frame
  }
  for (const part of parts) {
    if (part.each.tagName === "IMG") part.source = part.each;
    if (part.each.tagName === "svg") part.source = asImage(part.each, part);
    part.source = await part.source;
  }
  const left = Math.min(...parts.map((part) => part.x)), right = Math.max(...parts.map((part) => part.x + part.width));
  const width = Math.max(right - left, 480), height = stack(parts);
  return paint(parts, left, width, height, data, data.code && (await load(data.code)), getComputedStyle(main));
}

function paint(parts, left, width, height, data, code, style) {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d"), font = style.fontFamily;
  pen.font = `14px ${font}`;
  const about = wrapped(pen, data.about, width), link = wrapped(pen, data.link, width - CODE - PAD);
  const top = PAD + 40 + about.length * 20 + GAP, foot = Math.max(CODE, link.length * 20 + 24);
  canvas.width = (width + 2 * PAD) * SCALE;
  canvas.height = (top + height + GAP + foot + PAD) * SCALE;
  pen.scale(SCALE, SCALE);
  pen.fillStyle = data.background;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = style.color;
  pen.textBaseline = "middle";
  pen.font = `bold 26px ${font}`;
  pen.fillText(data.title, PAD, PAD + 14);
  pen.font = `14px ${font}`;
  about.forEach((line, number) => pen.fillText(line, PAD, PAD + 46 + number * 20));
  for (const part of parts) draw(pen, { ...part, x: part.x - left + PAD, y: part.y + top });
  const end = top + height + GAP;
  if (code) pen.drawImage(code, PAD, end, CODE, CODE);
  pen.font = `14px ${font}`;
  link.forEach((line, number) => pen.fillText(line, PAD + (code ? CODE + PAD : 0), end + 14 + number * 20));
  return canvas;
}

export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button"), main = document.querySelector("[data-testid=stMain]");
  button.textContent = data.label;
  button.onclick = async () => {
    const background = getComputedStyle(main.closest("[data-testid=stApp]")).backgroundColor;
    const canvas = await card(main, { ...data, background });
    canvas.toBlob((blob) => {
      const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: data.file });
      link.click();
      URL.revokeObjectURL(link.href);
    });
  };
}
