"""The kinds of pipelines that draw, and what each is given: token states, points of the joint space, or both.

Source: Rombach et al. 2022 (Stable Diffusion); Ramesh et al. 2022 (unCLIP); Ye et al. 2023, "IP-Adapter"; Razzhigaev
et al. 2023, "Kandinsky".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

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
    """

    dim = 0

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
