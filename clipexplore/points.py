"""Points: what an expression stands for in the space of one model, with the terms and names it is made of; and where
its texts lie among pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from clipexplore.expression import Expression, Term
from clipexplore.labs.contrast import crossed
from clipexplore.vectors import normalize


@dataclass(frozen=True, eq=False)
class PointTerm:
    """One term of a point.

    Attributes
    ----------
    vector
        `(dim,)` float32, before it is weighted.
    tokens
        Those of the whole text, start and end included; None for a picture and for a text whose vector was stored.
    truncated
        Whether the text was longer than the model reads, so that its end does not count.
    meaning
        The point that a name stands for; None for a text and a picture.
    of_item
        Whether an id is that of a text of the collection, and not of a picture.
    strangers
        The words of a text that the model never learned; None where its makers do not say what it has, and for ids.
    """

    term: Term
    vector: np.ndarray
    tokens: int | None = None
    truncated: bool = False
    meaning: Point | None = None
    strangers: tuple[str, ...] | None = None
    of_item: bool = False

    @property
    def known(self) -> bool | None:
        """Whether the model has learned every word of a text; None where that is not known, and for ids."""
        return None if self.strangers is None else not self.strangers

    @property
    def is_picture(self) -> bool:
        return self.term.is_id and self.meaning is None and not self.of_item

    @property
    def of_texts(self) -> np.ndarray:
        """Its part in `Point.of_texts`, those behind a name included; 0 for a picture."""
        if self.meaning is not None:
            return self.term.weight / self.meaning.length * self.meaning.of_texts
        return (not self.is_picture) * self.term.weight * np.append(self.vector, np.float32(1))

    @property
    def texts(self) -> dict[str, np.ndarray]:
        """Its part in `Point.texts`; nothing for an id."""
        if self.meaning is not None:
            share = self.term.weight / self.meaning.length
            return {text: share * part for text, part in self.meaning.texts.items()}
        return {} if self.term.is_id else {self.term.text: self.of_texts}

    @property
    def weight_of_pictures(self) -> float:
        """Its part in `Point.weight_of_pictures`, that behind a name included; 0 for a text."""
        if self.meaning is not None:
            return self.term.weight / self.meaning.length * self.meaning.weight_of_pictures
        return self.is_picture * self.term.weight


@dataclass(frozen=True, eq=False)
class Point:
    """What an expression stands for in the space of one model.

    Attributes
    ----------
    vector
        `(dim,)` float32, unit norm.
    length
        That of the sum before it was normalised: 1 for a single term, near 0 where the terms cancel.
    terms
        In the order of the expression.
    of_texts
        `(dim + 1,)` float32: the part of that sum which texts are, each `(vector, 1)` times its weight.
    texts
        That part by text, those behind names included and those with an id left out.
    weight_of_pictures
        The sum of the weights of pictures in it.
    """

    expression: Expression
    vector: np.ndarray
    length: float
    terms: tuple[PointTerm, ...]
    of_texts: np.ndarray = field(init=False)
    texts: dict[str, np.ndarray] = field(init=False)
    weight_of_pictures: float = field(init=False)

    def __post_init__(self) -> None:
        # here, once, since names can be behind names behind names, each twice
        object.__setattr__(self, "of_texts", np.sum([part.of_texts for part in self.terms], axis=0, dtype=np.float32))
        object.__setattr__(self, "weight_of_pictures", sum(part.weight_of_pictures for part in self.terms))
        texts: dict[str, np.ndarray] = {}
        for text, own in (each for part in self.terms for each in part.texts.items()):
            texts[text] = texts.get(text, 0) + own
        object.__setattr__(self, "texts", texts)

    @classmethod
    def of_picture(cls, id: str, vector: np.ndarray) -> Point:
        """The point of a picture that nobody has: a unit vector `(dim,)` among those of pictures, under a name."""
        term = Term(id, is_id=True)
        return cls(Expression((term,)), vector, 1.0, (PointTerm(term, vector),))

    @property
    def inputs(self) -> frozenset[str]:
        """What went in: the texts, and "@id" for each picture."""
        return frozenset("@" * term.is_id + term.text for term in self.expression.terms)

    @property
    def one_text(self) -> str | None:
        """The text of a point that is one text alone, and so has token states; None for any other."""
        terms = self.expression.terms
        return terms[0].text if len(terms) == 1 and not terms[0].is_id and terms[0].weight > 0 else None

    def with_pictures(self, imagined: Mapping[str, np.ndarray]) -> np.ndarray:
        """Its vector `(dim,)`, unit norm, if each of its `texts` were the picture that was imagined for it."""
        moved = [part[-1] * imagined[text] - part[:-1] for text, part in self.texts.items()]
        return normalize(self.vector * np.float32(self.length) + np.sum(moved, axis=0))


def across_gap(point: Point, gap: np.ndarray | None) -> np.ndarray:
    """The vector of a point `(dim,)`, unit norm, moved to where pictures lie.

    A decoder knows picture embeddings, and texts lie across the modality gap: a matched pair has a cosine of a third.
    So each text in the sum counts as the picture it would caption. A name counts as the texts it is made of; pictures
    stay where they are, and without a gap everything does.

    Parameters
    ----------
    gap
        How a text crosses: the offset `(dim,)` that is added to it, which cancels in a difference of two texts; or a
        linear map `(dim + 1, dim)`, the row of a constant last.
    """
    texts = point.of_texts
    if gap is None or not texts.any():
        return point.vector
    return normalize(point.vector * np.float32(point.length) + (crossed(texts, gap) - texts[:-1]))
