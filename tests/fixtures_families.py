"""Tiny models of every family, of the true classes with random weights and tokenizers, in the hub's layout."""

import json
from pathlib import Path

from fixtures_models import SENTENCES, build_tiny_clip

SIDE, WIDTH, LENGTH = 32, 24, 16
TOWER = {"hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
WORDS = [*SENTENCES, "Łódź, don't! größer 猫 кот", "THE END"]


def build(family: str, folder: Path) -> Path:
    """The folder of a tiny model of that family."""
    folder.mkdir(parents=True, exist_ok=True)
    return {"clip": build_tiny_clip, "metaclip2": _metaclip2, "siglip": _siglip, "siglip2": _siglip2, "tips2": _tips2}[
        family
    ](folder)


def _lively(model, folder: Path) -> None:
    """Saves the model with larger weights: as initialised all texts are nearly alike, and tests would see nothing."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and "norm" not in name:
                parameter.mul_(6)
    model.save_pretrained(folder)


def _seed():
    import torch

    torch.manual_seed(0)


def _metaclip2(folder: Path) -> Path:
    from transformers import CLIPImageProcessorPil, MetaClip2Config, MetaClip2Model, XLMRobertaTokenizer

    pieces = _unigram(["<s>", "<pad>", "</s>", "<unk>"], unk=3)
    tokenizer = XLMRobertaTokenizer(vocab=[*pieces, ("<mask>", 0.0)], model_max_length=LENGTH)
    tokenizer.save_pretrained(folder)
    _seed()
    ids = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    text = {**TOWER, **ids, "vocab_size": len(tokenizer), "max_position_embeddings": LENGTH, "projection_dim": 20}
    vision = {**TOWER, "image_size": SIDE, "patch_size": 8, "projection_dim": 20}
    _lively(MetaClip2Model(MetaClip2Config(text_config=text, vision_config=vision, projection_dim=20)), folder)
    size = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    CLIPImageProcessorPil(**size).save_pretrained(folder)
    return folder


def _siglip(folder: Path) -> Path:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import SiglipImageProcessorPil

    pieces = _unigram(["<unk>", "</s>"], unk=0)
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "SiglipTokenizer", "pad_token": "</s>", "eos_token": "</s>", "model_max_length": LENGTH}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    _siglip_model(folder, len(pieces))
    SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def _siglip2(folder: Path) -> Path:
    from transformers import Siglip2Tokenizer, SiglipImageProcessorPil

    vocab, merges = _bpe(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"])
    tokenizer = Siglip2Tokenizer(
        vocab=vocab,
        merges=merges,
        add_bos_token=False,
        add_eos_token=True,
        padding_side="right",
        model_max_length=LENGTH,
    )
    tokenizer.save_pretrained(folder)
    _siglip_model(folder, len(tokenizer))
    SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}, resample=2).save_pretrained(folder)
    return folder


def _siglip_model(folder: Path, vocabulary: int) -> None:
    import torch
    from transformers import SiglipConfig, SiglipModel

    _seed()
    text = {**TOWER, "vocab_size": vocabulary, "max_position_embeddings": LENGTH}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config={**TOWER, "image_size": SIDE, "patch_size": 8}))
    with torch.no_grad():
        model.logit_scale.fill_(4.6), model.logit_bias.fill_(-10.0)
    _lively(model, folder)


def _tips2(folder: Path) -> Path:
    import torch
    from transformers import Tipsv2Config, Tipsv2Model, Tipsv2Tokenizer

    vocab, merges = _bpe(["<pad>", "<unk>"])
    tokenizer = Tipsv2Tokenizer(vocab=vocab, merges=merges, model_max_length=LENGTH)
    tokenizer.save_pretrained(folder)
    _seed()
    text = {**TOWER, "vocab_size": len(tokenizer), "max_position_embeddings": LENGTH}
    vision = {
        "hidden_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": SIDE,
        "patch_size": 8,
    }
    model = Tipsv2Model(Tipsv2Config(text_config=text, vision_config=vision))
    with torch.no_grad():
        for name, numbers in model.named_parameters():
            if "layer_scale" in name:  # all 1 as initialised
                numbers.uniform_(0.5, 2)
    _lively(model, folder)
    about = {
        "image_processor_type": "Tipsv2ImageProcessor",
        "size": {"height": SIDE, "width": SIDE},
        "resample": 2,
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": False,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(about))
    return folder


def _unigram(special: list[str], unk: int) -> list[tuple[str, float]]:
    """Pieces with scores: those named, every letter, and whole words, which are likelier."""
    letters = sorted({letter for sentence in WORDS for letter in sentence.lower() if not letter.isspace()})
    words = sorted({f"▁{word}" for sentence in WORDS for word in sentence.lower().split()})
    return [
        *((each, 0.0) for each in special),
        ("▁", -3.0),
        *((each, -4.0) for each in letters),
        *((each, -5.0) for each in words),
    ]


def _bpe(special: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A vocabulary with every byte and letter, and merges that build the words of the sentences."""
    letters = sorted({letter for sentence in WORDS for letter in sentence.lower() if not letter.isspace()})
    bytes_ = [f"<0x{number:02X}>" for number in range(256)]
    merges: dict[tuple[str, str], None] = {}
    for word in sorted({f"▁{word}" for sentence in WORDS for word in sentence.lower().split()}):
        for end in range(1, len(word)):
            merges.setdefault((word[:end], word[end]))
    tokens = dict.fromkeys([*special, *bytes_, "▁", *letters, *(a + b for a, b in merges)])
    return {token: number for number, token in enumerate(tokens)}, list(merges)
