"""Stable Diffusion's safety checker: which drawings it withholds.

Separate because it belongs to one family of models, is on or off by the operator's choice, and sees finished pictures only.

Source: Rombach et al. 2022, the model card of Stable Diffusion 1; a CLIP that compares pictures with a list of concepts.
"""

from __future__ import annotations

from PIL import Image


def checked(pipeline, pictures: list[Image.Image]) -> list[Image.Image]:
    """The pictures, with a grey one in place of each that the pipeline's checker finds unsafe; all of them where it has none."""
    checker = getattr(pipeline, "safety_checker", None)
    if checker is None:
        return pictures
    import numpy as np

    seen = pipeline.feature_extractor(pictures, return_tensors="pt")["pixel_values"].to(pipeline.device, pipeline.dtype)
    _, unsafe = checker(images=[np.zeros((1, 1, 3), np.float32) for _ in pictures], clip_input=seen)
    return [Image.new("RGB", picture.size, "grey") if found else picture for picture, found in zip(pictures, unsafe, strict=True)]
