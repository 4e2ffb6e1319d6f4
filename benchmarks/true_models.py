"""Models of the true configurations with random weights, as their repositories on the hub lay them out: for benchmarks
and tests that need sizes, not meaning.

    python -m benchmarks.true_models clip-b32 /tmp/b32      # 303 MB; clip-l14, laion-h14, sd15 … likewise
    python -m benchmarks.true_models siglip2-b16 /tmp/s     # 750 MB; metaclip2-b32, tipsv2-b14 likewise

Speed, memory and the number of parameters do not depend on the values. Files are written in 16 bits to spare the disk;
a loader turns them into what it runs in.
"""

import argparse
import json
import string
from functools import cache, partial
from itertools import islice, product
from pathlib import Path

CLIPS = {
    "clip-b32": {},  # what CLIPConfig says if nothing else is said
    "clip-l14": {
        "text_config": {
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_attention_heads": 12,
            "projection_dim": 768,
        },
        "vision_config": {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "patch_size": 14,
            "projection_dim": 768,
        },
        "projection_dim": 768,
    },
    "laion-h14": {
        "text_config": {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "projection_dim": 1024,
            "hidden_act": "gelu",
        },
        "vision_config": {
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_hidden_layers": 32,
            "num_attention_heads": 16,
            "patch_size": 14,
            "projection_dim": 1024,
            "hidden_act": "gelu",
        },
        "projection_dim": 1024,
    },
    "laion-bigg": {
        "text_config": {
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_hidden_layers": 32,
            "num_attention_heads": 20,
            "projection_dim": 1280,
            "hidden_act": "gelu",
        },
        "vision_config": {
            "hidden_size": 1664,
            "intermediate_size": 8192,
            "num_hidden_layers": 48,
            "num_attention_heads": 16,
            "patch_size": 14,
            "projection_dim": 1280,
            "hidden_act": "gelu",
        },
        "projection_dim": 1280,
    },
}
TOWER = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
FAMILIES = {  # class and configuration, class and settings of the processor
    "siglip2-b16": (
        "Siglip",
        {"text_config": {**TOWER, "vocab_size": 256_000}, "vision_config": {**TOWER, "image_size": 224}},
        {"size": {"height": 224, "width": 224}, "resample": 2},
    ),
    "metaclip2-b32": (  # what its configuration says if nothing else is said, and the vocabulary of XLM-V
        "MetaClip2",
        {
            "text_config": {"vocab_size": 901_629, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1},
            "vision_config": {},
        },
        {},
    ),
    "tipsv2-b14": (
        "Tipsv2",
        {"text_config": TOWER, "vision_config": {**TOWER, "image_size": 448, "patch_size": 14}},
        {"size": {"height": 448, "width": 448}, "resample": 2, "do_normalize": False},
    ),
}
UNET = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": (320, 640, 1280, 1280),
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
}
VAE = {
    "sample_size": 512,
    "latent_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
NOISE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "skip_prk_steps": True,
}


def write_clip(folder: Path, name: str) -> Path:
    """A CLIPModel with tokenizer and image processor; returns the folder."""
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    config = CLIPConfig(**CLIPS[name])
    config.dtype = "float16"
    _write_random(folder / "model.safetensors", lambda: CLIPModel(config))
    config.architectures = ["CLIPModel"]
    config.save_pretrained(folder)
    CLIPImageProcessorPil().save_pretrained(folder)
    return write_tokenizer(folder)


def write_family(folder: Path, name: str) -> Path:
    """A model of another family with image processor, and a tokenizer of letters; returns the folder."""
    import transformers

    kind, told, seen = FAMILIES[name]
    model, config = getattr(transformers, f"{kind}Model"), getattr(transformers, f"{kind}Config")(**told)
    config.dtype = "float16"
    _write_random(folder / "model.safetensors", lambda: model(config))
    config.save_pretrained(folder)
    processor = "CLIPImageProcessorPil" if kind == "MetaClip2" else "SiglipImageProcessorPil"
    getattr(transformers, processor)(**seen).save_pretrained(folder)
    if kind == "MetaClip2":
        pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *string.ascii_lowercase, "<mask>"]
        scored = [(piece, -float(number)) for number, piece in enumerate(pieces)]
        transformers.XLMRobertaTokenizer(vocab=scored, model_max_length=77).save_pretrained(folder)
        return folder
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    vocab = {token: number for number, token in enumerate([*tokens, *string.ascii_lowercase])}
    reads = {"Siglip": {"add_bos_token": False, "add_eos_token": True, "padding_side": "right"}}.get(kind, {})
    tokenizer = getattr(transformers, {"Siglip": "Siglip2Tokenizer"}.get(kind, f"{kind}Tokenizer"))
    tokenizer(vocab=vocab, merges=[], model_max_length=64, **reads).save_pretrained(folder)
    return folder


def write_tokenizer(folder: Path) -> Path:
    """A tokenizer of CLIP's true size, 49,408 tokens, whose merges are made up: pairs of letters first, then pairs of
    other bytes.
    """
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet(), key=lambda each: (each not in string.ascii_lowercase, each))
    single = [*letters, *(letter + "</w>" for letter in letters)]
    merges = list(islice(((a, b + "</w>") for a, b in product(letters, letters)), 49_408 - len(single) - 2))
    tokens = [*single, *map("".join, merges), "<|startoftext|>", "<|endoftext|>"]
    vocab = {token: index for index, token in enumerate(tokens)}
    CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77).save_pretrained(folder)
    return folder


def write_stable_diffusion(folder: Path, text_model=None) -> Path:
    """Stable Diffusion 1.5: U-Net, autoencoder, text encoder and PNDM, without its safety checker; returns the folder.

    Parameters
    ----------
    text_model : a CLIP's text tower that the text encoder gets its weights from; random ones if None
    """
    from diffusers import PNDMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel

    write_unet(folder / "unet")
    write_vae(folder / "vae")
    config = CLIPTextConfig(**CLIPS["clip-l14"]["text_config"])
    config.dtype = "float16"
    _write_random(
        folder / "text_encoder/model.safetensors",
        lambda: CLIPTextModel(config),
        None if text_model is None else text_model.state_dict(),
    )
    config.architectures = ["CLIPTextModel"]
    config.save_pretrained(folder / "text_encoder")
    write_tokenizer(folder / "tokenizer")
    PNDMScheduler(**NOISE).save_pretrained(folder / "scheduler")
    parts = {
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
    }
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.30.0",
        "requires_safety_checker": False,
        **parts,
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=1))
    return folder


def write_unet(folder: Path) -> Path:
    from diffusers import UNet2DConditionModel

    _write_random(folder / "diffusion_pytorch_model.safetensors", lambda: UNet2DConditionModel(**UNET))
    return _write_config(folder, UNet2DConditionModel, UNET)


def write_vae(folder: Path) -> Path:
    from diffusers import AutoencoderKL

    _write_random(folder / "diffusion_pytorch_model.safetensors", lambda: AutoencoderKL(**VAE))
    return _write_config(folder, AutoencoderKL, VAE)


def _write_config(folder: Path, kind: type, config: dict) -> Path:
    import torch

    with torch.device("meta"):
        kind(**config).save_config(folder)
    return folder


def _write_random(path: Path, build, given: dict | None = None) -> None:
    """Weights for what `build` makes without taking memory: small and random, those of norms 1, or those given."""
    import torch
    from safetensors.torch import save_file

    with torch.device("meta"):
        shapes = {name: tensor for name, tensor in build().state_dict().items() if not name.endswith("position_ids")}
    torch.manual_seed(0)
    tensors = {
        name: given[name].to(torch.float16).clone() if given else _random(name, tensor.shape)
        for name, tensor in shapes.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": "pt"})


def _random(name: str, shape):
    import torch

    if name in ("logit_scale", "temperature"):
        return torch.full(shape, 4.6052 if name == "logit_scale" else 0.01, dtype=torch.float16)
    if len(shape) < 2:
        return torch.full(shape, float("norm" in name and name.endswith("weight")), dtype=torch.float16)
    spread, count = 1 / max(1, torch.Size(shape[1:]).numel()) ** 0.5, torch.Size(shape).numel()
    drawn = _normal()  # over and over: to draw a thousand million takes a minute
    return drawn.repeat(-(-count // len(drawn)))[:count].mul(spread).view(shape)


@cache
def _normal():
    """A prime number of normal ones, so that no two rows of a matrix are the same."""
    import torch

    return torch.empty(1_000_003, dtype=torch.float16).normal_()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("name", choices=[*CLIPS, *FAMILIES, "sd15", "sd15-unet"])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    write = {"sd15": write_stable_diffusion, "sd15-unet": write_unet}.get(
        options.name, partial(write_clip if options.name in CLIPS else write_family, name=options.name)
    )
    print(write(options.folder))


if __name__ == "__main__":
    main()
