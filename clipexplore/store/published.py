"""The form in which collections are shipped and read by others: a folder of Parquet and NPY files, never changed.

`manifest.json` says what it is, with size and checksum of every other file; `items.parquet` has id, caption and further
fields; `shards/<number>.parquet` the same items, 256 in a file, with their encoded pictures (absent for texts);
`embeddings/<model>/<kind>.npy` and `maps/<model>/<method>.npy` one row for each item, in the same order.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clipexplore.errors import DamagedError, InputError, MissingError, no_room
from clipexplore.language import _
from clipexplore.paths import sync
from clipexplore.sources.entries import KINDS, Kind
from clipexplore.store import mapped
from clipexplore.store.texts import Texts
from clipexplore.tables import npy_file
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MANIFEST, COPY, ITEMS = "manifest.json", "manifest.copy.json", "items.parquet"
SHARD, GROUP = 256, 32  # items in a shard, and in one of its row groups, which are read as a whole
_SCHEMA = 1
MAPPED_FROM, _ROWS = 100_000, 8_192  # embeddings, from which they are mapped; those that are written together
_GROUPS = 64  # row groups kept in memory, a few hundred kilobytes each


class Published:
    """A published collection, opened. Threads may share it; a file's checksum is compared at its first use."""

    base = None  # what `Stored` may have

    def __init__(self, folder: Path):
        self.folder, self.facts = folder, read_manifest(folder)
        self._checked: set[str] = set()
        self._group = lru_cache(_GROUPS)(self._read_group)  # who reads one picture often reads others of its group
        self._ends = np.cumsum(list(self.facts.get("shards", {}).values()))
        for name, entry in self.facts["files"].items():
            path = folder / name
            if not path.is_file():
                raise self.damage(_("{name} is missing").format(name=name))
            if path.stat().st_size != entry["size"]:
                raise self.damage(
                    _("{name} has {bytes} bytes instead of {size}").format(
                        name=name, bytes=path.stat().st_size, size=entry["size"]
                    )
                )

    @property
    def version(self) -> str:
        checksums = sorted(f"{name} {entry['blake2b']}" for name, entry in self.facts["files"].items())
        return blake2b("\n".join(checksums).encode(), digest_size=6).hexdigest()

    def reload(self) -> None:
        """Nothing changes here."""

    def verify(self) -> None:
        """Compares every file with its checksum."""
        for name in self.facts["files"]:
            self._path(name)

    def table(self) -> tuple[Texts, Texts, pd.DataFrame]:
        """Ids, captions and further fields."""
        items = read_parquet(self._path(ITEMS))
        fields = [name for name in items.column_names if name not in ("id", "caption", "content")]  # the last of old
        return Texts(items["id"]), Texts(items["caption"]), items.select(fields).to_pandas()

    def picture(self, row: int) -> bytes:
        """The encoded picture of a row."""
        number = int(np.searchsorted(self._ends, row, side="right"))
        group, place = divmod(row - (int(self._ends[number - 1]) if number else 0), GROUP)
        return self._group(list(self.facts["shards"])[number], group)[place].as_py()

    def _read_group(self, name: str, group: int) -> pa.ChunkedArray:
        import pyarrow.parquet

        file = pyarrow.parquet.ParquetFile(self._path(name), memory_map=True)
        return file.read_row_group(group, columns=["picture"])["picture"]

    def embedded(self, model: str) -> list[Kind]:
        """The kinds that a model has embedded."""
        return [kind for kind in KINDS if f"embeddings/{model}/{kind}.npy" in self.facts["files"]]

    def matrix(self, model: str, kind: Kind) -> np.ndarray | None:
        """Embeddings `(n, dim)` float32; None where there are none.

        They are mapped where they are stored so, or are many: then from a file in `cache/`, as those of `Stored` are.
        """
        name = f"embeddings/{model}/{kind}.npy"
        of = f"{self.facts['files'].get(name, {}).get('blake2b')}-"
        if (known := mapped.found_of(self.folder, of)) is not None:
            return known
        array = self._array(name, self.facts["models"].get(model, {}).get("dim"))
        if array is None or array.dtype == np.float32:
            return array
        if len(array) < MAPPED_FROM:
            array = _unit(array)
            array.flags.writeable = False
            return array
        return mapped.made(self.folder, partial(_blocks, array), of)[1]

    def lengths(self, model: str, kind: Kind) -> np.ndarray | None:
        """How long the embeddings were before they were normalised, `(n,)` float32; None where that is not known."""
        array = self._array(f"embeddings/{model}/{kind}.lengths.npy", 1)
        return None if array is None else array[:, 0]

    def coordinates(self, model: str, method: str) -> np.ndarray | None:
        """A stored map, `(n, 2)` float32; None where there is none."""
        return self._array(f"maps/{model}/{method}.npy", 2)

    def damage(self, what: str) -> DamagedError:
        """The error that says what is wrong with the files, for the caller to raise."""
        return _damage(self.folder, what)

    def _array(self, name: str, width: int | None) -> np.ndarray | None:
        if name not in self.facts["files"]:
            return None
        array = np.load(self._path(name), mmap_mode="r", allow_pickle=False)
        if array.shape != (self.facts["counts"]["items"], width):
            raise self.damage(_("{name} has another shape").format(name=name))
        return np.asarray(array)

    def _path(self, name: str) -> Path:
        if name not in self._checked:
            try:
                with open(self.folder / name, "rb") as file:
                    entry = described(iter(lambda: file.read(1 << 22), b""))
            except OSError as error:
                raise self.damage(_("{name} cannot be read").format(name=name)) from error
            if entry != self.facts["files"][name]:
                raise self.damage(_("{name} is not what was stored").format(name=name))
            self._checked.add(name)
        return self.folder / name


def _unit(rows: np.ndarray) -> np.ndarray:
    """The same of length 1, float32; an item without a caption has none, and stays zero."""
    said = np.any(rows, axis=1, keepdims=True)
    return normalize(np.where(said, rows, 1)) * said


def _blocks(array: np.ndarray) -> Iterator[bytes]:
    """The same as an NPY."""
    yield mapped.header(*array.shape)
    for start in range(0, len(array), _ROWS):
        yield _unit(array[start : start + _ROWS]).tobytes()


def publish(collection: Any, folder: Path) -> None:
    """Writes a `Collection` to a new folder, whole or not at all; embeddings as float16.

    Raises
    ------
    InputError
        If the folder holds something.
    NoRoomError
        If the disk refuses.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            _("There is something in {folder} already; choose another folder or delete it first.").format(folder=folder)
        )
    staged = folder.with_name(f"{folder.name}.partial")
    try:
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        shards, files = _shards(collection), {}
        for name, data in _files(collection):
            files[name] = _written(staged / name, data)
        facts = {
            key: value
            for key, value in collection.manifest.items()
            if isinstance(value, str | int | float) and key not in ("version", "items", "pending", "shown")
        }
        counts, models = collection.manifest["counts"], collection.manifest["models"]
        manifest = {"schema": _SCHEMA, **facts, "counts": counts, "models": models, "shards": shards, "files": files}
        _write_manifest(staged, manifest)
        with suppress(FileNotFoundError):
            folder.rmdir()
        os.replace(staged, folder)
        sync(folder.parent)
    except OSError as error:
        shutil.rmtree(staged, ignore_errors=True)
        raise no_room(folder, error) from error


def add_model(
    folder: Path, model: str, revision: str, vectors: Mapping[Kind, np.ndarray], lengths: Mapping[Kind, np.ndarray]
) -> None:
    """Adds what a further model made of a published collection that nobody has open; no other file but the manifest
    changes.

    Parameters
    ----------
    vectors, lengths
        By kind, `(n, dim)` unit rows, stored as float16, and `(n,)`: how long they were before.
    """
    manifest = read_manifest(folder)
    arrays = {f"{kind}.npy": each.astype(np.float16) for kind, each in vectors.items()}
    arrays |= {f"{kind}.lengths.npy": each[:, None].astype(np.float32) for kind, each in lengths.items()}
    names = {f"embeddings/{model}/{name}": array for name, array in arrays.items()}
    files = {name: _written(folder / name, npy_file(array)) for name, array in names.items()}
    (dim,) = {each.shape[1] for each in vectors.values()}
    models = {**manifest["models"], model: {"revision": revision, "dim": dim}}
    _write_manifest(folder, {**manifest, "models": models, "files": {**manifest["files"], **files}})


def parquet(table: pa.Table, **options: Any) -> bytes:
    """A table as the content of a Parquet file."""
    import pyarrow.parquet

    data = io.BytesIO()
    pyarrow.parquet.write_table(table, data, **options)
    return data.getvalue()


def _shards(collection: Any) -> dict[str, int]:
    rows = range(0, len(collection) if collection.has_files else 0, SHARD)
    return {f"shards/{start // SHARD:05d}.parquet": min(SHARD, len(collection) - start) for start in rows}


def _files(collection: Any) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of a published collection, but the manifest."""
    import pyarrow as pa

    items = collection.fields.assign(id=collection.ids, caption=collection.captions)
    order = ["id", "caption", *collection.fields.columns]
    table = pa.Table.from_pandas(items[order], preserve_index=False)
    yield ITEMS, parquet(table)
    for number, (name, count) in enumerate(_shards(collection).items()):
        rows = range(number * SHARD, number * SHARD + count)
        pictures = pa.array([collection.picture(collection.ids[row]) for row in rows], pa.binary())
        compression = dict.fromkeys(order, "zstd") | {"picture": "none"}  # nothing is packed that is packed already
        part = table[rows.start : rows.stop].append_column("picture", pictures)
        yield name, parquet(part, row_group_size=GROUP, compression=compression, use_dictionary=order)
    for model in collection.manifest["models"]:
        for kind in collection.embedded(model):
            yield f"embeddings/{model}/{kind}.npy", npy_file(collection.embeddings(model, kind).astype(np.float16))
            if (lengths := collection.lengths(model, kind)) is not None:
                yield f"embeddings/{model}/{kind}.lengths.npy", npy_file(lengths[:, None])
        if (places := collection.coordinates(model, "umap")) is not None:
            yield f"maps/{model}/umap.npy", npy_file(places)


def _write_manifest(folder: Path, manifest: dict) -> None:
    """The manifest and its copy, with the checksum of what they say."""
    text = json.dumps({**manifest, "check": _check(manifest)}, indent=1, ensure_ascii=False) + "\n"
    for name in (COPY, MANIFEST):
        _written(folder / name, text.encode())


def _written(path: Path, data: bytes) -> dict:
    """Writes a file to the disk and not only to its cache; gives its size and checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return described([data])


def read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet

    return pyarrow.parquet.ParquetFile(path, memory_map=True).read()


def read_manifest(folder: Path) -> dict:
    """What the manifest says, or its copy where it is damaged."""
    found = {name: parsed(folder / name) for name in (MANIFEST, COPY)}
    if not any((folder / name).is_file() for name in found):
        message = _("There is nothing to open in {folder}: it has no {name}; check the path.")
        raise MissingError(message.format(folder=folder, name=MANIFEST))
    manifest = found[MANIFEST] or found[COPY]
    if manifest and manifest.get("schema") != _SCHEMA:
        message = _("{path} is of schema {schema}, and this version reads {ours}; update the program.")
        raise InputError(message.format(path=folder / MANIFEST, schema=manifest.get("schema"), ours=_SCHEMA))
    if not manifest or not {"name", "title", "counts", "models", "shards", "files"} <= manifest.keys():
        raise _damage(folder, _("the manifest is not that of a collection"))
    return manifest


def _damage(folder: Path, what: str) -> DamagedError:
    message = _("The files in {folder} are damaged: {what}; restore the folder or make it again.")
    return DamagedError(message.format(folder=folder, what=what))


def parsed(path: Path) -> dict | None:
    """A manifest that is what was written; None for any other."""
    try:
        manifest = json.loads(path.read_bytes())
        check = manifest.pop("check", None)
        return manifest if check in (None, _check(manifest)) else None
    except (OSError, ValueError, AttributeError):
        return None


def _check(manifest: Mapping[str, Any]) -> str:
    return described([json.dumps(manifest, sort_keys=True).encode()])["blake2b"]


def described(chunks: Iterable[bytes]) -> dict:
    """Size and checksum of what the chunks make together."""
    checksum, size = blake2b(digest_size=16), 0
    for chunk in chunks:
        checksum.update(chunk)
        size += len(chunk)
    return {"size": size, "blake2b": checksum.hexdigest()}
