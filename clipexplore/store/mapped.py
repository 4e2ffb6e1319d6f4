"""Matrices in files of their own, which are mapped: a file is called by its checksum, and made again where it is not
what was written.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b, file_digest
from pathlib import Path

import numpy as np

CACHE = "cache"  # beside what they are made of, in a collection's folder
_SIZE = 16  # bytes of a checksum


def header(rows: int, dim: int) -> bytes:
    """What stands before the numbers in an NPY of float32."""
    data = io.BytesIO()
    np.lib.format.write_array_header_1_0(data, {"descr": "<f4", "fortran_order": False, "shape": (rows, dim)})
    return data.getvalue()


def found(folder: Path, checksum: str, of: str = "") -> np.ndarray | None:
    """The matrix of a checksum, mapped; None where there is none, or it is damaged. `of` as in `made`."""
    path = folder / CACHE / f"{of}{checksum}.npy"
    try:
        with open(path, "rb") as file:
            same = file_digest(file, lambda: blake2b(digest_size=_SIZE)).hexdigest() == checksum
        return _opened(path) if same else None
    except OSError:
        return None


def found_of(folder: Path, of: str) -> np.ndarray | None:
    """The matrix that was made with that `of`, as `found`."""
    digits = "?" * 2 * _SIZE
    names = (path.stem.removeprefix(of) for path in (folder / CACHE).glob(f"{of}{digits}.npy"))
    return next(filter(lambda each: each is not None, (found(folder, name, of) for name in names)), None)


def made(folder: Path, blocks: Callable[[], Iterable[bytes]], of: str = "") -> tuple[str, np.ndarray]:
    """Writes an NPY; gives its checksum and the matrix, mapped, or in memory where the disk refuses.

    Parameters
    ----------
    of
        What its file's name begins with.
    """
    cache = folder / CACHE
    staged = cache / f"{os.getpid()}-{threading.get_ident()}.partial"
    try:
        cache.mkdir(exist_ok=True)
        with open(staged, "wb") as file:
            checksum = _write(file.write, blocks())
        os.replace(staged, path := cache / f"{of}{checksum}.npy")
        return checksum, _opened(path)
    except OSError:  # a full disk or a read-only one: the same in memory
        with suppress(OSError):
            staged.unlink()
        held = io.BytesIO()
        checksum = _write(held.write, blocks())
        held.seek(0)
        array = np.load(held, allow_pickle=False)
        array.flags.writeable = False
        return checksum, array


def _opened(path: Path) -> np.ndarray:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _write(write: Callable[[bytes], object], blocks: Iterable[bytes]) -> str:
    checksum = blake2b(digest_size=_SIZE)
    for block in blocks:
        checksum.update(block)
        write(block)
    return checksum.hexdigest()
