"""Opening a `diffusers` folder: its class, where its encoders come from, on which device and in which numbers it runs;
and the safety checker that may lie in it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image

from clipexplore.draw.decoders import Adapted
from clipexplore.draw.folders import CHECKER, CLASSIC, KANDINSKY, UNCLIP, check_clip, class_of, read_facts
from clipexplore.draw.schedulers import own_scheduler
from clipexplore.errors import InputError, MissingError
from clipexplore.language import _
from clipexplore.models.cpu import has_amx, has_bfloat16
from clipexplore.models.devices import default_device
from clipexplore.models.residents import or_damaged, residents
from clipexplore.models.weights import ADAPTER, variant_of

if TYPE_CHECKING:
    import torch
    from diffusers import KandinskyV22Pipeline, StableDiffusionPipeline, StableUnCLIPImg2ImgPipeline

    Pipeline: TypeAlias = StableUnCLIPImg2ImgPipeline | StableDiffusionPipeline | KandinskyV22Pipeline

WITHHELD = "withheld"  # among what a picture says of itself


def load_pipeline(
    folder: Path,
    clip: Path | None,
    device: str | None,
    dtype: torch.dtype | None,
    lora: Path | None = None,
    adapter: Path | None = None,
) -> Pipeline:
    """The pipeline of a folder, ready to draw: on its device, in its data type, with the scheduler that suits it best.

    Raises
    ------
    InputError
        As `Renderer.load`.
    """
    facts, kind = read_facts(folder), class_of(folder)
    check_clip(folder, facts, clip)
    import torch

    device = torch.device(device) if device else default_device()
    dtype = dtype or _usual_dtype(device)
    with or_damaged(_("The model in {folder} cannot be loaded: {error}; fetch or train it again."), folder=folder):
        pipeline = _load(folder, kind, clip, dtype)
    if adapter is not None:
        _add_adapter(pipeline, adapter)
    pipeline = _prepared(pipeline, device)
    if lora is not None:
        _take_few_steps(pipeline, lora)
    if clip is not None and kind != KANDINSKY and (embedder := residents.find(("clip", clip))):
        share_weights(pipeline.text_encoder, embedder.text_model)
    return pipeline


def load_checker(folder: Path, pipeline: Pipeline) -> SafetyChecker:
    """The safety checker of a folder, where the pipeline is and in its numbers.

    Raises
    ------
    InputError
        If the folder has none, or it is damaged.
    """
    says = _("The safety checker in {folder} cannot be loaded: {error}; fetch the model again.")
    with or_damaged(says, folder=folder):
        return SafetyChecker(folder, pipeline.device, pipeline.dtype, variant_of(folder))


def _add_adapter(pipeline: StableDiffusionPipeline, adapter: Path) -> None:
    """Lets a Stable Diffusion see points of a CLIP beside its text.

    Raises
    ------
    DamagedError
        For files that are no IP-Adapter, or of another kind or size.
    """
    folder, _slash, name = ADAPTER.rpartition("/")
    says = _("The IP-Adapter in {folder} cannot be used with this model: {error}; fetch it again.")
    with or_damaged(says, folder=adapter):
        pipeline.load_ip_adapter(
            adapter, subfolder=folder, weight_name=name, image_encoder_folder=None, local_files_only=True
        )
        Adapted(pipeline)


def _take_few_steps(pipeline: StableDiffusionPipeline, lora: Path) -> None:
    """Adds a latent consistency LoRA to the weights and samples as it was trained to (Luo et al. 2023, "LCM-LoRA").

    Raises
    ------
    InputError
        Without the package peft, and for a LoRA of another model.
    """
    import importlib.util

    if importlib.util.find_spec("peft") is None:
        raise MissingError(_("Drawing in few steps needs the package peft; install it with: pip install peft"))
    with or_damaged(_("The LoRA in {lora} cannot be used with this model: {error}; fetch it again."), lora=lora):
        pipeline.load_lora_weights(lora, weight_name="pytorch_lora_weights.safetensors", local_files_only=True)
        pipeline.fuse_lora()
        pipeline.unload_lora_weights()
    pipeline.scheduler = own_scheduler(pipeline.scheduler.config, few_steps=True)


def _usual_dtype(device: torch.device) -> torch.dtype:
    """float16 on accelerators; on CPUs bfloat16 where they compute in it, which halves the time."""
    import torch

    if device.type != "cpu":
        return torch.float16
    return torch.bfloat16 if has_bfloat16() else torch.float32


def _load(folder: Path, kind: str, clip: Path | None, dtype: torch.dtype) -> Pipeline:
    from diffusers.utils import logging as diffusers_logging

    diffusers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()  # it warns of what is chosen here: data types, no checker
    given = _encoders(folder, kind, clip, dtype)
    if kind == CLASSIC:  # `SafetyChecker` checks, whatever draws, where it is wanted
        given |= {"safety_checker": None, "requires_safety_checker": False}
    made: dict[str, Callable[[], type[Pipeline]]] = {UNCLIP: _unclip, CLASSIC: _diffusion, KANDINSKY: _kandinsky}
    cls = made[kind]()
    return cls.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, torch_dtype=dtype, variant=variant_of(folder), **given
    )


def _encoders(folder: Path, kind: str, clip: Path | None, dtype: torch.dtype) -> dict[str, object]:
    """The parts the folder leaves out because they are those of the CLIP."""
    if kind == KANDINSKY:
        return {}  # it is given what its CLIP has seen
    parts = ["tokenizer", "text_encoder"] + ["image_encoder", "feature_extractor"] * (kind == UNCLIP)
    missing = [part for part in parts if not (folder / part).is_dir()]
    if not missing:
        return {}
    if clip is None:
        raise InputError(
            _("The model in {folder} holds no {parts}; name the CLIP it was made for.").format(
                folder=folder, parts=" and no ".join(missing)
            )
        )
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer, CLIPVisionModelWithProjection
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    model = CLIPModel.from_pretrained(clip, local_files_only=True, use_safetensors=True, dtype=dtype).eval()
    vision = CLIPVisionModelWithProjection(model.config.vision_config).to(dtype).eval()
    # one copy of everything
    vision.vision_model, vision.visual_projection = (model.vision_model, model.visual_projection)
    whole = {
        "tokenizer": CLIPTokenizer.from_pretrained(clip, local_files_only=True),
        "text_encoder": model.text_model,
        "image_encoder": vision,
        "feature_extractor": CLIPImageProcessorPil.from_pretrained(clip, local_files_only=True),
    }
    return {part: whole[part] for part in missing}


@cache
def _unclip() -> type[StableUnCLIPImg2ImgPipeline]:
    from diffusers import StableUnCLIPImg2ImgPipeline

    class UnCLIP(StableUnCLIPImg2ImgPipeline):
        """`StableUnCLIPImg2ImgPipeline` that can also do without an embedding: a row of zeros stays zeros.

        Training leaves an embedding out so, and the pipeline itself does for the unconditional half of guidance.
        """

        def noise_image_embeddings(self, image_embeds: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            given = (image_embeds != 0).any(1, keepdim=True)
            return super().noise_image_embeddings(image_embeds, *args, **kwargs) * given

    return UnCLIP


def _kandinsky() -> type[KandinskyV22Pipeline]:
    from diffusers import KandinskyV22Pipeline

    return KandinskyV22Pipeline


@cache
def _diffusion() -> type[StableDiffusionPipeline]:
    from diffusers import StableDiffusionPipeline

    class Diffusion(StableDiffusionPipeline):
        """`StableDiffusionPipeline` of which an IP-Adapter gives each picture of a batch a point of its own; it would
        let every picture see all of them.
        """

        def prepare_ip_adapter_image_embeds(self, images: Any, embeds: Any, *args: Any) -> Any:
            return embeds

    return Diffusion


def _prepared(pipeline: Pipeline, device: torch.device) -> Pipeline:
    import torch

    pipeline.scheduler = own_scheduler(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    torch.backends.cudnn.deterministic = True  # of its ways to convolve only those that give the same bits each time
    # Of CPUs only those with AMX gain by channels last; measured without, it costs a tenth.
    order = torch.channels_last if device.type != "cpu" or has_amx() else torch.contiguous_format
    for part in (pipeline.unet, pipeline.movq if hasattr(pipeline, "movq") else pipeline.vae):
        part.eval().requires_grad_(False).to(memory_format=order)
    return pipeline.to(device)


def share_weights(module: torch.nn.Module, owner: torch.nn.Module) -> int:
    """Lets `module` compute with each tensor of `owner` that equals its own of that name; returns the bytes saved.

    The text tower of CLIP ViT-L/14 is the text encoder of Stable Diffusion 1. Tensors are compared one by one, since
    one repository may hold 32 bits and the other 16, and what was rounded twice on its way to bfloat16 differs in
    places; a tensor that differs stays.
    """
    import torch

    theirs, saved = dict(owner.named_parameters()), 0
    for name, tensor in module.named_parameters():
        other = theirs.get(name)
        if (
            other is not None
            and (tensor.shape, tensor.dtype, tensor.device) == (other.shape, other.dtype, other.device)
            and torch.equal(tensor, other)
        ):
            tensor.data = other.data
            saved += tensor.nbytes
    return saved


class SafetyChecker:
    """The safety checker of a Stable Diffusion's folder, on a device.

    An unCLIP has none and takes that of the Stable Diffusion beside it.

    Called with pictures, it returns them with a grey one in place of each that it finds unsafe.

    Source: Rombach et al. 2022, the model card of Stable Diffusion 1; a CLIP that compares pictures with a list of
    concepts.
    """

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype, variant: str | None = None):
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
        from transformers import CLIPImageProcessorPil

        self._model = StableDiffusionSafetyChecker.from_pretrained(
            folder / CHECKER, local_files_only=True, use_safetensors=True, torch_dtype=dtype, variant=variant
        )
        self._model = self._model.to(device).eval().requires_grad_(False)
        self._prepare = CLIPImageProcessorPil.from_pretrained(folder / "feature_extractor", local_files_only=True)

    def __call__(self, pictures: list[Image.Image]) -> list[Image.Image]:
        seen = self._prepare(pictures, return_tensors="pt")["pixel_values"].to(self._model.device, self._model.dtype)
        _, unsafe = self._model(images=[np.zeros((1, 1, 3), np.float32) for _ in pictures], clip_input=seen)
        return [_withheld(picture) if bad else picture for picture, bad in zip(pictures, unsafe, strict=True)]


def _withheld(picture: Image.Image) -> Image.Image:
    """A grey picture in place of one, which says so of itself."""
    grey = Image.new("RGB", picture.size, "grey")
    grey.info[WITHHELD] = True
    return grey
