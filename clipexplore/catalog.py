"""The one place that names models: what each is, where its files are, under which terms, what it can draw.

Separate so that nothing a visitor types can ever choose what is loaded: a page and a link carry a key of this table.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clipexplore.errors import InputError
from clipexplore.settings import settings


@dataclass(frozen=True)
class Model:
    """One entry of the catalogue.

    Attributes
    ----------
    key
        The name in links and in the folders of a collection.
    clip
        The folder of a `transformers` CLIP, relative to the bundled assets (or absolute).
    dim
        The number of dimensions of its joint image–text space.
    draws_prompts, draws_embeddings
        The folder of the pipeline that draws token states, and of the one that draws vectors of the joint space;
        None where the model cannot.
    """

    key: str
    title: str
    description: str
    clip: str
    dim: int
    licence: str
    draws_prompts: str | None = None
    draws_embeddings: str | None = None

    @property
    def clip_folder(self) -> Path:
        """The folder of the CLIP on this machine; it is not looked at."""
        return settings().assets / self.clip

    @cached_property
    def logit_scale(self) -> float:
        """exp of the learned temperature, read from the weights without loading the model: logits = logit_scale × cosine."""
        from safetensors import safe_open

        with safe_open(self.clip_folder / "model.safetensors", framework="np") as weights:
            return math.exp(float(weights.get_tensor("logit_scale")))


_MODELS = (
    Model(
        key="emoji",
        title="Emoji World",
        description="A small CLIP trained from scratch on drawn scenes of emoji; bundled, needs no GPU and no network.",
        clip="models/emoji/clip",
        dim=512,
        licence="Apache-2.0",
    ),
)


def models() -> dict[str, Model]:
    """All entries by key, the default first."""
    return {model.key: model for model in _MODELS}


def get(key: str) -> Model:
    """The entry with that key.

    Raises
    ------
    InputError
        For an unknown key; the message lists the known ones.
    """
    known = models()
    if key not in known:
        raise InputError(f"There is no model {key!r}; choose one of: {', '.join(known)}.")
    return known[key]
