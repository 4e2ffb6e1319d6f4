"""Arrays in NPY and NPZ files, read some rows at a time and never unpickled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.store.captions import Open
from clipexplore.store.files import open_zip

_MOST_HELD = 64_000_000  # bytes of an array that is stored column by column, which can only be read as a whole
_MOST_ARRAYS = 1_000
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class Array:
    """An array in a file.

    Attributes
    ----------
    name
        That of the file, for messages.
    columns_first
        Whether it is stored column by column, in Fortran's order.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    columns_first: bool
    open: Open

    @classmethod
    def of(cls, name: str, open: Open, size: int) -> Array:
        """That of an NPY of `size` bytes.

        Raises
        ------
        InputError
            If it holds less than it says.
        Exception
            If it is no NPY.
        """
        with open() as file:
            shape, columns_first, dtype = _header(file)
            found = cls(name, shape, dtype, columns_first, open)
            if not dtype.hasobject and found.nbytes > size - file.tell():
                raise found._cut_off()
        return found

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """Its rows, so many at a time.

        Raises
        ------
        InputError
            If it is stored column by column and is large, or ends too early.
        """
        with self.open() as file:
            _header(file)
            if self.columns_first:
                whole = self._whole(file)
                yield from (whole[start : start + rows] for start in range(0, len(whole), rows))
                return
            for start in range(0, self.shape[0], rows):
                count = min(rows, self.shape[0] - start)
                yield self._numbers(file, count * self.row_bytes).reshape(count, *self.shape[1:])

    def _whole(self, file: IO[bytes]) -> np.ndarray:
        if self.nbytes > _MOST_HELD:
            message = _("The array in {name!r} is stored column by column; save np.ascontiguousarray of it.")
            raise InputError(message.format(name=self.name))
        return self._numbers(file, self.nbytes).reshape(self.shape, order="F")

    def _numbers(self, file: IO[bytes], size: int) -> np.ndarray:
        if len(data := file.read(size)) < size:
            raise self._cut_off()
        return np.frombuffer(data, self.dtype)

    def _cut_off(self) -> InputError:
        message = _("{name!r} cannot be read: it ends before its array does; copy it again.")
        return InputError(message.format(name=self.name))


def open_npy(path: Path) -> Array:
    """The array of an NPY."""
    return Array.of(path.name, lambda: open(path, "rb"), path.stat().st_size)


def open_npz(path: Path) -> dict[str, Array]:
    """The arrays of an NPZ, by name; of each the header has been read."""
    archive = open_zip(path, _MOST_ARRAYS)
    entries = [each for each in archive.infolist() if each.filename.endswith(".npy") and not each.is_dir()]
    return {each.filename.removesuffix(".npy"): _member(path, archive, each) for each in entries}


def _member(path: Path, archive: ZipFile, entry: ZipInfo) -> Array:
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        message = _("{name!r} is compressed in a way that NumPy does not write; save it again.")
        raise InputError(message.format(name=path.name))
    return Array.of(path.name, partial(archive.open, entry), entry.file_size)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    return _HEADERS[np.lib.format.read_magic(file)](file)
