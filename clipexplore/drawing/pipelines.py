"""Opening a `diffusers` folder: which class it is, where its encoders come from, on which device and in which numbers it runs.

Separate from `renderer` because a folder can be wrong in many ways, each of which is a sentence. Beside what `diffusers` writes, a folder may hold
`drawing.json` – the revision of the CLIP it was made for, the norm of the embeddings it was trained on, its usual steps and guidance – and
`gap.safetensors`, the mean picture minus the mean text embedding. Heavy imports are made when a pipeline is loaded.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.drawing.schedulers import own_scheduler
from clipexplore.embedder import WEIGHTS, revision_of
from clipexplore.errors import InputError
from clipexplore.models.devices import default_device, has_bfloat16
from clipexplore.models.residents import shared
from clipexplore.models.safety import SafetyChecker
from clipexplore.models.sharing import share_weights
from clipexplore.models.weights import variant_of

if TYPE_CHECKING:
    import torch
    from diffusers import StableDiffusionPipeline, StableUnCLIPImg2ImgPipeline

FACTS, GAP = "drawing.json", "gap.safetensors"
UNCLIP, CLASSIC = "StableUnCLIPImg2ImgPipeline", "StableDiffusionPipeline"
_ENDS = 1 << 20  # bytes at either end of a file of weights that tell it from others


def load_pipeline(
    folder: Path,
    clip: Path | None,
    device: str | None,
    dtype: torch.dtype | None,
    lora: Path | None = None,
) -> StableUnCLIPImg2ImgPipeline | StableDiffusionPipeline:
    """The pipeline of a folder, ready to draw: on its device, in its data type, with the scheduler that suits it best.

    Raises
    ------
    InputError
        As `Renderer.load`.
    """
    facts, kind = read_facts(folder), _kind(folder)
    _check_clip(folder, facts, clip)
    import torch

    device = torch.device(device) if device else default_device()
    dtype = dtype or _usual_dtype(device)
    try:
        pipeline = _load(folder, kind, clip, dtype)
    except (OSError, ValueError, RuntimeError, LookupError) as error:
        raise InputError(f"The model in {folder} cannot be loaded: {error}; fetch or train it again.") from error
    pipeline = _prepared(pipeline, device)
    if lora is not None:
        _take_few_steps(pipeline, lora)
    if clip is not None and (embedder := shared.find(("clip", clip))):
        share_weights(pipeline.text_encoder, embedder.text_model)
    return pipeline


def load_checker(folder: Path, pipeline: StableUnCLIPImg2ImgPipeline | StableDiffusionPipeline) -> SafetyChecker:
    """The safety checker of a folder, where the pipeline is and in its numbers.

    Raises
    ------
    InputError
        If the folder has none, or it is damaged.
    """
    try:
        return SafetyChecker(folder, pipeline.device, pipeline.dtype, variant_of(folder))
    except (OSError, ValueError, RuntimeError, LookupError) as error:
        raise InputError(f"The safety checker in {folder} cannot be loaded: {error}; fetch the model again.") from error


def usual_norm(pipeline: StableUnCLIPImg2ImgPipeline | StableDiffusionPipeline) -> float:
    """The length of the embeddings that an unCLIP was trained on, by what its normaliser has counted: √(Σ mean² + std²); 1 for others."""
    normalizer = getattr(pipeline, "image_normalizer", None)
    return (
        1.0 if normalizer is None else float((normalizer.mean.float() ** 2 + normalizer.std.float() ** 2).sum().sqrt())
    )


def _take_few_steps(pipeline: StableDiffusionPipeline, lora: Path) -> None:
    """Adds a latent consistency LoRA to the weights and samples as it was trained to (Luo et al. 2023, "LCM-LoRA").

    Raises
    ------
    InputError
        Without the package peft, and for a LoRA of another model.
    """
    import importlib.util

    if importlib.util.find_spec("peft") is None:
        raise InputError("Drawing in few steps needs the package peft; install it with: pip install peft")
    try:
        pipeline.load_lora_weights(lora, weight_name="pytorch_lora_weights.safetensors", local_files_only=True)
        pipeline.fuse_lora()
        pipeline.unload_lora_weights()
    except (OSError, ValueError, RuntimeError, LookupError) as error:
        raise InputError(
            f"The LoRA in {lora} cannot be used with this model: {str(error).splitlines()[0]}; fetch it again."
        ) from error
    pipeline.scheduler = own_scheduler(pipeline.scheduler.config, few_steps=True)


def read_facts(folder: Path) -> dict:
    """What `drawing.json` says; nothing where there is none, as in folders of others."""
    path = folder / FACTS
    try:
        return json.loads(path.read_bytes()) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}; fetch or train the model again.") from error


def usual_settings(folder: Path, few_steps: bool = False) -> dict[str, float]:
    """The `num_inference_steps` and `guidance_scale` that a pipeline is best used with."""
    if few_steps:
        return {"num_inference_steps": 4, "guidance_scale": 1.0}
    facts = read_facts(folder)
    return {"num_inference_steps": int(facts.get("num_inference_steps", 15)), "guidance_scale": float(facts.get("guidance_scale", 7.5))}


def read_gap(folder: Path) -> np.ndarray | None:
    """The mean picture minus the mean text embedding `(dim,)` float32 of unit vectors; None where the folder does not hold it."""
    if not (folder / GAP).is_file():
        return None
    from safetensors.numpy import load_file

    return load_file(folder / GAP)["gap"].astype(np.float32)


def revision(folder: Path, *more: object) -> str:
    """12 hex digits of what the files of a folder hold and `more`; of weights their size and both ends, which differ between any two trainings."""
    digest = hashlib.blake2b(repr(more).encode(), digest_size=6)
    for path in sorted(folder.rglob("*.json")) + sorted(folder.rglob("*.safetensors")):
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size} ".encode())
        with open(path, "rb") as file:
            digest.update(file.read(_ENDS))
            file.seek(max(0, path.stat().st_size - _ENDS))
            digest.update(file.read())
    return digest.hexdigest()


def _kind(folder: Path) -> str:
    try:
        kind = json.loads((folder / "model_index.json").read_bytes())["_class_name"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"There is no drawing model in {folder}: its model_index.json is missing or damaged; fetch or train one first."
        ) from error
    if kind not in (UNCLIP, CLASSIC):
        raise InputError(
            f"The model in {folder} is a {kind}, and only {UNCLIP} and {CLASSIC} can draw here; choose another folder."
        )
    return kind


def _check_clip(folder: Path, facts: dict, clip: Path | None) -> None:
    """A decoder draws the vectors of one CLIP; those of another are noise to it."""
    wanted = facts.get("clip")
    if wanted is None:
        return
    found = revision_of(clip / WEIGHTS) if clip and (clip / WEIGHTS).is_file() else None
    if found != wanted:
        raise InputError(
            f"The model in {folder} draws the vectors of CLIP {wanted}, and the CLIP here is {found}; train it again on this one."
        )


def _usual_dtype(device: torch.device) -> torch.dtype:
    """float16 on accelerators; on CPUs bfloat16 where they compute in it, which halves the time."""
    import torch

    if device.type != "cpu":
        return torch.float16
    return torch.bfloat16 if has_bfloat16() else torch.float32


def _load(
    folder: Path, kind: str, clip: Path | None, dtype: torch.dtype
) -> StableUnCLIPImg2ImgPipeline | StableDiffusionPipeline:
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import logging as diffusers_logging

    diffusers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()  # it warns of what is chosen here: data types, no checker
    given = _encoders(folder, kind, clip, dtype)
    if kind == CLASSIC:  # `models.safety` checks, for every pipeline, where the operator wants it
        given |= {"safety_checker": None, "requires_safety_checker": False}
    cls = _unclip() if kind == UNCLIP else StableDiffusionPipeline
    return cls.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, torch_dtype=dtype, variant=variant_of(folder), **given
    )


def _encoders(folder: Path, kind: str, clip: Path | None, dtype: torch.dtype) -> dict[str, object]:
    """The parts the folder leaves out because they are those of the CLIP."""
    parts = ["tokenizer", "text_encoder"] + ["image_encoder", "feature_extractor"] * (kind == UNCLIP)
    missing = [part for part in parts if not (folder / part).is_dir()]
    if not missing:
        return {}
    if clip is None:
        raise InputError(f"The model in {folder} holds no {' and no '.join(missing)}; name the CLIP it was made for.")
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer, CLIPVisionModelWithProjection
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    model = CLIPModel.from_pretrained(clip, local_files_only=True, use_safetensors=True, dtype=dtype).eval()
    vision = CLIPVisionModelWithProjection(model.config.vision_config).to(dtype).eval()
    vision.vision_model, vision.visual_projection = (
        model.vision_model,
        model.visual_projection,
    )  # one copy of everything
    whole = {
        "tokenizer": CLIPTokenizer.from_pretrained(clip, local_files_only=True), "text_encoder": model.text_model,
        "image_encoder": vision, "feature_extractor": CLIPImageProcessorPil.from_pretrained(clip, local_files_only=True),
    }  # fmt: skip
    return {part: whole[part] for part in missing}


@cache
def _unclip() -> type[StableUnCLIPImg2ImgPipeline]:
    from diffusers import StableUnCLIPImg2ImgPipeline

    class UnCLIP(StableUnCLIPImg2ImgPipeline):
        """`StableUnCLIPImg2ImgPipeline` that can also do without an embedding: a row of zeros stays zeros, as training leaves one out, and
        as the pipeline itself does for the unconditional half of guidance."""

        def noise_image_embeddings(self, image_embeds, *args, **kwargs):
            given = (image_embeds != 0).any(1, keepdim=True)
            return super().noise_image_embeddings(image_embeds, *args, **kwargs) * given

    return UnCLIP


def _prepared(
    pipeline: StableUnCLIPImg2ImgPipeline | StableDiffusionPipeline, device: torch.device
) -> StableUnCLIPImg2ImgPipeline | StableDiffusionPipeline:
    import torch

    pipeline.scheduler = own_scheduler(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    torch.backends.cudnn.deterministic = True  # of its ways to convolve only those that give the same bits each time
    # Of CPUs only those with AMX gain by channels last; measured without, it costs a tenth.
    order = (
        torch.channels_last
        if device.type != "cpu" or getattr(torch.cpu, "_is_amx_tile_supported", bool)()
        else torch.contiguous_format
    )
    for part in (pipeline.unet, pipeline.vae):
        part.eval().requires_grad_(False).to(memory_format=order)
    return pipeline.to(device)
