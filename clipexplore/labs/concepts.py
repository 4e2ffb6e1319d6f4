"""A dictionary of concepts: directions learned from a cloud of points, so that a few of them make up any point.

It is a sparse autoencoder. An encoder says how much of each concept is in a point, all but the k largest amounts are
set to zero, and the sum of the directions in these amounts should be the point again.

Sources: Makhzani and Frey 2013, k-Sparse autoencoders, arXiv 1312.5663; Gao et al. 2024, Scaling and evaluating sparse
autoencoders, arXiv 2406.04093 (TopK, and the encoder that begins as the decoder's transpose).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.errors import InputError, no_room
from clipexplore.language import _
from clipexplore.models.residents import or_damaged
from clipexplore.paths import write_whole
from clipexplore.reports import Report, silent
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

WIDTH, K, STEPS = 1024, 12, 1000
LEAST = 100  # points that can be learned from
BATCH, RATE = 256, 1e-3  # points of a step; the highest learning rate, of Adam
WARM, COOL = 0.05, 0.3  # shares of the steps in which that rises, and falls to zero
FREQUENT = 20  # items that have a value which a concept may stand for
_ROWS = 8192  # points read at a time
_TENSORS = ("mean", "encoder", "bias", "directions", "stability")  # of a file


@dataclass(frozen=True, eq=False)
class Dictionary:
    """Concepts, of which at most k make up a point: `mean + read(points) @ directions` is about the points.

    Attributes
    ----------
    mean
        `(dim,)` float32: of the points it was learned from.
    encoder, bias
        `(m, dim)` and `(m,)` float32: `encoder @ (point - mean) + bias` are the amounts before all but k are dropped.
    directions
        `(m, dim)` float32, unit norm.
    k
        The most concepts of a point.
    stability
        `(m,)` float32 in [−1, 1]: see `stability`; None where nothing was learned from another seed.
    """

    mean: np.ndarray
    encoder: np.ndarray
    bias: np.ndarray
    directions: np.ndarray
    k: int
    stability: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.directions)

    def read(self, points: np.ndarray) -> csr_array:
        """How much of each concept is in points `(n, dim)`: sparse `(n, m)` float32, not negative, k a row at most."""
        from scipy.sparse import csr_array, vstack

        k, parts = min(self.k, len(self)), []
        for start in range(0, len(points), _ROWS):
            amounts = (points[start : start + _ROWS] - self.mean) @ self.encoder.T + self.bias
            largest = np.argpartition(-amounts, k - 1, axis=1)[:, :k]
            kept = np.maximum(np.take_along_axis(amounts, largest, axis=1), 0).astype(np.float32)
            rows = np.arange(0, kept.size + 1, k)
            part = csr_array((kept.ravel(), largest.ravel(), rows), shape=amounts.shape)
            part.eliminate_zeros()
            parts.append(part)
        return csr_array(vstack(parts, "csr"))

    def written(self, amounts: csr_array | np.ndarray) -> np.ndarray:
        """The points `(n, dim)` that amounts `(n, m)` of the concepts make up, of any length."""
        return amounts @ self.directions + self.mean

    def explained(self, points: np.ndarray) -> float:
        """The share of the variance of points `(n, dim)` about the mean that their concepts explain, at most 1."""
        left = self.written(self.read(points)) - points
        return float(1 - np.square(left).sum() / np.square(points - self.mean).sum())

    def turned(self, point: np.ndarray, amounts: Mapping[int, float]) -> np.ndarray:
        """A point `(dim,)` with other amounts of some concepts, by their row; what no concept explains stays."""
        before = self.read(point[None]).toarray()[0]
        change = sum((amount - before[row]) * self.directions[row] for row, amount in amounts.items())
        return (point + change).astype(np.float32)

    def only(self, rows: np.ndarray) -> Dictionary:
        """The same without other concepts than those of `rows`."""
        kept = None if self.stability is None else self.stability[rows]
        return Dictionary(self.mean, self.encoder[rows], self.bias[rows], self.directions[rows], self.k, kept)

    def save(self, path: Path, revision: str) -> None:
        """Writes it in float16, with the revision of the model of pictures whose points it is of.

        Raises
        ------
        NoRoomError
            If the disk refuses.
        """
        from safetensors.numpy import save as as_bytes

        tensors = {name: getattr(self, name) for name in _TENSORS if getattr(self, name) is not None}
        about = {"revision": revision, "k": str(self.k)}
        data = as_bytes({name: each.astype(np.float16) for name, each in tensors.items()}, metadata=about)
        try:
            write_whole(path, data)
        except OSError as error:
            raise no_room(path.parent, error) from error

    @classmethod
    def load(cls, path: Path, revision: str) -> Dictionary | None:
        """What a file holds; None where there is no file, or it is of points by another model.

        Raises
        ------
        DamagedError
            If it cannot be read.
        """
        from safetensors import safe_open

        if not path.is_file():
            return None
        says = _("The dictionary of concepts in {path} cannot be read ({error}); delete it and learn it again.")
        with or_damaged(says, path=path), safe_open(path, framework="np") as file:
            about = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
            found, of = cls(**tensors, k=int(about["k"])), about["revision"]
        return found if of == revision else None


def learn_concepts(
    points: np.ndarray, width: int = WIDTH, k: int = K, steps: int = STEPS, seed: int = 0, report: Report = silent
) -> Dictionary:
    """A dictionary of the concepts of points; a minute on one core for 512 dimensions.

    Parameters
    ----------
    points
        `(n, dim)`, n ≥ 100, such as the embeddings of pictures by any model.
    width
        The number of concepts; those that are in none of the points afterwards are left out. The most frequent comes
        first.
    k
        The most concepts of a point.
    steps
        Of Adam, on 256 points each.
    seed
        Of the directions at the beginning and of the points of each step.
    report
        Is told the share that is done; may raise to stop it.

    Raises
    ------
    InputError
        For fewer than 100 points, points that are all the same, and a `k` that is not between 1 and `width`.
    """
    if len(points) < LEAST or not np.ptp(points, axis=0).any():
        message = _(
            "A dictionary of concepts is learned from at least {least} different points, and there are {count}."
        )
        raise InputError(message.format(least=LEAST, count=len(points)))
    if not 1 <= k <= width:
        raise InputError(
            _("A point cannot be made of {k} concepts out of {width}; choose from 1 to {width}.").format(
                k=k, width=width
            )
        )
    mean = points.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = float(np.sqrt(np.square(points - mean).sum(axis=1).mean()))
    encoder, bias, directions = _fitted((points - mean) / np.float32(spread), width, k, steps, seed, report)
    found = Dictionary(mean, encoder, bias * np.float32(spread), directions, k)
    often = np.bincount(found.read(points).indices, minlength=width)
    order = np.argsort(-often, kind="stable")
    return found.only(order[often[order] > 0])


def _fitted(
    points: np.ndarray, width: int, k: int, steps: int, seed: int, report: Report
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Encoder, bias and directions with the least mean squared error on centred points of mean square length 1."""
    import torch

    drawn = torch.Generator().manual_seed(seed)
    data = torch.from_numpy(np.ascontiguousarray(points, np.float32))
    directions = torch.nn.functional.normalize(torch.randn(width, data.shape[1], generator=drawn))
    encoder, bias = directions.clone().requires_grad_(), torch.zeros(width, requires_grad=True)
    directions.requires_grad_()
    adam = torch.optim.Adam([encoder, bias, directions], lr=RATE)
    for step in range(steps):
        report(step / steps, None)
        batch = data[torch.randint(len(data), (BATCH,), generator=drawn)]
        largest = (batch @ encoder.T + bias).topk(k, dim=1)
        amounts = torch.zeros(len(batch), width).scatter(1, largest.indices, largest.values.relu())
        loss = (batch - amounts @ directions).square().sum(dim=1).mean()
        adam.zero_grad()
        loss.backward()
        adam.param_groups[0]["lr"] = RATE * min(1, (step + 1) / (WARM * steps), (steps - step) / (COOL * steps))
        adam.step()
        with torch.no_grad():
            directions /= directions.norm(dim=1, keepdim=True)
    encoder, bias, directions = (each.detach().numpy() for each in (encoder, bias, directions))
    return encoder, bias, directions


def stability(found: Dictionary, *others: Dictionary) -> Dictionary:
    """The dictionary, with how surely each of its concepts is found again: the cosine of its direction with the
    nearest direction of a dictionary of the same points from another seed, averaged over such dictionaries.

    Source: Sharkey, Braun and Millidge 2022, Taking features out of superposition with sparse autoencoders (mean max
    cosine similarity).
    """
    again = [(found.directions @ other.directions.T).max(axis=1) for other in others]
    return replace(found, stability=np.array(again).mean(axis=0))


def f1_by_threshold(amounts: csr_array, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How well each concept alone tells what is true from what is not, by whether there is more of it than so much.

    Parameters
    ----------
    amounts
        `(n, m)` sparse, not negative.
    truth
        `(n, v)` bool.

    Returns
    -------
    tuple[np.ndarray, np.ndarray]
        `(v, m)` float64 each: the best F1, 2 · hits / (called + true), in [0, 1], and the threshold that gives it,
        above 0 and midway between two amounts; F1 is 0 for a concept that is nowhere.
    """
    entries = amounts.tocoo()
    order = np.lexsort((-entries.data, entries.col))  # concept by concept, the largest amounts first
    rows, columns, values = entries.row[order], entries.col[order], entries.data[order]
    there, starts, place = np.unique(columns, return_index=True, return_inverse=True)
    called = np.arange(len(values)) - starts[place] + 1
    ends = np.append(columns[1:] != columns[:-1], True)
    below = np.where(ends, 0, np.append(values[1:], 0))
    best, thresholds = np.zeros((2, truth.shape[1], amounts.shape[1]))
    for number, true in enumerate(truth.T):
        hits = np.cumsum(true[rows])
        hits -= (hits - true[rows])[starts][place]
        scores = np.where(values > below, 2 * hits / (called + true.sum()), 0)
        best[number, there] = np.maximum.reduceat(scores, starts)
        reached = np.flatnonzero(scores == best[number, columns])
        _columns, first = np.unique(columns[reached], return_index=True)
        thresholds[number, there] = (values[reached[first]] + below[reached[first]]) / 2
    return best, thresholds


def f1(called: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """F1 `(v,)` in [0, 1] of what is called true, `(n, v)` bool, against what is."""
    return 2 * (called & truth).sum(axis=0) / np.maximum(called.sum(axis=0) + truth.sum(axis=0), 1)


def frequent(fields: pd.DataFrame, columns: Sequence[str], least: int = FREQUENT) -> list[tuple[str, object]]:
    """The values of some columns that at least so many items have, as (column, value), the most frequent first."""
    counts = {(name, value): count for name in columns for value, count in fields[name].value_counts().items()}
    return sorted((each for each in counts if counts[each] >= least), key=lambda each: -counts[each])


def true_of(fields: pd.DataFrame, values: Sequence[tuple[str, object]]) -> np.ndarray:
    """Which items have which of some values, `(n, v)` bool."""
    return np.stack([(fields[name] == value).to_numpy(bool) for name, value in values], axis=1)


def usual_amounts(amounts: csr_array) -> np.ndarray:
    """The median amount of each concept where it is, `(m,)`; 1 for one that is nowhere."""
    return np.array([np.median(each) if len(each) else 1.0 for _rows, each in lit(amounts, amounts.shape[0])])


def purity(amounts: csr_array, points: np.ndarray, most: int = 10) -> np.ndarray:
    """How alike the points are that have most of each concept, `(m,)` float32 in [−1, 1]: the mean cosine, about the
    mean of all `(n, dim)` points, of two of the `most` that have most of it; 1 for a concept of a single point.

    Source: Pach et al. 2025, Sparse autoencoders learn monosemantic features in vision-language models, arXiv
    2504.02821, whose score weighs all pairs by their amounts and compares them by another model.
    """
    about, found = normalize(points - points.mean(axis=0)), []
    for rows, _amounts in lit(amounts, most):
        cosines = about[rows] @ about[rows].T
        pairs = np.triu_indices(len(rows), 1)
        found.append(cosines[pairs].mean() if len(rows) > 1 else 1.0)
    return np.array(found, np.float32)


def lit(amounts: csr_array, most: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each concept, the rows of the points that have most of it and their amounts, the most first."""
    columns = amounts.tocsc()
    found = []
    for start, end in pairwise(columns.indptr.tolist()):
        order = np.argsort(-columns.data[start:end], kind="stable")[:most] + start
        found.append((columns.indices[order], columns.data[order]))
    return found
