"""What a collection is made of, as one stream of entries, whatever it is read from."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal, TypeVar

import numpy as np

from clipexplore.language import _

Kind = Literal["pictures", "captions"]  # what of an item is embedded
KINDS: tuple[Kind, ...] = ("captions", "pictures")
T = TypeVar("T")


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
    vectors
        `(dim,)` by kind, where it was embedded already.
    """

    name: str
    caption: str = ""
    fields: Mapping[str, object] = field(default_factory=dict)
    id: str = ""
    read: Callable[[], bytes] | None = None
    vectors: Mapping[Kind, np.ndarray] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing of it that could be embedded."""
        return not (self.read or self.vectors or self.caption)


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
    recognised
        What it was taken for and why, in a sentence.
    notes
        What somebody should know who uses it, a sentence each.
    vectors
        The kinds whose vectors come ready-made.
    bare
        Whether of pictures there are only vectors.
    """

    kind: Kind
    count: int
    stream: Callable[[], Iterator[Entry | Rejected]]
    dim: int | None = None
    recognised: str = ""
    notes: tuple[str, ...] = ()
    vectors: tuple[Kind, ...] = ()
    bare: bool = False

    @property
    def facts(self) -> dict[str, object]:
        """What is said of a collection that is made of it."""
        return {"kind": self.kind, **({"bare": True} if self.bare else {})}

    @classmethod
    def of_vectors(
        cls, kinds: Iterable[Kind], count: int, stream: Callable[[], Iterator[Entry | Rejected]], dim: int
    ) -> Source:
        """Vectors alone, of these kinds: those of pictures stand for these, which are not here."""
        bare = "pictures" in (vectors := tuple(kinds))
        return cls("pictures" if bare else "captions", count, stream, dim, vectors=vectors, bare=bare)

    def __iter__(self) -> Iterator[Entry | Rejected]:
        return self.stream()


def with_directions(entry: Entry) -> Entry | Rejected:
    """The entry, if its vectors have directions; of an empty caption, which nothing embeds, there may be none."""
    wrong = [kind for kind, each in entry.vectors.items() if not has_direction(each)]
    if wrong == ["captions"] and not entry.caption and len(entry.vectors) > 1:
        return replace(entry, vectors={kind: each for kind, each in entry.vectors.items() if kind != "captions"})
    return Rejected(entry.name, _("Its vector is zero, not finite or of another length.")) if wrong else entry


def has_direction(vectors: np.ndarray) -> np.ndarray:
    """Which of some vectors `(…, dim)` can be scaled to length 1."""
    return np.isfinite(vectors).all(axis=-1) & (np.square(vectors, dtype=np.float32).sum(axis=-1) > 1e-12)


def check_ids(source: Source, column: str, said: Iterable[tuple[str, ...]]) -> Source:
    """The source, whose entries have their ids from a column: where these name several items they are a field.

    Parameters
    ----------
    said
        Of each row its id and, where all of that is known, what else tells its item from others.
    """
    ids, items = array("q"), array("q")
    for each in said:
        if each[0]:
            ids.append(hash(each[0]))
            items.append(hash(each) if len(each) > 1 else len(items))
    if len(np.unique(ids)) == len(np.unique(items)):
        return source

    def stream() -> Iterator[Entry | Rejected]:
        for entry in source:
            if isinstance(entry, Entry) and entry.id:
                entry = replace(entry, id="", fields={column: entry.id, **entry.fields})
            yield entry

    note = _("The column {name} is kept as a field: several items share what stands in it, so it is not their id.")
    return replace(source, stream=stream, notes=(*source.notes, note.format(name=column)))


def groups(stream: Iterable[T], size: int) -> Iterator[list[T]]:
    """The things of a stream in lists of `size`, the last one shorter; like `itertools.batched` of Python 3.12."""
    rest = iter(stream)
    while group := list(islice(rest, size)):
        yield group
