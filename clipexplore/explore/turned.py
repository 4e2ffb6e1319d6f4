"""Concepts turned: any point with more or less of some concepts, as a picture that can be found and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clipexplore.errors import InputError
from clipexplore.explore.apart import centred
from clipexplore.explore.concepts import Card, all_cards, dictionary, row_of
from clipexplore.language import _
from clipexplore.space import Hit, Point, Space
from clipexplore.vectors import normalize

PICTURES = 6  # nearest to a point
HIGHEST = 3.0  # how far a concept can be turned up, in usual amounts


@dataclass(frozen=True, eq=False)
class Turned:
    """A point with more or less of some concepts.

    Attributes
    ----------
    parts
        The concepts that are in the point or were turned: card, amount before and after, in usual amounts; those that
        were turned come first, then the largest.
    turned
        The point afterwards, a picture's.
    cosine
        Of the two in [−1, 1], without the mean of all pictures.
    before, after
        The pictures nearest to the two.
    """

    SHOWN: ClassVar = ("cosine", "after")

    point: Point
    parts: list[tuple[Card, float, float]]
    turned: Point
    cosine: float
    before: list[Hit]
    after: list[Hit]


def turn(space: Space, q: str, turned: str = "") -> Turned:
    """The point of an expression with other amounts of some concepts; what no concept explains stays as it is.

    A text, or a sum with texts in it, is read as the picture that lies as far from the mean of all pictures.

    Parameters
    ----------
    turned
        The numbers of concepts and how much of each there is to be, such as "12 0, 40 1.5"; 1 is the median of the
        pictures that have it.

    Raises
    ------
    InputError
        As `Space.point`, `centred` and `dictionary`, and for what cannot be read.
    """
    found, point, cards = dictionary(space), space.point(q), all_cards(space)
    asked = {row_of(found, number): amount for number, amount in amounts_of(turned).items()}
    vector = found.mean + centred(space, point)
    before = found.read(vector[None]).toarray()[0]
    usual = np.array([card.usual for card in cards])
    moved = found.turned(vector, {row: amount * usual[row] for row, amount in asked.items()})
    rows = [*asked, *(row for row in np.argsort(-before / usual).tolist() if before[row] > 0 and row not in asked)]
    levels = before / usual
    parts = [(cards[row], float(levels[row]), asked.get(row, float(levels[row]))) for row in rows]
    about = normalize(np.stack([vector, moved]) - found.mean)
    picture = Point.of_picture("turned", normalize(moved))
    nearest = space.search(np.stack([normalize(vector), picture.vector]), "pictures", PICTURES)
    return Turned(point, parts, picture, float(np.clip(about[0] @ about[1], -1, 1)), *nearest)


def amounts_of(turned: str) -> dict[int, float]:
    """What "12 0, 40 1.5" says: the amount of each concept by its number.

    Raises
    ------
    InputError
        For anything else, and for an amount that is not between 0 and 3.
    """
    found = {}
    for part in filter(None, map(str.strip, turned.split(","))):
        try:
            number, amount = part.split()
            found[int(number)] = float(amount)
        except ValueError as error:
            message = _("{part!r} is not the number of a concept and how much of it there is to be, such as 12 1.5.")
            raise InputError(message.format(part=part)) from error
        if not 0 <= found[int(number)] <= HIGHEST:
            message = _("There can be 0 to {most:g} times the usual amount of a concept, not {amount}.")
            raise InputError(message.format(most=HIGHEST, amount=amount))
    return found


def amounts_as_text(amounts: dict[int, float]) -> str:
    """The amounts as `amounts_of` reads them."""
    return ", ".join(f"{number} {amount:g}" for number, amount in amounts.items())
