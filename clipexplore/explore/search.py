"""Search: the nearest pictures, captions or words to an expression, what their cosines are worth, and whether what is
looked for is there at all, learned from the collection's own captions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pandas as pd

from clipexplore.errors import InputError
from clipexplore.explore.memory import remembered
from clipexplore.expression import Expression, Term
from clipexplore.labs.presence import ALIKE, Presence, calibrate, said_in, says, signs
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.space import Context, Hit, Point, Space, What
from clipexplore.vectors import normalize

ANY = "any"  # instead of a field: every item is searched
# What `presence` learns from:
TEXTS = 700
MOST = 100_000  # pictures
LEFT = 100  # pictures at least, when those that a text is true of are held out
USEFUL = 0.5  # of the texts that are here; where fewer are found, the captions tell too little
AT_ONCE = 1 << 23  # cosines of texts with pictures


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
        The cosine from which a picture counts as a match, whatever its caption says; None where that is not known, see
        `least_of`.
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
        """The hits that count as matches, by their cosine or because their caption says the text; all where that is not
        known.
        """
        least, text = self.least, self.point.one_text
        if least is None or text is None:
            return self.hits
        return [hit for hit in self.hits if hit.cosine >= least or says(hit.caption, text)]


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
    return str(Expression(tuple(terms)))


@remembered(64)
def presence(space: Space, report: Report = silent) -> Presence | None:
    """When a text is among the collection's pictures, learned from its captions and those words of the bank that they
    have; None where too little is known: without pictures or with more than 100,000, with too few different captions,
    or captions that tell nothing. Takes a second for some thousand pictures, and twenty for the most.

    What a text is true of is held out: every picture whose caption shares a word with it, or means the same.
    """
    collection = space.collection
    if not collection.has_pictures or len(collection) > MOST:
        return None
    try:
        learned = calibrate(*_both_signs(space, report))
    except InputError:
        return None
    return learned if learned.kept >= USEFUL else None


def least_of(space: Space, point: Point) -> float | None:
    """The cosine from which a picture counts as an answer to a point; None where nothing can be said: where `presence`
    knows nothing, and of points that are not one text, which nothing was learned of.
    """
    if not point.one_text or (learned := presence(space)) is None:
        return None
    pictures = space.embeddings("pictures")
    return float(
        learned.least(signs(point.vector[None], pictures, space.embeddings("words"), space.model.logit_scale))[0]
    )


def _both_signs(space: Space, report: Report) -> tuple[np.ndarray, np.ndarray]:
    """The `signs` of some texts with all pictures, and with those held out that they are true of: `(q, 4)` each."""
    collection, says = space.collection, _("Learning from the captions what counts as a match")
    report(0, says)
    pictures, captions = (collection.embeddings(space.model.key, kind) for kind in ("pictures", "captions"))
    texts, vectors = _texts(space, captions)
    report(0.1, says)
    said, shares = said_in(texts, collection.captions)
    centre = captions.mean(axis=0)
    about = _towards(captions, centre).T
    here, held_out = [np.empty((0, 4))], [np.empty((0, 4))]
    for rows in np.array_split(np.flatnonzero(said), -(-len(texts) * len(collection) // AT_ONCE)):
        gone = shares[rows].toarray() | (_towards(vectors[rows], centre) @ about > ALIKE)
        enough = (~gone).sum(axis=1) >= min(LEFT, len(collection) // 2)
        given = vectors[rows[enough]], pictures, space.embeddings("words"), space.model.logit_scale
        here.append(signs(*given))
        held_out.append(signs(*given, gone[enough]))
        report(0.2 + 0.8 * sum(map(len, here)) / len(texts), says)
    return np.concatenate(here), np.concatenate(held_out)


def _texts(space: Space, captions: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Some of the captions and of the words of the bank, each once, and their vectors `(q, dim)`."""
    bank = space.words
    every = [*space.collection.captions, *bank.captions]
    vectors = np.concatenate([captions, space.embeddings("words")])
    said = said_in(bank.captions, space.collection.captions)[0]
    rows = np.array(list({text.lower(): row for row, text in reversed(list(enumerate(every)))}.values()))
    rows = rows[np.concatenate([np.ones(len(captions), bool), said])[rows]]
    some = np.random.default_rng(0).permutation(np.sort(rows))[:TEXTS]
    return [every[row] for row in some], vectors[some]


def _towards(vectors: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return normalize(vectors - centre)
