"""A learned way across the modality gap: a diffusion that imagines, for a text, the embedding of a picture of it.

Source: Ramesh et al. 2022, "Hierarchical Text-Conditional Image Generation with CLIP Latents", §2.2; Razzhigaev et al.
2023, "Kandinsky".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.models.embedder import Embedder
from clipexplore.models.residents import one_at_a_time, or_damaged
from clipexplore.models.weights import variant_of
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    import torch
    from diffusers import KandinskyV22PriorPipeline

STEPS, GUIDANCE = 25, 4.0


class Prior:
    """A loaded prior of Kandinsky 2.2, with the text tower of its CLIP. One thread at a time may ask it."""

    def __init__(self, pipeline: KandinskyV22PriorPipeline, clean: Callable[[str], str]):
        self._pipeline, self._clean = pipeline, clean

    @classmethod
    @one_at_a_time("torch", "transformers", "diffusers")
    def load(cls, folder: Path, clip: Path, embedder: Embedder) -> Prior:
        """The prior of a folder as `KandinskyV22PriorPipeline` saves it, without its encoders: those of the CLIP stand
        in for them.

        Parameters
        ----------
        clip, embedder
            The CLIP it was trained with, its folder and the loaded model, on whose device it runs.

        Raises
        ------
        InputError
            For a folder that holds no such prior, is damaged, or was made for another CLIP.
        """
        from transformers import CLIPTokenizer

        tokenizer = CLIPTokenizer.from_pretrained(clip, local_files_only=True, model_max_length=embedder.max_tokens)
        given = {"tokenizer": tokenizer, "text_encoder": embedder.text_encoder()}
        given |= {"image_encoder": None, "image_processor": None}
        options = {"local_files_only": True, "use_safetensors": True, "variant": variant_of(folder)}
        with or_damaged(_("The prior in {folder} cannot be loaded: {error}; fetch it again."), folder=folder):
            pipeline = _pipeline().from_pretrained(folder, torch_dtype=embedder.dtype, **options, **given)
        if pipeline.prior.config.embedding_dim != embedder.dim:
            raise InputError(
                _(
                    "The prior in {folder} imagines points of {dim} dimensions, and those of the CLIP here have "
                    "{ours}; name the CLIP it was made for."
                ).format(folder=folder, dim=pipeline.prior.config.embedding_dim, ours=embedder.dim)
            )
        pipeline.set_progress_bar_config(disable=True)
        pipeline.prior.eval().requires_grad_(False)
        return cls(pipeline.to(embedder.device), embedder.family.clean)

    def imagine(self, texts: Sequence[str], seed: int = 0, step: Callable[[], object] = lambda: None) -> np.ndarray:
        """Embeddings `(n, dim)` of pictures, float32, unit norm, one for each text; each depends on its own text and
        the seed alone.

        Parameters
        ----------
        step
            Called after every step; whatever it raises ends the work.
        """
        import torch

        def told(pipeline: Any, number: int, t: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            step()
            return tensors

        rows = []
        with torch.inference_mode():
            for text in texts:  # one by one, as `encode_prompts`
                found = self._pipeline(
                    self._clean(text),
                    num_inference_steps=STEPS,
                    guidance_scale=GUIDANCE,
                    generator=torch.Generator().manual_seed(seed),
                    callback_on_step_end=told,
                )
                rows.append(found.image_embeds.float().cpu().numpy())
        return normalize(np.concatenate(rows))


@cache
def _pipeline() -> type[KandinskyV22PriorPipeline]:
    import torch
    from diffusers import KandinskyV22PriorPipeline

    class WithoutPictures(KandinskyV22PriorPipeline):
        """`KandinskyV22PriorPipeline` without a picture tower, which it needs only for what is not asked of it here."""

        def get_zero_embed(self, batch_size: int = 1, device: Any = None) -> torch.Tensor:
            return torch.zeros(batch_size, self.prior.config.embedding_dim, device=device)

    return WithoutPictures
