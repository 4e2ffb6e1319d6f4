"""Making a damaged collection whole again, as far as what is left of it allows.

Separate because it is the reverse of everything else: tables come from shards, and here shards also come from tables. What was
damaged is set aside and never thrown away. Of a lost shard the pictures are those of its thumbnails from then on; the next import
from its source brings them back.
"""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.collections.reading import ACROSS, THUMBNAIL, sheet_of
from clipexplore.collections.shards import Shards, npy, sheet_name
from clipexplore.collections.storage import LOCK, Damage, Store
from clipexplore.collections.tables import ITEMS, shard_parquet
from clipexplore.images import encode, open_picture

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)


def repair(folder: Path) -> list[str]:
    """Sets aside what is damaged in a collection's folder and makes it again from the rest; the names of what was damaged.

    Embeddings that neither the shards nor the merged table have any more are left out: embedding by that model makes them again.

    Raises
    ------
    InputError
        If neither the manifest nor its copy is whole, nothing is left, or the disk refuses.
    """
    store, lost = Store.salvage(folder)
    if "parts" not in store.manifest or not lost and ITEMS in store.manifest["files"]:
        return lost
    shards = Shards(store)
    with store.writing():
        for part in [part for part in shards.parts if part not in store.manifest["files"]]:
            _restore_part(shards, part)
        for name in lost:
            _restore_derived(shards, name)
        _forget_unowned(shards)
        if lost and shards.parts:
            shards.merge()
    return lost


def mend(folder: Path) -> list[str]:
    """Repairs a collection that grows, if a file of it is missing or was cut; the names of what was damaged. Content is compared when it is used."""
    try:
        Store.open(folder)
        return []
    except Damage as error:
        if not (folder / LOCK).exists():  # made in one go, so there is nothing to make it again from
            return []
        found = repair(folder)
        log.warning("%s Repaired: %s", error, ", ".join(found))
        return found


def _restore_part(shards: Shards, part: str) -> None:
    """A lost shard from the merged items and its thumbnails; without either its rows are given up."""
    manifest = shards.manifest
    number, table = int(Path(part).stem), None
    if ITEMS in manifest["files"] and part in manifest["shards"]:
        table = _rows_of(shards, part)
    if table is not None and manifest["kind"] == "pictures":
        table = _with_thumbnails(shards, table, number)
    if table is None:
        parts = {name: rows for name, rows in manifest["parts"].items() if name != part}
        shards.store.commit({**manifest, "parts": parts}, {})
    else:
        restored = sorted({*manifest.get("restored", ()), part})
        shards.store.commit({**manifest, "restored": restored}, {part: shard_parquet(table)})


def _rows_of(shards: Shards, part: str) -> pa.Table:
    """The rows of the merged items that are those of a shard."""
    import pyarrow.parquet

    start, count = _place(shards, part)
    return pyarrow.parquet.read_table(io.BytesIO(shards.store.read(ITEMS)))[start : start + count]


def _place(shards: Shards, part: str) -> tuple[int, int]:
    """The first row of a merged shard, and how many it has."""
    merged = dict(sorted(shards.manifest["shards"].items()))
    return sum(rows for name, rows in merged.items() if name < part), merged[part]


def _with_thumbnails(shards: Shards, table: pa.Table, number: int) -> pa.Table | None:
    import pyarrow as pa

    if sheet_name(number) not in shards.manifest["files"]:
        return None
    sheet = open_picture(shards.store.read(sheet_name(number)))
    corners = [(place % ACROSS * THUMBNAIL, place // ACROSS * THUMBNAIL) for place in range(len(table))]
    cut = [sheet.crop((left, top, left + THUMBNAIL, top + THUMBNAIL)) for left, top in corners]
    return table.append_column("picture", pa.array([encode(each, "WEBP") for each in cut], pa.binary()))


def _restore_derived(shards: Shards, name: str) -> None:
    """Lost thumbnails from the pictures of their shard, lost embeddings of a shard from the merged ones."""
    folder, _, rest = name.partition("/")
    part = f"shards/{Path(name).stem}.parquet"
    if part not in shards.manifest["parts"] or name in shards.manifest["files"]:
        return
    if folder == "sheets":
        pictures = shards.read(part, ["picture"])["picture"].to_pylist()
        shards.store.commit(shards.manifest, {name: sheet_of(pictures)})
    if folder == "vectors":
        model, kind, _ = rest.split("/")
        merged = f"embeddings/{model}/{kind}.npy"
        if merged in shards.manifest["files"] and part in shards.manifest["shards"]:
            start, count = _place(shards, part)
            rows = np.load(shards.store.path(merged), mmap_mode="r", allow_pickle=False)[start : start + count]
            shards.store.commit(shards.manifest, {name: npy(rows)})


def _forget_unowned(shards: Shards) -> None:
    """Drops what belongs to shards that were given up."""
    numbers = {Path(part).stem for part in shards.parts}
    files = shards.manifest["files"]
    kept = {name: entry for name, entry in files.items() if not name.startswith(("sheets/", "vectors/")) or Path(name).stem in numbers}
    if kept != files:
        shards.store.commit({**shards.manifest, "files": kept}, {})


