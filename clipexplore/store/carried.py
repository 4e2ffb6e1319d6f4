"""A collection as a model sees it that has not embedded it yet: another model's vectors, carried over by a bridge."""

from __future__ import annotations

from typing import Any

import numpy as np

from clipexplore.models.bridge import Bridge
from clipexplore.store.collection import Collection
from clipexplore.store.items import Kind


class Carried(Collection):
    """Like the collection it is made of, with vectors of one more model, of which nothing is stored.

    Parameters
    ----------
    plain
        The collection, embedded by the model that the bridge comes from.
    source, model
        The keys of that model, and of the one that the bridge leads to.
    """

    def __init__(self, plain: Collection, source: str, model: str, bridge: Bridge):
        super().__init__(plain.store, plain.revisions)
        self._source, self._carried_to, self.bridge = source, model, bridge

    @property
    def models(self) -> dict[str, dict[str, Any]]:
        entry = {"revision": self.bridge.models[1], "dim": self.bridge.rotation.shape[1]}
        return {**super().models, self._carried_to: entry}

    @property
    def version(self) -> str:
        return f"{super().version}-{self.bridge.name}"

    def embedded(self, model: str) -> list[Kind]:
        return super().embedded(self._source if model == self._carried_to else model)

    def _matrix(self, model: str, kind: Kind) -> np.ndarray | None:
        if model != self._carried_to:
            return super()._matrix(model, kind)
        key = model, kind
        if key not in self._arrays and (known := super()._matrix(self._source, kind)) is not None:
            carried = np.zeros((len(known), self.bridge.rotation.shape[1]), np.float32)
            there = known.any(axis=1)  # an empty caption has no vector
            carried[there] = self.bridge.carry(known[there], kind)
            carried.flags.writeable = False
            self._arrays[key] = carried
        return self._arrays.get(key)
