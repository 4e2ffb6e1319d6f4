"""What CLIP was trained to do: find which pictures and captions of a batch belong together; and the gap that this
leaves.

Sources: Radford et al. 2021, §2.3 and fig. 3 (the objective); Zhai et al., Sigmoid loss for language image
pre-training, arXiv 2303.15343, §3.2 (SigLIP's); Liang et al., Mind the gap, arXiv 2203.02053, §2 and §4.2 (the gap).
"""

from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.vectors import cosine_similarity, normalize

_ROWS = 2048  # texts that are compared with the whole pool at a time


@dataclass(frozen=True, eq=False)
class Contrast:
    """A batch of n pairs, every picture (row) against every caption (column); the right ones are on the diagonal.

    Attributes
    ----------
    cosines
        `(n, n)` float32; in [−1, 1], unless the vectors were compared without normalising.
    image_probs
        `(n, n)` float64: softmax of the logits by row: which caption belongs to this picture? With a bias their
        sigmoid: do this picture and this caption belong together?
    text_probs
        `(n, n)` float64: softmax by column: which picture belongs to this caption? With a bias as `image_probs`.
    loss
        The mean of `image_loss` and `text_loss`, in nats; with a bias all three are one.
    chance
        The loss of guessing: of the probability 1 / n for every pair.
    gradient
        `(n, n)` float64: of the loss by each logit; without a bias its sum is zero. Training pulls a pair below zero
        together and pushes one above zero apart.
    normalized
        Whether `cosines` holds cosines rather than dot products.
    logit_bias
        That of SigLIP's objective; None for CLIP's.
    matched_loss
        With a bias, the part of the loss that the right pairs cost; the rest is that of the wrong ones.
    """

    cosines: np.ndarray
    image_probs: np.ndarray
    text_probs: np.ndarray
    image_loss: float
    text_loss: float
    loss: float
    chance: float
    gradient: np.ndarray
    normalized: bool
    logit_bias: float | None = None
    matched_loss: float | None = None


@dataclass(frozen=True)
class Negative:
    """A picture and a caption that do not belong together, by row and column.

    `margin` is their cosine minus that of the picture with its own caption, so negative where the right caption wins.
    """

    image: int
    text: int
    cosine: float
    margin: float


def match_pairs(
    images: np.ndarray,
    texts: np.ndarray,
    logit_scale: float,
    normalized: bool = True,
    logit_bias: float | None = None,
) -> Contrast:
    """A model's training objective for one batch: CLIP's symmetric cross-entropy, or SigLIP's sigmoid loss of each
    pair.

    Parameters
    ----------
    images, texts
        `(n, dim)`, n ≥ 2; row i of one belongs to row i of the other.
    logit_scale
        How sharply a cosine decides, above 0; 100 for OpenAI's models.
    normalized
        Whether vectors are compared by cosine; else by their dot product, lengths included.
    logit_bias
        What a model trained with a sigmoid adds (SigLIP); None for CLIP's objective.

    Raises
    ------
    InputError
        When there are not as many texts as images, fewer than two pairs, or a scale that is not above 0.
    """
    _check_pairs(images, texts)
    if not logit_scale > 0:
        raise InputError(_("The scale is {scale} and must be above 0; raise it.").format(scale=logit_scale))
    cosines = cosine_similarity(images, texts) if normalized else np.asarray(images @ texts.T, np.float32)
    logits = logit_scale * cosines.astype(np.float64)
    if logit_bias is None:
        return _by_softmax(cosines, logits, normalized)
    return _by_sigmoid(cosines, logits + logit_bias, normalized, logit_bias)


def _by_softmax(cosines: np.ndarray, logits: np.ndarray, normalized: bool) -> Contrast:
    from scipy.special import log_softmax

    by_row, by_column = log_softmax(logits, axis=1), log_softmax(logits, axis=0)
    image_loss, text_loss = -float(np.diag(by_row).mean()), -float(np.diag(by_column).mean())
    image_probs, text_probs = np.exp(by_row), np.exp(by_column)
    gradient = (image_probs + text_probs - 2 * np.eye(len(cosines))) / (2 * len(cosines))
    return Contrast(
        cosines,
        image_probs,
        text_probs,
        image_loss,
        text_loss,
        (image_loss + text_loss) / 2,
        guessing(len(cosines)),
        gradient,
        normalized,
    )


def _by_sigmoid(cosines: np.ndarray, logits: np.ndarray, normalized: bool, logit_bias: float) -> Contrast:
    n, right = len(cosines), np.eye(len(cosines), dtype=bool)
    probs = np.exp(-np.logaddexp(0, -logits))
    losses = np.logaddexp(0, np.where(right, -logits, logits))  # −log of the probability of what is so
    loss, matched = float(losses.sum() / n), float(np.diag(losses).mean())
    gradient = (probs - right) / n
    chance = guessing(n, by_sigmoid=True)
    return Contrast(cosines, probs, probs, loss, loss, loss, chance, gradient, normalized, logit_bias, matched)


def guessing(n: int, by_sigmoid: bool = False) -> float:
    """The loss, in nats, of finding all pairs of a batch equally likely: ln n, and n times the entropy of a right one
    in n where each pair is judged by itself.
    """
    return float(np.log(n) + ((n - 1) * np.log(n / (n - 1)) if by_sigmoid else 0))


def recall_at(cosines: np.ndarray, k: int) -> float:
    """The share of rows of a square matrix whose partner, on the diagonal, is among their k highest.

    Of equal cosines the first column comes first, as in a search.
    """
    partner = np.diag(cosines)[:, None]
    before = np.tri(len(cosines), k=-1, dtype=bool)
    ahead = (cosines > partner) | ((cosines == partner) & before)
    return float((ahead.sum(axis=1) < k).mean())


def hardest_negatives(cosines: np.ndarray, count: int) -> list[Negative]:
    """The wrong pairs that come closest to, or go furthest beyond, the right one of their row; hardest first."""
    margins = cosines - np.diag(cosines)[:, None]
    np.fill_diagonal(margins, -np.inf)
    order = np.argsort(-margins, axis=None, kind="stable")[: min(count, margins.size - len(margins))]
    rows, columns = np.unravel_index(order, margins.shape)
    return [
        Negative(int(i), int(j), float(cosines[i, j]), float(margins[i, j])) for i, j in zip(rows, columns, strict=True)
    ]


def rotated(count: int, wrong: int) -> np.ndarray:
    """Which caption each of `count` pictures gets if the first `wrong` captions go one picture on, `(count,)` int."""
    order = np.arange(count)
    order[:wrong] = np.roll(order[:wrong], -1)
    return order


def modality_gap(images: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """The mean picture minus the mean text, `(dim,)` float32, after both `(n, dim)` and `(m, dim)` are normalised."""
    return (normalize(images).mean(axis=0, dtype=np.float64) - normalize(texts).mean(axis=0, dtype=np.float64)).astype(
        np.float32
    )


def crossed(texts: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """Where texts lie once they are across the modality gap, among pictures: `(…, dim)`.

    Parameters
    ----------
    texts
        `(…, dim + 1)`: sums of texts, and last how many texts each is, by their weights: 1 for a single one.
    gap
        How one text crosses: the offset `(dim,)` that is added to it, which cancels in a difference of two texts; or a
        linear map `(dim + 1, dim)`, the row of a constant last.
    """
    return texts[..., :-1] + texts[..., -1:] * gap if gap.ndim == 1 else texts @ gap


def close_gap(images: np.ndarray, texts: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Both clouds moved towards each other along the gap, and normalised again.

    Parameters
    ----------
    share
        0 leaves them as they are, 1 brings both means together (before normalising), a negative share widens the gap.

    Returns
    -------
    tuple
        Pictures and texts, float32 unit rows.
    """
    step = modality_gap(images, texts) * (share / 2)
    return normalize(normalize(images) - step), normalize(normalize(texts) + step)


def pictures_on_top(images: np.ndarray, texts: np.ndarray, k: int = 10) -> float:
    """Among the k nearest of each text, in one pool of all pictures and all other texts, the share that are pictures.

    Without a gap it would be about half.

    Raises
    ------
    InputError
        When the pool has fewer than k others.
    """
    images, texts = normalize(images), normalize(texts)
    pool = np.concatenate([images, texts])
    if not 1 <= k < len(pool):
        says = _("k is {k}, and there are {others} others; choose k between 1 and that.")
        raise InputError(says.format(k=k, others=len(pool) - 1))
    pictures = 0
    for start in range(0, len(texts), _ROWS):
        scores = texts[start : start + _ROWS] @ pool.T
        rows = np.arange(len(scores))
        scores[rows, len(images) + start + rows] = -np.inf  # a text is not an answer to itself
        pictures += int((np.argpartition(-scores, k - 1, axis=1)[:, :k] < len(images)).sum())
    return pictures / (k * len(texts))


def _check_pairs(images: np.ndarray, texts: np.ndarray) -> None:
    if len(images) != len(texts):
        says = _("There are {pictures} pictures and {captions} captions; give one caption for each picture.")
        raise InputError(says.format(pictures=len(images), captions=len(texts)))
    if len(images) < 2:
        says = _("A batch of {count} has nothing to compare; give at least two pairs.")
        raise InputError(says.format(count=len(images)))
