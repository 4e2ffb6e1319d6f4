"""The kinds of pipelines that draw, and what each is given: token states, points of the joint space, or both.

Source: Rombach et al. 2022 (Stable Diffusion); Ramesh et al. 2022 (unCLIP); Ye et al. 2023, "IP-Adapter"; Razzhigaev
et al. 2023, "Kandinsky".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clipexplore.draw.schedulers import OWN, SCHEDULERS
from clipexplore.errors import InputError
from clipexplore.language import _

if TYPE_CHECKING:
    import torch

Watch = Callable[[int, "torch.Tensor"], None]  # the number of a step, from 0, and the latents after it


class Classic:
    """A Stable Diffusion, conditioned on token states.

    Attributes
    ----------
    dim
        Dimensions of the points that it draws; 0 if it draws none.
    tokens, width
        The shape of the token states of a text; 0 if it reads none.
    side
        Width and height of a picture in pixels.
    schedulers
        Names of those that it can be drawn with.
    """

    dim = 0
    schedulers: tuple[str, ...] = SCHEDULERS

    def __init__(self, pipeline: Any):
        self._pipeline = pipeline
        self.side: int = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
        self.tokens: int = pipeline.tokenizer.model_max_length
        self.width: int = pipeline.text_encoder.config.hidden_size

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Token states `(n, tokens, width)` float32 of texts, each padded to the full length."""
        import torch

        with torch.inference_mode():  # one by one: the last bits of a text do not depend on its neighbours
            states = [
                self._pipeline.encode_prompt(text, self._pipeline.device, 1, False)[0].float().cpu().numpy()
                for text in texts
            ]
        return np.concatenate(states)

    def given(self, prompts: torch.Tensor, empty: torch.Tensor, points: torch.Tensor, guided: bool) -> dict[str, Any]:
        """What the pipeline is called with for conditions of `n` rows; a row of zeros is no point.

        Parameters
        ----------
        empty
            The token states of the empty text, `n` times.
        guided
            Whether both halves of guidance are computed.
        """
        return {"prompt_embeds": prompts, "negative_prompt_embeds": empty}

    def watched(self, watch: Watch) -> dict[str, Any]:
        """What the pipeline is called with so that `watch` is told of every step."""

        def told(pipeline: Any, step: int, t: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            watch(step, tensors["latents"])
            return tensors

        return {"callback_on_step_end": told}


class Unclip(Classic):
    """A Stable unCLIP, conditioned on token states and on a point."""

    def __init__(self, pipeline: Any):
        super().__init__(pipeline)
        self.dim: int = pipeline.image_normalizer.config.embedding_dim

    def given(self, prompts: torch.Tensor, empty: torch.Tensor, points: torch.Tensor, guided: bool) -> dict[str, Any]:
        return {**super().given(prompts, empty, points, guided), "image_embeds": points}

    def watched(self, watch: Watch) -> dict[str, Any]:
        return {"callback": lambda step, t, latents: watch(step, latents)}


class Adapted(Classic):
    """A Stable Diffusion with an IP-Adapter, whose layers of attention also see a point, as four tokens."""

    def __init__(self, pipeline: Any):
        super().__init__(pipeline)
        (projection,) = pipeline.unet.encoder_hid_proj.image_projection_layers
        self.dim: int = projection.image_embeds.in_features

    def given(self, prompts: torch.Tensor, empty: torch.Tensor, points: torch.Tensor, guided: bool) -> dict[str, Any]:
        import torch

        seen = points[:, None]  # (n, 1, dim): one picture for each
        halves = torch.cat([torch.zeros_like(seen), seen]) if guided else seen
        return {**super().given(prompts, empty, points, guided), "ip_adapter_image_embeds": [halves]}


class Kandinsky(Classic):
    """Kandinsky 2.2, conditioned on a point alone.

    Parameters
    ----------
    blank
        `(1, dim)` float32, what its CLIP sees in a picture of nothing: the half of guidance without a point.
    """

    tokens = width = 0
    schedulers = (OWN, "ddim")  # its pipeline steps as that of PLMS cannot

    def __init__(self, pipeline: Any, blank: np.ndarray):
        self._blank = blank
        self.side = pipeline.unet.config.sample_size * pipeline.movq_scale_factor
        self.dim = pipeline.unet.config.encoder_hid_dim

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        raise InputError(
            _(
                "This model draws points of the joint space only, and has no token states of a text; draw its "
                "embedding instead."
            )
        )

    def given(self, prompts: torch.Tensor, empty: torch.Tensor, points: torch.Tensor, guided: bool) -> dict[str, Any]:
        blank = points.new_tensor(self._blank).expand_as(points)
        return {"image_embeds": points, "negative_image_embeds": blank, "height": self.side, "width": self.side}
