"""What a collection is made from, as one stream of entries, whatever it was read from.

Separate because readers make it and the import takes it. Entries come lazily and in the same order each time; what cannot be used
is `Rejected` with a reason, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

Report = Callable[[float, str | None], None]  # how far it is in [0, 1], and with what, None as before; may raise to stop


@dataclass(frozen=True, eq=False)
class Entry:
    """One item as its source has it.

    Attributes
    ----------
    name
        What the source calls it.
    id
        What is to be its id, as far as one can be made of it; by default the end of the name.
    read
        Gives the content of the picture's file, and may raise InputError; None for a text.
    vector
        `(dim,)`, where it was embedded already.
    """

    name: str
    caption: str = ""
    fields: Mapping[str, object] = field(default_factory=dict)
    id: str = ""
    read: Callable[[], bytes] | None = None
    vector: np.ndarray | None = None


@dataclass(frozen=True)
class Rejected:
    """What a source holds and a collection cannot take, and why in one sentence."""

    name: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A stream of entries, the same each time.

    Attributes
    ----------
    kind
        "pictures" if every entry has one, else "captions".
    count
        How many entries and rejected ones there are, to show progress by.
    dim
        That of ready-made vectors, else None.
    """

    kind: str
    count: int
    stream: Callable[[], Iterator[Entry | Rejected]]
    captioned: bool
    dim: int | None = None

    def __iter__(self) -> Iterator[Entry | Rejected]:
        return self.stream()


def groups(stream: Iterable, size: int) -> Iterator[list]:
    """The things of a stream in lists of `size`, the last one shorter; like `itertools.batched` of Python 3.12."""
    rest = iter(stream)
    while group := list(islice(rest, size)):
        yield group
