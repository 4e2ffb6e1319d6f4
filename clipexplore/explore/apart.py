"""Take apart: a point written as a short sum of words, how far to trust it, and what it leaves unexplained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clipexplore.errors import InputError
from clipexplore.explore.memory import remembered
from clipexplore.expression import Expression, Term
from clipexplore.labs import apart as labs
from clipexplore.labs.apart import take_apart
from clipexplore.language import _
from clipexplore.space import Hit, Point, Space
from clipexplore.vectors import cosine_similarity, normalize

MOST = 16  # terms of a sum
PICTURES = 6  # that are listed as nearest
LEAST = 1e-3  # length from which something is left


@dataclass(frozen=True)
class Without:
    """What becomes of a sum when one of its words may not be used.

    Attributes
    ----------
    cosine
        Of the point with the sum without that word, in [0, 1].
    stay
        The share of the other words that are used again, in [0, 1].
    instead
        The words that come in.
    """

    word: str
    cosine: float
    stay: float
    instead: list[str]


@dataclass(frozen=True, eq=False)
class TakenApart:
    """A point as a sum of words. Cosines are of points without the mean of their kind, see `centred`.

    Attributes
    ----------
    sum
        The words, the first to be chosen first, with weights of two digits.
    cosines
        Of the point with the best sum of the first 1, 2, … words.
    without
        For each word of the sum, what becomes of it without that word.
    stability
        The mean share of words that stay.
    remainder
        What the sum leaves unexplained, as a picture that can be drawn: the mean picture, moved by it; None in a space
        without pictures.
    pictures
        Those nearest to what is left unexplained.
    """

    SHOWN: ClassVar = ("sum", "cosines", "stability", "pictures")

    point: Point
    sum: Expression
    cosines: np.ndarray
    without: list[Without]
    stability: float
    remainder: Point | None
    pictures: list[Hit]


def apart(space: Space, q: str, terms: int = 8, signed: bool = False) -> TakenApart:
    """The point of an expression as a sum of at most `terms` words of the word bank.

    Parameters
    ----------
    signed
        Whether weights may be negative.

    Raises
    ------
    InputError
        As `Space.point`, `centred` and `take_apart`.
    """
    point, words = space.point(q), bank(space)
    target = centred(space, point)
    found = take_apart(target, words.centred, terms, signed)
    chosen = [words.captions[row] for row in found.rows]
    sums = zip(chosen, found.weights.tolist(), strict=True)
    written = Expression(tuple(Term(word, float(f"{weight:.2g}")) for word, weight in sums))
    without = [_without(target, words, found, row, terms, signed) for row in found.rows.tolist()]
    stability = float(np.mean([each.stay for each in without]))
    return TakenApart(point, written, found.cosines, without, stability, *_unexplained(space, found.remainder))


@dataclass(frozen=True, eq=False)
class Beside:
    """A point beside a sum that is to stand for it.

    Attributes
    ----------
    cosine
        Of the two, without the mean of their kinds, in [−1, 1].
    unexplained
        The share of the point's squared length that no multiple of the sum explains, in [0, 1].
    pictures
        Those nearest to the sum, as everywhere.
    """

    point: Point
    sum: Point
    cosine: float
    unexplained: float
    pictures: list[Hit]


def beside(space: Space, q: str, sum: str) -> Beside:
    """How near an expression is to another that is to stand for it, such as one that `apart` has found.

    Raises
    ------
    InputError
        As `Space.point` and `centred`.
    """
    point, other = space.point(q), space.point(sum)
    ((cosine,),) = cosine_similarity(centred(space, point)[None], centred(space, other)[None]).tolist()
    pictures = space.search(other.vector, "pictures", PICTURES) if space.kind == "pictures" else []
    return Beside(point, other, cosine, 1 - cosine**2, pictures)


def centred(space: Space, point: Point) -> np.ndarray:
    """A point `(dim,)` float32 without the mean of its kind: of the word bank for each text in it, of the pictures for
    each picture, with their weights. So a difference of two pictures stays as it is.

    Raises
    ------
    InputError
        For a point with pictures in it where neither the collection nor the bundled world has any.
    """
    means = point.of_texts[-1] * bank(space).mean
    if point.weight_of_pictures:
        means = means + point.weight_of_pictures * _mean_of_pictures(space)
    return (point.vector - means / point.length).astype(np.float32)


def _without(target: np.ndarray, words: Bank, found: labs.Apart, row: int, terms: int, signed: bool) -> Without:
    """What becomes of a sum without the word of a row."""
    again = take_apart(target, words.centred, terms, signed, without=[row])
    others = [each for each in found.rows.tolist() if each != row]
    stay = np.isin(others, again.rows).mean() if others else 1.0
    instead = [words.captions[each] for each in again.rows.tolist() if each not in others]
    return Without(words.captions[row], float(again.cosines[-1]), float(stay), instead)


def _unexplained(space: Space, remainder: np.ndarray) -> tuple[Point | None, list[Hit]]:
    """What is left of a point as a picture, and the pictures nearest to it."""
    if space.kind != "pictures" or np.linalg.norm(remainder) < LEAST:
        return None, []
    drawn = Point.of_picture("remainder", normalize(_mean_of_pictures(space) + remainder))
    return drawn, space.search(normalize(remainder), "pictures", PICTURES)


@dataclass(frozen=True, eq=False)
class Bank:
    """The words that a point is taken apart into: those that captions are made of, where the word bank tells them from
    those that are only said of things ("terrorism" of a bomb).

    Attributes
    ----------
    rows, captions
        Of the word bank, `(n,)`.
    centred, mean
        The words without their mean, `(n, dim)` float32, and that, `(dim,)`.
    """

    rows: np.ndarray
    captions: list[str]
    centred: np.ndarray
    mean: np.ndarray


@remembered(8)
def bank(space: Space) -> Bank:
    """That of a space."""
    source = space.words.fields.get("source")
    rows = np.arange(len(space.words)) if source is None else np.flatnonzero(source == "captions")
    vectors = space.embeddings("words")[rows]
    mean = vectors.mean(axis=0)
    return Bank(rows, [space.words.captions[row] for row in rows], vectors - mean, mean)


@remembered(8)
def _mean_of_pictures(space: Space) -> np.ndarray:
    """That of the collection, or of the bundled world where the collection has no pictures."""
    owner = space.collection if space.kind == "pictures" else space.world
    if owner is None:
        raise InputError(
            _("{title} has no pictures, so what all pictures share is unknown; take a text apart.").format(
                title=space.collection.title
            )
        )
    return owner.embeddings(space.model.key, "pictures").mean(axis=0)
