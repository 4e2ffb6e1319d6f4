"""Arrays whose numbers lie in a file as they are: safetensors, and flat indexes of FAISS.

Both are mapped, so what is asked for is read and no more. Sources: huggingface.co/docs/safetensors, "Format";
github.com/facebookresearch/faiss, `faiss/impl/index_write.cpp` (`write_index_header`, `IndexFlat`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _

FAISS = (".faiss", ".index")
_DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16}
_FLAT = (b"IxFI", b"IxF2", b"IxFl")  # by inner product, by distance, and of old
_HEAD = struct.Struct("<4siqqq?i")  # kind, dimensions, rows, two numbers of no use, trained, metric
_MOST_METRIC = 1  # inner product and distance; others have a number more


@dataclass(frozen=True)
class Mapped:
    """An array as `arrays.Array` has it, of which slices are read."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    values: Any  # what gives rows for a slice

    @property
    def nbytes(self) -> int:
        return self.shape[0] * self.row_bytes

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """Its rows, so many at a time."""
        for start in range(0, self.shape[0], rows):
            yield np.asarray(self.values[start : min(start + rows, self.shape[0])])


def open_safetensors(path: Path) -> dict[str, Mapped]:
    """The arrays of numbers in a file, by name.

    Raises
    ------
    Exception
        If it is none, or says more than it holds.
    """
    from safetensors import safe_open

    found = dict[str, Mapped]()
    file: Any = safe_open(path, "numpy")
    for name in file.keys():  # noqa: SIM118 – it is no dict
        values = file.get_slice(name)
        if (kind := values.get_dtype()) in _DTYPES:
            found[name] = Mapped(path.name, tuple(values.get_shape()), np.dtype(_DTYPES[kind]), values)
    return found


def open_faiss(path: Path) -> Mapped:
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
    return Mapped(path.name, (rows, dim), np.dtype(np.float32), values)
