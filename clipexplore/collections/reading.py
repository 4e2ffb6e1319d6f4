"""From the entries of a source to items of a collection: read, told apart by their content, and each picture made what will be stored.

Separate because it is what an import does before any model: threads read ahead of it, and what is known, damaged or too much ends here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.collections.entries import Entry, Rejected, Report, Source, groups
from clipexplore.errors import InputError
from clipexplore.images import contact_sheet, encode, open_picture, thumbnail
from clipexplore.preparing import batches_ahead

if TYPE_CHECKING:
    from PIL import Image

SIDE, QUALITY = 448, 88  # of what is stored and embedded: 4:3 leaves 336 pixels, the most a usual CLIP reads
THUMBNAIL, ACROSS = 64, 16  # pixels, and thumbnails in a row of a sheet
WINDOW = 64  # entries between two looks at whether to go on


@dataclass(frozen=True, eq=False)
class Item:
    """An entry that was read: `content` is the checksum of what it is, `picture` what will be stored, and `small` its thumbnail."""

    entry: Entry
    content: str
    picture: bytes | None = None
    image: Image.Image | None = None
    small: Image.Image | None = None


@dataclass
class Outcome:
    """What became of the entries of a source."""

    added: int = 0
    known: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def seen(self) -> int:
        return self.added + self.known + len(self.rejected)

    def said(self) -> str:
        """In one line, for a terminal or a page."""
        rate = f", {self.added / self.seconds:,.0f} a second" if self.added and self.seconds > 0.5 else ""
        return f"{self.added:,} added{rate}, {self.known:,} there already, {len(self.rejected):,} refused"


def fresh(source: Source, known: set[str], outcome: Outcome, room: int | None, report: Report) -> Iterator[Item]:
    """The entries that are new, in the order of the source; the others are counted. Pictures are read and checked by threads, ahead of what is at work."""
    taken, read = 0, partial(_read, known=known)
    windows = batches_ahead(source, read, WINDOW) if source.kind == "pictures" else (map(read, some) for some in groups(source, WINDOW))
    for window in windows:
        for item in window:
            if isinstance(item, Rejected):
                outcome.rejected.append(item)
            elif item.content in known:
                outcome.known += 1
            elif room is not None and taken >= room:
                outcome.rejected.append(Rejected(item.entry.name, "The collection holds as many items as it may."))
            else:
                known.add(item.content)
                taken += 1
                yield item
        report(min(1.0, outcome.seen / max(source.count, 1)), None)


def _read(entry: Entry | Rejected, known: set[str]) -> Item | Rejected:
    """What an entry holds; of a picture that is known already no more than its checksum."""
    if isinstance(entry, Rejected):
        return entry
    try:
        data = entry.read() if entry.read else b""
        content = _checksum(data, entry)
        if content in known or not entry.read:
            return Item(entry, content)
        picture = encode(thumbnail(open_picture(data), SIDE), "WEBP", quality=QUALITY, method=2)
        stored = open_picture(picture)
        return Item(entry, content, picture, stored, thumbnail(stored, THUMBNAIL))
    except InputError as error:
        return Rejected(entry.name, str(error))


def _checksum(data: bytes, entry: Entry) -> str:
    vector = b"" if entry.vector is None else np.ascontiguousarray(entry.vector, "<f4").tobytes()
    text = entry.caption if data or not len(vector) else f"{entry.name}\0{entry.caption}"
    return blake2b(data + b"\0" + text.encode() + b"\0" + vector, digest_size=16).hexdigest()


def sheet(batch: Sequence[Item]) -> bytes | None:
    """The thumbnails of items, row by row in one WebP; None of texts."""
    return None if batch[0].picture is None else _sheet_of([item.small for item in batch])


def sheet_of(pictures: Iterable[bytes]) -> bytes:
    """The thumbnails of encoded pictures, row by row in one WebP."""
    return _sheet_of([thumbnail(open_picture(data), THUMBNAIL) for data in pictures])


def _sheet_of(small: list[Image.Image]) -> bytes:
    return encode(contact_sheet(small, THUMBNAIL, ACROSS), "WEBP", quality=80, method=2)
