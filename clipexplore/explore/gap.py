"""The modality gap: pictures and captions lie in two clouds; move them together or apart and see what that costs."""

from dataclasses import dataclass

import numpy as np

from clipexplore.explore.match import Batch, drawn_pairs
from clipexplore.explore.memory import remembered
from clipexplore.labs.contrast import close_gap, guessing, match_pairs, modality_gap, pictures_on_top, recall_at
from clipexplore.maps.pca import PCA, pca
from clipexplore.models.families import Scale
from clipexplore.space import Space

PAIRS = 500  # enough for the length of the gap to be stable, few enough to follow a slider
STEPS = np.linspace(-1, 1, 21)  # how far the gap is closed, along the curves


@dataclass(frozen=True, eq=False)
class GapCurves:
    """What closing the gap does, at each of `STEPS` from widened to closed, `(21,)` each.

    Loss in nats, R@1 both ways, and the share of pictures among the ten nearest of a caption, in one pool of both
    kinds.
    """

    loss: np.ndarray
    by_picture: np.ndarray
    by_caption: np.ndarray
    on_top: np.ndarray


@dataclass(frozen=True, eq=False)
class Gap:
    """The gap between the pictures and the captions of n pairs, after both clouds were moved.

    Attributes
    ----------
    length
        Of the mean picture minus the mean caption.
    chance
        The loss of guessing.
    loss, by_picture, by_caption, on_top
        As in `GapCurves`, where the clouds are now.
    matched, wrong, pictures, captions
        Mean cosines: of a caption with its own picture, with a wrong picture, of any two pictures, of any two captions.
    before, after
        `(2, n, 2)`: pictures and captions on the first two components of the unmoved clouds.
    explained
        The share of the variance that these two components hold, `(2,)`.
    """

    batch: Batch
    length: float
    chance: float
    loss: float
    by_picture: float
    by_caption: float
    on_top: float
    matched: float
    wrong: float
    pictures: float
    captions: float
    before: np.ndarray
    after: np.ndarray
    explained: np.ndarray
    curves: GapCurves


def gap(space: Space, seed: int = 0, closed: float = 0, logit_scale: float | None = None) -> Gap:
    """The modality gap of 500 pairs of the collection.

    Parameters
    ----------
    seed
        Which pairs.
    closed
        By how many percent the gap is closed: 0 leaves it, 100 brings both means together, a negative number widens it.
    logit_scale
        By default that of `Space.scale`.
    """
    scale = space.scale._replace(logit_scale=logit_scale) if logit_scale else space.scale
    batch, plane, curves = _unmoved(space, seed, scale)
    images, texts = close_gap(batch.images, batch.texts, closed / 100)
    cosines, n = images @ texts.T, len(images)
    before = np.stack([plane.transform(batch.images), plane.transform(batch.texts)])
    return Gap(
        batch,
        float(np.linalg.norm(modality_gap(images, texts))),
        guessing(n, by_sigmoid=scale.logit_bias is not None),
        *_figures(images, texts, scale),
        matched=float(np.diag(cosines).mean()),
        wrong=float((cosines.sum() - np.trace(cosines)) / (n * (n - 1))),
        pictures=_mean_cosine(images),
        captions=_mean_cosine(texts),
        before=before,
        after=np.stack([plane.transform(images), plane.transform(texts)]),
        explained=plane.explained_variance_ratio[:2],
        curves=curves,
    )


@remembered(16)
def _unmoved(space: Space, seed: int, scale: Scale) -> tuple[Batch, PCA, GapCurves]:
    """The pairs, the plane they are shown on, and the curves: all that a move of the slider leaves as it is."""
    batch = drawn_pairs(space, PAIRS, seed)
    figures = [_figures(*close_gap(batch.images, batch.texts, share), scale) for share in STEPS]
    return batch, pca(np.concatenate([batch.images, batch.texts]), 2), GapCurves(*np.array(figures).T)


def _figures(images: np.ndarray, texts: np.ndarray, scale: Scale) -> tuple[float, float, float, float]:
    contrast = match_pairs(images, texts, scale.logit_scale, logit_bias=scale.logit_bias)
    recalls = recall_at(contrast.cosines, 1), recall_at(contrast.cosines.T, 1)
    return contrast.loss, *recalls, pictures_on_top(images, texts)


def _mean_cosine(vectors: np.ndarray) -> float:
    """That of all pairs of different rows."""
    return float((vectors @ vectors.T).sum() - len(vectors)) / (len(vectors) * (len(vectors) - 1))
