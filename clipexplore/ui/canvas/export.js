// The map as a file, with a note of what its axes and colours mean.

const NOTE = 20; // pixels of a line below an exported map

class Exports extends Hands {
  /** What stands below an exported map, a colour or null and a text a line: the axes, and what the colours mean. */
  notes() {
    const { heat, axes, ramp } = this.data;
    const scale = heat ? [[null, heat.title], ...[0, 0.25, 0.5, 0.75, 1].map((t) => [along(rgbs(ramp), t), this.decimal(heat.low + t * (heat.high - heat.low))])] : [];
    return [[null, axes.join("  ×  ")], ...scale, ...this.values()];
  }

  savePng() {
    const both = document.createElement("canvas"), notes = this.notes();
    [both.width, both.height] = [this.over.width, this.over.height + (notes.length * NOTE + 8) * this.ratio];
    const pen = both.getContext("2d");
    pen.fillStyle = this.styles.getPropertyValue("--st-background-color");
    pen.fillRect(0, 0, both.width, both.height);
    this.stale = true;
    this.drawNow();
    pen.drawImage(this.under, 0, 0);
    pen.drawImage(this.over, 0, 0);
    pen.scale(this.ratio, this.ratio);
    pen.font = `13px ${this.styles.fontFamily}`;
    notes.forEach(([colour, text], line) => {
      const y = this.height + NOTE * (line + 1);
      if (colour) { pen.fillStyle = css(colour, 1); pen.beginPath(); pen.arc(16, y - 4, 5, 0, 7); pen.fill(); }
      pen.fillStyle = this.styles.getPropertyValue("--st-text-color");
      pen.fillText(text, colour ? 28 : 10, y);
    });
    both.toBlob((blob) => save(blob, "map.png"));
  }

  saveSvg() {
    const { places, colors, count, marks, labels, lines } = this.data, shapes = [], notes = this.notes();
    const place = (x, y) => this.toScreen(x, y).map((each) => each.toFixed(1));
    const safe = (text) => text.replace(/[&<>]/g, (each) => `&#${each.charCodeAt(0)};`), accent = this.styles.getPropertyValue("--st-primary-color");
    for (let i = 0; i < count; i++) {
      const [x, y] = place(places[2 * i], places[2 * i + 1]);
      if (x < 0 || y < 0 || x > this.width || y > this.height) continue;
      shapes.push(`<circle cx="${x}" cy="${y}" r="${(this.dot / 2).toFixed(1)}" fill="${css(this.on[i] ? this.palette[colors[i]] : GREY, 1)}" opacity="${this.on[i] ? 0.8 : 0.25}"/>`);
    }
    for (const corners of [...lines.map(([x1, y1, x2, y2]) => [[x1, y1], [x2, y2]]), ...(this.region?.length > 2 ? [this.region] : [])]) {
      shapes.push(`<polygon points="${corners.map((corner) => place(...corner)).join(" ")}" fill="none" stroke="${accent}" stroke-width="1.5"/>`);
    }
    for (const [x, y] of marks) shapes.push(`<path transform="translate(${place(x, y)})" d="M0-8 7 0 0 8-7 0Z" fill="#ff4b4b" stroke="white"/>`);
    const write = (x, y, text, more) => shapes.push(`<text x="${x}" y="${y}" font-size="13" font-family="sans-serif" ${more}>${safe(text)}</text>`);
    const halo = 'text-anchor="middle" stroke="white" stroke-width="4" paint-order="stroke"';
    for (const [x, y, label] of labels) write(...place(x, y), label, halo);
    for (const [x, y, label] of marks) write(place(x, y)[0], place(x, y)[1] - 14, label, halo);
    notes.forEach(([colour, text], line) => {
      const y = this.height + NOTE * (line + 1);
      if (colour) shapes.push(`<rect x="11" y="${y - 9}" width="10" height="10" rx="5" fill="${css(colour, 1)}"/>`);
      write(colour ? 28 : 10, y, text, "");
    });
    const size = `width="${this.width}" height="${this.height + notes.length * NOTE + 8}"`;
    save(new Blob([`<svg xmlns="http://www.w3.org/2000/svg" ${size}>${shapes.join("")}</svg>`], { type: "image/svg+xml" }), "map.svg");
  }
}

function save(blob, name) {
  const link = document.createElement("a");
  [link.href, link.download] = [URL.createObjectURL(blob), name];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 5000);
}
