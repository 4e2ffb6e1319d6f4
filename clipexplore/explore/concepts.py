"""Concepts: what a dictionary that was learned from the pictures of a collection holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from clipexplore.errors import InputError, MissingError
from clipexplore.explore.apart import bank, centred
from clipexplore.explore.classify import label_fields
from clipexplore.explore.memory import remembered
from clipexplore.labs import concepts as labs
from clipexplore.labs.concepts import LEAST, WIDTH, Dictionary, K
from clipexplore.language import _
from clipexplore.maps.pca import pca
from clipexplore.reports import Report, silent
from clipexplore.settings import settings
from clipexplore.space import Hit, Space
from clipexplore.store.published import Published
from clipexplore.store.shelves import WORLD
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Order = Literal["frequency", "purity", "stability"]

SHIPPED = "concepts.safetensors"  # of the bundled pictures by the bundled model, among the assets
MOST = 20_000  # pictures that are learned from and looked at; more are taken at even steps
EXAMPLES = 6  # pictures of a card
WORDS = 3  # of a card
LIT = 14  # pictures of a single concept
MOST_VALUES = 200  # of these, the most frequent


@dataclass(frozen=True, eq=False)
class Card:
    """One concept.

    Attributes
    ----------
    number
        From 1; it stands for the concept in links.
    words
        The words of the bank nearest to its direction, the nearest first.
    share
        Of the pictures that have it, in (0, 1].
    usual
        The median amount of it where it is.
    purity, stability
        See `labs.concepts.purity` and `stability`, in [−1, 1]; stability is None where one seed was learned.
    value, f1
        The value "field: value" of the collection that is best told by whether there is more of it than some amount,
        and how well, in [0, 1]; empty and 0 where no value is frequent.
    examples
        The ids of the pictures that have most of it.
    """

    number: int
    words: list[str]
    share: float
    usual: float
    purity: float
    stability: float | None
    value: str
    f1: float
    examples: list[str]


@dataclass(frozen=True, eq=False)
class Concepts:
    """The concepts of a collection.

    Attributes
    ----------
    cards
        In the order that was asked for.
    count, k, width
        How many there are; of how many at most a picture is made.
    pictures
        How many were looked at.
    explained
        The share of the variance of their vectors that their concepts explain.
    stability
        The median over all concepts; None where one seed was learned.
    """

    SHOWN: ClassVar = ("count", "k", "explained", "stability")

    cards: list[Card]
    count: int
    k: int
    pictures: int
    explained: float
    stability: float | None


def learn(space: Space, seed: int = 0, report: Report = silent) -> Concepts:
    """Learns the concepts of the collection's pictures, which takes minutes, and keeps them beside the collection.

    They are those of the first of two seeds; the second says how stable they are.

    Raises
    ------
    InputError
        For fewer than 100 pictures.
    NoRoomError
        If the disk refuses.
    """
    points = _points(space)
    width = min(WIDTH, max(len(points), LEAST) // 2)

    def say(done: int) -> Report:
        stage = _("Learning from seed {number} of {count}").format(number=done + 1, count=2)
        return lambda share, _stage: report((done + share) / 2, stage)

    first, second = (
        labs.learn_concepts(points, width, K, seed=seed + number, report=say(number)) for number in range(2)
    )
    labs.stability(first, second).save(_file(space), _revision(space))
    return concepts(space)


def dictionary(space: Space) -> Dictionary:
    """The dictionary of the collection's concepts that was learned for its model, or is shipped.

    Raises
    ------
    MissingError
        Where none was learned, or for another model.
    DamagedError
        Where it cannot be read.
    """
    found = _found(space)
    if found is None:
        message = _("The concepts of {title} have not been learned for this model; `learn` does it, in minutes.")
        raise MissingError(message.format(title=space.collection.title))
    return found


def has_concepts(space: Space) -> bool:
    """Whether `dictionary` has one to give."""
    return _found(space) is not None


def concepts(space: Space, find: str = "", order: Order = "stability", report: Report = silent) -> Concepts:
    """All concepts of the collection, as cards.

    Parameters
    ----------
    find
        An expression: the concepts whose directions are nearest to its point, without the mean of its kind, come first.
    order
        What the concepts are ordered by otherwise, the most first.
    report
        Is told what is being done, which takes seconds in a large collection.

    Raises
    ------
    InputError
        As `dictionary`, and as `Space.point` and `centred` for `find`.
    """
    found = dictionary(space)
    report(0, _("Finding names"))
    cards = all_cards(space)
    if find.strip():
        cosines = found.directions @ centred(space, space.point(find))
        cards = [cards[row] for row in np.argsort(-cosines, kind="stable")]
    else:
        name = "share" if order == "frequency" else order
        cards = sorted(cards, key=lambda card: -(getattr(card, name) or 0))
    points = _points(space)
    middle = None if found.stability is None else float(np.median(found.stability))
    return Concepts(cards, len(found), found.k, len(points), _explained(space, _stamp(space)), middle)


@dataclass(frozen=True, eq=False)
class Concept:
    """One concept, where it is.

    Attributes
    ----------
    words
        The words of the bank nearest to its direction, which are compared without their mean.
    pictures
        The ids of the pictures that have most of it, and how much, in usual amounts.
    coordinates, amounts
        `(n, 2)` where the pictures lie on the map and `(n,)` how much of it each has, in usual amounts; 0 where it is
        not.
    """

    SHOWN: ClassVar = ("card.value", "card.f1", "words", "pictures")

    card: Card
    words: list[Hit]
    pictures: list[tuple[str, float]]
    coordinates: np.ndarray
    amounts: np.ndarray


def concept(space: Space, number: int) -> Concept:
    """One concept of the collection, counted from 1.

    Raises
    ------
    InputError
        As `dictionary`, and for a number that none has.
    """
    found = dictionary(space)
    card = all_cards(space)[row_of(found, number)]
    cosines = normalize(bank(space).centred) @ found.directions[number - 1]
    scores, rows = (cosines - cosines.mean()) / cosines.std(), bank(space).rows
    words = [
        Hit.of(space.words, rows[place], "words", float(cosines[place]), float(scores[place]), rank)
        for rank, place in enumerate(np.argsort(-cosines, kind="stable")[:10], 1)
    ]
    amounts = _amounts(space, _stamp(space))[:, [number - 1]].toarray()[:, 0] / card.usual
    order = np.argsort(-amounts, kind="stable")[:LIT]
    ids = _ids(space)
    pictures = [(ids[row], float(amounts[row])) for row in order.tolist() if amounts[row] > 0]
    return Concept(card, words, pictures, _places(space), amounts)


def all_cards(space: Space) -> list[Card]:
    """The cards of all concepts, in the order of their numbers."""
    return _cards(space, _stamp(space))


@remembered(8)
def _cards(space: Space, stamp: tuple) -> list[Card]:
    found, points, ids = dictionary(space), _points(space), _ids(space)
    amounts = _amounts(space, stamp)
    cosines = found.directions @ normalize(bank(space).centred).T
    names, values = bank(space).captions, _values(space, amounts)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :WORDS]
    shares = np.diff(amounts.tocsc().indptr) / len(points)
    usual, pure, most = labs.usual_amounts(amounts), labs.purity(amounts, points), labs.lit(amounts, EXAMPLES)
    return [
        Card(
            number=row + 1,
            words=[names[word] for word in nearest[row].tolist()],
            share=float(shares[row]),
            usual=float(usual[row]),
            purity=float(pure[row]),
            stability=None if found.stability is None else float(found.stability[row]),
            value=values[row][0],
            f1=values[row][1],
            examples=[ids[example] for example in most[row][0].tolist()],
        )
        for row in range(len(found))
    ]


def _values(space: Space, amounts: csr_array) -> list[tuple[str, float]]:
    """For each concept, the value that it tells best, and how well."""
    fields = space.collection.fields.iloc[_taken(space)]
    values = labs.frequent(fields, label_fields(space))[:MOST_VALUES]
    if not values:
        return [("", 0.0)] * amounts.shape[1]
    best, _thresholds = labs.f1_by_threshold(amounts, labs.true_of(fields, values))
    rows = best.argmax(axis=0)
    return [(f"{values[row][0]}: {values[row][1]}", float(best[row, column])) for column, row in enumerate(rows)]


@remembered(8)
def _amounts(space: Space, stamp: tuple) -> csr_array:
    return dictionary(space).read(_points(space))


@remembered(8)
def _explained(space: Space, stamp: tuple) -> float:
    return dictionary(space).explained(_points(space))


@remembered(8)
def _places(space: Space) -> np.ndarray:
    """Where the pictures that are looked at lie on the stored map, or else along two principal components."""
    stored = space.collection.coordinates(space.model.key, "umap")
    points = _points(space)
    return pca(points, 2).transform(points) if stored is None else stored[_taken(space)]


def _taken(space: Space) -> range:
    count = len(space.collection)
    return range(0, count, max(1, -(-count // MOST)))


def _points(space: Space) -> np.ndarray:
    return space.embeddings("pictures")[_taken(space)]


def _ids(space: Space) -> list[str]:
    return [space.collection.ids[row] for row in _taken(space)]


def row_of(found: Dictionary, number: int) -> int:
    """The row of a concept's number."""
    if not 1 <= number <= len(found):
        message = _("There is no concept {number}; they are numbered from 1 to {count}.")
        raise InputError(message.format(number=number, count=len(found)))
    return number - 1


def _file(space: Space) -> Path:
    """Where the dictionary is, or would be kept: beside the collection, unless that is only read."""
    store, name = space.collection.store, f"concepts-{space.model.key}.safetensors"
    if not isinstance(store, Published):
        return store.folder / name
    shipped = settings().assets / SHIPPED
    if space.collection.name == WORLD and _read(shipped, _revision(space)):
        return shipped
    return settings().home / "concepts" / space.collection.name / name


def _found(space: Space) -> Dictionary | None:
    return _read(_file(space), _revision(space))


def _read(path: Path, revision: str) -> Dictionary | None:
    return _load(path, path.stat().st_mtime_ns, revision) if path.is_file() else None


def _stamp(space: Space) -> tuple[int]:
    """Tells one dictionary of a collection from the next."""
    return (_file(space).stat().st_mtime_ns,)


def _revision(space: Space) -> str:
    """That of the model of pictures, as far as it is told apart from the whole model."""
    weights = space.model.clip
    return weights.revisions.pictures if weights.present else space.revision


@lru_cache(maxsize=8)
def _load(path: Path, modified: int, revision: str) -> Dictionary | None:
    return Dictionary.load(path, revision)
