"""Stable Diffusion's safety checker: which drawings it withholds.

Separate because it is on or off by the operator's choice and sees finished pictures only, whatever drew them: an unCLIP has none of its own
and is given the one of the Stable Diffusion beside it.

Source: Rombach et al. 2022, the model card of Stable Diffusion 1; a CLIP that compares pictures with a list of concepts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch

PART = "safety_checker"


def has_checker(folder: Path) -> bool:
    """Whether the folder of a pipeline holds a safety checker."""
    return (folder / PART).is_dir()


class SafetyChecker:
    """The checker of a Stable Diffusion's folder, on a device; called with pictures, it gives them back with a grey one in place of each unsafe one."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype, variant: str | None = None):
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
        from transformers import CLIPImageProcessorPil

        self._model = StableDiffusionSafetyChecker.from_pretrained(folder / PART, local_files_only=True, use_safetensors=True, torch_dtype=dtype, variant=variant)
        self._model = self._model.to(device).eval().requires_grad_(False)
        self._prepare = CLIPImageProcessorPil.from_pretrained(folder / "feature_extractor", local_files_only=True)

    def __call__(self, pictures: list[Image.Image]) -> list[Image.Image]:
        seen = self._prepare(pictures, return_tensors="pt")["pixel_values"].to(self._model.device, self._model.dtype)
        _, unsafe = self._model(images=[np.zeros((1, 1, 3), np.float32) for _ in pictures], clip_input=seen)
        return [Image.new("RGB", picture.size, "grey") if found else picture for picture, found in zip(pictures, unsafe, strict=True)]
