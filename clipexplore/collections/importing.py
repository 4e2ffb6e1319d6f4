"""Making and enlarging a collection from a source: hashed, checked, embedded and written, 256 items at a time.

Separate because it is the one place where sources, pictures, a model and the disk meet. An import is a repetition: it takes from
the source what the collection does not have yet. So adding is importing once more, and so is going on after a kill, a full disk or
damage: what is there is known by its content and never embedded twice.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.collection import Kind
from clipexplore.collections.entries import Rejected, Report, Source, groups
from clipexplore.collections.reading import Item, Outcome, fresh, sheet
from clipexplore.collections.shards import Shards
from clipexplore.collections.tables import CONTENT, SHARD, shard_name
from clipexplore.errors import InputError
from clipexplore.images import open_picture, suffixes
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    import pyarrow as pa
    from PIL import Image

    from clipexplore.embedder import Embedder

READY = 65_536  # items in a shard where there is nothing to embed
AT_ONCE = 32  # items that are embedded between two looks at whether to go on; others' questions come in between
RESERVED = ("id", "caption", CONTENT, "picture", "boxes")  # no names for a field


def add(
    shards: Shards,
    source: Source,
    embedder: Embedder | None,
    model: str,
    revision: str,
    report: Report,
    most: int | None = None,
    at_once: int | None = None,
) -> Outcome:
    """Takes from a source what a collection does not have yet, embeds it and merges.

    Killed or stopped at any moment, the same call goes on where it was: finished shards are not embedded again.

    Parameters
    ----------
    embedder
        What embeds, of this revision; None where the vectors come with the source.
    most
        Items that the collection may hold; what goes beyond is rejected.
    at_once
        Items that are embedded between two looks at whether to go on; by default so few that questions of visitors come in between.

    Raises
    ------
    InputError
        If the source is of another kind than the collection, has vectors of another dimension, or has nothing for it; if the disk
        refuses.
    """
    if shards.manifest["kind"] != source.kind:
        raise InputError(f"The collection holds {shards.manifest['kind']} and the source {source.kind}; make a collection of its own for them.")
    begun, outcome = monotonic(), Outcome()
    with shards.store.writing():
        lost = _Lost(shards)
        known, ids = set(shards.column(CONTENT)) - lost.contents, Ids(shards.column("id"))
        new = lost.without(fresh(source, known, outcome, most and most - shards.rows + len(lost.contents), report))
        by = embedder and _By(embedder, at_once, lambda: report(*_progress(source, outcome, begun)))
        for batch in groups(new, SHARD if source.dim is None else READY):
            _append(shards, batch, ids, by, model, revision)
            outcome.added += len(batch)
            outcome.seconds = monotonic() - begun
        embed_missing(shards, embedder, model, revision, report, at_once)
        shards.merge(_listed(outcome.rejected))
    report(1.0, outcome.said())
    return outcome


def embed_missing(shards: Shards, embedder: Embedder | None, model: str, revision: str, report: Report, at_once: int | None = None) -> None:
    """Embeds every shard that this revision of a model has not embedded yet: of a new model, or of captions that came later."""
    kinds: list[Kind] = ["pictures", "captions"] if shards.manifest["kind"] == "pictures" else ["captions"]
    missing = shards.unembedded(model, revision, kinds) if embedder else []
    for done, (number, kind) in enumerate(missing):
        report(done / len(missing), f"embedding shard {done + 1:,} of {len(missing):,}")
        table, by = shards.read(shard_name(number), ["caption", "picture"]), _By(embedder, at_once, partial(report, done / len(missing), None))
        vectors = by.pictures(map(open_picture, table["picture"].to_pylist())) if kind == "pictures" else by.captions(table["caption"].to_pylist())
        shards.add_vectors(number, kind, vectors, model, revision)


class Ids:
    """The ids of a collection, and new ones that can be written as @id."""

    def __init__(self, taken: Iterable[str]):
        self._taken = set(taken)
        self._last: dict[str, int] = {}  # the number that was last put behind a name

    def new(self, name: str) -> str:
        """An id made of a name and different from all others, which include it from now on."""
        plain = id = _written(name)
        while id in self._taken:
            self._last[plain] = self._last.get(plain, 1) + 1
            id = f"{plain}-{self._last[plain]}"
        self._taken.add(id)
        return id


def _written(name: str) -> str:
    """What an id can say of a name."""
    stem, _, suffix = name.rpartition("/")[2].rpartition(".")
    stem = stem if stem and f".{suffix.lower()}" in suffixes() else name.rpartition("/")[2]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:80] or "item"
    return f"picture-{plain}" if plain.startswith("up-") else plain  # which uploads are called


class _Lost:
    """The items of shards that were restored, and what the source has of them: once all of a shard, it is as it was."""

    def __init__(self, shards: Shards):
        self._shards = shards
        self._tables = {part: shards.read(part, ["id", CONTENT]) for part in shards.manifest.get("restored", ())}
        self.contents = {content for table in self._tables.values() for content in table[CONTENT].to_pylist()}
        self._found: dict[str, Item] = {}

    def without(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items that were not lost; those that were are kept here."""
        for item in items:
            if item.content in self.contents:
                self._found[item.content] = item
                self._replace_whole()
            else:
                yield item

    def _replace_whole(self) -> None:
        for part, table in list(self._tables.items()):
            contents = table[CONTENT].to_pylist()
            if all(content in self._found for content in contents):
                items = [self._found.pop(content) for content in contents]
                self._shards.replace(part, _table(items, table["id"].to_pylist()), sheet(items))
                del self._tables[part]


# Writing


class _By:
    """What embeds, given a few things at a time; `look` is called before each few, and may raise to stop."""

    def __init__(self, embedder: Embedder, at_once: int | None, look: Callable[[], object]):
        self._embedder, self._at_once, self._look = embedder, at_once or AT_ONCE, look

    def pictures(self, images: Iterable[Image.Image]) -> np.ndarray:
        """Their embeddings, `(n, dim)`."""
        return self._embedded(self._embedder.embed_images, images)

    def captions(self, texts: list[str]) -> np.ndarray:
        """Their embeddings, `(n, dim)`, each different text computed once: many pictures may have no caption."""
        different = list(dict.fromkeys(texts))
        vectors, place = self._embedded(self._embedder.embed_texts, different), {text: place for place, text in enumerate(different)}
        return vectors[[place[text] for text in texts]]

    def _embedded(self, embed: Callable[[list], np.ndarray], things: Iterable) -> np.ndarray:
        found = []
        for some in groups(things, self._at_once):
            self._look()
            found.append(embed(some))
        return np.concatenate(found)


def _append(shards: Shards, batch: Sequence[Item], ids: Ids, by: _By | None, model: str, revision: str) -> None:
    """One more shard; what its source has embedded already is taken as it is."""
    vectors: dict[Kind, np.ndarray] = {}
    kind = shards.manifest["kind"]
    if batch[0].entry.vector is not None:
        vectors[kind] = normalize(np.stack([item.entry.vector for item in batch]))
    elif kind == "pictures":
        vectors["pictures"] = by.pictures(item.image for item in batch)
    if by and "captions" not in vectors:
        vectors["captions"] = by.captions([item.entry.caption for item in batch])
    named = [ids.new(item.entry.id or item.entry.name) for item in batch]
    shards.append(_table(batch, named), sheet(batch), vectors, model, revision)


def _table(batch: Sequence[Item], ids: list[str]) -> pa.Table:
    """The shard of some items: id, caption, content, their fields, and pictures if they have any."""
    import pyarrow as pa

    names = list(dict.fromkeys(name for item in batch for name in item.entry.fields))
    columns: dict[str, pa.Array] = {
        "id": pa.array(ids, pa.string()),
        "caption": pa.array([item.entry.caption for item in batch], pa.string()),
        CONTENT: pa.array([item.content for item in batch], pa.string()),
    }
    for name in names:
        values = [item.entry.fields.get(name) for item in batch]
        plain = len({type(value) for value in values} - {type(None)}) <= 1 and not any(isinstance(value, bytes) for value in values)
        values = values if plain else [None if value is None else str(value) for value in values]
        columns[f"{name}_" if name.lower() in RESERVED else name] = pa.array(values)
    if batch[0].picture is not None:
        columns["picture"] = pa.array([item.picture for item in batch], pa.binary())
    return pa.table(columns)


def _progress(source: Source, outcome: Outcome, begun: float) -> tuple[float, str]:
    seconds = monotonic() - begun
    rate = f", {outcome.added / seconds:,.0f} a second" if outcome.added and seconds > 1 else ""
    return min(1.0, outcome.seen / max(source.count, 1)), f"{outcome.seen:,} of {source.count:,}{rate}"


def _listed(rejected: list[Rejected]) -> bytes:
    """What was refused and why, as CSV that a spreadsheet does not take for formulas."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["name", "reason"])
    rows.writerows(("'" + each.name if each.name.startswith(("=", "+", "-", "@")) else each.name, each.reason) for each in rejected)
    return out.getvalue().encode("utf-8-sig")
