"""Presence: whether what a search looks for is in the collection at all, learned from the collection's own captions."""

from __future__ import annotations

import numpy as np

from clipexplore.errors import InputError
from clipexplore.explore.memory import remembered
from clipexplore.labs.presence import ALIKE, Presence, calibrate, said_in, signs
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.space import Point, Space
from clipexplore.vectors import normalize

TEXTS = 700  # that are learned from
MOST = 100_000  # pictures
LEFT = 100  # pictures at least, when those that a text is true of are held out
USEFUL = 0.5  # of the texts that are here; where fewer are found, the captions tell too little
AT_ONCE = 1 << 23  # cosines of texts with pictures


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
    pictures = space.collection.embeddings(space.model.key, "pictures")
    return float(learned.least(signs(point.vector[None], pictures, _bank(space), space.model.logit_scale))[0])


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
        given = vectors[rows[enough]], pictures, _bank(space), space.model.logit_scale
        here.append(signs(*given))
        held_out.append(signs(*given, gone[enough]))
        report(0.2 + 0.8 * sum(map(len, here)) / len(texts), says)
    return np.concatenate(here), np.concatenate(held_out)


def _texts(space: Space, captions: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Some of the captions and of the words of the bank, each once, and their vectors `(q, dim)`."""
    bank = space.words
    every = [*space.collection.captions, *bank.captions]
    vectors = np.concatenate([captions, _bank(space)])
    said = said_in(bank.captions, space.collection.captions)[0]
    rows = np.array(list({text.lower(): row for row, text in reversed(list(enumerate(every)))}.values()))
    rows = rows[np.concatenate([np.ones(len(captions), bool), said])[rows]]
    some = np.random.default_rng(0).permutation(np.sort(rows))[:TEXTS]
    return [every[row] for row in some], vectors[some]


def _bank(space: Space) -> np.ndarray:
    return space.words.embeddings(space.model.key, "captions")


def _towards(vectors: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return normalize(vectors - centre)
