"""A bridge: the map that carries points of one model's space to another's.

Two models that have seen the same things arrange them alike, but turned. A rotation, fitted on things that both have
embedded, takes one arrangement to the other, and as far as there are enough of them to know it, a linear map near it
does better.

Source: Schönemann 1966, "A generalized solution of the orthogonal Procrustes problem"; Hoerl and Kennard 1970, "Ridge
regression"; Maiorano et al. 2023, "Latent space translation via semantic alignment".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from clipexplore.errors import InputError
from clipexplore.labs.contrast import crossed
from clipexplore.language import _
from clipexplore.models.residents import or_damaged
from clipexplore.paths import write_whole
from clipexplore.vectors import normalize

LEAST = 10  # anchors
HELD_OUT = 0.2  # of the anchors: fitted without them, the bridge is judged by them
ROTATION = (np.inf,)
PULLS = (*ROTATION, 0.1, 0.03, 0.01, 0.003, 0.001)  # to the rotation, against what the anchors say


@dataclass(frozen=True, eq=False)
class Bridge:
    """A map from the space of one model to that of another. It never changes, so any number of threads may share it.

    Attributes
    ----------
    map
        `(dim, other)` float32, of embeddings about their mean. What it carries has the lengths about the mean that
        the other model gives.
    means
        By kind, the mean embedding on either side, `(dim,)` and `(other,)`: pictures and texts lie apart in both
        spaces.
    held_out
        By kind, the mean cosine in [−1, 1] of carried embeddings with the true ones, of anchors it was not fitted on.
    models
        What identifies the two models, as `Weights.identity`.
    anchors
        The ids that both had embedded.
    """

    map: np.ndarray
    means: dict[str, tuple[np.ndarray, np.ndarray]]
    held_out: dict[str, float]
    models: tuple[str, str] = ("", "")
    anchors: tuple[str, ...] = ()

    def carry(self, vectors: np.ndarray, kind: str = "pictures") -> np.ndarray:
        """Embeddings `(n, dim)` as points of the other space, `(n, other)` float32, unit norm.

        Parameters
        ----------
        kind
            What they embed, "pictures" or "captions".

        Raises
        ------
        InputError
            For vectors of another dimension, and a kind it was not fitted on.
        """
        if kind not in self.means or vectors.shape[-1] != len(self.map):
            raise InputError(
                _("The bridge carries {kinds} of {dim} dimensions, and these are {given} of {other}.").format(
                    kinds=" and ".join(self.means), dim=len(self.map), given=kind, other=vectors.shape[-1]
                )
            )
        ours, theirs = self.means[kind]
        return normalize((vectors - ours) @ self.map + theirs)

    def crossing(self, gap: np.ndarray) -> np.ndarray:
        """How texts of the first space cross its modality gap, by how those of the other cross theirs: carried over,
        across, and back as pictures; `(dim + 1, dim)` float32, as `across_gap` takes it.

        Parameters
        ----------
        gap
            Of the other space, as `crossed` takes it.
        """
        back = np.linalg.pinv(self.map)
        ours, theirs = self.means["captions"]
        there = np.vstack([self.map, theirs - ours @ self.map])
        constant = np.eye(len(there))[:, -1:]  # 1 for the row of the constant
        across = crossed(np.hstack([there, constant]), gap)
        ours, theirs = self.means["pictures"]
        return (across @ back + constant * (ours - theirs @ back)).astype(np.float32)

    @property
    def name(self) -> str:
        """12 hex digits that stand for it: equal ones carry alike."""
        return blake2b(self.map.tobytes(), digest_size=6).hexdigest()

    def save(self, path: Path) -> None:
        """Writes the bridge as safetensors, with what it says of itself."""
        from safetensors.numpy import save

        tensors = {"map": self.map}
        for kind, (ours, theirs) in self.means.items():
            tensors |= {f"{kind}.from": ours, f"{kind}.to": theirs}
        about = {"held_out": self.held_out, "models": self.models, "anchors": self.anchors}
        write_whole(path, save(tensors, metadata={name: json.dumps(value) for name, value in about.items()}))

    @classmethod
    def load(cls, path: Path) -> Bridge:
        """The bridge that `save` wrote.

        Raises
        ------
        DamagedError
            If the file is not one.
        """
        from safetensors import safe_open

        says = _("The bridge in {path} cannot be read ({error}); delete it, and it is fitted again.")
        with or_damaged(says, path=path), safe_open(path, framework="np") as file:
            about = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
            kinds = about["held_out"]
            means = {kind: (file.get_tensor(f"{kind}.from"), file.get_tensor(f"{kind}.to")) for kind in kinds}
            return cls(file.get_tensor("map"), means, kinds, tuple(about["models"]), tuple(about["anchors"]))


def fit_bridge(
    ours: Mapping[str, np.ndarray],
    theirs: Mapping[str, np.ndarray],
    models: tuple[str, str] = ("", ""),
    anchors: Sequence[str] = (),
    seed: int = 0,
    pulls: Sequence[float] = PULLS,
) -> Bridge:
    """The bridge between two models, by embeddings of the same things.

    Parameters
    ----------
    ours, theirs
        By kind ("pictures", "captions"), unit embeddings `(n, dim)` and `(n, other)` of the same n things in the same
        order; the same n of every kind.
    models, anchors
        What the bridge says of itself.
    seed
        Of the anchors that are held out to judge it; then it is fitted on all.
    pulls
        How strongly the map may be pulled to a rotation, the strongest first: of those that carry held-out anchors as
        well as any, to within a standard error, the first is taken. Under `ROTATION` it is one, made longer or shorter.

    Raises
    ------
    InputError
        For kinds or counts that differ, and fewer than 10 anchors.
    """
    counts = {len(vectors) for vectors in [*ours.values(), *theirs.values()]}
    if not ours or ours.keys() != theirs.keys() or len(counts) != 1:
        raise InputError(_("A bridge needs embeddings of the same things by both models; give as many of each kind."))
    (count,) = counts
    if count < LEAST:
        raise InputError(
            _("A bridge needs at least {least} things that both models have embedded, and there are {count}.").format(
                least=LEAST, count=count
            )
        )
    rows = np.random.default_rng(seed).permutation(count)
    judged, fitted = _split(rows)
    cosines = _cosines(_fitted(ours, theirs, fitted, pulls), ours, theirs, judged)
    held_out = {kind: float(each.mean()) for kind, each in cosines.items()}
    return replace(_fitted(ours, theirs, rows, pulls), held_out=held_out, models=models, anchors=tuple(anchors))


def _fitted(
    ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray], rows: np.ndarray, pulls: Sequence[float]
) -> Bridge:
    judged, fitted = _split(rows)
    trials = _pulled(ours, theirs, fitted, pulls)
    cosines = [np.mean([*_cosines(trial, ours, theirs, judged).values()], axis=0) for trial in trials]
    best = max(cosines, key=np.mean)
    good = [each.mean() >= best.mean() - best.std() / np.sqrt(len(best)) for each in cosines]
    return _pulled(ours, theirs, rows, [pulls[int(np.argmax(good))]])[0]


def _split(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    judged = max(1, round(HELD_OUT * len(rows)))
    return rows[:judged], rows[judged:]


def _cosines(
    bridge: Bridge, ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray], rows: np.ndarray
) -> dict[str, np.ndarray]:
    return {kind: np.vecdot(bridge.carry(ours[kind][rows], kind), theirs[kind][rows]) for kind in ours}


def _pulled(
    ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray], rows: np.ndarray, pulls: Sequence[float]
) -> list[Bridge]:
    """For each pull, one map for all kinds, each about its own means: the rotation, and what it misses by ridge
    regression.
    """
    means = {kind: (ours[kind][rows].mean(0), theirs[kind][rows].mean(0)) for kind in ours}
    x = np.concatenate([ours[kind][rows] - means[kind][0] for kind in ours]).astype(np.float64)
    y = np.concatenate([theirs[kind][rows] - means[kind][1] for kind in ours]).astype(np.float64)
    square, both = x.T @ x, x.T @ y
    left, singular, right = np.linalg.svd(both, full_matrices=False)
    rotation = left @ right * (singular.sum() / np.trace(square))
    spread, axes = np.linalg.eigh(square)
    missed = axes.T @ (both - square @ rotation)
    maps = [rotation + axes @ (missed / (spread + pull * spread.mean())[:, None]) for pull in pulls]
    lengths = [np.linalg.norm(y) / np.sqrt(np.vdot(map, square @ map)) for map in maps]
    return [Bridge((map * length).astype(np.float32), means, {}) for map, length in zip(maps, lengths, strict=True)]
