"""The kinds of pipelines that draw: what each is given – token states, points of the joint space, or both – and how it
goes between latents and pictures.

Source: Rombach et al. 2022 (Stable Diffusion); Ramesh et al. 2022 (unCLIP); Ye et al. 2023, "IP-Adapter"; Razzhigaev
et al. 2023, "Kandinsky".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from clipexplore.draw.schedulers import OWN, SCHEDULERS
from clipexplore.errors import InputError
from clipexplore.images import open_picture
from clipexplore.language import _
from clipexplore.models.embedder import Embedder
from clipexplore.settings import settings
from clipexplore.store.collection import Collection
from clipexplore.store.shelves import WORLD

if TYPE_CHECKING:
    import torch

Watch = Callable[[int, "torch.Tensor"], None]  # the number of a step, from 0, and the latents after it
SAMPLE = 24  # pictures that a model's usual length is taken from


class Classic:
    """A Stable Diffusion, conditioned on token states; for the thread that owns the pipeline, in inference mode.

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
        self._pipeline, self._coder = pipeline, pipeline.vae
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

    def usual_norm(self, clip: Path | None) -> float:
        """The length of the embeddings that it was trained on: that which their CLIP, in this folder, gives pictures; 1
        where it draws no points.
        """
        return _usual_length(clip) if clip and self.dim else 1.0

    def noise(self, seed: int) -> torch.Tensor:
        """Where every picture of a seed starts, `(1, channels, height, width)`, the same on every device."""
        import torch

        config = self._pipeline.unet.config
        shape = (1, config.in_channels, config.sample_size, config.sample_size)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
        return noise.to(self._pipeline.device, self._pipeline.dtype)

    def decode(self, latents: torch.Tensor, numbers: Sequence[int] | None = None) -> list[Image.Image]:
        """The pictures of latents `(n, channels, height, width)`.

        A decoder in 16 bits may overflow, which would give black pictures: those are decoded again in 32.

        Parameters
        ----------
        numbers
            Of the pictures in the drawing that they are part of, from 0; by default they are all of it.

        Raises
        ------
        InputError
            If a picture is no number even so; says which.
        """
        pixels = self._decoded(latents)
        overflown = ~pixels.isfinite().flatten(1).all(1)  # (n,)
        if overflown.any():
            pixels[overflown] = self._decoded_wide(latents[overflown])
        if (lost := ~pixels.isfinite().flatten(1).all(1)).any():
            first = (numbers or range(len(latents)))[int(lost.nonzero()[0])]
            raise InputError(
                _(
                    "Picture {number} came out as no number, in {dtype}: what was asked for is out of this model's "
                    "range; lower the guidance, or take another seed."
                ).format(number=first + 1, dtype=str(latents.dtype).removeprefix("torch."))
            )
        return _pictures((pixels / 2 + 0.5).permute(0, 2, 3, 1).cpu().numpy())

    def _decoded(self, latents: torch.Tensor) -> torch.Tensor:
        """Pixels `(n, 3, height, width)` in [−1, 1], float32."""
        return self._coder.decode(latents / self._coder.config.scaling_factor).sample.float()

    def _decoded_wide(self, latents: torch.Tensor) -> torch.Tensor:
        """The same, computed in float32."""
        import torch

        vae, dtype = self._coder, self._coder.dtype
        try:
            vae.to(dtype=torch.float32)
            return self._decoded(latents.float())
        finally:
            vae.to(dtype=dtype)

    def decode_in_pieces(self, of_one: bool) -> None:
        """From now on decodes one picture after the other; if one alone is too much (`of_one`), each in quarters."""
        vae = self._coder
        vae.enable_slicing()
        if of_one:
            vae.tile_latent_min_size = self._pipeline.unet.config.sample_size // 2
            vae.tile_sample_min_size = vae.tile_latent_min_size * self._pixels_of_latent
            vae.enable_tiling()

    def preview(self, latents: torch.Tensor) -> Image.Image:
        """The first of some latents, a pixel each: a linear map instead of the decoder, a thousand times cheaper."""
        values = latents[0].float().permute(1, 2, 0).cpu().numpy()
        return _pictures(np.nan_to_num(values @ self._colours[:-1] + self._colours[-1])[None])[0]

    @property
    def _pixels_of_latent(self) -> int:
        return 2 ** (len(self._coder.config.block_out_channels) - 1)

    def _encoded(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._coder.encode(pixels).latent_dist.mean * self._coder.config.scaling_factor

    @cached_property
    def _colours(self) -> np.ndarray:
        """The linear map from a latent to its colour `(channels + 1, 3)`, fitted on an encoded chart of patches."""
        import torch

        pipe, factor = self._pipeline, self._pixels_of_latent
        colours = np.random.default_rng(0).random((8, 8, 3), np.float32)  # each patch is two latents wide
        chart = torch.from_numpy(colours.repeat(2 * factor, 0).repeat(2 * factor, 1)).permute(2, 0, 1)[None] * 2 - 1
        encoded = self._encoded(chart.to(pipe.device, pipe.dtype))
        known = encoded[0].float().permute(1, 2, 0).cpu().numpy().reshape(-1, encoded.shape[1])
        known, seen = np.pad(known, ((0, 0), (0, 1)), constant_values=1), colours.repeat(2, 0).repeat(2, 1)
        return np.linalg.lstsq(known, seen.reshape(-1, 3), rcond=None)[0]


class Unclip(Classic):
    """A Stable unCLIP, conditioned on token states and on a point."""

    def __init__(self, pipeline: Any):
        super().__init__(pipeline)
        self.dim: int = pipeline.image_normalizer.config.embedding_dim

    def given(self, prompts: torch.Tensor, empty: torch.Tensor, points: torch.Tensor, guided: bool) -> dict[str, Any]:
        return {**super().given(prompts, empty, points, guided), "image_embeds": points}

    def watched(self, watch: Watch) -> dict[str, Any]:
        return {"callback": lambda step, t, latents: watch(step, latents)}

    def usual_norm(self, clip: Path | None) -> float:
        """√(Σ mean² + std²) of its normaliser."""
        normalizer = self._pipeline.image_normalizer
        return float((normalizer.mean.float() ** 2 + normalizer.std.float() ** 2).sum().sqrt())


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
        self._pipeline, self._coder = pipeline, pipeline.movq
        self._blank, self._singly = blank, False
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

    def _decoded(self, latents: torch.Tensor) -> torch.Tensor:
        import torch

        parts = latents.split(1) if self._singly else (latents,)  # drawn without being quantised
        return torch.cat([self._coder.decode(part, force_not_quantize=True).sample.float() for part in parts])

    def decode_in_pieces(self, of_one: bool) -> None:
        self._singly = True  # a picture cannot be cut here

    def _encoded(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._coder.encode(pixels).latents


def decoder_of(pipeline: Any, clip: Path | None) -> Classic:
    """What a loaded pipeline draws from, and how it is given that.

    Raises
    ------
    InputError
        For one that draws points of another CLIP, as far as their dimensions tell, or without one.
    """
    if hasattr(pipeline, "image_noising_scheduler"):
        return Unclip(pipeline)
    if not hasattr(pipeline, "movq") and pipeline.unet.encoder_hid_proj is None:
        return Classic(pipeline)
    blank = Embedder.resident(clip).project_blank() if clip else np.zeros((1, 0), np.float32)
    found = Kandinsky(pipeline, blank) if hasattr(pipeline, "movq") else Adapted(pipeline)
    if found.dim != blank.shape[1]:
        raise InputError(
            _(
                "This model draws points of {dim} dimensions, and those of the CLIP here have {ours}; name the CLIP it "
                "was made for."
            ).format(dim=found.dim, ours=blank.shape[1])
        )
    return found


def _usual_length(clip: Path) -> float:
    """How long the embeddings of pictures are before they are normalised, to two digits, which every device finds: the
    mean of some drawings of the bundled world.
    """
    world = Collection.open(settings().assets / "collections" / WORLD)
    pictures = [open_picture(world.picture(id)) for id in world.ids[:: max(1, len(world) // SAMPLE)][:SAMPLE]]
    lengths = np.linalg.norm(Embedder.resident(clip).project_images(pictures), axis=1)
    return float(f"{lengths.mean():.1e}")


def _pictures(values: np.ndarray) -> list[Image.Image]:
    """Pictures of values `(n, height, width, 3)`, black 0, white 1."""
    return [Image.fromarray(each) for each in np.rint(values.clip(0, 1) * 255).astype(np.uint8)]
