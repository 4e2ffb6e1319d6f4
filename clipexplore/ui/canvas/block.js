// Keeps the last block of bytes of each slot for the clouds of a page; shows nothing itself.
// A component of its own, because places and colours stay the same while a region or a point is chosen, and so are not sent again.

const blocks = (window.clipexploreBlocks ??= new Map());

export default function ({ data }) {
  const length = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  const { slot, name } = JSON.parse(new TextDecoder().decode(data.subarray(4, 4 + length)));
  if (blocks.get(slot)?.name === name) return;
  blocks.set(slot, { name, bytes: data.slice(4 + length) });
  window.dispatchEvent(new Event("clipexplore-block"));
}
