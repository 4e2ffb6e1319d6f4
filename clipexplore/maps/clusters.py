"""Groups of points that lie together, by scikit-learn, and names for them from a word bank."""

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.vectors import cosine_similarity, normalize


def group(x: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """The group of each point by k-means on unit vectors, `(n,)` int in [0, count), the largest group first.

    Parameters
    ----------
    x
        `(n, dim)`, of any length but zero.

    Raises
    ------
    InputError
        For fewer than one group, or more groups than points.
    """
    if not 1 <= count <= len(x):
        message = _("{points} points cannot make {count} groups; ask for 1 to {points}.")
        raise InputError(message.format(points=len(x), count=count))
    from sklearn.cluster import KMeans

    return _by_size(KMeans(count, n_init=3, random_state=seed).fit_predict(normalize(x)))


def dense_groups(coordinates: np.ndarray, least: int) -> np.ndarray:
    """The group of each point on a map by HDBSCAN, `(n,)` int, the largest first; −1 for what lies between the groups.

    Parameters
    ----------
    coordinates
        `(n, 2)`.
    least
        Points that make a group, at least 2.

    Raises
    ------
    InputError
        For `least` out of range.
    """
    if not 2 <= least <= len(coordinates):
        message = _("A group of {least} is not possible among {points} points; ask for 2 to {points}.")
        raise InputError(message.format(least=least, points=len(coordinates)))
    from sklearn.cluster import HDBSCAN

    return _by_size(HDBSCAN(min_cluster_size=least, copy=True).fit_predict(coordinates))


def group_names(x: np.ndarray, groups: np.ndarray, words: np.ndarray, names: list[str]) -> list[str]:
    """A word for each group 0, 1, …: the one nearest to what sets its middle apart from that of all; none twice.

    Pictures and words are two clouds with a gap between, so each is taken from its own middle.

    Parameters
    ----------
    x, groups
        `(n, dim)`: the points, and `(n,)`: the group of each; negative ones belong to none.
    words, names
        `(m, dim)`: embeddings of the bank, m at least the number of groups, and the words themselves.
    """
    count = int(groups.max(initial=-1)) + 1
    if not count:
        return []
    middles = np.stack([x[groups == number].mean(axis=0) for number in range(count)]) - x.mean(axis=0)
    cosines = cosine_similarity(middles + 1e-9, words - words.mean(axis=0))
    given: list[str] = []
    for row in cosines:  # the largest group chooses first
        given.append(next(names[word] for word in np.argsort(-row, kind="stable") if names[word] not in given))
    return given


def _by_size(groups: np.ndarray) -> np.ndarray:
    """The groups numbered anew, the largest first; −1 stays."""
    found, sizes = np.unique(groups[groups >= 0], return_counts=True)
    new = {old: number for number, old in enumerate(found[np.argsort(-sizes, kind="stable")])} | {-1: -1}
    return np.array([new[old] for old in groups], int)
