"""Arrays in files, read some rows at a time and never unpickled: NPY, NPZ, safetensors, and flat indexes of FAISS.

Sources: huggingface.co/docs/safetensors, "Format"; github.com/facebookresearch/faiss, `faiss/impl/index_write.cpp`
(`write_index_header`, `IndexFlat`).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from clipexplore.errors import InputError, in_words
from clipexplore.language import _
from clipexplore.sources.archives import open_zip
from clipexplore.sources.captions import Open

FAISS = (".faiss", ".index")
_MOST_HELD = 64_000_000  # bytes of an array that is stored column by column, which can only be read as a whole
_MOST_ARRAYS = 1_000
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16}  # of safetensors
_FLAT = (b"IxFI", b"IxF2", b"IxFl")  # of FAISS: by inner product, by distance, and of old
_HEAD = struct.Struct("<4siqqq?i")  # kind, dimensions, rows, two numbers of no use, trained, metric
_MOST_METRIC = 1  # inner product and distance; others have a number more


@dataclass(frozen=True)
class Array:
    """An array in a file.

    Attributes
    ----------
    name
        That of the file, for messages.
    blocks
        Gives its rows, so many at a time; an InputError where the file ends too early.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    blocks: Callable[[int], Iterator[np.ndarray]]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize


def reading(name: str) -> AbstractContextManager[None]:
    """Around whatever reads vectors: what it raises of a damaged file becomes one sentence."""
    message = _("{name!r} cannot be read as vectors ({error}); save it again, without objects in it.")
    return in_words(message, name=name)


def open_npy(name: str, open: Open, size: int) -> Array:
    """The array of an NPY of `size` bytes.

    Raises
    ------
    InputError
        If it holds less than it says.
    Exception
        If it is no NPY.
    """
    with open() as file:
        shape, _columns_first, dtype = _header(file)
        left = size - file.tell()
    found = Array(name, shape, dtype, partial(_rows_of_npy, name, open))
    if not dtype.hasobject and found.nbytes > left:
        raise _cut_off(name)
    return found


def open_npz(path: Path) -> dict[str, Array]:
    """The arrays of an NPZ, by name; of each the header has been read."""
    archive = open_zip(path, _MOST_ARRAYS)
    entries = [each for each in archive.infolist() if each.filename.endswith(".npy") and not each.is_dir()]
    return {each.filename.removesuffix(".npy"): _member(path, archive, each) for each in entries}


def open_safetensors(path: Path) -> dict[str, Array]:
    """The arrays of numbers in a file, by name.

    Raises
    ------
    InputError
        If NumPy has no such numbers.
    Exception
        If it is none, or says more than it holds.
    """
    from safetensors import safe_open

    found = dict[str, Array]()
    file: Any = safe_open(path, "numpy")
    for name in file.keys():  # noqa: SIM118 – it is no dict
        values = file.get_slice(name)
        if (kind := values.get_dtype()) in _DTYPES:
            found[name] = _mapped(path.name, tuple(values.get_shape()), np.dtype(_DTYPES[kind]), values)
        elif "F" in kind:
            message = _("The numbers of {array!r} in {name!r} are {kind}, which NumPy lacks; save them as float16.")
            raise InputError(message.format(array=name, name=path.name, kind=kind))
    return found


def open_faiss(path: Path) -> Array:
    """The vectors of a flat index.

    Raises
    ------
    InputError
        For any other index, which does not keep its vectors as they were, and for one that is cut off.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD.size + 8)
    if len(head) < _HEAD.size + 8 or head[:4] not in _FLAT:
        message = _("{name!r} is no flat index of FAISS, the only one that keeps its vectors whole; write an {kind}.")
        raise InputError(message.format(name=path.name, kind="IndexFlat"))
    _kind, dim, rows, _one, _two, _trained, metric = _HEAD.unpack_from(head)
    (count,) = struct.unpack_from("<Q", head, _HEAD.size)
    start = _HEAD.size + 8
    if metric not in (0, _MOST_METRIC) or count != dim * rows or dim < 1 or 4 * count > path.stat().st_size - start:
        message = _("{name!r} does not hold the vectors that it says; write the index again.")
        raise InputError(message.format(name=path.name))
    values = np.memmap(path, "<f4", "r", start, (rows, dim)) if rows else np.empty((0, dim), np.float32)
    return _mapped(path.name, (rows, dim), np.dtype(np.float32), values)


def _mapped(name: str, shape: tuple[int, ...], dtype: np.dtype, values: Any) -> Array:
    """An array whose numbers lie in the file as they are; `values` gives rows for a slice."""

    def blocks(rows: int) -> Iterator[np.ndarray]:
        for start in range(0, shape[0], rows):
            yield np.asarray(values[start : min(start + rows, shape[0])])

    return Array(name, shape, dtype, blocks)


def _member(path: Path, archive: ZipFile, entry: ZipInfo) -> Array:
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        message = _("{name!r} is compressed in a way that NumPy does not write; save it again.")
        raise InputError(message.format(name=path.name))
    return open_npy(path.name, partial(archive.open, entry), entry.file_size)


def _rows_of_npy(name: str, open: Open, rows: int) -> Iterator[np.ndarray]:
    with open() as file:
        shape, columns_first, dtype = _header(file)
        row_bytes = math.prod(shape[1:]) * dtype.itemsize
        if columns_first:  # in Fortran's order
            if shape[0] * row_bytes > _MOST_HELD:
                message = _("The array in {name!r} is stored column by column; save np.ascontiguousarray of it.")
                raise InputError(message.format(name=name))
            whole = np.frombuffer(_exactly(name, file, shape[0] * row_bytes), dtype).reshape(shape, order="F")
            yield from (whole[start : start + rows] for start in range(0, len(whole), rows))
            return
        for start in range(0, shape[0], rows):
            count = min(rows, shape[0] - start)
            yield np.frombuffer(_exactly(name, file, count * row_bytes), dtype).reshape(count, *shape[1:])


def _exactly(name: str, file: IO[bytes], size: int) -> bytes:
    if len(data := file.read(size)) < size:
        raise _cut_off(name)
    return data


def _cut_off(name: str) -> InputError:
    return InputError(_("{name!r} cannot be read: it ends before its array does; copy it again.").format(name=name))


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    return _HEADERS[np.lib.format.read_magic(file)](file)
