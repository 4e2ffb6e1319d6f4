"""A CLIP of the true classes that is built in a second: random weights, a tokenizer trained on a few sentences.

Import `tiny_clip` by `pytest_plugins`, or call `build_tiny_clip` on a folder.
"""

import json
from pathlib import Path

import pytest

SENTENCES = (
    "a photo of a cat",
    "a dog in the snow at night",
    "a man with a top hat",
    "two red apples to the left of a lion in the jungle",
)
MAX_TOKENS = 16
IMAGE_SIZE = 32


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory) -> Path:
    """The folder of a random CLIPModel with everything that belongs to it; not to be written to."""
    return build_tiny_clip(tmp_path_factory.mktemp("models") / "tiny-clip")


def build_tiny_clip(folder: Path, dim: int = 24, seed: int = 0) -> Path:
    """Writes what a model repository on the hub holds; returns the folder."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    tokenizer = _tokenizer()
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    tower["projection_dim"] = dim
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    text = {**tower, **ids, "vocab_size": len(tokenizer), "max_position_embeddings": MAX_TOKENS}
    vision = {**tower, "image_size": IMAGE_SIZE, "patch_size": 8}
    torch.manual_seed(seed)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=dim))
    with torch.no_grad():  # as initialised, all texts are nearly alike: make the tests look at something
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    tokenizer.backend_tokenizer.model.save(str(folder))
    size = {"size": {"shortest_edge": IMAGE_SIZE}, "crop_size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE}}
    CLIPImageProcessorPil(**size).save_pretrained(folder)
    return folder


def _tokenizer():
    """A byte-level BPE as CLIP's: lower-cased, `</w>` ends a word, the start and end tokens come last."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    pipeline = CLIPTokenizer().backend_tokenizer
    trained = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix="</w>"))
    trained.normalizer, trained.pre_tokenizer = pipeline.normalizer, pipeline.pre_tokenizer
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(end_of_word_suffix="</w>", initial_alphabet=letters, show_progress=False)
    trained.train_from_iterator(SENTENCES, trainer)
    merges = [tuple(pair) for pair in json.loads(trained.to_str())["model"]["merges"]]
    tokens = [*letters, *(letter + "</w>" for letter in letters), *("".join(pair) for pair in merges)]
    vocab = {token: index for index, token in enumerate([*dict.fromkeys(tokens), "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_TOKENS)


def hollow(path, tensors, held="F32"):
    """A file of safetensors that names these tensors and is as large as a true one, but takes no room on a disk."""
    width, header, end = {"F16": 2, "F32": 4}[held], {}, 0
    for name, tensor in tensors.items():
        header[name] = {
            "dtype": held,
            "shape": list(tensor.shape),
            "data_offsets": [end, end + width * tensor.numel()],
        }
        end += width * tensor.numel()
    said = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(len(said).to_bytes(8, "little") + said)
        file.truncate(8 + len(said) + end)
