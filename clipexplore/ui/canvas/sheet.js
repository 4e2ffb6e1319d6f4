// Receives a sheet of thumbnails once and keeps it for every cloud on the page; shows nothing itself.
// A component of its own, because it stays the same while a cloud changes its colours, and so is not sent again.

const sheets = (window.clipexploreSheets ??= new Map());

export default function ({ data }) {
  const length = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(data.subarray(4, 4 + length)));
  if (sheets.has(head.name)) return;
  const keep = (image) => {
    sheets.clear(); // one collection is looked at at a time
    sheets.set(head.name, { ...head, image, place: head.rows && new Map(head.rows.map((row, at) => [row, at])) });
    window.dispatchEvent(new Event("clipexplore-sheet"));
  };
  if (data.length === 4 + length) keep(null); // captions alone
  else createImageBitmap(new Blob([data.slice(4 + length)], { type: "image/webp" })).then(keep);
}
