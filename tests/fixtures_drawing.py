"""Small drawing models with random weights, saved as real folders in exactly the classes `diffusers` has."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fixtures_models import build_tiny_clip

DIM, WIDTH, SIDE = 24, 32, 32  # of the tiny CLIP: its joint space and its text tower; pixels of a picture
LATENT = {"block_out_channels": (8, 16, 16), "layers_per_block": 1, "norm_num_groups": 4}


@pytest.fixture(scope="session")
def tiny_unclip(tmp_path_factory, tiny_clip) -> Path:
    """A `StableUnCLIPImg2ImgPipeline` for `tiny_clip`, whose encoders it leaves out; not to be written to."""
    return build_tiny_unclip(tmp_path_factory.mktemp("models") / "tiny-unclip", tiny_clip)


@pytest.fixture(scope="session")
def tiny_diffusion(tmp_path_factory, tiny_clip) -> Path:
    """A classic `StableDiffusionPipeline` with a text encoder of its own; not to be written to."""
    return build_tiny_diffusion(tmp_path_factory.mktemp("models") / "tiny-diffusion", tiny_clip)


@pytest.fixture(scope="session")
def unclip(tiny_unclip, tiny_clip):
    """The loaded `tiny_unclip`, in float32."""
    import torch

    from clipexplore.draw.renderer import Renderer

    return Renderer.load(tiny_unclip, tiny_clip, device="cpu", dtype=torch.float32)


@pytest.fixture(scope="session")
def classic(tiny_diffusion):
    """The loaded `tiny_diffusion`, in float32."""
    import torch

    from clipexplore.draw.renderer import Renderer

    return Renderer.load(tiny_diffusion, device="cpu", dtype=torch.float32)


@pytest.fixture(scope="session")
def adapter(tiny_diffusion, tmp_path_factory) -> Path:
    """The folder of an IP-Adapter for `tiny_diffusion`."""
    return write_adapter(tmp_path_factory.mktemp("models") / "ip", tiny_diffusion)


@pytest.fixture(scope="session")
def adapted(tiny_diffusion, tiny_clip, adapter):
    """The loaded `tiny_diffusion` with `adapter`, in float32."""
    import torch

    from clipexplore.draw.renderer import Renderer

    return Renderer.load(tiny_diffusion, tiny_clip, device="cpu", dtype=torch.float32, adapter=adapter)


@pytest.fixture(scope="session")
def wide_clip(tmp_path_factory) -> Path:
    """A CLIP whose space is as wide as its text tower, as in ViT-bigG."""
    return build_tiny_clip(tmp_path_factory.mktemp("models") / "clip", dim=WIDTH)


@pytest.fixture(scope="session")
def tiny_kandinsky(tmp_path_factory) -> Path:
    """A `KandinskyV22Pipeline` for `wide_clip`."""
    return build_tiny_kandinsky(tmp_path_factory.mktemp("models") / "kandinsky", WIDTH)


@pytest.fixture(scope="session")
def kandinsky(tiny_kandinsky, wide_clip):
    """The loaded `tiny_kandinsky`, in float32."""
    import torch

    from clipexplore.draw.renderer import Renderer

    return Renderer.load(tiny_kandinsky, wide_clip, device="cpu", dtype=torch.float32)


def build_tiny_unclip(folder: Path, clip: Path) -> Path:
    from diffusers import DDPMScheduler, StableUnCLIPImg2ImgPipeline
    from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
    from safetensors.numpy import save_file

    from clipexplore.models.revisions import WEIGHTS, revision_of

    unet, vae, scheduler = _parts({"class_embed_type": "projection", "projection_class_embeddings_input_dim": 2 * DIM})
    parts = {"unet": unet, "vae": vae, "scheduler": scheduler, "image_normalizer": StableUnCLIPImageNormalizer(DIM)}
    parts["image_noising_scheduler"] = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    StableUnCLIPImg2ImgPipeline(
        **parts, tokenizer=None, text_encoder=None, image_encoder=None, feature_extractor=None
    ).save_pretrained(folder)
    facts = {"clip": revision_of(clip / WEIGHTS), "norm": DIM**0.5, "num_inference_steps": 4, "guidance_scale": 3.0}
    (folder / "drawing.json").write_text(json.dumps(facts))
    save_file({"gap": np.linspace(-0.2, 0.2, DIM, dtype=np.float32)}, folder / "gap.safetensors")
    return folder


def build_tiny_emoji_unclip(folder: Path, clip: Path) -> Path:
    """A small one for the bundled CLIP, whose vectors and token states it takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "DIM", 512)
        patch.setitem(globals(), "WIDTH", 256)
        return build_tiny_unclip(folder, clip)


def build_drawing_assets(folder: Path, shipped: Path) -> Path:
    """What is shipped, by links, and a small drawing model for its CLIP."""
    (folder / "models/emoji").mkdir(parents=True)
    for path in [*(path for path in shipped.iterdir() if path.name != "models"), shipped / "models/emoji/clip"]:
        (folder / path.relative_to(shipped)).symlink_to(path)
    build_tiny_emoji_unclip(folder / "models/emoji/unclip", shipped / "models/emoji/clip")
    return folder


@pytest.fixture
def drawing_assets(tmp_path, monkeypatch) -> Path:
    """The assets, with a small drawing model for the bundled CLIP among them, in use."""
    import streamlit as st

    from clipexplore.models.residents import residents
    from clipexplore.settings import settings

    build = partial(build_drawing_assets, tmp_path, settings().assets)
    # in turn with what a test before may still be loading: diffusers loads by changing how all modules are made
    residents.get(tmp_path, build)
    residents.drop(tmp_path)
    monkeypatch.setenv("CLIPEXPLORE_ASSETS", str(tmp_path))
    monkeypatch.setenv("CLIPEXPLORE_ASK_SECONDS", "1000000")  # a drawing begins, however busy the machine is
    settings.cache_clear()
    st.cache_resource.clear()
    yield tmp_path
    monkeypatch.undo()
    settings.cache_clear()
    st.cache_resource.clear()


def build_tiny_diffusion(folder: Path, clip: Path) -> Path:
    from diffusers import PNDMScheduler, StableDiffusionPipeline
    from transformers import CLIPModel, CLIPTokenizer

    unet, vae, _ = _parts({})
    text = {
        "text_encoder": CLIPModel.from_pretrained(clip).text_model,
        "tokenizer": CLIPTokenizer.from_pretrained(clip),
    }
    pipeline = StableDiffusionPipeline(
        unet=unet,
        vae=vae,
        scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1, beta_schedule="scaled_linear"),
        **text,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)
    return folder


def add_checker(diffusion: Path, folder: Path, threshold: float) -> Path:
    """A copy with a safety checker that withholds what is nearer to anything than the threshold: −2 finds everything, 2
    nothing; returns the folder.
    """
    import torch
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessorPil

    shutil.copytree(diffusion, folder)
    tower = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    checker = StableDiffusionSafetyChecker(
        CLIPConfig(vision_config={**tower, "image_size": 32, "patch_size": 16}, text_config=tower, projection_dim=8)
    )
    with torch.no_grad():
        checker.concept_embeds_weights.fill_(threshold)
        checker.special_care_embeds_weights.fill_(2.0)
    checker.save_pretrained(folder / "safety_checker")
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(
        folder / "feature_extractor"
    )
    index = json.loads((folder / "model_index.json").read_text())
    index |= {
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "feature_extractor": ["transformers", "CLIPImageProcessorPil"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def write_lora(folder: Path, diffusion: Path) -> Path:
    """A random LoRA for its U-Net, as repositories hold them; returns the folder."""
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    unet = StableDiffusionPipeline.from_pretrained(diffusion).unet
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(unet))
    return folder


def _parts(conditioned: dict):
    import torch
    from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DConditionModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=SIDE // 4,
        in_channels=4,
        out_channels=4,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=2,
        **conditioned,
    )
    vae = AutoencoderKL(
        latent_channels=4,
        sample_size=SIDE,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        **LATENT,
    )
    with (
        torch.no_grad()
    ):  # as initialised, every condition gives nearly the same grey: make the tests look at something
        for name, value in [*unet.named_parameters(), *vae.named_parameters()]:
            if value.ndim > 1:
                value.mul_(2.0 if "conv_out" in name else 1.5)
    return unet, vae, DPMSolverMultistepScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")


def write_adapter(folder: Path, diffusion: Path, dim: int = DIM) -> Path:
    """A random IP-Adapter for its U-Net, as the repository holds one; returns the folder."""
    import torch
    from diffusers import UNet2DConditionModel
    from safetensors.torch import save_file

    torch.manual_seed(1)
    tensors = {
        "image_proj.proj.weight": torch.randn(4 * WIDTH, dim) / 3,
        "image_proj.proj.bias": torch.randn(4 * WIDTH),
        "image_proj.norm.weight": torch.ones(WIDTH),
        "image_proj.norm.bias": torch.zeros(WIDTH),
    }
    unet = UNet2DConditionModel.from_pretrained(diffusion / "unet")
    layers = {name: part for name, part in unet.named_modules() if name.endswith("attn2")}
    for number, name in enumerate(unet.attn_processors):  # every second one is cross-attention
        if part := layers.get(name.removesuffix(".processor")):
            for kind in ("to_k_ip", "to_v_ip"):
                tensors[f"ip_adapter.{number}.{kind}.weight"] = torch.randn(part.to_k.weight.shape) * 0.5
    (folder / "models").mkdir(parents=True)
    save_file(tensors, folder / "models/ip-adapter_sd15.safetensors")
    return folder


def build_tiny_kandinsky(folder: Path, dim: int = DIM) -> Path:
    """A `KandinskyV22Pipeline` that draws points of `dim` dimensions; returns the folder."""
    import torch
    from diffusers import DDPMScheduler, KandinskyV22Pipeline, UNet2DConditionModel, VQModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=SIDE // 4,
        in_channels=4,
        out_channels=8,  # half of them the variance, which the pipeline leaves out
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="image",
        addition_embed_type_num_heads=64,
        encoder_hid_dim=dim,
        encoder_hid_dim_type="image_proj",
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
    )
    movq = VQModel(
        latent_channels=4,
        norm_type="spatial",
        num_vq_embeddings=12,
        vq_embed_dim=4,
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"),
        block_out_channels=(32, 32, 32),  # its attention is normed in 32 groups
    )
    with torch.no_grad():
        for name, value in [*unet.named_parameters(), *movq.named_parameters()]:
            if value.ndim > 1:
                value.mul_(2.0 if "conv_out" in name else 1.5)
    scheduler = DDPMScheduler(
        beta_schedule="linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, variance_type="learned_range"
    )
    KandinskyV22Pipeline(unet, scheduler, movq).save_pretrained(folder)
    return folder


def build_tiny_prior(folder: Path, clip: Path, dim: int = DIM) -> Path:
    """A `KandinskyV22PriorPipeline` for a CLIP whose states of texts are as wide as its space; returns the folder."""
    import torch
    from diffusers import KandinskyV22PriorPipeline, PriorTransformer, UnCLIPScheduler
    from transformers import (
        CLIPImageProcessorPil,
        CLIPModel,
        CLIPTextModelWithProjection,
        CLIPTokenizer,
        CLIPVisionModelWithProjection,
    )

    torch.manual_seed(0)
    prior = PriorTransformer(
        num_attention_heads=2, attention_head_dim=8, embedding_dim=dim, num_embeddings=16, num_layers=1
    )
    with torch.no_grad():
        for value in prior.parameters():
            if value.ndim > 1:
                value.mul_(3)
        prior.clip_mean.fill_(0.1), prior.clip_std.fill_(1.5)
    model = CLIPModel.from_pretrained(clip)
    texts = CLIPTextModelWithProjection(model.config.text_config)
    texts.text_model, texts.text_projection = model.text_model, model.text_projection
    seen = CLIPVisionModelWithProjection(model.config.vision_config)
    seen.vision_model, seen.visual_projection = model.vision_model, model.visual_projection
    scheduler = UnCLIPScheduler(
        variance_type="fixed_small_log", prediction_type="sample", num_train_timesteps=1000, clip_sample_range=5.0
    )
    tokenizer = CLIPTokenizer.from_pretrained(clip)
    pipeline = KandinskyV22PriorPipeline(prior, seen, texts, tokenizer, scheduler, CLIPImageProcessorPil())
    pipeline.save_pretrained(folder)
    return folder
