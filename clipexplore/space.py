"""One model and its collections: expressions become points, and points find what lies near.

What is stored is never computed again, so a page whose terms are all stored answers before torch is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, cast

import numpy as np

from clipexplore.banks import Banks, Context, Hit, What
from clipexplore.batcher import shared_embedder
from clipexplore.cluster.connection import is_set
from clipexplore.errors import InputError, MissingError
from clipexplore.expression import Expression, Term, combine, parse
from clipexplore.images import open_picture, small_copy
from clipexplore.known import strangers_to
from clipexplore.language import _
from clipexplore.models import catalog
from clipexplore.models.embedder import Embedder
from clipexplore.models.families import Scale
from clipexplore.names import define
from clipexplore.points import Point, PointTerm
from clipexplore.store import shelves
from clipexplore.store.collection import Collection
from clipexplore.store.embedding import embed as embed_missing
from clipexplore.store.embedding import missing
from clipexplore.store.items import content_key
from clipexplore.store.opening import open_for
from clipexplore.store.shelves import BANKS, WORLD

__all__ = ["Context", "Hit", "Point", "PointTerm", "Space", "What"]

REMEMBERED = 4096  # texts and uploads whose embeddings are kept
Embedded = tuple[np.ndarray, int | None]  # the vector of a text, and its tokens if it was embedded just now


class Space(Banks):
    """A model and the collections it has embedded: expressions become points, and points find what lies near.

    Any number of threads and visitors may share it; `with_names` gives one visitor's view.

    Parameters
    ----------
    embedder
        What embeds that which is not stored: `embed_texts`, `embed_images`, `count_tokens` and `max_tokens` as in
        `Embedder`. By default that of the model, loaded when first needed, one copy for all spaces.
    world
        The bundled collection, whose pictures can be written as `@id` beside any other, as all examples do: an id that
        the collection has comes first.

    Raises
    ------
    InputError
        If a collection is not embedded by the model, or by another revision of it.
    """

    def __init__(
        self,
        model: catalog.Model,
        collection: Collection,
        words: Collection,
        background: Collection,
        embedder: Embedder | None = None,
        world: Collection | None = None,
    ):
        super().__init__(model, collection, words, background, world)
        self._embedder = embedder
        self._remembered: dict[str | bytes, Embedded] = {}  # by text, or content of a picture; the oldest first
        self._names: Mapping[str, Expression] = {}
        self._uploads: Mapping[str, bytes] = {}

    @classmethod
    def open(
        cls,
        model: str = "emoji",
        collection: str = "emoji-world",
        embedder: Embedder | None = None,
        owner: str | None = None,
        embed: bool = False,
        names: str = "",
        uploads: Mapping[str, str | Path] | None = None,
    ) -> Space:
        """The space of a model and a collection, both by the name that links use.

        Parameters
        ----------
        owner
            The session that a collection of its own belongs to.
        embed
            Whether to embed first what the model has not embedded yet, which may take minutes, and keep it.
        names
            Lines `name = expression`, as `names.define` reads them; every expression may then use `@name`.
        uploads
            Files of pictures by the id that expressions call them by.

        Raises
        ------
        InputError
            For an unknown model or collection, and a collection that is damaged or not embedded by the model.
        """
        folders = shelves.folders(owner)
        if collection not in folders:
            raise MissingError(
                _("There is no collection {name!r}; choose one of: {names}.").format(
                    name=collection, names=", ".join(folders)
                )
            )
        entry = catalog.get(model)
        opened = {name: open_for(folders[name], entry) for name in {collection, *BANKS}}
        if embed and any(missing(each, entry) for each in opened.values()):
            embedder = embedder or _loaded(entry)
            embed_missing(list(opened.values()), entry, embedder)
        world = _if_embedded(folders[WORLD], entry) if WORLD in folders and collection != WORLD else None
        space = cls(entry, opened[collection], opened["words"], opened["background"], embedder, world)
        pictures = {id: small_copy(Path(path).read_bytes()) for id, path in (uploads or {}).items()}
        return space.with_names(define(names), pictures)

    def with_names(self, names: Mapping[str, Expression], uploads: Mapping[str, bytes] | None = None) -> Space:
        """One visitor's view of this space: expressions may use their names, and their pictures by id.

        Parameters
        ----------
        names
            What `@name` stands for, as `names.define` gives it: its point counts like that of a picture.
        uploads
            Encoded pictures, each embedded when it is first asked for.
        """
        own = copy(self)
        own._names, own._uploads = names, {} if uploads is None else uploads
        return own

    def seen_by(self, model: str, opened: Space | None = None) -> Space:
        """Another model's space of the same collections, with the same names and uploads.

        Parameters
        ----------
        model
            Its key.
        opened
            That space, where it is open already.

        Raises
        ------
        InputError
            For an unknown model, and one that has not embedded the collection.
        """
        if opened is None:
            entry = catalog.get(model)
            collection, words, background = (
                open_for(each.folder, entry) for each in (self.collection, self.words, self.background)
            )
            world = self.world and _if_embedded(self.world.folder, entry)
            opened = Space(entry, collection, words, background, world=world)
        return opened.with_names(self._names, self._uploads)

    @property
    def embedder(self) -> Embedder:
        """What embeds that which is not stored; the first call may take seconds.

        Raises
        ------
        InputError
            If the model cannot be loaded, or is not the revision that the collections were embedded by.
        """
        if self._embedder is not None:
            return self._embedder
        embedder = _loaded(self.model)
        self._check_revision(_("the model in {folder}").format(folder=self.model.clip.folder), embedder.revision)
        return embedder

    @property
    def can_embed(self) -> bool:
        """Whether texts and pictures can be embedded; else the model is not here, and there is what is stored."""
        return self._embedder is not None or self.model.present

    @property
    def scale(self) -> Scale:
        """What makes logits of cosines.

        Of a model that is not here it is not known: that of OpenAI's models, 100, stands in for it, or what the
        training of a sigmoid starts from, 10 and −10, where the collection says that such a model made its vectors.

        Source: Radford et al. 2021, §2.5; Zhai et al. 2023, §3.2.
        """
        try:
            return self.model.scale
        except MissingError:
            by_sigmoid = self._said_to_be.probability == "sigmoid"
            return Scale(10.0, -10.0, learned=False) if by_sigmoid else Scale(100.0, learned=False)

    @property
    def _said_to_be(self) -> catalog.Model:
        """The model that made the vectors: for the unnamed one, whose the collection says they are, if it does."""
        known, made = catalog.models(), self.collection.revisions.get(self.model.key)
        stated = (key for key, about in self.collection.models.items() if key in known and about["revision"] == made)
        return self.model if self.model.key in known else known.get(next(stated, ""), self.model)

    @property
    def has_background(self) -> bool:
        """Whether the model has embedded the background captions, or will: pictures are placed among them on a map."""
        return self.can_embed or "captions" in self.background.embedded(self.model.key)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings `(n, dim)` of at least one text, float32, unit norm, in the order given: stored ones if there."""
        embedded = self._embedded(texts)
        return np.stack([embedded[text][0] for text in texts])

    def point(self, expression: str | Expression) -> Point:
        """The point of an expression. A name may use the names defined before it; each is worked out once.

        Raises
        ------
        InputError
            For what `parse` and `combine` refuse, for an id that is neither in the collection nor in the bundled world,
            no upload and no name, and for a name that is the id of a picture of the collection too.
        """
        expression = parse(expression) if isinstance(expression, str) else expression
        meanings = self._behind(expression)
        whole = (*meanings.values(), expression)
        texts = self._embedded([term.text for each in whole for term in each.terms if not term.is_id])
        points: dict[str, Point] = {}
        for name, meaning in meanings.items():
            self._check_free(name)
            points[name] = self._combined(meaning, texts, points)
        return self._combined(expression, texts, points)

    def said_of(self, id: str) -> str | None:
        """The caption, or else the id, of an item of which there is no picture; None for one that has its picture."""
        owner = self._owner(id)
        if id in self._uploads or id not in owner or owner.has_files:
            return None
        return owner.captions[owner.row(id)] or f"@{id}"

    def picture(self, id: str) -> bytes:
        """The encoded picture of an id, as it was stored.

        Raises
        ------
        InputError
            For an id that is no upload and that neither the collection nor the bundled world has.
        """
        return self._uploads[id] if id in self._uploads else self._owner(id).picture(id)

    def cut(self, texts: Sequence[str]) -> list[tuple[str, int]]:
        """The texts that are longer than the model reads, with their tokens; stored ones were checked when stored."""
        new = [text for text in texts if self._stored(text) is None]
        counts = zip(new, self.embedder.count_tokens(new), strict=True) if new else ()
        return [(text, tokens) for text, tokens in counts if tokens > self.embedder.max_tokens]

    def _behind(self, expression: Expression) -> dict[str, Expression]:
        """The names that an expression uses, directly or by other names, in the order of their definition."""
        needed = {term.text for term in expression.terms if term.is_id}
        for name in reversed(list(self._names)):  # a name can only use those before it, so one pass finds all
            if name in needed:
                needed |= {term.text for term in self._names[name].terms if term.is_id}
        return {name: meaning for name, meaning in self._names.items() if name in needed}

    def _check_free(self, name: str) -> None:
        if name in self.collection:
            raise InputError(
                _("@{name} is both a name of yours and a picture of {title}; give your point another name.").format(
                    name=name, title=self.collection.title
                )
            )

    def _combined(self, expression: Expression, texts: Mapping[str, Embedded], points: Mapping[str, Point]) -> Point:
        terms = tuple(self._term(term, texts, points) for term in expression.terms)
        combined = combine(expression, np.stack([term.vector for term in terms]))
        return Point(expression, combined.vector, combined.length, terms)

    def _term(self, term: Term, texts: Mapping[str, Embedded], points: Mapping[str, Point]) -> PointTerm:
        if term.is_id and term.text in points:
            return PointTerm(term, points[term.text].vector, meaning=points[term.text])
        if term.is_id:
            vector, of_text = self._item(term.text)
            return PointTerm(term, vector, of_item=of_text)
        vector, tokens = texts[term.text]
        truncated = tokens is not None and tokens > self.embedder.max_tokens
        strangers = strangers_to(self.model.clip.folder, term.text)
        return PointTerm(term, vector, tokens, truncated, strangers=strangers)

    def _embedded(self, texts: Sequence[str]) -> dict[str, Embedded]:
        """The embedding of each text, and its tokens where it is not stored; the last few thousand are remembered."""
        found: dict[str, Embedded] = {
            text: (stored, None) for text in set(texts) if (stored := self._stored(text)) is not None
        }
        new = [text for text in dict.fromkeys(texts) if text not in found]
        found |= {text: known for text in new if (known := self._remembered.get(text))}
        if unknown := [text for text in new if text not in found]:
            vectors, tokens = self.embedder.embed_texts(unknown), self.embedder.count_tokens(unknown)
            computed = dict(zip(unknown, zip(vectors, tokens, strict=True), strict=True))
            self._remember(computed)
            found |= computed
        return found

    def _remember(self, computed: Mapping[Any, Embedded]) -> None:
        self._remembered.update(computed)
        for text in list(self._remembered)[:-REMEMBERED]:
            self._remembered.pop(text, None)

    def _item(self, id: str) -> tuple[np.ndarray, bool]:
        """The vector of an id, and whether it is that of a text."""
        if id in self._uploads:
            return self._of_upload(self._uploads[id]), False
        if id.startswith("up-") and id not in self.collection:
            raise MissingError(
                _("The uploaded picture @{id} is not here, or no longer; upload it again.").format(id=id)
            )
        owner = self._owner(id)
        row, pictures = owner.row(id), "pictures" in owner.embedded(self.model.key)
        return owner.embeddings(self.model.key, "pictures" if pictures else "captions")[row], not pictures

    def _of_upload(self, picture: bytes) -> np.ndarray:
        key = content_key(picture)
        if (known := self._remembered.get(key)) is None:
            known = self.embedder.embed_images([open_picture(picture)])[0], None
            self._remember({key: known})
        return known[0]


def _loaded(model: catalog.Model) -> Embedder:
    """What embeds for a model, one copy for all spaces of this process; on the cluster where one is set."""
    folder, revisions = model.require(), model.clip.revisions
    return cast(Embedder, shared_embedder(folder, revisions)) if is_set() else Embedder.resident(folder, revisions)


def _if_embedded(world: Path, model: catalog.Model) -> Collection | None:
    """The bundled world, if the model has embedded it."""
    found = open_for(world, model)
    return None if missing(found, model) else found
