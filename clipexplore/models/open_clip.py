"""`python -m clipexplore.models.open_clip WEIGHTS FOLDER`: a model of open_clip in the layout of `transformers`.

open_clip keeps a model as `open_clip_config.json`, whose towers it describes, and a file of tensors with names of its
own. Its plain CLIPs are the same computation as `CLIPModel`; what is not is refused by its name, before anything large
is read.

Source: Ilharco et al. 2021, "OpenCLIP", version 3.3.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipexplore.errors import InputError

if TYPE_CHECKING:
    import torch

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
TENSORS = (WEIGHTS, "open_clip_pytorch_model.bin")
_TOKENIZERS = ("tokenizer.json", "vocab.json")

# What of the options of a tower is taken over, matters for training alone, or says where the tokenizer is; any other
# changes what is computed, unless it is empty or has the value that a plain CLIP has.
_SIZES = {"layers", "width", "heads", "head_width", "mlp_ratio", "patch_size", "image_size", "context_length"}
_HARMLESS = {"vocab_size", "patch_dropout", "output_tokens", "hf_tokenizer_name", "pad_id", "eos_id", "pos_embed_type"}
_PLAIN = {"pool_type": ("tok", "argmax"), "proj_type": ("linear",), "block_type": ("default",)}
_MEAN = [0.48145466, 0.4578275, 0.40821073]
_STD = [0.26862954, 0.26130258, 0.27577711]

#: Names of open_clip's tensors, by the parts of a model and of a layer, as `CLIPModel` has them.
_NAMES = {
    "logit_scale": "logit_scale",
    "text_projection": "text_projection.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final": "text_model.final_layer_norm",
    "transformer.resblocks": "text_model.encoder.layers",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
    "visual.proj": "visual_projection.weight",
    "visual.transformer.resblocks": "vision_model.encoder.layers",
}
_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def find_weights(folder: Path) -> Path | None:
    """The tensors of a folder that is in open_clip's layout alone; None for any other."""
    if not (folder / CONFIG).is_file() or (folder / "model.safetensors").is_file():
        return None
    return next((folder / name for name in TENSORS if (folder / name).is_file()), None)


def model_config(about: dict[str, Any]) -> dict[str, Any]:
    """The `config.json` of the model that an `open_clip_config.json` describes.

    Raises
    ------
    InputError
        For a model that computes something else than `CLIPModel`; the message names what.
    """
    model = about.get("model_cfg") or {}
    pictures, texts = model.get("vision_cfg") or {}, model.get("text_cfg") or {}
    if other := _other_kind(model, pictures, texts):
        raise InputError(
            f"A model of open_clip with {other} is not a CLIP that can be converted; look for the same model in the "
            "layout of transformers."
        )
    act, dim = "quick_gelu" if model.get("quick_gelu") else "gelu", model["embed_dim"]
    wide, last = pictures["width"], texts.get("vocab_size", 49408) - 1
    return {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "projection_dim": dim,
        "vision_config": {
            **_tower(pictures, wide // pictures.get("head_width", 64), act, dim),
            "model_type": "clip_vision_model",
            "image_size": _side(pictures.get("image_size", 224)),
            "patch_size": _side(pictures.get("patch_size", 16)),
        },
        "text_config": {
            **_tower(texts, texts.get("heads", 8), act, dim),
            "model_type": "clip_text_model",
            "vocab_size": last + 1,
            "max_position_embeddings": texts.get("context_length", 77),
            "bos_token_id": last - 1,
            "eos_token_id": last,  # the highest, which open_clip reads out
        },
    }


def processor_config(about: dict[str, Any]) -> dict[str, Any]:
    """The `preprocessor_config.json` that prepares pictures as the model's training did.

    Raises
    ------
    InputError
        For a way of scaling that no CLIP is prepared with here.
    """
    given = about.get("preprocess_cfg") or {}
    side = _side(given.get("size") or about["model_cfg"]["vision_cfg"].get("image_size", 224))
    square, mode = {"height": side, "width": side}, given.get("resize_mode") or "shortest"
    if mode not in ("shortest", "squash"):
        raise InputError(f"A model of open_clip whose pictures are scaled by {mode!r} cannot be prepared here.")
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": square if mode == "squash" else {"shortest_edge": side},
        "resample": 2 if given.get("interpolation") == "bilinear" else 3,
        "do_center_crop": mode == "shortest",
        "crop_size": square,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": given.get("mean") or _MEAN,
        "image_std": given.get("std") or _STD,
    }


def rename(name: str, tensor: "torch.Tensor") -> Iterator[tuple[str, "torch.Tensor"]]:
    """A tensor of open_clip as `CLIPModel` has it: under its name, projections turned round, the three of attention
    each by itself; nothing for a mask, which is not learned.

    Raises
    ------
    InputError
        For one that a `CLIPModel` has no place for.
    """
    short = name.removeprefix("text.")
    if short in ("attn_mask", "transformer.attn_mask"):
        return
    part = next((part for part in _NAMES if short == part or short.startswith(part + ".")), None)
    if part is None:
        raise InputError(f"A CLIP has no place for the tensor {name}, so this model cannot be converted.")
    place, rest = _NAMES[part], short.removeprefix(part).lstrip(".")
    if part.endswith("resblocks"):
        number, _dot, inside = rest.partition(".")
        yield from _of_layer(f"{place}.{number}", inside, name, tensor)
    elif part in ("text_projection", "visual.proj") and not rest:
        yield place, tensor.T.contiguous()  # a matrix that rows are multiplied by, not a layer
    elif part == "logit_scale":
        yield place, tensor.reshape(())
    else:
        yield f"{place}.{rest}" if rest and not place.endswith(rest) else place, tensor


def _of_layer(place: str, inside: str, name: str, tensor: "torch.Tensor") -> Iterator[tuple[str, "torch.Tensor"]]:
    if inside.startswith("attn.in_proj_"):
        for letter, part in zip("qkv", tensor.chunk(3), strict=True):
            yield f"{place}.self_attn.{letter}_proj.{inside.removeprefix('attn.in_proj_')}", part.clone()
        return
    part, _dot, kind = inside.rpartition(".")
    if part not in _LAYER:
        raise InputError(f"A CLIP has no place for the tensor {name}, so this model cannot be converted.")
    yield f"{place}.{_LAYER[part]}.{kind}", tensor


def convert(weights: Path, folder: Path) -> None:
    """Writes `model.safetensors`, `config.json` and `preprocessor_config.json` into a folder that holds the rest.

    Raises
    ------
    InputError
        As `model_config`, for tensors that are not those of the configuration, and without a tokenizer.
    """
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file
    from transformers import CLIPConfig, CLIPModel

    about = json.loads((folder / CONFIG).read_bytes())
    config, processor = model_config(about), processor_config(about)
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise InputError(
            "The model has no tokenizer beside it; put the vocab.json and merges.txt of openai/clip-vit-base-patch32 "
            "there, which open_clip reads texts with."
        )
    with safe_open(weights, framework="pt") as file:
        tensors = dict(pair for name in file.keys() for pair in rename(name, file.get_tensor(name)))  # noqa: SIM118
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in CLIPModel(CLIPConfig(**config)).state_dict().items()}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if wrong := sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name)):
        raise InputError(
            f"The tensors are not those that {CONFIG} describes: {wrong[0]} is missing or of another size."
        )
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    for name, value in (("config.json", config), ("preprocessor_config.json", processor)):
        (folder / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _other_kind(model: dict[str, Any], pictures: dict[str, Any], texts: dict[str, Any]) -> str | None:
    """What makes a model something else than a CLIP of two plain transformers; None for such a one."""
    if "multimodal_cfg" in model:
        return "a tower that writes captions (CoCa)"
    if pictures.get("timm_model_name"):
        return f"the picture tower {pictures['timm_model_name']} of timm"
    if texts.get("hf_model_name"):
        return f"the text tower {texts['hf_model_name']}"
    if not isinstance(pictures.get("layers"), int):
        return "a ResNet for pictures"
    if model.get("init_logit_bias") is not None:
        return "a sigmoid for its loss (init_logit_bias)"
    for options in (pictures, texts):
        for key, value in options.items():
            if value and key not in _SIZES | _HARMLESS and value not in _PLAIN.get(key, ()):
                return f"{key} = {value}"
    return None


def _tower(options: dict[str, Any], heads: int, act: str, dim: int) -> dict[str, Any]:
    width = options.get("width", 512)
    return {
        "hidden_size": width,
        "intermediate_size": int(width * options.get("mlp_ratio", 4.0)),
        "num_hidden_layers": options.get("layers", 12),
        "num_attention_heads": heads,
        "hidden_act": act,
        "projection_dim": dim,
    }


def _side(size: int | list[int]) -> int:
    """The side of a square."""
    sides = {size} if isinstance(size, int) else {*size}
    if len(sides) != 1:
        raise InputError(
            f"A model of open_clip that sees {size} pixels, not a square, is not one that can be converted."
        )
    return sides.pop()


if __name__ == "__main__":
    try:
        convert(*map(Path, sys.argv[1:]))
    except (InputError, LookupError, ValueError, TypeError) as error:
        raise SystemExit(f"{error}") from None
