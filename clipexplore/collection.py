"""Pictures and captions with their embeddings: a folder on disk.

Separate because everything durable about what can be explored is here, and nothing of the models that embed it.

A folder holds `manifest.json` (what it is, and size and checksum of every other file), `items.parquet` (id, caption,
further fields), `shards/<number>.parquet` (the same items, 256 in a file, with their encoded pictures; absent for
bundled texts), `embeddings/<model>/<kind>.npy` and `maps/<model>/<method>.npy` (float32). Rows are in the same order
everywhere. Embeddings are float32, which are mapped and take no memory, or float16, which are read and converted. What
a collection that grows has beside this is told in `shards.py`.
"""

from __future__ import annotations

import difflib
import io
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from clipexplore.collections.storage import Store
from clipexplore.collections.tables import CONTENT, GROUP, ITEMS, SHARD, check_items, parquet, shard_name, shard_parquet
from clipexplore.errors import InputError
from clipexplore.retrieval.nearest import Hits, search
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Collection", "Hits", "search"]  # searching is what one does with the embeddings of a collection

_GROUPS = 64  # row groups that a collection keeps in memory, a few hundred kilobytes each
Kind = Literal["pictures", "captions"]


class Collection:
    """A folder of captioned items, with pictures or without, and what models made of them.

    Every file is checked against the manifest when it is read. Any number of threads may read; `add_embeddings` and
    `add_map` are for one writer at a time.

    Attributes
    ----------
    name, title
        What it is called in links and in folders, and for people.
    manifest
        All that is said about it: description, licence, counts, models ({key: {"revision", "dim"}}), …
    ids, captions
        One str per row; ids are unique and can be written as `@id` in an expression.
    fields
        The further columns, a DataFrame of one row per item.
    """

    def __init__(self, store: Store):
        self._store = store
        self._arrays: dict[str, np.ndarray] = {}
        self._groups: dict[tuple[int, int], pa.ChunkedArray] = {}
        self.name: str = self.manifest["name"]
        self.title: str = self.manifest["title"]
        items = self._table(ITEMS).to_pandas()
        self.ids: list[str] = items["id"].tolist()
        self.captions: list[str] = items["caption"].tolist()
        self.fields: pd.DataFrame = items.drop(columns=["id", "caption", CONTENT], errors="ignore")
        # The shards of the pictures, and the row behind the last of each.
        self._shards, self._ends = list(self.manifest["shards"]), np.cumsum(list(self.manifest["shards"].values()))
        self._rows = {id: row for row, id in enumerate(self.ids)}

    @classmethod
    def open(cls, folder: Path | str, verify: bool = False) -> Collection:
        """The collection in a folder.

        Files are looked at now, and their content is compared with its checksum when first used; `verify` does that
        for all of them now.

        Raises
        ------
        InputError
            If there is no collection, if it is of another schema, or damaged.
        """
        store = Store.open(Path(folder))
        if "parts" in store.manifest and not store.manifest["counts"]["items"]:
            raise InputError(f"{store.manifest['title']} is still being imported; wait until it is done, or go on with the import.")
        if not {"name", "title", "counts", "models", "shards"} <= store.manifest.keys() or ITEMS not in store.manifest["files"]:
            raise store.damage("the manifest is not that of a collection")
        for name in store.manifest["files"] if verify else ():
            store.read(name)
        return cls(store)

    @classmethod
    def create(
        cls,
        folder: Path | str,
        *,
        name: str,
        title: str,
        items: pd.DataFrame,
        pictures: list[bytes] | None = None,
        **manifest: Any,
    ) -> Collection:
        """A new collection, written to a folder that holds none yet.

        Parameters
        ----------
        items
            Columns `id` and `caption` (str, no gaps) and any further columns of plain values.
        pictures
            One encoded picture per item, in their order; None for texts alone.
        manifest
            What else the manifest should say, such as `description`, `licence`, `seed`.

        Raises
        ------
        InputError
            If the folder holds a collection, if items or pictures break a rule, if the disk refuses.
        """
        import pyarrow as pa

        check_items(items, pictures)
        table = pa.Table.from_pandas(items, preserve_index=False)
        files, shards = {ITEMS: parquet(table)}, {}
        if pictures is not None:
            whole = table.append_column("picture", pa.array(pictures, pa.binary()))
            for number, start in enumerate(range(0, len(items), SHARD)):
                part = whole[start : start + SHARD]
                files[shard_name(number)], shards[shard_name(number)] = shard_parquet(part), len(part)
        counts = {"items": len(items), "pictures": len(pictures or ())}
        head = {"name": name, "title": title, **manifest, "counts": counts, "models": {}, "shards": shards}
        return cls(Store.create(Path(folder), head, files))

    @property
    def manifest(self) -> dict:
        return self._store.manifest

    @property
    def has_pictures(self) -> bool:
        return self.manifest["counts"]["pictures"] > 0

    @property
    def version(self) -> str:
        """A few digits made from the content of all files: another collection, or other items, has others."""
        checksums = sorted(f"{name} {entry['blake2b']}" for name, entry in self.manifest["files"].items())
        return blake2b("\n".join(checksums).encode(), digest_size=6).hexdigest()

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, id: str) -> bool:
        return id in self._rows

    def row(self, id: str) -> int:
        """The row of an id.

        Raises
        ------
        InputError
            For an unknown id; the message names similar ones.
        """
        if id not in self._rows:
            similar = " or ".join(f"@{other}" for other in difflib.get_close_matches(id, self.ids, n=3))
            remedy = f"did you mean {similar}?" if similar else "search for it by what it shows."
            raise InputError(f"There is no @{id} in {self.title}; {remedy}")
        return self._rows[id]

    def rows_captioned(self, text: str) -> list[int]:
        """The rows with that caption, in their order; letter case and the number of spaces do not count, as in CLIP."""
        return self._rows_by_caption.get(_folded(text), [])

    def picture(self, id: str) -> bytes:
        """The encoded picture of an item, as it was stored.

        Raises
        ------
        InputError
            For an unknown id, and where there are only texts.
        """
        row = self.row(id)
        if not self.has_pictures:
            raise InputError(f"{self.title} holds texts only; choose a collection with pictures.")
        number = int(np.searchsorted(self._ends, row, side="right"))
        start = int(self._ends[number - 1]) if number else 0
        return self._picture(number, row - start)

    def revision(self, model: str) -> str:
        """The revision of the model that made the embeddings.

        Raises
        ------
        InputError
            If that model has made none.
        """
        return self._model(model)["revision"]

    def embeddings(self, model: str, kind: Kind) -> np.ndarray:
        """Embeddings of the "pictures" or "captions" by a model: `(n, dim)`, float32, unit norm, read-only.

        Raises
        ------
        InputError
            If that model has made none of that kind, and for pictures where there are texts only.
        """
        name = self._embeddings_name(model, kind)
        shape = (len(self), self._model(model)["dim"])
        if name not in self.manifest["files"]:
            raise InputError(f"The {kind} of {self.title} are not embedded by the model {model}; choose another model.")
        if name not in self._arrays:
            mapped = self._array(name, shape)
            self._arrays[name] = mapped if mapped.dtype == np.float32 else _read_only(normalize(mapped))
        return self._arrays[name]

    def lengths(self, model: str, kind: Kind) -> np.ndarray | None:
        """How long the embeddings were before they were normalised, `(n,)` float32; None where that was not kept."""
        name = self._lengths_name(model, kind)
        return self._array(name, (len(self), 1))[:, 0] if name in self.manifest["files"] else None

    def coordinates(self, model: str, method: str) -> np.ndarray | None:
        """The stored map of the items, `(n, 2)` float32; None where there is none."""
        name = f"maps/{model}/{method}.npy"
        return self._array(name, (len(self), 2)) if name in self.manifest["files"] else None

    def add_embeddings(self, model: str, revision: str, kind: Kind, array: np.ndarray) -> None:
        """Stores the embeddings `(n, dim)` of the "pictures" or "captions", normalised, as float16.

        Embeddings and maps that another revision of the model has made are dropped: they are of another space.

        Raises
        ------
        InputError
            For a row that cannot be normalised, a wrong number of rows, pictures where there are none, a full disk.
        """
        name, array = self._embeddings_name(model, kind), normalize(array)
        entry = {"revision": revision, "dim": array.shape[-1]}
        manifest = {**self.manifest, "models": {**self.manifest["models"], model: entry}}
        if self.manifest["models"].get(model, entry) != entry:
            stale = (f"embeddings/{model}/", f"maps/{model}/")
            manifest["files"] = {old: file for old, file in manifest["files"].items() if not old.startswith(stale)}
        self._add(name, array.astype(np.float16), manifest)

    def add_lengths(self, model: str, kind: Kind, lengths: np.ndarray) -> None:
        """Stores how long the embeddings `(n,)` of the "pictures" or "captions" were before they were normalised.

        Raises
        ------
        InputError
            If the model has made no embeddings, for a wrong number of them, a full disk.
        """
        self._model(model)
        self._add(self._lengths_name(model, kind), np.asarray(lengths, np.float32).reshape(-1, 1), self.manifest)

    def add_map(self, model: str, method: str, array: np.ndarray) -> None:
        """Stores a map `(n, 2)` of the items by the embeddings of a model.

        Raises
        ------
        InputError
            If the model has made no embeddings, for a wrong shape, a full disk.
        """
        self._model(model)
        self._add(f"maps/{model}/{method}.npy", np.asarray(array, np.float32), self.manifest)

    @cached_property
    def _rows_by_caption(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, caption in enumerate(self.captions):
            rows.setdefault(_folded(caption), []).append(row)
        return rows

    def _model(self, model: str) -> dict:
        if model not in self.manifest["models"]:
            known = ", ".join(self.manifest["models"]) or "none yet"
            raise InputError(f"{self.title} is not embedded by the model {model}; it is by: {known}.")
        return self.manifest["models"][model]

    def _embeddings_name(self, model: str, kind: Kind) -> str:
        if kind not in ("pictures", "captions"):
            raise ValueError(f"kind is {kind!r}")
        if kind == "pictures" and not self.has_pictures:
            raise InputError(f"{self.title} holds texts only; choose a collection with pictures.")
        return f"embeddings/{model}/{kind}.npy"

    def _lengths_name(self, model: str, kind: Kind) -> str:
        return self._embeddings_name(model, kind).replace(".npy", ".lengths.npy")

    def _picture(self, shard: int, row: int) -> bytes:
        """The picture of a row of a shard; those of its group are kept a while, since who reads one often reads others."""
        import pyarrow.parquet

        name = self._shards[shard]
        group, place = divmod(row, GROUP)
        if (found := self._groups.get((shard, group))) is None:
            file = pyarrow.parquet.ParquetFile(self._store.path(name), memory_map=True)
            found = file.read_row_group(group, columns=["picture"])["picture"]
            if len(self._groups) >= _GROUPS:
                self._groups.clear()
            self._groups[shard, group] = found
        return found[place].as_py()

    def _table(self, name: str) -> pa.Table:
        import pyarrow.parquet

        return pyarrow.parquet.read_table(io.BytesIO(self._store.read(name)))

    def _array(self, name: str, shape: tuple[int, int]) -> np.ndarray:
        array = np.load(self._store.path(name), mmap_mode="r", allow_pickle=False)
        if array.shape != shape:
            raise self._store.damage(f"{name} is {array.shape} and not {shape}")
        return np.asarray(array)

    def _add(self, name: str, array: np.ndarray, manifest: dict) -> None:
        if array.ndim != 2 or len(array) != len(self):
            raise InputError(f"The array is {array.shape}; give one row for each of the {len(self)} items.")
        data = io.BytesIO()
        np.save(data, array, allow_pickle=False)
        self._store.commit(manifest, {name: data.getvalue()})
        self._arrays.clear()


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
