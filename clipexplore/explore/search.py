"""Search: the nearest pictures, captions or words to an expression, and what their cosines are worth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pandas as pd

from clipexplore.explore.presence import least_of, presence
from clipexplore.expression import Expression, Term, format
from clipexplore.labs.presence import Presence
from clipexplore.space import Context, Hit, Point, Space, What

ANY = "any"  # instead of a field: every item is searched


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What is nearest to a point.

    Attributes
    ----------
    hits
        The nearest first.
    context
        What all the cosines are like, to judge a single one by; None where nothing is searched.
    least
        The cosine from which a picture counts as a match; None where that is not known, see `least_of`.
    presence
        How that was learned, and how often it is wrong.
    """

    point: Point
    hits: list[Hit]
    context: Context | None
    least: float | None = None
    presence: Presence | None = None

    @property
    def matches(self) -> list[Hit]:
        """The hits that count as matches; all where that is not known."""
        return [hit for hit in self.hits if self.least is None or hit.cosine >= self.least]


def search(
    space: Space,
    q: str,
    what: What = "pictures",
    k: int = 24,
    facet: str = ANY,
    only: Sequence[str] = (),
    matching: bool = False,
    judge: bool = True,
) -> SearchResult:
    """The `k` nearest of what is searched to the point of an expression.

    Parameters
    ----------
    q
        An expression.
    what
        The pictures or captions of the collection, or the word bank.
    facet, only
        Only items with one of the values `only` in the field `facet` are searched; words have no fields.
    matching
        Whether hits that do not count as matches are left out.
    judge
        Whether it is judged what counts as a match. That has to be learned when a collection is first searched for a
        text, which may take seconds, see `presence`.

    Raises
    ------
    InputError
        As `Space.point` and `Space.search`.
    """
    point, rows = space.point(q), None if what == "words" else rows_with(space.collection.fields, facet, only)
    hits = space.search(point.vector, what, k, among=rows)
    least = least_of(space, point) if judge and what == "pictures" else None
    learned = None if least is None else presence(space)
    found = SearchResult(point, hits, space.context(point.vector, what, rows), least, learned)
    return replace(found, hits=found.matches) if matching else found


def rows_with(fields: pd.DataFrame, facet: str, only: Sequence[str]) -> np.ndarray | None:
    """The rows `(m,)` that have one of some values in a field, in order; None, for all, without a field or values."""
    if facet not in fields or not only:
        return None
    return np.flatnonzero(fields[facet].astype("string").isin(list(only)).to_numpy(bool))


def surprise(space: Space, rng: Random) -> str:
    """What to look for when one does not know what: the sum of two pictures of the collection, or of two words where it
    has no pictures and there are words.
    """
    if (space.kind == "pictures" or "words" not in space.searchable) and len(space.collection) > 1:
        terms = [Term(space.collection.ids[row], is_id=True) for row in rng.sample(range(len(space.collection)), 2)]
    else:
        terms = [Term(space.words.captions[row]) for row in rng.sample(range(len(space.words)), 2)]
    return format(Expression(tuple(terms)))
