"""Match: what a model was trained to do, on pairs drawn from the collection or of one's own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from clipexplore.errors import InputError
from clipexplore.expression import Expression, Term, folded
from clipexplore.labs.contrast import (
    Contrast,
    Negative,
    hardest_negatives,
    match_pairs,
    recall_at,
    rotated,
)
from clipexplore.language import _
from clipexplore.space import Point, Space
from clipexplore.vectors import cosine_similarity

HARDEST = 5  # negatives that are listed


@dataclass(frozen=True, eq=False)
class Batch:
    """n pairs: row i of the pictures belongs to row i of the captions.

    Attributes
    ----------
    pictures, captions
        Expressions.
    images, texts
        `(n, dim)` float32, unit rows.
    image_lengths, text_lengths
        `(n,)`: how long the model's vectors were, in units of the mean of their kind; where that is not known, how long
        each sum of unit vectors is.
    means
        Those of the model's lengths, of pictures and of captions; None where they are not known.
    """

    pictures: list[str]
    captions: list[str]
    images: np.ndarray
    texts: np.ndarray
    image_lengths: np.ndarray
    text_lengths: np.ndarray
    means: tuple[float, float] | None

    def with_lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """The vectors of pictures and captions as long as they were, each `(n, dim)`."""
        return self.images * self.image_lengths[:, None], self.texts * self.text_lengths[:, None]

    def swapped(self, percent: float) -> "Batch":
        """The captions of the first so many percent of the pictures passed on, each to the next of these pictures."""
        order = rotated(len(self.captions), round(len(self.captions) * percent / 100))
        captions = [self.captions[i] for i in order]
        return replace(self, captions=captions, texts=self.texts[order], text_lengths=self.text_lengths[order])


@dataclass(frozen=True)
class Lengths:
    """What changes when the model's lengths count.

    Attributes
    ----------
    images, texts
        The mean length of pictures and of captions.
    by_picture, by_caption
        R@1 by cosine.
    longest, times
        The longest caption, and its length in units of the mean.
    first_by_cosine, first_by_dot
        How many pictures it is the first caption of.
    """

    images: float
    texts: float
    by_picture: float
    by_caption: float
    longest: str
    times: float
    first_by_cosine: int
    first_by_dot: int


@dataclass(frozen=True, eq=False)
class Match:
    """A batch under the training objective of its model: CLIP's, or SigLIP's where the model has a bias.

    Attributes
    ----------
    loss, chance
        In nats; `chance` is the loss of guessing, as in `Contrast`.
    by_picture, by_caption
        R@k for k of 1, 5 and 10: the share of pictures whose caption is among their k best, and the reverse.
    pull, push
        The cells `(row, column)` whose gradient is lowest and highest: what the next step of training would do most.
    lengths
        None by cosine, and where the model's lengths are not known.
    """

    SHOWN: ClassVar = ("loss", "chance", "by_picture", "by_caption")
    batch: Batch
    contrast: Contrast
    by_picture: dict[int, float]
    by_caption: dict[int, float]
    pull: tuple[int, int]
    push: tuple[int, int]
    hardest: list[Negative]
    lengths: Lengths | None

    @property
    def loss(self) -> float:
        return self.contrast.loss

    @property
    def chance(self) -> float:
        return self.contrast.chance


def match(
    space: Space,
    n: int = 12,
    seed: int = 0,
    swap: float = 0,
    logit_scale: float | None = None,
    dot: bool = False,
    image: Sequence[str] = (),
    captions: Sequence[str] = (),
) -> Match:
    """One batch of pairs under the training objective of the model: CLIP's, or SigLIP's where it has a bias.

    Parameters
    ----------
    n, seed
        How many pairs are drawn from the collection, no caption twice; the same seed draws the same.
    swap
        The captions of so many percent of the pictures are passed on to the next of them.
    logit_scale
        By default that of `Space.scale`.
    dot
        Whether vectors are compared by dot product, so that their lengths count.
    image, captions
        Pairs of one's own, as expressions in the same order, instead of drawn ones.

    Raises
    ------
    InputError
        As `Space.point` and `match_pairs`.
    """
    pairs = own_pairs(space, image, captions) if image or captions else drawn_pairs(space, n, seed)
    batch, own = pairs.swapped(swap), space.scale
    vectors = batch.with_lengths() if dot else (batch.images, batch.texts)
    contrast = match_pairs(*vectors, logit_scale or own.logit_scale, normalized=not dot, logit_bias=own.logit_bias)
    return Match(
        batch=batch,
        contrast=contrast,
        by_picture=_recalls(contrast.cosines),
        by_caption=_recalls(contrast.cosines.T),
        pull=_cell(contrast.gradient.argmin(), len(contrast.cosines)),
        push=_cell(contrast.gradient.argmax(), len(contrast.cosines)),
        hardest=hardest_negatives(contrast.cosines, HARDEST),
        lengths=_lengths(batch, contrast.cosines) if dot else None,
    )


def own_pairs(space: Space, image: Sequence[str], captions: Sequence[str]) -> Batch:
    """Pairs of expressions, with the model's lengths where all of them are known, else with those of the sums.

    Raises
    ------
    InputError
        As `Space.point`, and when there are not as many pictures as captions.
    """
    if len(image) != len(captions):
        says = _("There are {pictures} pictures and {captions} captions; give one caption for each picture, in order.")
        raise InputError(says.format(pictures=len(image), captions=len(captions)))
    shown, said = ([space.point(each) for each in lines] for lines in (image, captions))
    return Batch(
        [str(point.expression) for point in shown],
        [str(point.expression) for point in said],
        np.stack([point.vector for point in shown]),
        np.stack([point.vector for point in said]),
        *_in_units(
            [_model_lengths(space, points) for points in (shown, said)],
            [np.array([point.length for point in points]) for points in (shown, said)],
        ),
    )


def drawn_pairs(space: Space, count: int, seed: int) -> Batch:
    """Pairs of the collection by a seed, no caption twice: its second picture would be as right as the first."""
    collection, model = space.collection, space.model.key
    paired = collection.rows_embedded(model, "captions").tolist()
    names = [collection.captions[row] or f"@{collection.ids[row]}" for row in paired]
    rows = [paired[place] for place in different(names, count, seed)]
    lengths = [collection.lengths(model, kind) for kind in ("pictures", "captions")]
    return Batch(
        [f"@{collection.ids[row]}" for row in rows],
        [str(Expression((Term(collection.captions[row] or collection.ids[row]),))) for row in rows],
        space.embeddings("pictures")[rows],
        space.embeddings("captions")[rows],
        *_in_units([None if each is None else each[rows] for each in lengths], [np.ones(len(rows))] * 2),
    )


def different(captions: Sequence[str], count: int, seed: int) -> list[int]:
    """At most `count` rows in a random order, no two of the same caption as CLIP reads it."""
    rows: dict[str, int] = {}
    for row in np.random.default_rng(seed).permutation(len(captions)).tolist():
        rows.setdefault(folded(captions[row]), row)
        if len(rows) == count:
            break
    return list(rows.values())


def _in_units(
    lengths: list[np.ndarray | None], sums: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, tuple[float, float] | None]:
    """Both lengths in units of their means, and the means; `sums` and None where a length is not known."""
    images, texts = lengths
    if images is None or texts is None:
        return sums[0], sums[1], None
    return images / images.mean(), texts / texts.mean(), (float(images.mean()), float(texts.mean()))


def _model_lengths(space: Space, points: Sequence[Point]) -> np.ndarray | None:
    lengths = [_model_length(space, point) for point in points]
    return None if None in lengths else np.array(lengths)


def _model_length(space: Space, point: Point) -> float | None:
    """How long the model made the vector of a picture or caption of the collection; None for anything else."""
    collection, (first, *others) = space.collection, point.terms
    if others or first.meaning or (first.is_picture and first.term.text not in collection):
        return None
    rows = [collection.row(first.term.text)] if first.is_picture else collection.rows_captioned(first.term.text)
    lengths = collection.lengths(space.model.key, "pictures" if first.is_picture else "captions")
    return float(lengths[rows[0]]) if rows and lengths is not None else None


def _lengths(batch: Batch, products: np.ndarray) -> Lengths | None:
    if batch.means is None:
        return None
    cosines, row = cosine_similarity(batch.images, batch.texts), int(batch.text_lengths.argmax())
    return Lengths(
        *batch.means,
        by_picture=recall_at(cosines, 1),
        by_caption=recall_at(cosines.T, 1),
        longest=batch.captions[row],
        times=float(batch.text_lengths[row]),
        first_by_cosine=int((cosines.argmax(axis=1) == row).sum()),
        first_by_dot=int((products.argmax(axis=1) == row).sum()),
    )


def _recalls(cosines: np.ndarray) -> dict[int, float]:
    return {k: recall_at(cosines, k) for k in (1, 5, 10) if k == 1 or k < len(cosines)}


def _cell(index: np.intp, n: int) -> tuple[int, int]:
    return divmod(int(index), n)
