"""A bridge: the map that carries points of one model's space to another's.

Two models that have seen the same things arrange them alike, but turned. One rotation, fitted on things that both have
embedded, takes one arrangement to the other.

Source: Schönemann 1966, "A generalized solution of the orthogonal Procrustes problem"; Maiorano et al. 2023, "Latent
space translation via semantic alignment".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Bridge:
    """A map from the space of one model to that of another. It never changes, so any number of threads may share it.

    Attributes
    ----------
    rotation
        `(dim, other)` float32 with orthonormal rows or columns, whichever are fewer: what one space has more of is
        lost.
    scale
        By how much lengths about the mean grow.
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

    rotation: np.ndarray
    scale: float
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
        if kind not in self.means or vectors.shape[-1] != len(self.rotation):
            raise InputError(
                _("The bridge carries {kinds} of {dim} dimensions, and these are {given} of {other}.").format(
                    kinds=" and ".join(self.means), dim=len(self.rotation), given=kind, other=vectors.shape[-1]
                )
            )
        ours, theirs = self.means[kind]
        return normalize((vectors - ours) @ (self.rotation * np.float32(self.scale)) + theirs)

    def crossing(self, gap: np.ndarray) -> np.ndarray:
        """How texts of the first space cross its modality gap, by how those of the other cross theirs: carried over,
        across, and back as pictures; `(dim + 1, dim)` float32, as `across_gap` takes it.

        Parameters
        ----------
        gap
            Of the other space, as `crossed` takes it.
        """
        turn, back = self.rotation * self.scale, self.rotation.T / self.scale
        ours, theirs = self.means["captions"]
        there = np.vstack([turn, theirs - ours @ turn])
        constant = np.eye(len(there))[:, -1:]  # 1 for the row of the constant
        across = crossed(np.hstack([there, constant]), gap)
        ours, theirs = self.means["pictures"]
        return (across @ back + constant * (ours - theirs @ back)).astype(np.float32)

    @property
    def name(self) -> str:
        """12 hex digits that stand for it: equal ones carry alike."""
        return blake2b(self.rotation.tobytes() + repr(self.scale).encode(), digest_size=6).hexdigest()

    def save(self, path: Path) -> None:
        """Writes the bridge as safetensors, with what it says of itself."""
        from safetensors.numpy import save

        tensors = {"rotation": self.rotation}
        for kind, (ours, theirs) in self.means.items():
            tensors |= {f"{kind}.from": ours, f"{kind}.to": theirs}
        about = {"scale": self.scale, "held_out": self.held_out, "models": self.models, "anchors": self.anchors}
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
            rotation = file.get_tensor("rotation")
            return cls(rotation, about["scale"], means, kinds, tuple(about["models"]), tuple(about["anchors"]))


def fit_bridge(
    ours: Mapping[str, np.ndarray],
    theirs: Mapping[str, np.ndarray],
    models: tuple[str, str] = ("", ""),
    anchors: Sequence[str] = (),
    seed: int = 0,
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
    order = np.random.default_rng(seed).permutation(count)
    judged, fitted = np.split(order, [max(1, round(HELD_OUT * count))])
    trial = _fitted(ours, theirs, fitted)
    held_out = {
        kind: float((trial.carry(ours[kind][judged], kind) * theirs[kind][judged]).sum(1).mean()) for kind in ours
    }
    whole = _fitted(ours, theirs, order)
    return Bridge(whole.rotation, whole.scale, whole.means, held_out, models, tuple(anchors))


def _fitted(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray], rows: np.ndarray) -> Bridge:
    """One rotation for all kinds, each about its own means."""
    means = {kind: (ours[kind][rows].mean(0), theirs[kind][rows].mean(0)) for kind in ours}
    x = np.concatenate([ours[kind][rows] - means[kind][0] for kind in ours]).astype(np.float64)
    y = np.concatenate([theirs[kind][rows] - means[kind][1] for kind in ours]).astype(np.float64)
    left, singular, right = np.linalg.svd(x.T @ y, full_matrices=False)
    return Bridge((left @ right).astype(np.float32), float(singular.sum() / (x**2).sum()), means, {})
