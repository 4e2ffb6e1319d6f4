"""Ready-made vectors, for people who have embedded already: NPY, NPZ and Parquet, read a block at a time.

Separate because three formats say the same thing in three ways. Nothing is unpickled, an NPY is mapped and never read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.collections.caption_files import CAPTION, FILE, ID, MOST_FIELDS
from clipexplore.collections.entries import Entry, Rejected, Source
from clipexplore.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

NAMES = ("vectors", "embeddings", "image_vectors", "text_vectors", "vector", "embedding")  # of the array or the column
_BLOCK = 8_192  # rows that are looked at together


def open_vectors(path: Path) -> Source:
    """The vectors of a file, with the ids, captions and fields that it has for them.

    An NPZ may hold arrays of text beside its vectors, a Parquet file columns; without ids, a vector's id is its number. A column
    `file` names pictures beside the file, which are then the items.

    Raises
    ------
    InputError
        If there is no array of numbers of two dimensions, or the file is damaged or would have to be unpickled.
    """
    readers = {".npy": _open_npy, ".npz": _open_npz, ".parquet": _open_parquet}
    try:
        return readers[path.suffix.lower()](path)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 – a damaged file raises anything, from zipfile.BadZipFile to pyarrow's own
        raise InputError(f"{path.name!r} cannot be read as vectors ({str(error)[:120]}); save it again, without objects in it.") from error


def _open_npy(path: Path) -> Source:
    vectors = _checked(np.load(path, mmap_mode="r", allow_pickle=False), path)
    return _source(path, vectors, {})


def _open_npz(path: Path) -> Source:
    with np.load(path, allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    named = [name for name in NAMES if name in found] or [name for name, array in found.items() if array.ndim == 2 and array.dtype.kind == "f"]
    if not named:
        raise InputError(f"{path.name!r} holds no array of vectors; call it one of: {', '.join(NAMES)}.")
    vectors = _checked(found[named[0]], path)
    texts = {name: array for name, array in found.items() if array.ndim == 1 and len(array) == len(vectors) and array.dtype.kind in "Uifb"}
    return _source(path, vectors, texts)


def _source(path: Path, vectors: np.ndarray, columns: dict[str, np.ndarray]) -> Source:
    def stream() -> Iterator[Entry | Rejected]:
        for start in range(0, len(vectors), _BLOCK):
            block = np.asarray(vectors[start : start + _BLOCK], np.float32)
            told = {name: column[start : start + _BLOCK].tolist() for name, column in columns.items()}
            yield from _entries(path, start, block, told, None)

    return Source("captions", len(vectors), stream, captioned=False, dim=vectors.shape[1])


def _open_parquet(path: Path) -> Source:
    import pyarrow.parquet
    import pyarrow.types as types

    file = pyarrow.parquet.ParquetFile(path, memory_map=True)
    nested = [each.name for each in file.schema_arrow if types.is_list(each.type) or types.is_large_list(each.type) or types.is_fixed_size_list(each.type)]
    named = [name for name in NAMES if name in nested] or nested
    if not named:
        raise InputError(f"{path.name!r} has no column of vectors (lists of numbers); call it one of: {', '.join(NAMES)}.")
    plain = [each.name for each in file.schema_arrow if each.name not in nested and not types.is_nested(each.type) and not types.is_binary(each.type)]
    first = next(file.iter_batches(1, columns=[named[0]]), None)
    if first is None or not len(first):
        raise InputError(f"{path.name!r} holds no rows; a collection needs at least one.")
    dim, files = len(first[0][0]), [name for name in plain if name.lower() in FILE]
    read = _picture_beside(path) if files else None

    def stream() -> Iterator[Entry | Rejected]:
        start = 0
        for batch in file.iter_batches(_BLOCK, columns=[named[0], *plain[: MOST_FIELDS + 3]]):
            told = {name: batch[name].to_pylist() for name in batch.schema.names if name != named[0]}
            yield from _entries(path, start, _block_of(batch[named[0]], dim), told, read)
            start += len(batch)

    return Source("pictures" if files else "captions", file.metadata.num_rows, stream, captioned=any(name.lower() in CAPTION for name in plain), dim=dim)


def _block_of(column: pa.Array, dim: int) -> np.ndarray:
    """`(n, dim)` float32; NaN where a row has another length."""
    flat = column.flatten().to_numpy(zero_copy_only=False)
    if column.null_count == 0 and len(flat) == len(column) * dim:
        lengths = [len(each) for each in column]
        if min(lengths, default=dim) == max(lengths, default=dim):
            return np.asarray(flat, np.float32).reshape(-1, dim)
    rows = [each.as_py() for each in column]
    return np.array([row if row and len(row) == dim else [np.nan] * dim for row in rows], np.float32)


def _picture_beside(path: Path) -> Callable[[str], bytes]:
    from clipexplore.collections.trees import Folder

    return Folder(path.parent).read


def _entries(path: Path, start: int, block: np.ndarray, told: dict[str, list], read: Callable | None) -> Iterator[Entry | Rejected]:
    """The rows of a block; `told` has the other columns."""
    roles = {role: next((name for name in told if name.lower() in names), None) for role, names in (("id", ID), ("caption", CAPTION), ("file", FILE))}
    further = [name for name in told if name not in roles.values()][:MOST_FIELDS]
    usable = np.isfinite(block).all(axis=1) & (np.square(block).sum(axis=1) > 1e-12)

    def value(role: str, row: int) -> str:
        return "" if roles[role] is None or told[roles[role]][row] is None else str(told[roles[role]][row])

    for row, vector in enumerate(block):
        number = start + row + 1
        if not usable[row]:
            yield Rejected(f"row {number}", "Its vector is zero, not finite or of another length.")
            continue
        file = value("file", row)
        picture = (lambda file=file: read(file)) if read else None
        fields = {each: told[each][row] for each in further}
        yield Entry(file or f"{path.stem}-{number:06d}", value("caption", row), fields, value("id", row), picture, vector)


def _checked(array: np.ndarray, path: Path) -> np.ndarray:
    if array.ndim != 2 or array.dtype.kind != "f" or not array.size:
        raise InputError(f"The array in {path.name!r} is {array.dtype} of shape {array.shape}; give numbers (rows, dimensions), such as float32.")
    return array
