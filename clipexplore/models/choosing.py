"""Which files of a repository a set of weights is made of.

Separate from the downloads because it is a decision on names alone: a repository holds the same weights in several formats, and
files with code among them.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import PurePosixPath

TEXTS = ("*.json", "*.txt", "*.model")
_SHARD = r"(-\d{5}-of-\d{5})?"
_FULL = tuple(re.compile(each) for each in (rf"(diffusion_pytorch_)?model{_SHARD}\.safetensors", rf"(diffusion_)?pytorch_model{_SHARD}\.bin"))
_HALF = tuple(re.compile(each.pattern.replace("model", r"model\.fp16")) for each in _FULL)


def choose(names: Iterable[str], kind: str) -> set[str]:
    """The files of a repository that a set of weights is made of; empty if there are none.

    Safetensors are taken before `.bin`, and of a pipeline fp16 if all its parts have it; other formats, full checkpoints at the top
    and weights for further training are left out.
    """
    if kind == "lora":
        return set(names) & {"pytorch_lora_weights.safetensors"}
    depth = 1 if kind == "clip" else 2
    inside = [name for name in names if name.count("/") == depth - 1 or name == "model_index.json"]
    folders: dict[str, list[str]] = {}
    for name in inside:
        folders.setdefault(str(PurePosixPath(name).parent), []).append(PurePosixPath(name).name)
    with_weights = {folder: found for folder, found in folders.items() if _weights_of(found)}
    half = kind == "pipeline" and all(_weights_of(found)[0] for found in with_weights.values())
    files = {str(PurePosixPath(folder, name)) for folder, found in with_weights.items() for name in _weights_of(found)[not half]}
    texts = {name for name in inside if any(fnmatch(name, text) for text in TEXTS) and ".index." not in name}
    sharded = {name for name in inside if ".index." in name and any("-of-" in file for file in files)}
    return files | texts | sharded if files else set()


def _weights_of(names: list[str]) -> tuple[list[str], list[str]] | None:
    """The weight files of one folder, in fp16 and in full, safetensors before `.bin`; None if it has none."""
    half, full = (next(filter(None, ([n for n in names if each.fullmatch(n)] for each in kinds)), []) for kinds in (_HALF, _FULL))
    return (half, full) if half or full else None
