"""Making and enlarging a collection from a source: read, compared by content, embedded and stored, 256 items at a time.

An import takes from the source what the collection does not have yet. So adding is importing once more, and so is going
on after a kill, a full disk or damage: what is there is known by its content and never embedded twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from sys import intern
from time import monotonic

import numpy as np

from clipexplore.errors import InputError, no_room
from clipexplore.images import encode, open_picture, thumbnail
from clipexplore.language import _
from clipexplore.models.preparing import batches_ahead
from clipexplore.reports import Report
from clipexplore.store.descriptions import description_in
from clipexplore.store.embedding import COMMIT, Embeds, embed_missing, spaces_of, taken_at_once
from clipexplore.store.export import csv_file, harmless
from clipexplore.store.items import NOTHING, Ids, Item, Kind, content_key, fields_json
from clipexplore.store.sources import Entry, Rejected, Source, groups
from clipexplore.store.stored import Stored
from clipexplore.vectors import normalize

SIDE, QUALITY = 448, 88  # of what is stored and embedded: 4:3 leaves 336 pixels, the most a usual CLIP reads
READY = 1 << 21  # numbers stored together of vectors that come ready: 4,096 of 512 dimensions
LISTED = 10_000  # of what is refused
PATIENCE = 1_000  # refused entries after which, of a source with a limit, no more is read
WINDOW = 64  # entries between two looks at whether to go on
REJECTED = "rejected.csv"


@dataclass(frozen=True, eq=False)
class Fresh:
    """An entry that was read: `source` tells it from all others, `picture` is what will be stored."""

    entry: Entry
    source: bytes
    picture: bytes | None = None


@dataclass
class Outcome:
    """What became of the entries of a source; `rejected` lists the first of those `refused`."""

    added: int = 0
    known: int = 0
    refused: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def seen(self) -> int:
        return self.added + self.known + self.refused

    def refuse(self, name: str, reason: str) -> None:
        self.refused += 1
        if self.refused <= LISTED:
            self.rejected.append(Rejected(name, reason))

    def __str__(self) -> str:
        rate = ""
        if self.added and self.seconds > 0.5:
            rate = _(", {rate:,.0f} a second").format(rate=self.added / self.seconds)
        counts = _("{added:,} added{rate}, {known:,} there already, {refused:,} refused")
        return counts.format(added=self.added, rate=rate, known=self.known, refused=self.refused)


def add(
    store: Stored,
    source: Source,
    embedder: Embeds | None,
    model: str,
    revision: str,
    report: Report,
    most: int | None = None,
    at_once: int | None = None,
) -> Outcome:
    """Takes from a source what a collection does not have yet, embeds it and shows it.

    Killed or stopped at any moment, the same call goes on where it was: what was stored is not embedded again.

    Parameters
    ----------
    embedder
        What embeds, of this revision; None where the vectors come with the source.
    most
        Items that the collection may hold; what goes beyond is rejected.
    at_once
        Items that are embedded between two looks at whether to go on; by default what suits the embedder.

    Raises
    ------
    InputError
        If the source is of another kind than the collection, has vectors of another dimension, or has nothing for it.
    NoRoomError
        If the disk refuses.
    """
    if not store.rows():
        store.say(**source.facts)
    _check_fit(store, source, model)
    begun, outcome, at_once = monotonic(), Outcome(), at_once or taken_at_once(embedder)
    with store.writing():
        room = None if most is None else most - store.rows()
        fresh_ones = fresh(source, store.sources(), outcome, room, report)
        ids, places = Ids(store.all_ids()), store.free_positions()
        spaces = spaces_of(store, model, revision, embedder, source.ready)
        for batch in groups(fresh_ones, COMMIT if source.dim is None else max(1, READY // source.dim)):
            items = [_item(each, ids) for each in batch]
            look = partial(_say, report, source, outcome, begun)
            vectors = _vectors(store, batch, items, spaces, embedder, look, at_once)
            _keep(store, batch, items, [next(places) for _each in items], vectors)
            outcome.added += len(batch)
            outcome.seconds = monotonic() - begun
        if not store.rows():
            raise InputError(_("There is nothing to make a collection of; every entry was refused, or there was none."))
        if embedder:
            embed_missing(store, embedder, model, revision, report, at_once)
        _list_rejected(store, outcome)
        store.show()
    report(1.0, str(outcome))
    return outcome


def fresh(
    source: Source, known: dict[bytes, str], outcome: Outcome, room: int | None, report: Report
) -> Iterator[Fresh]:
    """The entries that are new, in the order of the source; the others are counted.

    Pictures are read and checked by threads, ahead of what is at work. Where there is a limit and much was refused, the
    rest is not read. Of what is `known`, as by `Contents.sources`, the same under another label is another item.
    """
    taken, read = 0, partial(_read, known=known)
    windows: Iterable[Iterable[Fresh | Rejected]] = (
        batches_ahead(source, read, WINDOW)
        if source.kind == "pictures"
        else (map(read, some) for some in groups(source, WINDOW))
    )
    for window in windows:
        for each in window:
            if isinstance(each, Rejected):
                outcome.refuse(each.name, each.reason)
                continue
            each = _by_label(each, known)
            if each.source in known:
                outcome.known += 1
            elif room is not None and taken >= room:
                outcome.refuse(each.entry.name, _("The collection holds as many items as it may."))
            else:
                known[each.source] = _label(each.entry)
                taken += 1
                yield each
        report(min(1.0, outcome.seen / max(source.count, 1)), None)
        if room is not None and outcome.refused >= PATIENCE:
            outcome.refuse("…", _("What follows was not read, because so much was refused."))
            return


def _check_fit(store: Stored, source: Source, model: str) -> None:
    if store.facts["kind"] != source.kind:
        message = _("The collection holds {ours} and the source {theirs}; make a collection of its own for them.")
        raise InputError(message.format(ours=store.facts["kind"], theirs=source.kind))
    if store.facts.get("bare", False) != source.bare:
        message = _("Pictures and mere vectors of pictures do not mix; make a collection of its own for them.")
        raise InputError(message)
    dim = store.facts["models"].get(model, {}).get("dim") or source.dim
    if source.dim not in (None, dim):
        message = _(
            "The source has vectors of {theirs} dimensions, and the collection has {ours} by the model {model}."
        )
        raise InputError(message.format(theirs=source.dim, ours=dim, model=model))


def _by_label(each: Fresh, known: Mapping[bytes, str]) -> Fresh:
    """An entry that is known by another label is an item of its own."""
    label, before = _label(each.entry), known.get(each.source)
    if not before or label in ("", before):
        return each
    return replace(each, source=content_key(each.source + label.encode("utf-8", "surrogatepass")))


def _label(entry: Entry) -> str:
    label = entry.fields.get("label")
    return "" if label is None else intern(str(label))


def _read(entry: Entry | Rejected, known: Mapping[bytes, str]) -> Fresh | Rejected:
    """What an entry holds; of a picture that is known already no more than its checksum."""
    if isinstance(entry, Rejected):
        return entry
    try:
        data = entry.read() if entry.read else b""
        read = _by_label(Fresh(entry, _source_key(data, entry)), known)
        if read.source in known or not entry.read:
            return read
        if not entry.caption and "captions" not in entry.vectors:
            read = replace(read, entry=replace(entry, caption=description_in(data)))
        return replace(read, picture=encode(thumbnail(open_picture(data), SIDE), "WEBP", quality=QUALITY, method=2))
    except InputError as error:
        return Rejected(entry.name, str(error))


def _source_key(data: bytes, entry: Entry) -> bytes:
    """What tells an entry from all others: its file, caption and vectors; the name too of what is a vector alone."""
    vector = b"".join(np.ascontiguousarray(each, "<f4").tobytes() for each in entry.vectors.values())
    text = entry.caption if data or not vector else f"{entry.name}\0{entry.caption}"
    return content_key(data + b"\0" + text.encode("utf-8", "surrogatepass") + b"\0" + vector)


def _item(each: Fresh, ids: Ids) -> Item:
    """The row of an entry; what comes as a vector, or with one of its own for its caption, is a content of its own."""
    entry = each.entry
    text = each.source if "captions" in entry.vectors else content_key(entry.caption)
    bare = each.source if "pictures" in entry.vectors else None
    picture = bare if each.picture is None else content_key(each.picture)
    return Item(ids.new(entry.id or entry.name), entry.caption, fields_json(entry.fields), each.source, picture, text)


Made = Mapping[int, tuple[list[bytes], np.ndarray]]  # by the number of a space: contents, and a vector for each


def _vectors(
    store: Stored,
    batch: Sequence[Fresh],
    items: Sequence[Item],
    spaces: Mapping[Kind, int],
    embedder: Embeds | None,
    look: Callable[[], object],
    at_once: int,
) -> Made:
    """The vectors that some new items bring, or that are made of those of their contents that have none."""
    made: dict[int, tuple[list[bytes], np.ndarray]] = {}
    for kind, space in spaces.items():
        contents = [item.text if kind == "captions" else item.picture or b"" for item in items]
        ready = [] if embedder else [row for row, each in enumerate(batch) if kind in each.entry.vectors]
        if ready:  # of an empty caption there may be none
            stacked = np.stack([batch[row].entry.vectors[kind] for row in ready])
            made[space] = [contents[row] for row in ready], normalize(stacked)
        if embedder:
            known = store.known(space, contents) | {NOTHING}
            new = {content: row for row, content in reversed([*enumerate(contents)]) if content not in known}
            rows = sorted(new.values())
            if rows:
                made[space] = (
                    [contents[row] for row in rows],
                    _embed(embedder, kind, [batch[row] for row in rows], look, at_once),
                )
    return made


def _embed(embedder: Embeds, kind: Kind, some: Sequence[Fresh], look: Callable[[], object], at_once: int) -> np.ndarray:
    """The vectors of some items; pictures are decoded ahead, a few at a time: so they are twenty times larger."""
    parts = []
    if kind == "pictures":
        for images in batches_ahead([each.picture or b"" for each in some], open_picture, at_once):
            look()
            parts.append(embedder.embed_images(images))
    else:
        for few in groups(some, at_once):
            look()
            parts.append(embedder.embed_texts([each.entry.caption for each in few]))
    return np.concatenate(parts)


def _keep(store: Stored, batch: Sequence[Fresh], items: Sequence[Item], places: Sequence[int], vectors: Made) -> None:
    """Stores items, pictures and vectors, all or none."""
    pictures = {
        item.picture: each.picture
        for item, each in zip(items, batch, strict=True)
        if item.picture is not None and each.picture is not None
    }
    with store.transaction():
        store.append(items, places, pictures)
        for space, (contents, rows) in vectors.items():
            store.add_vectors(space, contents, rows)


def _say(report: Report, source: Source, outcome: Outcome, begun: float) -> None:
    seconds, rate = monotonic() - begun, ""
    if outcome.added and seconds > 1:
        rate = _(", {rate:,.0f} a second").format(rate=outcome.added / seconds)
    count = _("{seen:,} of {count:,}{rate}").format(seen=outcome.seen, count=source.count, rate=rate)
    report(min(1.0, outcome.seen / max(source.count, 1)), count)


def _list_rejected(store: Stored, outcome: Outcome) -> None:
    """Writes what was refused and why, as CSV that a spreadsheet does not take for formulas."""
    rows = [(harmless(each.name), each.reason) for each in outcome.rejected]
    if outcome.refused > LISTED:
        rows.append(("…", _("More was refused, and is not listed.")))
    try:
        (store.folder / REJECTED).write_bytes(csv_file(["name", "reason"], rows))
    except OSError as error:
        raise no_room(store.folder, error) from error
