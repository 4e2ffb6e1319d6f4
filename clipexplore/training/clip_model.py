"""The bundled CLIP before training: its configuration, its tokenizer, and its weights moved to where training can tell
sides and words apart.
"""

import json
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from . import captions
from .scenes import scene

# Picture size, context length and tokenizer are part of everything made later: decided here once.
PICTURE_SIZE, PATCH_SIZE = 72, 12
CONTEXT = 32
VOCABULARY, GROWN = 4096, 16_384
WIDTH, VISION_LAYERS, TEXT_LAYERS, HEADS = 256, 6, 4, 4
PROJECTION = 512
MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

START, END = "<|startoftext|>", "<|endoftext|>"


def train_tokenizer(folder: Path, scenes: int = 40_000) -> CLIPTokenizer:
    """A byte-level BPE tokenizer in CLIP's form, trained on captions of the world, saved to the folder."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=END))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(alphabet),
        end_of_word_suffix="</w>",
        special_tokens=[START, END],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    rng = Random(0)
    texts = [captions.synonymous(scene(seed), rng) for seed in range(scenes)] + 20 * list(captions.vocabulary())
    tokenizer.train_from_iterator(texts, trainer)
    state = json.loads(tokenizer.to_str())["model"]
    # As in OpenAI's vocabulary every byte may also end a word; without that an unseen one would become the end token
    # and cut the text.
    tokens = dict.fromkeys([*state["vocab"], *(letter + "</w>" for letter in alphabet)])
    result = CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[tuple(pair) for pair in state["merges"]],
        model_max_length=CONTEXT,
    )
    result.save_pretrained(folder)
    return result


def grow_tokenizer(base: CLIPTokenizer, texts: Counter[str], size: int = GROWN) -> CLIPTokenizer:
    """A tokenizer of more tokens, learned from texts and how often they count: those of `base` keep their numbers and
    are merged first, so that what was spelled by whole words of it is spelled as before.

    Each token of `base` stands for itself as one character of Unicode's private use, of which there are 6,400, and
    pairs of these are merged as ever.
    """
    pieces, words = list(base.get_vocab()), Counter()
    character = {token: chr(0xE000 + number) for number, token in enumerate(pieces)}
    for text, count in texts.items():
        spelled = "".join(character[token] + " " * token.endswith("</w>") for token in base.tokenize(text))
        words.update(dict.fromkeys(spelled.split(), count))
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=list(character.values()), show_progress=False)
    grown = Tokenizer(models.BPE())
    grown.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    grown.train_from_iterator((" ".join([word] * count) for word, count in words.items()), trainer)
    learned = json.loads(grown.to_str())["model"]["merges"]
    merges = [tuple("".join(pieces[ord(each) - 0xE000] for each in part) for part in pair) for pair in learned]
    own = json.loads(base.backend_tokenizer.to_str())["model"]["merges"]
    tokens = base.get_vocab()
    for pair in merges:
        tokens.setdefault("".join(pair), len(tokens))
    return CLIPTokenizer(vocab=tokens, merges=[*map(tuple, own), *merges], model_max_length=CONTEXT)


def build_model(tokenizer: CLIPTokenizer, attention: str = "sdpa", seed: int = 0) -> CLIPModel:
    """A CLIP of about 9 M parameters with fresh weights."""
    towers = dict(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_attention_heads=HEADS,
        hidden_act="gelu",
        projection_dim=PROJECTION,
    )
    config = CLIPConfig(
        vision_config=dict(image_size=PICTURE_SIZE, patch_size=PATCH_SIZE, num_hidden_layers=VISION_LAYERS, **towers),
        text_config=dict(
            vocab_size=len(tokenizer),
            max_position_embeddings=CONTEXT,
            num_hidden_layers=TEXT_LAYERS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **towers,
        ),
        projection_dim=PROJECTION,
    )
    torch.manual_seed(seed)
    return CLIPModel._from_config(config, attn_implementation=attention)


def tell_words_apart(embeddings: torch.Tensor, first: int, second: int, strength: float = 1.0) -> None:
    """Moves two tokens to either side of where they are, by a vector of length `strength`; `embeddings` (tokens,
    width), in place.

    Words that never told pictures apart had been drawn together: "left" and "right" had a cosine of .76, their captions
    one of .999, and neither they nor the pictures could be the first to part.
    """
    apart = strength * F.normalize(
        torch.randn(embeddings.shape[1], generator=torch.Generator().manual_seed(0)), dim=0
    ).to(embeddings)
    embeddings[first] += apart
    embeddings[second] -= apart


def tell_columns_apart(positions: torch.Tensor, strength: float) -> None:
    """Adds to every patch's position a vector of its column, of length `strength`; `positions` (1 + side², width), in
    place.

    Most scenes are as likely as their mirror image, so that training from small random positions arrives where the left
    half of a picture looks like the right one (their antisymmetric part had a third of the length of that of top and
    bottom) and stays there: after a million pairs sides were told apart as by tossing a coin, top and bottom in 97 of
    100 cases.
    """
    side, width = PICTURE_SIZE // PATCH_SIZE, positions.shape[1]
    columns = F.normalize(torch.randn(side, width, generator=torch.Generator().manual_seed(0)), dim=-1)
    positions[1:] += strength * columns.repeat(side, 1).to(positions)


def small_pixels(picture: Image.Image) -> np.ndarray:
    """(3, 72, 72) uint8, resized as the image processor does it."""
    return np.asarray(picture.resize((PICTURE_SIZE, PICTURE_SIZE), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
