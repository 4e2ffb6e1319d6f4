"""Whether what a text asks for is among some pictures at all, and from which cosine on a picture counts.

A best cosine alone does not tell: some texts lie near every picture. So it is judged beside what the text's cosines are
like everywhere, and by whether the best picture *answers back*: its words are ranked, and the text should be among the
first. How much each of these signs counts is learned from texts that are known to be here, once with all pictures and
once with those that they are true of held out.

Sources: Platt 1999, Probabilistic outputs for support vector machines (a logistic regression on scores); Hendrycks and
Gimpel 2017, A baseline for detecting misclassified and out-of-distribution examples, arXiv 1610.02136 (the softmax as
a sign that something is unknown).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.errors import InputError
from clipexplore.labs.semantics import tokens
from clipexplore.language import _
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FALSE = 0.05  # of the texts that are not here, as many may be said to be here
ALIKE = 0.8  # of the cosine, without the mean of the words: texts that mean the same
ARTICLES = {"a", "an", "the"}
COMMON = 0.1  # a word that more of the captions have tells nothing
_LEAST = 20  # texts of each half
_RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Presence:
    """What is learned of one collection: when the best cosine of a text means that it is here.

    Attributes
    ----------
    weights
        `(5,)` float64, of the four `signs` and of 1: the text is here where their sum is not negative.
    false, kept
        The share of texts that are said to be here, of those that were held out and of those that are; measured on
        each half of the texts with what was learned from the other.
    texts
        How many there are.
    """

    weights: np.ndarray
    false: float
    kept: float
    texts: int

    def here(self, signs: np.ndarray) -> np.ndarray:
        """Whether each text is here, `(q,)` bool, by its signs `(q, 4)`."""
        return signs @ self.weights[:-1] + self.weights[-1] >= 0

    def least(self, signs: np.ndarray) -> np.ndarray:
        """The cosine from which a picture counts as an answer to each text, `(q,)`, by its signs `(q, 4)`."""
        return -(signs[:, 1:] @ self.weights[1:-1] + self.weights[-1]) / self.weights[0]


def signs(
    texts: np.ndarray, pictures: np.ndarray, words: np.ndarray, logit_scale: float, gone: np.ndarray | None = None
) -> np.ndarray:
    """What tells whether texts are here, `(q, 4)` float64.

    For each the best cosine, the mean and the standard deviation of all its cosines, and how the best picture answers:
    the logarithm of the text's probability, in (−∞, 0], among the words that do not mean the same.

    Parameters
    ----------
    texts, pictures, words
        `(q, dim)`, `(n, dim)`, `(m, dim)`, unit rows.
    logit_scale
        What the model multiplies cosines by before a softmax.
    gone
        `(q, n)` bool: the pictures that are held out for each text; not all of any.
    """
    cosines = texts @ pictures.T
    among = np.ones(cosines.shape, bool) if gone is None else ~gone
    best = np.where(among, cosines, -np.inf).argmax(axis=1)
    top = np.take_along_axis(cosines, best[:, None], axis=1)
    mean, std = cosines.mean(axis=1, where=among), cosines.std(axis=1, where=among)
    centre = words.mean(axis=0)
    same = normalize(texts - centre) @ normalize(words - centre).T > ALIKE
    rivals = np.where(same, -np.inf, logit_scale * (pictures[best] @ words.T - top))
    return np.column_stack([top[:, 0], mean, std, -np.log1p(np.exp(rivals).sum(axis=1))]).astype(np.float64)


def calibrate(here: np.ndarray, held_out: np.ndarray, false: float = FALSE, seed: int = 0) -> Presence:
    """Learns from texts when one is here.

    How often that is wrong is measured on each half of them with what was learned from the other.

    Parameters
    ----------
    here, held_out
        `(q, 4)`: the `signs` of the same texts, with all pictures and with those held out that they are true of.
    false
        The share of held-out texts that may be said to be here, in (0, 1).

    Raises
    ------
    InputError
        For fewer than 40 texts, and where held-out texts score no lower than the others.
    """
    if len(here) < 2 * _LEAST:
        message = _("{count} texts are too few to learn from when something is here; give {least} or more.")
        raise InputError(message.format(count=len(here), least=2 * _LEAST))
    halves = np.array_split(np.random.default_rng(seed).permutation(len(here)), 2)
    passing = []
    for own, other in (halves, halves[::-1]):
        learned = Presence(_limited(here[own], held_out[own], false), 0.0, 0.0, len(own))
        passing += [(learned.here(held_out[other]).mean(), learned.here(here[other]).mean())]
    wrong, right = np.mean(passing, axis=0).tolist()
    return Presence(_limited(here, held_out, false), wrong, right, len(here))


def _limited(here: np.ndarray, held_out: np.ndarray, false: float) -> np.ndarray:
    """The weights `(5,)` that tell texts from held-out ones, so that this share of those passes."""
    weights = _separating(here, held_out)
    if weights[0] <= 0:
        raise InputError(_("Texts that are not here score as high as those that are, so nothing can be said of any."))
    weights[-1] = -np.quantile(held_out @ weights[:-1], 1 - false)
    return weights


def _separating(here: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """The weights `(5,)` of a logistic regression, slightly penalised, on standardised signs; turned back to theirs."""
    from sklearn.linear_model import LogisticRegression

    both, side = np.concatenate([here, held_out]), np.repeat([1.0, -1.0], [len(here), len(held_out)])
    centre, spread = both.mean(axis=0), both.std(axis=0) + 1e-12
    given = np.column_stack([(both - centre) / spread, np.ones(len(both))])
    regression = LogisticRegression(C=1 / (2 * _RIDGE * len(both)), fit_intercept=False, tol=1e-8, max_iter=1_000)
    found = regression.fit(given, side).coef_[0]
    turned = found[:-1] / spread
    return np.append(turned, found[-1] - turned @ centre)


def said_in(texts: Sequence[str], captions: Sequence[str]) -> tuple[np.ndarray, csr_array]:
    """Which texts captions say, and which captions say any word of them.

    Words that more than a tenth of the captions have are passed over, and plurals in -s are their singular.

    Returns
    -------
    said
        `(q,)` bool: whether some caption has every word of the text.
    shares
        `(q, n)` bool: whether a caption has a word of the text.
    """
    from scipy.sparse import csr_array

    having: dict[str, set[int]] = {}
    for row, caption in enumerate(captions):
        for word in _words(caption):
            having.setdefault(word, set()).add(row)
    rare = {word: rows for word, rows in having.items() if len(rows) <= COMMON * len(captions)}
    common = having.keys() - rare.keys()
    by_word = [[rare.get(word, set()) for word in _words(text) - common] for text in texts]
    shared = [sorted(set().union(*rows)) for rows in by_word]
    said = [bool(rows) and bool(set.intersection(*rows)) for rows in by_word]
    ends = np.cumsum([0, *map(len, shared)])
    columns = np.concatenate([np.empty(0, int), *(np.array(rows, int) for rows in shared)])
    return np.array(said, bool), csr_array((np.ones(len(columns), bool), columns, ends), (len(texts), len(captions)))


def says(caption: str, text: str) -> bool:
    """Whether a caption has every word of a text, be it one or several of a thing; articles do not count."""
    words = _words(text) - ARTICLES
    return bool(words) and words <= _words(caption)


def _words(text: str) -> set[str]:
    return {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in tokens(text)}
