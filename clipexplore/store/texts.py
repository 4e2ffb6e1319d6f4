"""Columns of texts, ten million if need be: in Arrow's memory, and found by their hashes, both a fraction of what lists
and dictionaries of strings take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, SupportsInt, overload

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

_AT_ONCE = 8_192  # texts that are strings of Python at the same time while all are gone through


class Texts(Sequence[str]):
    """The texts of a column without gaps, in order; equal to any sequence of the same ones."""

    def __init__(self, column: pa.ChunkedArray):
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    @overload
    def __getitem__(self, place: SupportsInt) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: Any) -> Any:
        return self._column[place].to_pylist() if isinstance(place, slice) else self._column[int(place)].as_py()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self[start : start + _AT_ONCE]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(str.__eq__, self, other))

    __hash__ = object.__hash__


class Lookup:
    """The rows of texts, of which those count as one that `key` makes equal."""

    def __init__(self, texts: Sequence[str], key: Callable[[str], str] = str):
        self._texts, self._key = texts, key
        hashes = np.fromiter(map(hash, map(key, texts)), np.int64, len(texts))
        self._rows = np.argsort(hashes).astype(np.uint32)
        self._hashes = hashes[self._rows]

    def rows(self, text: str) -> list[int]:
        """The rows of a text, rising."""
        wanted = self._key(text)
        start, stop = (int(np.searchsorted(self._hashes, hash(wanted), side)) for side in ("left", "right"))
        return [row for row in sorted(self._rows[start:stop].tolist()) if self._key(self._texts[row]) == wanted]
