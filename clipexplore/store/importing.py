"""Making and enlarging a collection from a source: read, compared by content, embedded and stored, 256 items at a time.

An import takes from the source what the collection does not have yet. So adding is importing once more, and so is going
on after a kill, a full disk or damage: what is there is known by its content and never embedded twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from sys import intern
from time import monotonic

import numpy as np

from clipexplore.cluster.connection import is_set
from clipexplore.errors import InputError, no_room
from clipexplore.images import encode, open_picture
from clipexplore.language import _
from clipexplore.models.catalog import Model
from clipexplore.models.preparing import batches_ahead
from clipexplore.reports import Report
from clipexplore.sources.descriptions import description_in
from clipexplore.sources.entries import Entry, Kind, Rejected, Source, groups
from clipexplore.store.embedding import COMMIT, Embeds, embed_missing, embedded, ready_made, spaces_of
from clipexplore.store.items import NOTHING, Ids, Item, content_key, fields_json
from clipexplore.store.stored import Stored
from clipexplore.tables import csv_file, harmless
from clipexplore.vectors import normalize

SIDE, QUALITY = 448, 88  # of what is stored and embedded: 4:3 leaves 336 pixels, the most a usual CLIP reads
READY = 1 << 21  # numbers stored together of vectors that come ready: 4,096 of 512 dimensions
LISTED = 10_000  # of what is refused
PATIENCE = 1_000  # refused entries after which, of a source with a limit, no more is read
WINDOW = 64  # entries between two looks at whether to go on
SPREAD = 256  # entries from which they are read on a cluster, where one is set: a job takes a second to begin
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
    begun: float = field(default_factory=monotonic)

    @property
    def seen(self) -> int:
        return self.added + self.known + self.refused

    def refuse(self, name: str, reason: str) -> None:
        self.refused += 1
        if self.refused <= LISTED:
            self.rejected.append(Rejected(name, reason))

    def __str__(self) -> str:
        counts = _("{added:,} added{rate}, {known:,} there already, {refused:,} refused")
        return counts.format(added=self.added, rate=self._rate, known=self.known, refused=self.refused)

    def progress(self, count: int) -> str:
        """How many of so many entries were seen, and how fast."""
        return _("{seen:,} of {count:,}{rate}").format(seen=self.seen, count=count, rate=self._rate)

    @property
    def _rate(self) -> str:
        seconds = monotonic() - self.begun
        return _(", {rate:,.0f} a second").format(rate=self.added / seconds) if self.added and seconds > 0.5 else ""


def add_by(
    store: Stored,
    source: Source,
    model: Model,
    made_by: Model,
    embedder: Callable[[Model], Embeds],
    report: Report,
    most: int | None = None,
) -> Outcome:
    """Takes from a source what a collection does not have yet, and shows it: embedded by a model, or with the vectors
    that it brings.

    Parameters
    ----------
    made_by
        What is said to have made vectors that come ready-made; `ready_made` compares.
    embedder
        Gives a model loaded; called only where it is needed.
    most
        Items that the collection may hold; what goes beyond is rejected.

    Raises
    ------
    InputError
        As `add`, if the model is not here, and as `ready_made`.
    """
    if source.dim is None:
        model.require()
        return add(store, source, embedder(model), model.key, model.clip.identity, report, most)
    revision = ready_made(made_by, source, partial(embedder, made_by))
    return add(store, source, None, made_by.key, revision, report, most)


def add(
    store: Stored,
    source: Source,
    embedder: Embeds | None,
    model: str,
    revision: str,
    report: Report,
    most: int | None = None,
) -> Outcome:
    """Takes from a source what a collection does not have yet, embeds it and shows it.

    Killed or stopped at any moment, the same call goes on where it was: what was stored is not embedded again.

    Parameters
    ----------
    embedder
        What embeds, of this revision; None where the vectors come with the source.

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
    outcome = Outcome()
    with store.writing():
        room = None if most is None else most - store.rows()
        fresh_ones = fresh(source, store.sources(), outcome, room, report)
        ids, places = Ids(store.all_ids()), store.free_positions()
        spaces = spaces_of(store, model, revision, embedder, source.vectors)

        def say(_done: int) -> None:
            report(min(1.0, outcome.seen / max(source.count, 1)), outcome.progress(source.count))

        for batch in groups(fresh_ones, COMMIT if source.dim is None else max(1, READY // source.dim)):
            items = [_item(each, ids) for each in batch]
            vectors = _made(store, batch, items, spaces, embedder, say) if embedder else _brought(batch, items, spaces)
            pictures = {content_key(each.picture): each.picture for each in batch if each.picture is not None}
            with store.transaction():
                store.append(items, [next(places) for _each in items], pictures)
                for space, (contents, rows) in vectors.items():
                    store.add_vectors(space, contents, rows)
            outcome.added += len(batch)
        if not store.rows():
            message = _("There is nothing to make a collection of; every entry was refused, or there was none.")
            raise InputError(" ".join([message, *(each.reason for each in outcome.rejected[:1])]))
        if embedder:
            embed_missing(store, embedder, model, revision, report)
        _list_rejected(store, outcome)
        store.show()
    report(1.0, str(outcome))
    return outcome


def fresh(
    source: Source, known: dict[bytes, str], outcome: Outcome, room: int | None, report: Report
) -> Iterator[Fresh]:
    """The entries that are new, in the order of the source; the others are counted.

    Pictures are read and checked by threads, ahead of what is at work. Where there is a limit and much was refused, the
    rest is not read. Of what is `known`, as by `Items.sources`, the same under another label is another item.
    """
    taken = 0
    for window in _windows(source, partial(_read, known=known)):
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


def _windows(
    source: Source, read: Callable[[Entry | Rejected], Fresh | Rejected]
) -> Iterable[Iterable[Fresh | Rejected]]:
    """The entries as they are read, some at a time: pictures by threads, or by the nodes of a cluster."""
    if source.kind != "pictures":
        return (map(read, some) for some in groups(source, WINDOW))
    if is_set() and source.count >= SPREAD:
        return _on_nodes(source, read)
    return batches_ahead(source, read, WINDOW)


def _on_nodes(
    source: Source, read: Callable[[Entry | Rejected], Fresh | Rejected]
) -> Iterator[Iterable[Fresh | Rejected]]:
    """Read on the nodes; here what cannot be sent there, and once more what they refuse, which they may not see."""
    from clipexplore.cluster.reading import JOB, Reader

    with closing(Reader[Entry | Rejected, Fresh | Rejected](read)) as reader:
        for some in groups(source, JOB):
            work = reader.read(some)
            if work is None:
                yield from batches_ahead(some, read, WINDOW)
                continue
            for pairs in work:
                yield [read(entry) if isinstance(found, Rejected) else found for entry, found in pairs]


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
    if entry.is_empty:
        return Rejected(entry.name, _("It has no caption."))
    try:
        data = entry.read() if entry.read else b""
        read = _by_label(Fresh(entry, _source_key(data, entry)), known)
        if read.source in known or not entry.read:
            return read
        if not entry.caption and "captions" not in entry.vectors:
            read = replace(read, entry=replace(entry, caption=description_in(data)))
        return replace(read, picture=encode(open_picture(data, side=SIDE), "WEBP", quality=QUALITY, method=2))
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


Vectors = dict[int, tuple[list[bytes], np.ndarray]]  # by the number of a space: contents, and a vector for each


def _brought(batch: Sequence[Fresh], items: Sequence[Item], spaces: Mapping[Kind, int]) -> Vectors:
    """The vectors that some new items bring; of an empty caption there may be none."""
    brought: Vectors = {}
    for kind, space in spaces.items():
        rows = [row for row, each in enumerate(batch) if kind in each.entry.vectors]
        if rows:
            stacked = np.stack([batch[row].entry.vectors[kind] for row in rows])
            brought[space] = [items[row].content(kind) for row in rows], normalize(stacked)
    return brought


def _made(
    store: Stored,
    batch: Sequence[Fresh],
    items: Sequence[Item],
    spaces: Mapping[Kind, int],
    embedder: Embeds,
    say: Callable[[int], object],
) -> Vectors:
    """The vectors that are made of those contents of some new items that have none."""
    made: Vectors = {}
    for kind, space in spaces.items():
        contents = {item.content(kind): row for row, item in reversed([*enumerate(items)])}
        known = store.known(space, contents) | {NOTHING}
        rows = sorted(row for content, row in contents.items() if content not in known)
        if rows:
            new = (batch[row] for row in rows)
            things = [each.picture or b"" if kind == "pictures" else each.entry.caption for each in new]
            made[space] = [items[row].content(kind) for row in rows], embedded(embedder, kind, things, say)
    return made


def _list_rejected(store: Stored, outcome: Outcome) -> None:
    """Writes what was refused and why, as CSV that a spreadsheet does not take for formulas."""
    rows = [(harmless(each.name), each.reason) for each in outcome.rejected]
    if outcome.refused > LISTED:
        rows.append(("…", _("More was refused, and is not listed.")))
    try:
        (store.folder / REJECTED).write_bytes(csv_file(["name", "reason"], rows))
    except OSError as error:
        raise no_room(store.folder, error) from error
