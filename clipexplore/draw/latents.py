"""Between latents and pictures: where a drawing starts, what it looks like meanwhile, and how it is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.language import _

if TYPE_CHECKING:
    import torch


class Latents:
    """The latents of one loaded pipeline, for the thread that owns it; called in inference mode."""

    def __init__(self, pipeline: Any):
        self._pipeline = pipeline
        self._quantizes = hasattr(pipeline, "movq")  # Kandinsky's autoencoder, whose latents are drawn without that
        self._coder = pipeline.movq if self._quantizes else pipeline.vae
        self._factor = 2 ** (len(self._coder.config.block_out_channels) - 1)  # pixels of a latent
        self._singly = False

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
        import torch

        if not self._quantizes:
            return self._coder.decode(latents / self._coder.config.scaling_factor).sample.float()
        parts = latents.split(1) if self._singly else (latents,)
        return torch.cat([self._coder.decode(part, force_not_quantize=True).sample.float() for part in parts])

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
        if self._quantizes:  # it cannot be cut into pieces
            self._singly = True
            return
        vae.enable_slicing()
        if of_one:
            vae.tile_latent_min_size = self._pipeline.unet.config.sample_size // 2
            vae.tile_sample_min_size = vae.tile_latent_min_size * self._factor
            vae.enable_tiling()

    def preview(self, latents: torch.Tensor) -> Image.Image:
        """The first of some latents, a pixel each: a linear map instead of the decoder, a thousand times cheaper."""
        values = latents[0].float().permute(1, 2, 0).cpu().numpy()
        return _pictures(np.nan_to_num(values @ self._colours[:-1] + self._colours[-1])[None])[0]

    def _encoded(self, pixels: torch.Tensor) -> torch.Tensor:
        if self._quantizes:
            return self._coder.encode(pixels).latents
        return self._coder.encode(pixels).latent_dist.mean * self._coder.config.scaling_factor

    @cached_property
    def _colours(self) -> np.ndarray:
        """The linear map from a latent to its colour `(channels + 1, 3)`, fitted on an encoded chart of patches."""
        import torch

        pipe, factor = self._pipeline, self._factor
        colours = np.random.default_rng(0).random((8, 8, 3), np.float32)  # each patch is two latents wide
        chart = torch.from_numpy(colours.repeat(2 * factor, 0).repeat(2 * factor, 1)).permute(2, 0, 1)[None] * 2 - 1
        encoded = self._encoded(chart.to(pipe.device, pipe.dtype))
        known = encoded[0].float().permute(1, 2, 0).cpu().numpy().reshape(-1, encoded.shape[1])
        known, seen = np.pad(known, ((0, 0), (0, 1)), constant_values=1), colours.repeat(2, 0).repeat(2, 1)
        return np.linalg.lstsq(known, seen.reshape(-1, 3), rcond=None)[0]


def _pictures(values: np.ndarray) -> list[Image.Image]:
    """Pictures of values `(n, height, width, 3)`, black 0, white 1."""
    return [Image.fromarray(each) for each in np.rint(values.clip(0, 1) * 255).astype(np.uint8)]
