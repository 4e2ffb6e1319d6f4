"""A collection that grows: shards of items and of their vectors, and the tables merged from them.

Separate from `collection.py`, which reads, because growing has rules of its own. A shard is written once, as one commit, and
never again; `items.parquet` and `embeddings/` are merged from the shards and can be made from them at any time.

Beside what a collection has, there are `vectors/<model>/<kind>/<number>.npy` (float32, the embeddings of one shard),
`sheets/<number>.webp` (its thumbnails, 16 in a row of 64 pixels), and in the manifest `kind` ("pictures" or "captions"),
`parts` (the rows of every shard, merged or not), `vectors` ({model: {"revision", "dim"}}), `merged` (what of) and `restored` (shards
that `repair.py` has made again, with thumbnails for pictures).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.collection import Kind
from clipexplore.collections.storage import Store
from clipexplore.collections.tables import CONTENT, ITEMS, parquet, shard_name, shard_parquet
from clipexplore.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

REJECTED = "rejected.csv"


class Shards:
    """The writer of a collection; one at a time, see `Store.writing`.

    Attributes
    ----------
    store
        Its files.
    """

    def __init__(self, store: Store):
        self.store = store

    @classmethod
    def open(cls, folder: Path) -> Shards:
        """The collection in a folder, merged or not.

        Raises
        ------
        InputError
            If there is none, it is damaged, or made in one go and not to grow.
        """
        found = cls(Store.open(folder))
        if "parts" not in found.store.manifest:
            raise InputError(f"The collection in {folder} was made in one go and cannot grow; make a new one.")
        return found

    @classmethod
    def create(cls, folder: Path, *, name: str, title: str, kind: Kind, **manifest: object) -> Shards:
        """A collection without items yet; `Collection.open` takes it from the first merge on."""
        head = {"name": name, "title": title, "kind": kind, **manifest, "counts": {"items": 0, "pictures": 0}, "models": {}}
        return cls(Store.create(folder, {**head, "shards": {}, "parts": {}, "vectors": {}}, {}))

    @property
    def manifest(self) -> dict:
        return self.store.manifest

    @property
    def parts(self) -> dict[str, int]:
        """The rows of each shard, in order."""
        return dict(sorted(self.manifest["parts"].items()))

    @property
    def rows(self) -> int:
        return sum(self.manifest["parts"].values())

    def column(self, name: str) -> list[str]:
        """A column of all shards."""
        return [value for part in self.parts for value in self.read(part, [name])[name].to_pylist()]

    def read(self, part: str, columns: list[str] | None = None, without: str = "") -> pa.Table:
        """The table of a shard, or some columns of it."""
        import pyarrow.parquet

        file = pyarrow.parquet.ParquetFile(self.store.path(part), memory_map=True)
        return file.read(columns=[name for name in file.schema_arrow.names if name != without and (columns is None or name in columns)])

    def append(self, table: pa.Table, sheet: bytes | None, vectors: Mapping[Kind, np.ndarray], model: str, revision: str) -> None:
        """One more shard, in the first place that is free, with the embeddings `(n, dim)` that are there already.

        Raises
        ------
        InputError
            If the disk refuses; then nothing of the shard is there.
        """
        number = next(number for number in range(len(self.manifest["parts"]) + 1) if shard_name(number) not in self.manifest["parts"])
        files = {shard_name(number): shard_parquet(table)} | ({sheet_name(number): sheet} if sheet else {})
        manifest = {**self.manifest, "parts": {**self.manifest["parts"], shard_name(number): len(table)}}
        for kind, array in vectors.items():
            manifest, files[vectors_name(model, kind, number)] = _with_model(manifest, model, revision, array), npy(array)
        self.store.commit(manifest, files)

    def replace(self, part: str, table: pa.Table, sheet: bytes | None) -> None:
        """The items of a shard that was restored, as they were at first; its embeddings stay."""
        restored = [name for name in self.manifest["restored"] if name != part]
        manifest = {**self.manifest, "restored": restored} if restored else {name: value for name, value in self.manifest.items() if name != "restored"}
        self.store.commit(manifest, {part: shard_parquet(table)} | ({sheet_name(_number(part)): sheet} if sheet else {}))

    def unembedded(self, model: str, revision: str, kinds: list[Kind]) -> list[tuple[int, Kind]]:
        """The shards, by number, whose embeddings of a kind this revision of a model has not made."""
        current = self.manifest["vectors"].get(model, {}).get("revision") == revision
        made = self.manifest["files"] if current else ()
        return [(_number(part), kind) for part in self.parts for kind in kinds if vectors_name(model, kind, _number(part)) not in made]

    def add_vectors(self, number: int, kind: Kind, array: np.ndarray, model: str, revision: str) -> None:
        """The embeddings `(n, dim)` of a shard; those of another revision of the model are dropped."""
        self.store.commit(_with_model(self.manifest, model, revision, array), {vectors_name(model, kind, number): npy(array)})

    def vectors(self, number: int, kind: Kind, model: str) -> np.ndarray:
        """The stored embeddings of a shard, `(n, dim)` float32, unit norm."""
        return np.load(self.store.path(vectors_name(model, kind, number)), allow_pickle=False)

    def merge(self, rejected: bytes | None = None) -> None:
        """Makes the tables that `Collection` reads, from all shards; nothing if they are what was merged already.

        Raises
        ------
        InputError
            If there are no items, or the disk refuses.
        """
        if not self.parts:
            raise InputError("There is nothing to make a collection of; every entry was refused, or there was none.")
        signature, manifest = self._signature(), dict(self.manifest)
        files: dict = {} if rejected is None or self._has(REJECTED, rejected) else {REJECTED: rejected}
        complete = [(model, kind) for model in manifest["vectors"] for kind in ("captions", "pictures") if self._is_complete(model, kind)]
        merged = {ITEMS, *(_merged_name(*each) for each in complete)}
        if manifest.get("merged") != signature or not merged <= manifest["files"].keys():
            kept = {name: entry for name, entry in manifest["files"].items() if not name.startswith(("embeddings/", "maps/"))}
            files |= {ITEMS: parquet(self._items())} | {_merged_name(*each): self._merged(*each) for each in complete}
            manifest |= {"files": kept, "merged": signature, "shards": self.parts, "models": {model: manifest["vectors"][model] for model, _ in complete}}
            manifest["counts"] = {"items": self.rows, "pictures": self.rows if manifest["kind"] == "pictures" else 0}
        if files:
            self.store.commit(manifest, files)

    def _has(self, name: str, content: bytes) -> bool:
        return name in self.manifest["files"] and self.store.read(name) == content

    def _signature(self) -> str:
        """That of all files that are merged, and of what made them."""
        files = sorted(f"{name} {entry['blake2b']}" for name, entry in self.manifest["files"].items() if name.startswith(("shards/", "vectors/")))
        models = sorted(f"{model} {entry['revision']}" for model, entry in self.manifest["vectors"].items())
        return blake2b("\n".join(files + models).encode(), digest_size=16).hexdigest()

    def _is_complete(self, model: str, kind: Kind) -> bool:
        return all(vectors_name(model, kind, _number(part)) in self.manifest["files"] for part in self.parts)

    def _items(self) -> pa.Table:
        import pyarrow as pa

        tables = [self.read(part, without="picture") for part in self.parts]
        try:
            whole = pa.concat_tables(tables, promote_options="permissive")
        except pa.ArrowException:  # a column is text in one shard and a number in another
            whole = pa.concat_tables([_as_text(table) for table in tables], promote_options="permissive")
        return _typed(whole)

    def _merged(self, model: str, kind: Kind) -> Iterator[bytes]:
        """The content of an NPY of all embeddings, float32 of unit norm, a shard at a time."""
        yield npy_header(self.rows, self.manifest["vectors"][model]["dim"])
        for part in self.parts:
            yield self.vectors(_number(part), kind, model).tobytes()


def _merged_name(model: str, kind: Kind) -> str:
    return f"embeddings/{model}/{kind}.npy"


def sheet_name(number: int) -> str:
    """The name of the thumbnails of a shard."""
    return f"sheets/{number:05d}.webp"


def vectors_name(model: str, kind: Kind, number: int) -> str:
    """The name of the embeddings of a shard."""
    return f"vectors/{model}/{kind}/{number:05d}.npy"


def npy(array: np.ndarray) -> bytes:
    """Embeddings `(n, dim)`, of unit norm to six digits, as the content of an NPY in float32."""
    data = io.BytesIO()
    np.save(data, array.astype(np.float32), allow_pickle=False)
    return data.getvalue()


def npy_header(rows: int, dim: int) -> bytes:
    """What stands before the numbers in an NPY of float32."""
    data = io.BytesIO()
    np.lib.format.write_array_header_1_0(data, {"descr": "<f4", "fortran_order": False, "shape": (rows, dim)})
    return data.getvalue()


def _number(part: str) -> int:
    return int(Path(part).stem)


def _with_model(manifest: dict, model: str, revision: str, array: np.ndarray) -> dict:
    """The manifest that knows of a model's vectors, without those of another revision."""
    entry, files = {"revision": revision, "dim": array.shape[1]}, manifest["files"]
    if manifest["vectors"].get(model, entry) != entry:
        files = {name: file for name, file in files.items() if not name.startswith(f"vectors/{model}/")}
    return {**manifest, "files": files, "vectors": {**manifest["vectors"], model: entry}}


_WHOLE, _DECIMAL = re.compile(r"0|-?[1-9]\d{0,14}"), re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


def _typed(table: pa.Table) -> pa.Table:
    """Columns of text that hold numbers alone become numbers; 007 stays what it is."""
    import pyarrow as pa

    for place, name in enumerate(table.column_names):
        if name in ("id", "caption", CONTENT) or not (pa.types.is_string(table[name].type) or pa.types.is_null(table[name].type)):
            continue
        values = table[name].to_pylist()
        given = [value for value in values if value is not None]
        cast = next((kind for pattern, kind in ((_WHOLE, int), (_DECIMAL, float)) if given and all(map(pattern.fullmatch, given))), None)
        column = [value if value is None or cast is None else cast(value) for value in values]
        table = table.set_column(place, name, pa.array(column, None if cast else pa.string()))
    return table


def _as_text(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    columns = [[None if value is None else str(value) for value in table[name].to_pylist()] for name in table.column_names]
    return pa.table(dict(zip(table.column_names, (pa.array(column, pa.string()) for column in columns), strict=True)))
