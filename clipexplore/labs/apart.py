"""A point taken apart: the short weighted sum of words that comes nearest to it.

The LASSO chooses the words, in the order of the weights it gives them: its penalty keeps the sum short and, unlike a
greedy pursuit, does not follow with the next word whatever the last one left over. Their weights are then fitted again
without the penalty, which makes every weight too small.

Points and words are given with the mean of their kind taken away: pictures and texts lie in two clouds, and what all
points of one cloud share is no word's to explain.

Sources: Bhalla et al. 2024, Interpreting CLIP with sparse linear concept embeddings, arXiv 2402.10376 (SpLiCE);
Tibshirani 1996 (LASSO); Pati, Rezaiifar and Krishnaprasad 1993 (orthogonal matching pursuit).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.vectors import normalize

PENALTY = 0.2  # of the LASSO, as a share of the one from which no word is chosen
_NEAR = 256  # words that are tried first
_FAINT = 0.01  # as a share of the largest weight
_SPREAD = 1e-6  # added to the squares, so that words may be alike
_SLACK = 1e-3  # how far above the penalty a word that was not tried may lie


@dataclass(frozen=True, eq=False)
class Apart:
    """A point as a weighted sum of k words.

    Attributes
    ----------
    rows
        `(k,)` int: which words, in the order in which they were chosen.
    weights
        `(k,)` float64: the sum is `weights @ words[rows]`. None is below a hundredth of the largest.
    cosines
        `(k,)` float64: of the point with the best sum of its first 1, 2, … words, in [0, 1], increasing.
    remainder
        `(dim,)` float64: the point minus the sum.
    """

    rows: np.ndarray
    weights: np.ndarray
    cosines: np.ndarray
    remainder: np.ndarray


def take_apart(
    point: np.ndarray, words: np.ndarray, terms: int = 8, signed: bool = False, without: Sequence[int] = ()
) -> Apart:
    """The sum of at most `terms` words that stands for a point.

    Parameters
    ----------
    point
        `(dim,)`, the mean of its kind taken away.
    words
        `(n, dim)`, their mean taken away; of any length.
    signed
        Whether weights may be negative.
    without
        Rows of words that may not be used.

    Raises
    ------
    InputError
        When nothing is left of the point without the mean of its kind, no word points its way, or `terms` is below 1.
    """
    atoms, target = _checked(point, words, terms, signed, without)
    penalised = _lasso(target, atoms, signed)
    order = np.argsort(-np.abs(penalised), kind="stable")[:terms]
    return _fitted(point, words, order[penalised[order] != 0], signed)


def pursue(point: np.ndarray, words: np.ndarray, terms: int = 8, without: Sequence[int] = ()) -> Apart:
    """The same by orthogonal matching pursuit, with positive weights: the yardstick of `take_apart`.

    Each time it adds the word nearest to what is left and fits all weights again.
    """
    atoms, target = _checked(point, words, terms, without=without)
    chosen: list[int] = []
    left = target
    while len(chosen) < terms:
        scores = atoms @ left
        scores[chosen] = -np.inf
        if scores.max() <= 0:
            break
        chosen.append(int(scores.argmax()))
        left = target - _refitted(target, atoms[chosen], signed=False) @ atoms[chosen]
    return _fitted(point, words, np.array(chosen, int), signed=False)


def _checked(
    point: np.ndarray, words: np.ndarray, terms: int, signed: bool = False, without: Sequence[int] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """The words `(n, dim)` and the point as unit vectors; a word that may not be used is zero."""
    if terms < 1:
        raise InputError(_("A sum of {terms} terms is none; ask for one or more.").format(terms=terms))
    if not np.linalg.norm(point) > _SLACK:
        raise InputError(
            _("Nothing is left of this point without the mean of its kind, so there is nothing to take apart.")
        )
    lengths = np.linalg.norm(words, axis=1, keepdims=True)
    atoms = np.divide(words, lengths, out=np.zeros(words.shape, np.float32), where=lengths > _SLACK)
    atoms[list(without)] = 0
    target = normalize(point)
    if not _pull(target, atoms, signed).max(initial=0) > 0:
        raise InputError(_("No word points the way of this point; allow negative weights."))
    return atoms, target


def _lasso(target: np.ndarray, atoms: np.ndarray, signed: bool) -> np.ndarray:
    """The penalised weight of each word, `(n,)`.

    Only the words nearest to the point are tried, and any other that the result turns out to need.
    """
    near = _pull(target, atoms, signed)
    penalty = PENALTY * near.max()
    tried = np.argsort(-near, kind="stable")[:_NEAR]
    while True:
        weights = np.zeros(len(atoms), np.float32)
        weights[tried] = _penalised(target.astype(np.float64), atoms[tried].astype(np.float64), penalty, signed)
        missed = _pull(target - weights @ atoms, atoms, signed) > penalty * (1 + _SLACK)
        missed[tried] = False
        if not missed.any():
            return weights
        tried = np.append(tried, np.flatnonzero(missed))


def _penalised(target: np.ndarray, atoms: np.ndarray, penalty: float, signed: bool) -> np.ndarray:
    """The weights `(m,)` that minimise ½‖target − w @ atoms‖² + penalty · ‖w‖₁, as a problem of least squares.

    With non-negative weights it is ½ wᵀGw − (atoms @ target − penalty)ᵀw, and G has a root; a weight of either sign is
    the difference of two.
    """
    from scipy.linalg import cholesky, solve_triangular
    from scipy.optimize import nnls

    both = np.concatenate([atoms, -atoms]) if signed else atoms
    root = cholesky(both @ both.T + _SPREAD * np.eye(len(both)), lower=True)
    found = nnls(root.T, solve_triangular(root, both @ target - penalty, lower=True))[0]
    return found[: len(atoms)] - found[len(atoms) :] if signed else found


def _pull(left: np.ndarray, atoms: np.ndarray, signed: bool) -> np.ndarray:
    """How strongly what is left of a point asks for each word, `(n,)`."""
    return np.abs(atoms @ left) if signed else atoms @ left


def _fitted(point: np.ndarray, words: np.ndarray, rows: np.ndarray, signed: bool) -> Apart:
    """The point as the best sum of these words, and of the first few of them."""
    target, chosen = np.asarray(point, np.float64), np.asarray(words[rows], np.float64)
    weights = [_refitted(target, chosen[:count], signed) for count in range(1, len(rows) + 1)]
    faint = np.abs(weights[-1]) <= _FAINT * np.abs(weights[-1]).max()
    if faint.any():
        return _fitted(point, words, rows[~faint], signed)
    sums = np.array([each @ chosen[: len(each)] for each in weights])
    lengths = np.linalg.norm(target) * np.linalg.norm(sums, axis=1)
    cosines = np.divide(sums @ target, lengths, out=np.zeros(len(sums)), where=lengths > 0)
    return Apart(rows, weights[-1], cosines, target - sums[-1])


def _refitted(target: np.ndarray, chosen: np.ndarray, signed: bool) -> np.ndarray:
    """The weights `(k,)` with which the chosen words come nearest to the point."""
    from scipy.optimize import nnls

    return np.linalg.lstsq(chosen.T, target)[0] if signed else nnls(chosen.T, target)[0]
