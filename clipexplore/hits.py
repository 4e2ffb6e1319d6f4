"""What a search finds: single hits, and what all the cosines are like, to judge a single one by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from clipexplore.retrieval.nearest import ROUNDING, Hits
from clipexplore.store.collection import Collection

What = Literal["pictures", "captions", "words"]
BARS = 60  # of a histogram of cosines


@dataclass(frozen=True)
class Hit:
    """One search result.

    Attributes
    ----------
    cosine
        In [−1, 1].
    z
        How many standard deviations `cosine` lies above the mean of everything searched, excluded items too.
    rank
        1 for the nearest that was not excluded.
    kind
        What was searched: "pictures", "captions" or "words".
    """

    id: str
    caption: str
    cosine: float
    z: float
    rank: int
    kind: What

    @property
    def name(self) -> str:
        """Its caption, else its id as an expression has it."""
        return self.caption or f"@{self.id}"


@dataclass(frozen=True, eq=False)
class Context:
    """The cosines of one vector with everything searched, to judge a single one by.

    Attributes
    ----------
    count, mean, std
        How many there are, their mean and their standard deviation.
    best
        The item with the highest.
    counts, edges
        Their histogram: `(60,)` int, and the `(61,)` edges of its bins, from the lowest to the highest cosine.
    """

    count: int
    mean: float
    std: float
    best: Hit
    counts: np.ndarray
    edges: np.ndarray


def listed(found: Hits, query: int, bank: Collection, kind: What) -> list[Hit]:
    """The hits of one query, the nearest first."""
    rows = zip(*(each[query].tolist() for each in (found.indices, found.cosines, found.z)), strict=True)
    return [
        Hit(bank.ids[row], bank.captions[row], cosine, z, rank, kind) for rank, (row, cosine, z) in enumerate(rows, 1)
    ]


def context_of(cosines: np.ndarray, rows: np.ndarray, bank: Collection, kind: What) -> Context:
    """What the cosines `(n,)` of some rows of a bank are like; n ≥ 1."""
    first, mean, std = int(cosines.argmax()), cosines.mean(dtype=np.float64), cosines.std(dtype=np.float64)
    z = float((cosines[first] - mean) / std) if std > ROUNDING else 0.0
    row = int(rows[first])
    best = Hit(bank.ids[row], bank.captions[row], float(cosines[first]), z, 1, kind)
    return Context(len(cosines), float(mean), float(std), best, *np.histogram(cosines, BARS))


def rows_of(bank: Collection, inputs: frozenset[str]) -> set[int]:
    """The rows that have the id (written "@id") or the caption of an input."""
    ids = {text.removeprefix("@") for text in inputs if text.startswith("@")}
    return {bank.row(id) for id in ids if id in bank}.union(*(bank.rows_captioned(text) for text in inputs))
