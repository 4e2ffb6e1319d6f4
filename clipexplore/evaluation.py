"""How good a zero-shot classifier is on pictures whose classes are known, and how far its probabilities can be believed.

Separate from `zeroshot`, which makes the classifier: this needs labels. scikit-learn and scipy do the counting.

Source: Radford et al. 2021, §3.1.4 (templates); Guo et al., On calibration of modern neural networks, arXiv 1706.04599 (temperature).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.vectors import cosine_similarity, normalize

# What a picture can be said to be; each stands with and without an article.
_MEDIA = ("a photo of", "a picture of", "an image of", "a drawing of", "an emoji of", "a close-up of", "a small picture of", "this is")
ENSEMBLE = ("{}", *(f"{medium} {article}{{}}" for medium in _MEDIA for article in ("", "a ", "the ")))
TEMPLATE_SETS = {"bare": ("{}",), "one": ("a photo of a {}",), "many": ENSEMBLE}


@dataclass(frozen=True, eq=False)
class Report:
    """Predictions against the truth, for c classes.

    Attributes
    ----------
    accuracy
        The share of pictures whose highest score is the right class, in [0, 1].
    top
        The share whose right class is among the k highest, by k (1, 3, 5, as far as there are more classes).
    confusion
        `(c, c)` int: how many pictures of the class in the row were taken for the class in the column.
    precision, recall, f1
        `(c,)` float64 in [0, 1]; 0 for a class that is never predicted, or that has no picture.
    count
        `(c,)` int: pictures of each class.
    """

    accuracy: float
    top: dict[int, float]
    confusion: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    count: np.ndarray


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often the most probable class is right, for predictions of about the same probability.

    Attributes
    ----------
    confidence, accuracy
        `(b,)` float64 in [0, 1]: the mean probability and the share that is right, for each bin that holds anything, rising.
    count
        `(b,)` int.
    error
        The expected calibration error: the mean distance between the two, weighted by count.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray
    error: float


@dataclass(frozen=True)
class Threshold:
    """Where to say "none of these".

    Attributes
    ----------
    cosine
        Below it no class fits.
    kept
        The share of pictures of the classes that stay at or above it.
    refused
        The share of all others that fall below it.
    auroc
        The chance that a picture of a class has a higher best cosine than one of none: .5 is guessing.
    """

    cosine: float
    kept: float
    refused: float
    auroc: float


def report(scores: np.ndarray, truth: np.ndarray) -> Report:
    """Accuracy, confusion and figures by class.

    Parameters
    ----------
    scores
        `(n, c)`: cosines, logits or probabilities; the highest in a row wins, the first of equals.
    truth
        `(n,)` int: the right column of each row.

    Raises
    ------
    InputError
        When there is no picture, or a truth that is no column.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    _check(scores, truth)
    classes = np.arange(scores.shape[1])
    predicted = scores.argmax(axis=1)
    precision, recall, f1, count = precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0)
    own = scores[np.arange(len(scores)), truth][:, None]
    ahead = (scores > own).sum(axis=1) + ((scores == own) & (classes < truth[:, None])).sum(axis=1)
    top = {k: float((ahead < k).mean()) for k in (1, 3, 5) if k < len(classes)}
    return Report(float((predicted == truth).mean()), top, confusion_matrix(truth, predicted, labels=classes), precision, recall, f1, count)


def reliability(probs: np.ndarray, truth: np.ndarray, bins: int = 10) -> Reliability:
    """Confidence against accuracy, in bins of equal width.

    Parameters
    ----------
    probs
        `(n, c)`, each row sums to 1.
    """
    _check(probs, truth)
    confidence, right = probs.max(axis=1).astype(np.float64), probs.argmax(axis=1) == truth
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    used = count > 0
    sure, correct = (np.bincount(bin_of, each, minlength=bins)[used] / count[used] for each in (confidence, right))
    return Reliability(sure, correct, count[used], float((np.abs(sure - correct) * count[used]).sum() / len(probs)))


def best_scale(cosines: np.ndarray, truth: np.ndarray) -> float:
    """The logit scale at which the right classes are most probable: what temperature scaling fits, in [0.1, 1000].

    The order of the classes does not depend on it, only how sure the classifier says it is.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    _check(cosines, truth)
    rows = np.arange(len(cosines))

    def loss(exponent: float) -> float:
        return -float(log_softmax(np.exp(exponent) * cosines.astype(np.float64), axis=1)[rows, truth].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.1), np.log(1000)), method="bounded").x))


def none_of_these(inside: np.ndarray, outside: np.ndarray) -> Threshold:
    """The best cosine below which no class should be named.

    Parameters
    ----------
    inside, outside
        `(n,)` and `(m,)`: the best cosine of each picture of the classes, and of each picture of none of them.

    Raises
    ------
    InputError
        When one of both is empty.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    if not (len(inside) and len(outside)):
        raise InputError("A threshold needs pictures of the classes and pictures of none of them; choose another field.")
    truth, scores = np.repeat([1, 0], [len(inside), len(outside)]), np.concatenate([inside, outside])
    false, true, cosines = roc_curve(truth, scores, drop_intermediate=False)
    best = int((true - false).argmax())  # Youden's J: both shares count the same
    return Threshold(float(cosines[best]), float(true[best]), float(1 - false[best]), float(roc_auc_score(truth, scores)))


def by_template_count(
    embed: Callable[[list[str]], np.ndarray], class_names: Sequence[str], images: np.ndarray, truth: np.ndarray, counts: Sequence[int]
) -> dict[int, float]:
    """The accuracy with the first so many templates of the ensemble, by their number.

    Parameters
    ----------
    embed
        Texts to their embeddings, as for `class_embeddings`; each text is embedded once.
    """
    texts = [template.replace("{}", name) for template in ENSEMBLE[: max(counts)] for name in class_names]
    embeddings = normalize(embed(texts)).reshape(-1, len(class_names), images.shape[1])
    return {count: float((cosine_similarity(images, embeddings[:count].mean(axis=0)).argmax(axis=1) == truth).mean()) for count in counts}


def _check(scores: np.ndarray, truth: np.ndarray) -> None:
    if not len(scores):
        raise InputError("There is no labelled picture; choose a field that some pictures have.")
    if len(scores) != len(truth) or not ((truth >= 0) & (truth < scores.shape[1])).all():
        raise InputError(f"{len(scores)} pictures and {len(truth)} labels for {scores.shape[1]} classes do not fit; give one class number for each.")
