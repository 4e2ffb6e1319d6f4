"""Zero-shot classification: class names become embeddings, a picture takes the nearest, and labels tell how good that
is.

Sources: Radford et al., Learning transferable visual models from natural language supervision, 2021, §3.1; Guo et al.,
On calibration of modern neural networks, arXiv 1706.04599 (temperature); Zhai et al., Sigmoid loss for language image
pre-training, arXiv 2303.15343 (probabilities that stand by themselves).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.vectors import cosine_similarity, normalize

_MEDIA = (
    "a photo of",
    "a picture of",
    "an image of",
    "a drawing of",
    "an emoji of",
    "a close-up of",
    "a small picture of",
    "this is",
)
ENSEMBLE = ("{}", *(f"{medium} {article}{{}}" for medium in _MEDIA for article in ("", "a ", "the ")))
TEMPLATE_SETS = {"bare": ("{}",), "one": ("a photo of a {}",), "many": ENSEMBLE}


@dataclass(frozen=True, eq=False)
class Scores:
    """How well each picture (row) fits each class (column).

    Attributes
    ----------
    cosines
        `(n, c)` float32 in [−1, 1].
    logits
        `(n, c)` float32: logit_scale × cosine, and the bias of a model that has one.
    probs
        `(n, c)` float32; each row sums to 1, on the condition that one of these classes is right. With a model that
        has a bias each stands by itself, and all may be small.
    """

    cosines: np.ndarray
    logits: np.ndarray
    probs: np.ndarray


@dataclass(frozen=True, eq=False)
class ClassReport:
    """Predictions against the truth, for c classes.

    Attributes
    ----------
    accuracy
        The share of pictures whose highest score is the right class, in [0, 1].
    top
        The share whose right class is among the k highest, for each k of 1, 3 and 5 below c.
    confusion
        `(c, c)` int: how many pictures of the row's class were taken for the column's.
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
    """How often the most probable class is right, in bins of similar probability.

    Attributes
    ----------
    confidence, accuracy
        `(b,)` float64 in [0, 1]: the mean probability and the share that is right, for each bin that is not empty,
        rising.
    count
        `(b,)` int: predictions in each bin.
    error
        The expected calibration error: the mean distance between confidence and accuracy, weighted by count.
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
        The share of pictures of the classes at or above it.
    refused
        The share of all other pictures below it.
    auroc
        How often a picture of a class has a higher best cosine than one of none, over all such pairs: .5 is guessing.
    """

    cosine: float
    kept: float
    refused: float
    auroc: float


def class_embeddings(
    embed_texts: Callable[[list[str]], np.ndarray], class_names: Sequence[str], templates: Sequence[str]
) -> np.ndarray:
    """One embedding a class: the normalised mean of its name's embeddings in all templates (Radford et al., §3.1.4).

    Parameters
    ----------
    embed_texts
        Texts to their embeddings `(n, dim)`; called once, with all of them.
    class_names
        At least one.
    templates
        At least one; each holds `{}` exactly once, where the name goes.

    Returns
    -------
    np.ndarray
        `(c, dim)` float32, unit rows, in the order of the names.

    Raises
    ------
    InputError
        When a list is empty or a template does not hold `{}` exactly once.
    """
    if not class_names:
        raise InputError(_("There are no classes to choose from; write one class name a line."))
    _check_templates(templates)
    # replace, not str.format, which would let a template reach into the objects of the program
    texts = [template.replace("{}", name) for name in class_names for template in templates]
    embeddings = normalize(embed_texts(texts))
    return normalize(embeddings.reshape(len(class_names), len(templates), -1).mean(axis=1))


def classify(images: np.ndarray, classes: np.ndarray, logit_scale: float, logit_bias: float | None = None) -> Scores:
    """How well each picture fits each class.

    Parameters
    ----------
    images
        `(n, dim)` picture embeddings.
    classes
        `(c, dim)` class embeddings, c ≥ 1.
    logit_scale
        The factor the model has learned, exponentiated (100 for OpenAI's models): how sharply a cosine decides.
    logit_bias
        What a model trained with a sigmoid adds (SigLIP): then each probability stands by itself, and a row may sum to
        anything; None for a softmax over the classes.
    """
    cosines = cosine_similarity(images, classes)
    logits = np.float32(logit_scale) * cosines + np.float32(logit_bias or 0.0)
    return Scores(cosines, logits, probabilities(cosines, logit_scale, logit_bias))


def probabilities(cosines: np.ndarray, logit_scale: float, logit_bias: float | None = None) -> np.ndarray:
    """The softmax over the classes of scaled cosines `(n, c)`; with a bias the sigmoid of each by itself."""
    if logit_bias is not None:
        return (1 / (1 + np.exp(-np.float64(logit_scale) * cosines - logit_bias))).astype(np.float32)
    weights = np.exp(np.float32(logit_scale) * (cosines - cosines.max(axis=1, keepdims=True)))
    return weights / weights.sum(axis=1, keepdims=True)


def report(scores: np.ndarray, truth: np.ndarray) -> ClassReport:
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

    _check_labels(scores, truth)
    classes = np.arange(scores.shape[1])
    predicted = scores.argmax(axis=1)
    by_class = precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0)
    own = scores[np.arange(len(scores)), truth][:, None]
    ahead = (scores > own).sum(axis=1) + ((scores == own) & (classes < truth[:, None])).sum(axis=1)
    top = {k: float((ahead < k).mean()) for k in (1, 3, 5) if k < len(classes)}
    confusion = confusion_matrix(truth, predicted, labels=classes)
    return ClassReport(float((predicted == truth).mean()), top, confusion, *by_class)


def reliability(probs: np.ndarray, truth: np.ndarray, bins: int = 10) -> Reliability:
    """Confidence against accuracy, in bins of equal width.

    Parameters
    ----------
    probs
        `(n, c)`, as `probabilities` gives.
    """
    _check_labels(probs, truth)
    confidence, right = probs.max(axis=1).astype(np.float64), probs.argmax(axis=1) == truth
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    used = count > 0
    sure, correct = (np.bincount(bin_of, each, minlength=bins)[used] / count[used] for each in (confidence, right))
    return Reliability(sure, correct, count[used], float((np.abs(sure - correct) * count[used]).sum() / len(probs)))


def best_scale(cosines: np.ndarray, truth: np.ndarray) -> float:
    """The logit scale at which the right classes are most probable, in [0.1, 1000]: temperature scaling.

    It changes how sure the classifier sounds, never which class comes first.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    _check_labels(cosines, truth)
    rows = np.arange(len(cosines))

    def loss(exponent: float) -> float:
        return -float(log_softmax(np.exp(exponent) * cosines.astype(np.float64), axis=1)[rows, truth].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.1), np.log(1000)), method="bounded").x))


def best_sigmoid(cosines: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """The scale, in [0.1, 1000], and the bias at which the sigmoid of each class is most nearly what is so.

    It changes how sure the classifier sounds and when it says "none of these", never which class comes first. Source:
    Platt, Probabilistic outputs for support vector machines, 1999.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    _check_labels(cosines, truth)
    middle, spread = float(cosines.mean()), max(float(cosines.std()), 1e-6)
    scores = (cosines.astype(np.float64) - middle) / spread
    right = np.arange(scores.shape[1]) == truth[:, None]

    def loss(line: np.ndarray) -> tuple[float, list[float]]:
        logits = line[0] * scores + line[1]
        error = (expit(logits) - right) / right.size
        return float(np.logaddexp(0, np.where(right, -logits, logits)).mean()), [(error * scores).sum(), error.sum()]

    steep, up = minimize(loss, [1.0, 0.0], jac=True, bounds=[(0.1 * spread, 1000 * spread), (None, None)]).x
    return float(steep / spread), float(up - steep / spread * middle)


def none_of_these(inside: np.ndarray, outside: np.ndarray) -> Threshold:
    """The best cosine below which no class should be named: the highest sum of `kept` and `refused` (Youden's J).

    Parameters
    ----------
    inside, outside
        `(n,)` and `(m,)`: the best cosine of each picture of the classes, and of each picture of none of them.

    Raises
    ------
    InputError
        When either is empty.
    """
    from sklearn.metrics import roc_curve

    truth, scores = _in_and_out(inside, outside)
    false, true, cosines = roc_curve(truth, scores, drop_intermediate=False)
    return refused_below(float(cosines[(true - false).argmax()]), inside, outside)


def refused_below(cosine: float, inside: np.ndarray, outside: np.ndarray) -> Threshold:
    """What "none of these" below a given cosine does; parameters and errors as in `none_of_these`."""
    from sklearn.metrics import roc_auc_score

    auroc = float(roc_auc_score(*_in_and_out(inside, outside)))
    return Threshold(cosine, float((inside >= cosine).mean()), float((outside < cosine).mean()), auroc)


def _in_and_out(inside: np.ndarray, outside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which pictures have a class, and the best cosine of each."""
    if not (len(inside) and len(outside)):
        raise InputError(
            _("A threshold needs pictures of the classes and pictures of none of them; choose another field.")
        )
    return np.repeat([1, 0], [len(inside), len(outside)]), np.concatenate([inside, outside])


def by_template_count(
    embed_texts: Callable[[list[str]], np.ndarray],
    class_names: Sequence[str],
    images: np.ndarray,
    truth: np.ndarray,
    counts: Sequence[int],
) -> dict[int, float]:
    """The accuracy with the first n templates of the ensemble, for each n in `counts`; every text is embedded once."""
    texts = [template.replace("{}", name) for template in ENSEMBLE[: max(counts)] for name in class_names]
    embeddings = normalize(embed_texts(texts)).reshape(-1, len(class_names), images.shape[1])
    return {
        count: float((cosine_similarity(images, embeddings[:count].mean(axis=0)).argmax(axis=1) == truth).mean())
        for count in counts
    }


def _check_templates(templates: Sequence[str]) -> None:
    if not templates:
        raise InputError(_('There is no template; write at least one, such as "a photo of a {}."'))
    for template in templates:
        if (count := template.count("{}")) != 1:
            says = _("The template {template!r} contains {braces} {count} times; write it once, where the name goes.")
            raise InputError(says.format(template=template, braces="{}", count=count))


def _check_labels(scores: np.ndarray, truth: np.ndarray) -> None:
    if not len(scores):
        raise InputError(_("No picture has a label; choose a field that some pictures have."))
    if len(scores) != len(truth) or not ((truth >= 0) & (truth < scores.shape[1])).all():
        says = _(
            "{pictures} pictures and {labels} labels for {classes} classes do not fit; give one class number each."
        )
        raise InputError(says.format(pictures=len(scores), labels=len(truth), classes=scores.shape[1]))
