"""Embedding what of a collection has no vector yet, and whether vectors that are brought are a model's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Protocol, cast

import numpy as np

from clipexplore.errors import InputError
from clipexplore.images import open_picture
from clipexplore.language import _
from clipexplore.models.catalog import UNNAMED, Model
from clipexplore.models.embedder import PREPARATION, READY_MADE
from clipexplore.models.preparing import batches_ahead
from clipexplore.models.revisions import Revisions
from clipexplore.reports import Report, silent
from clipexplore.sources.entries import KINDS, Entry, Kind, Source, groups
from clipexplore.store.collection import Collection
from clipexplore.store.stored import Stored
from clipexplore.vectors import normalize


class Embeds(Protocol):
    """What embeds: an `Embedder`, or what stands for one."""

    def embed_images(self, images: list, /) -> np.ndarray: ...

    def embed_texts(self, texts: list[str], /) -> np.ndarray: ...


AT_ONCE = 32  # items embedded together, unless an embedder says `at_once`; questions of visitors come in between
COMMIT = 256  # items stored together: what a kill or a cancel costs at most
SOME, LOOKED_AT = 16, 256  # ready-made vectors of a kind that are made again, of so many entries
LEAST = 0.5  # the same text in other words has a cosine of .8, a photograph cut otherwise .95; another model's has 0
log = logging.getLogger(__name__)


def missing(collection: Collection, model: Model) -> list[Kind]:
    """What of a collection the model has not embedded, and could."""
    return [kind for kind in collection.contained if kind not in collection.embedded(model.key)]


def embed(collections: Sequence[Collection], model: Model, embedder: Embeds, report: Report = silent) -> None:
    """Embeds what is missing of these collections; what was done stays done.

    Raises
    ------
    InputError
        If the model cannot be loaded, a picture cannot be read, or the disk refuses.
    """
    for collection in collections:
        collection.reload()
    work = [collection for collection in collections if missing(collection, model)]
    for done, collection in enumerate(work):

        def part(share: float, stage: str | None, done: int = done) -> object:
            return report((done + share) / len(work), stage)

        embed_missing(collection.writable, embedder, model.key, model.clip.identity, part)
        collection.reload()


def embed_missing(store: Stored, embedder: Embeds, model: str, revision: str, report: Report) -> None:
    """Embeds every content that a model has no vector of yet: new models, new items, captions that came later."""
    spaces = spaces_of(store, model, revision, embedder)
    waiting = {kind: store.lacking(space, kind) for kind, space in spaces.items()}
    whole, done = sum(map(len, waiting.values())), 0
    for kind, contents in waiting.items():
        for group in groups(contents, COMMIT):
            things = store.held(kind, [position for position, _content in group])
            vectors = embedded(embedder, kind, things, _counting(report, store.facts["title"], kind, done, whole))
            store.add_vectors(spaces[kind], [content for _position, content in group], vectors)
            done += len(group)
    store.show()


def _counting(report: Report, title: str, kind: Kind, before: int, whole: int) -> Callable[[int], object]:
    """Says how many of the whole are done, `before` those that are counted."""
    says, kinds = _("{title}: {kind}, {done:,} of {whole:,}"), {"pictures": _("pictures"), "captions": _("captions")}

    def count(done: int) -> object:
        done += before
        return report(done / whole, says.format(title=title, kind=kinds[kind], done=done, whole=whole))

    return count


def embed_anchors(
    collection: Collection, model: Model, embedder: Embeds, rows: Sequence[int], report: Report = silent
) -> dict[str, np.ndarray]:
    """Embeddings `(len(rows), dim)` of some rows alone, by each kind that they have, the first that the model is to
    embed; they are kept, and not made again by `embed`.
    """
    store = collection.writable
    spaces = spaces_of(store, model.key, model.clip.identity, embedder)
    made: dict[str, np.ndarray] = {}
    whole = len(rows) * len(collection.contained)
    for kind in collection.contained:
        things = store.held(kind, store.positions[list(rows)].tolist())
        say = _counting(report, collection.title, kind, len(rows) * len(made), whole)
        made[kind] = embedded(embedder, kind, things, say)
        contents = list(store.contents(kind))
        store.add_vectors(spaces[kind], [contents[row] for row in rows], made[kind])
    return made


def embedded(
    embedder: Embeds, kind: Kind, things: Sequence[bytes | str], say: Callable[[int], object] = lambda done: None
) -> np.ndarray:
    """The vectors `(n, dim)` of pictures as they are stored, or of captions, as many together as suit the embedder.

    Pictures are decoded ahead, a few at a time: so they are twenty times larger.

    Parameters
    ----------
    say
        Called with the number that is done, whenever it has changed; may raise to stop.
    """
    at_once, parts, done = getattr(embedder, "at_once", AT_ONCE), list[np.ndarray](), 0
    batches: Iterable[list] = groups(things, at_once)
    if kind == "pictures" and not getattr(embedder, "opens", False):
        batches = batches_ahead(cast(Sequence[bytes], things), open_picture, at_once)
    for some in batches:
        parts.append(embedder.embed_images(some) if kind == "pictures" else embedder.embed_texts(some))
        done += len(some)
        say(done)
    return np.concatenate(parts)


def spaces_of(
    store: Stored, model: str, revision: str, embedder: Embeds | None = None, ready: Sequence[Kind] = ()
) -> dict[Kind, int]:
    """The spaces in which a model's vectors of a collection are, which are named so from now on.

    Parameters
    ----------
    embedder
        The model loaded, which knows the revisions of its towers; without it the revision stands for both.
    ready
        The kinds whose vectors somebody brings; without an embedder no others are named.
    """
    towers = getattr(embedder, "revisions", Revisions(*3 * [revision]))
    made_by: dict[Kind, str] = {"pictures": towers.pictures, "captions": towers.texts}
    known = store.facts["models"].get(model, {})
    about = {space: preparation for space, _kind, _revision, preparation in store.spaces()}
    spaces: dict[Kind, int] = {}
    for kind in store.kinds if embedder or not ready else ready:
        space = known.get("spaces", {}).get(kind)
        if known.get("revision") != revision or about.get(space) not in (READY_MADE, PREPARATION[kind]):
            preparation = READY_MADE if kind in ready else PREPARATION[kind]
            space = store.space(kind, made_by[kind], preparation)
        spaces[kind] = space
    store.name_spaces(model, revision, spaces)
    return spaces


def fit_maps(collection: Collection, background: Collection, model: Model, report: Report = silent) -> None:
    """Fits the map of the background captions and places a collection's pictures on it, each once."""
    from clipexplore.maps.place import onto, place
    from clipexplore.maps.umap import fit_layout

    def say(share: float, _stage: str | None) -> None:
        report(share, _("UMAP of the background captions"))

    known = background.embeddings(model.key, "captions")
    if background.coordinates(model.key, "umap") is None:
        background.add_map(model.key, "umap", fit_layout(known, report=say))
    places = background.coordinates(model.key, "umap")
    if (
        "pictures" in collection.embedded(model.key)
        and collection.coordinates(model.key, "umap") is None
        and places is not None
    ):
        pictures = onto(collection.embeddings(model.key, "pictures"), known)
        collection.add_map(model.key, "umap", place(pictures, known, places))


# Whose vectors they are


def ready_made(model: Model, source: Source, embedder: Callable[[], Embeds]) -> str:
    """The revision that ready-made vectors are taken to be of, that of the model they are said to be of.

    Parameters
    ----------
    embedder
        Gives that model loaded, to make vectors of captions and pictures again; called only where it is here and there
        are some.

    Raises
    ------
    InputError
        If the model's vectors have another number of dimensions, or those it makes again point elsewhere.
    """
    if model.key == UNNAMED:
        return model.key
    if model.dim and model.dim != source.dim:
        message = _(
            "The vectors have {theirs} dimensions and those of the model {key} {ours}; name the model that made them."
        )
        raise InputError(message.format(theirs=source.dim, key=model.key, ours=model.dim))
    if model.present:
        for kind, cosine in cosines(source, embedder).items():
            if cosine < LEAST:
                message = _(
                    "These are no vectors of the model {key}: what it makes of the same {kind} has a cosine of "
                    "{cosine:.2f} with them; name the model that made them, or none."
                )
                raise InputError(message.format(key=model.key, kind=kind, cosine=cosine))
    return model.clip.identity


def cosines(source: Source, embedder: Callable[[], Embeds]) -> dict[Kind, float]:
    """By kind, the median cosine of some vectors of a source with those that are made of the same captions or pictures.

    A kind of which there is nothing to embed, or cannot be read, is left out.
    """
    some = [entry for entry in islice(source, LOOKED_AT) if isinstance(entry, Entry)]
    found: dict[Kind, float] = {}
    for kind in KINDS:
        held = ((each.vectors[kind], thing) for each in some if kind in each.vectors and (thing := _held(each, kind)))
        if pairs := [*islice(held, SOME)]:
            given = normalize(np.stack([vector for vector, _thing in pairs]))
            again = embedded(embedder(), kind, [thing for _vector, thing in pairs])
            found[kind] = float(np.median(np.vecdot(given, again))) if given.shape == again.shape else 0.0
    return found


def _held(entry: Entry, kind: Kind) -> bytes | str | None:
    """The caption of an entry or its picture, None for one that cannot be read."""
    if kind == "captions":
        return entry.caption
    with suppress(InputError):
        data = entry.read() if entry.read else b""
        open_picture(data)
        return data
    return None
