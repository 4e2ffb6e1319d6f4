"""What draws for a model, and what it is given to draw: points moved to where pictures lie.

Or the states of one text's tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from clipexplore.cluster.connection import is_set
from clipexplore.draw.folders import has_checker, read_facts, read_gap, revision, sees_points, usual_settings
from clipexplore.draw.pipelines import WITHHELD
from clipexplore.draw.prior import Prior
from clipexplore.draw.walks import changes
from clipexplore.models.bridge import Bridge
from clipexplore.models.catalog import DrawnFrom, Model
from clipexplore.models.devices import calibrate_threads
from clipexplore.models.embedder import Embedder
from clipexplore.models.residents import residents, size_of
from clipexplore.models.weights import Weights
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    from clipexplore.draw.on_cluster import ClusterRenderer
    from clipexplore.draw.renderer import Renderer
    from clipexplore.space import Space


@dataclass(frozen=True)
class Drawer:
    """A pipeline on this machine with all that goes with it. Equal names draw the same pictures in one process.

    Attributes
    ----------
    clip
        The model whose points it draws.
    lora
        The folder of the LoRA it draws in few steps with, if any.
    checker
        The folder whose safety checker sees what it draws, if any.
    adapter
        The folder of the IP-Adapter it draws points with, if any.
    prior
        The folder of the prior that imagines pictures of texts for it, if any.
    bridge, owner
        What carries points to the model whose decoder it is, and the title of that; None for one's own decoder.
    """

    weights: Weights
    clip: Weights
    lora: Path | None = None
    checker: Path | None = None
    adapter: Path | None = None
    prior: Path | None = None
    bridge: Bridge | None = None
    owner: str = ""

    @property
    def folder(self) -> Path:
        return self.weights.folder

    @cached_property
    def name(self) -> str:
        """What stands for it in keys of drawings."""
        carried = self.bridge and self.bridge.name
        return f"{self.revision} {self.lora} {self.checker} {self.adapter} {self.prior} {carried}"

    @property
    def revision(self) -> str:
        """12 hex digits of the pipeline's weights, the same on every machine."""
        return revision(self.folder)

    @property
    def is_alone(self) -> bool:
        """Whether the pipeline and its CLIP are all that decides what is drawn."""
        return not (self.lora or self.checker or self.adapter or self.prior or self.bridge)

    @property
    def settings(self) -> dict[str, float]:
        """The `num_inference_steps` and `guidance_scale` it is best used with."""
        return usual_settings(self.folder, bool(self.lora))

    @property
    def reads_both(self) -> bool:
        """Whether it learned texts as their token states together with the points that they lead to across the gap."""
        return bool(read_facts(self.folder).get("reads_both"))

    def load(self) -> Renderer | ClusterRenderer:
        """The loaded pipeline, one copy for everybody; takes seconds when it is not in memory. Where a cluster is set,
        what draws there. It is used in the thread that asks, whose number of threads is the same every day.
        """
        if is_set():
            from clipexplore.draw.on_cluster import ClusterRenderer

            return ClusterRenderer(self.folder, self.clip.folder, self.lora, self.checker, self.adapter)
        from clipexplore.draw.renderer import Renderer

        calibrate_threads()
        # with a text encoder of its own it serves every CLIP, whose weights it shares where equal
        alone = (self.folder / "text_encoder").is_dir() and self.adapter is None
        clip = self.clip.folder
        if sees_points(self.folder, self.adapter):
            self._embedder()
        key = ("draw", *map(str, (self.folder, None if alone else clip, self.lora, self.checker, self.adapter)))
        load = partial(Renderer.load, self.folder, clip, lora=self.lora, checker=self.checker, adapter=self.adapter)
        return residents.get(key, load, partial(size_of, self.folder))

    def imagine(self, texts: Sequence[str], step: Callable[[], object] = lambda: None) -> dict[str, np.ndarray]:
        """By text the embedding of a picture of it `(dim,)`, as the prior imagines it; empty without a prior.

        Raises
        ------
        InputError
            As `Prior.load`.
        """
        if self.prior is None or not texts:
            return {}
        load = partial(Prior.load, self.prior, self.clip.folder, self._embedder())
        prior = residents.get(("prior", str(self.prior), str(self.clip.folder)), load, partial(size_of, self.prior))
        return dict(zip(texts, prior.imagine(texts, step=step), strict=True))

    def _embedder(self) -> Embedder:
        """The model whose points are drawn, in memory from here on: it sees what is drawn too."""
        return Embedder.resident(self.clip.folder, self.clip.revisions)


def drawer_of(model: Model, kind: DrawnFrom, checked: bool = False) -> Drawer | None:
    """What draws points or token states for a model; None where nothing on this machine does.

    Parameters
    ----------
    checked
        Whether drawings pass the safety checker of the model's Stable Diffusion, points as well as texts, if it has
        one.
    """
    weights, beside = model.drawn_by(kind), model.draws_prompts or model.adapts
    if weights is None or not weights.present:
        return None
    if kind == "joint" and model.adapts:
        weights, adapter = model.adapts, weights.folder
    else:
        adapter = None
    quick = model.few_steps if kind == "tokens" and model.few_steps and model.few_steps.present else None
    checker = beside if checked and beside and beside.present and has_checker(beside.folder) else None
    lora, checks = quick.folder if quick else None, checker.folder if checker else None
    prior = model.prior.folder if kind == "joint" and model.prior and model.prior.present else None
    return Drawer(weights, model.clip, lora, checks, adapter, prior)


def gap_of(space: Space, drawer: Drawer) -> np.ndarray | None:
    """How texts cross the modality gap before they are drawn, see `points.across_gap`; None where nothing is known.

    What is stored with the drawer, else the mean picture minus the mean caption of the collection.
    """
    stored = read_gap(drawer.folder)
    if drawer.bridge:
        return None if stored is None else drawer.bridge.crossing(stored)
    if stored is not None or not {"pictures", "captions"} <= {*space.searchable}:
        return stored
    pictures = space.embeddings("pictures")
    captions = space.embeddings("captions")
    said = space.collection.rows_embedded(space.model.key, "captions")
    return pictures.mean(axis=0) - captions[said].mean(axis=0)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Drawings, and where the model that is explored places them.

    Attributes
    ----------
    embeddings
        `(n, dim)` of the pictures, embedded again; None for those of token states.
    targets
        `(n, dim)`, the points that they were drawn from; None for those of token states.
    places
        Of an even walk `(n,)` float64: where on the path each lies, in units of stops; None of any other.
    kept
        Of an even walk that was found just now, which of all that was drawn they are; None of any other.
    """

    pictures: list[Image.Image]
    embeddings: np.ndarray | None = None
    targets: np.ndarray | None = None
    places: np.ndarray | None = None
    kept: list[int] | None = None

    @cached_property
    def changes(self) -> np.ndarray:
        """How much each picture differs from the one before, `(n,)` in grey levels; 0 for the first."""
        return np.concatenate([np.zeros(1), changes(self.pictures)])

    @property
    def withheld(self) -> list[int]:
        """Which pictures the safety checker has withheld, by number from 0; they are grey."""
        return [number for number, picture in enumerate(self.pictures) if picture.info.get(WITHHELD)]


def drawing_vectors(space: Space, drawer: Drawer, vectors: np.ndarray, **settings: Any) -> Generator[None, None, Drawn]:
    """Drawings of points `(n, dim)` of the joint space, all from the same noise, step by step as `Renderer.drawing`.

    Through a bridge they are carried as the pictures that they are to become; what was drawn is embedded by the model
    whose points they are all the same.
    """
    there = drawer.bridge.carry(normalize(vectors)) if drawer.bridge else vectors
    pictures = yield from drawer.load().drawing(embeddings=there, **settings)
    return Drawn(pictures, space.embedder.embed_images(pictures), vectors)
