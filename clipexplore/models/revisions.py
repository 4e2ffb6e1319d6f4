"""What identifies a model: its weights as a whole, and each of its towers, by what their files hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

WEIGHTS = "model.safetensors"
_TOWERS = {"pictures": ("vis", "vision_config"), "texts": ("text", "text_config")}  # how names of tensors begin
_LONGEST_HEADER = 100_000_000  # bytes, as the format has it
_TOKENIZER = ("tokenizer.json", "vocab.json", "merges.txt")


class Revisions(NamedTuple):
    """What identifies a model, each in 12 hex digits.

    Attributes
    ----------
    model
        The whole file of weights: models with the same one share one space.
    pictures, texts
        One tower with its projection and configuration, and for texts the tokenizer: the same one gives the same
        vectors, whatever became of the other tower. Of a repository all three are its commit.
    """

    model: str
    pictures: str
    texts: str


def revisions_of(folder: Path) -> Revisions:
    """What identifies the CLIP in a folder, by what its files hold; each file is read once as long as it does not
    change.
    """
    weights, configured = _seen(folder / WEIGHTS), (folder / "config.json").stat().st_mtime_ns
    pictures, texts = (_tower_hash(*weights, configured, tower) for tower in _TOWERS)
    return Revisions(_file_hash(*weights), pictures, texts)


def revision_of(weights: Path) -> str:
    """The revision of a file of weights, as in `Revisions.model`."""
    return _file_hash(*_seen(weights))


def _seen(path: Path) -> tuple[Path, int, int]:
    """A file with its size and time, which tell when to look again."""
    about = path.stat()
    return path, about.st_size, about.st_mtime_ns


@lru_cache(maxsize=32)
def _file_hash(path: Path, size: int, modified: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=6)).hexdigest()


@lru_cache(maxsize=64)
def _tower_hash(path: Path, size: int, modified: int, configured: int, tower: str) -> str:
    prefix, section = _TOWERS[tower]
    config = json.loads((path.parent / "config.json").read_bytes())
    # Some versions of transformers write the type of the numbers here as well, which the tensors tell.
    about = {key: value for key, value in (config.get(section) or {}).items() if key not in ("dtype", "torch_dtype")}
    digest = hashlib.blake2b(digest_size=6)
    digest.update(json.dumps([config.get("model_type"), about], sort_keys=True).encode())
    if tower == "texts":
        for name in _TOKENIZER:
            file = path.parent / name
            digest.update(file.read_bytes() if file.is_file() else b"-")
    for part in _tensors(path, prefix):
        digest.update(part)
    return digest.hexdigest()


def _tensors(path: Path, prefix: str) -> Iterator[bytes]:
    """Name, type and shape of each tensor whose name begins so, in the order of names, each followed by its bytes."""
    header, data = header_of(path)
    with open(path, "rb") as file:
        for name in sorted(name for name in header if name.startswith(prefix)):
            about = header[name]
            start, end = about["data_offsets"]
            yield json.dumps([name, about["dtype"], about["shape"]]).encode()
            file.seek(data + start)
            yield file.read(end - start)


def header_of(path: Path) -> tuple[dict[str, Any], int]:
    """What a file of safetensors says of each tensor, by name, and where their bytes begin."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(min(length, _LONGEST_HEADER))), 8 + length
