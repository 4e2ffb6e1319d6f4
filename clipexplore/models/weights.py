"""Where weights come from and where they lie on this machine: a folder, or a repository of the Hugging Face hub at one revision.

Separate because the catalogue, the loaders and the downloads all ask where a set of weights is and whether it is whole; nothing
here goes to the network or reads the weights themselves. What was fetched lies in `<home>/models/<owner>--<name>/<revision>`, laid
out as in its repository; a snapshot of the hub's own cache on this machine is used where it is.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from clipexplore.errors import InputError
from clipexplore.settings import settings

Kind = Literal["clip", "pipeline", "lora"]
RECEIPT = "fetched.json"  # in a fetched folder, written last: {file: {"size", "sha256"}}
LOCK = "lock.json"  # beside the fetched folders: the revision of each repository that the catalogue does not pin
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")

# Repositories that have gone, and who serves the same weights now.
MOVED = {
    "runwayml/stable-diffusion-v1-5": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "stabilityai/stable-diffusion-2-1-unclip-small": "sd2-community/stable-diffusion-2-1-unclip-small",
}

_NEEDED = {"clip": ("config.json", "preprocessor_config.json"), "pipeline": ("model_index.json",), "lora": ()}


@dataclass(frozen=True)
class Weights:
    """One set of weights; either `repo` or `path` says where it comes from.

    Attributes
    ----------
    kind
        A `transformers` CLIP, a `diffusers` pipeline, or a LoRA for one.
    repo, revision
        The repository and its commit, 40 hex digits; without one the repository is pinned when it is fetched.
    path
        A folder of this machine; relative to the assets.
    parameters, download
        How many numbers it has, and about how many bytes are fetched; 0 where nobody knows before.
    licence, terms
        Its name, and what it forbids, in one sentence; empty if it only asks to be named.
    """

    kind: Kind
    licence: str
    repo: str | None = None
    revision: str | None = None
    path: Path | str | None = None
    parameters: int = 0
    download: int = 0
    terms: str = ""

    @property
    def name(self) -> str:
        """What it is called in messages and on the command line."""
        return self.repo or str(self.path)

    @property
    def bundled(self) -> bool:
        """Whether it is shipped with the product."""
        return self.path is not None and not Path(self.path).is_absolute()

    @property
    def pinned(self) -> str | None:
        """The commit that is used: that of the catalogue, else that of the lock file, else None: nothing was fetched yet."""
        return self.revision or (read_lock().get(self.repo) if self.repo else None)

    @property
    def folder(self) -> Path:
        """Where its files are, or would be."""
        if self.path is not None:
            return settings().assets / self.path
        fetched = fetched_folder(self.repo, self.pinned or "unpinned")
        cached = hub_cache() / f"models--{self.repo.replace('/', '--')}" / "snapshots" / (self.pinned or "unpinned")
        return cached if not fetched.exists() and _is_whole(cached, self.kind) else fetched

    @property
    def present(self) -> bool:
        """Whether all its files are there, by their names and sizes; `downloads.verify` reads them."""
        return _is_whole(self.folder, self.kind)

    @property
    def identity(self) -> str:
        """12 hex digits that say which weights these are: of the commit, or of the BLAKE2b hash of a folder's weights; the first
        call for a folder takes a second for each gigabyte."""
        if self.repo:
            return (self.pinned or "unpinned")[:12]
        weights = self.folder / "model.safetensors"
        about = weights.stat()
        return file_hash(weights, about.st_size, about.st_mtime_ns)

    @property
    def variant(self) -> str | None:
        """As `variant_of` its folder."""
        return variant_of(self.folder)

    def require(self, get: str) -> Path:
        """The folder, which is whole.

        Parameters
        ----------
        get
            The key that `models get` takes to fetch it.

        Raises
        ------
        InputError
            If files are missing; the message has the command that fetches them.
        """
        if self.present:
            return self.folder
        if self.repo is None:
            raise InputError(f"The folder {self.folder} does not hold a whole {self.kind}; restore it or correct the configuration.")
        raise InputError(f"The weights {self.repo} are not on this machine; fetch them with: python -m clipexplore models get {get}")


def fetched_folder(repo: str, revision: str) -> Path:
    """Where a revision of a repository is fetched to."""
    return models_folder() / repo.replace("/", "--") / revision


def models_folder() -> Path:
    return settings().home / "models"


def hub_cache() -> Path:
    """Where Hugging Face libraries keep what they fetch, by the same variables."""
    home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()


def read_lock() -> dict[str, str]:
    """The commit of each repository that was pinned when it was fetched.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    path = models_folder() / LOCK
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_bytes())
        whole = all(HUB_ID.fullmatch(repo) and COMMIT.fullmatch(commit) for repo, commit in found.items())
    except (OSError, ValueError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise InputError(f"The lock file {path} is damaged; delete it, and fetch again what it pinned.")
    return found


def write_lock(repo: str, commit: str) -> None:
    """Pins a repository; what the file pins already stays."""
    path = models_folder() / LOCK
    write_json(path, {**read_lock(), repo: commit})


def write_json(path: Path, value: object) -> None:
    """The value in a file that is whole at every moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


def variant_of(folder: Path) -> str | None:
    """What `from_pretrained` calls the variant of a folder's files: "fp16", or None for plain names."""
    return "fp16" if any(folder.glob("*/*.fp16.safetensors")) else None


def weight_files(folder: Path) -> list[Path]:
    """The safetensors in a folder and those one below it."""
    return sorted([*folder.glob("*.safetensors"), *folder.glob("*/*.safetensors")])


def read_logit_scale(weights: Path) -> float:
    """exp of a CLIP's learned temperature, read from its safetensors without loading the rest: logits = logit_scale × cosine."""
    from safetensors import safe_open

    with safe_open(weights, framework="np") as file:
        return math.exp(float(file.get_tensor("logit_scale")))


@lru_cache(maxsize=32)
def file_hash(path: Path, size: int, modified: int) -> str:
    """12 hex digits of the BLAKE2b hash of a file's content; the size and time only tell when to look again."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=6)).hexdigest()


def _is_whole(folder: Path, kind: Kind) -> bool:
    receipt = folder / RECEIPT
    if receipt.is_file():
        files = json.loads(receipt.read_bytes())
        return all((folder / name).is_file() and (folder / name).stat().st_size == entry["size"] for name, entry in files.items())
    return all((folder / name).is_file() for name in _NEEDED[kind]) and _has_weights(folder, kind)


def _has_weights(folder: Path, kind: Kind) -> bool:
    """Of a CLIP the one file; of a pipeline those of every part that has a network."""
    if kind == "clip":
        return (folder / "model.safetensors").is_file()
    parts = [path.parent for path in folder.glob("*/config.json")] if kind == "pipeline" else [folder]
    return bool(parts) and all(any(part.glob("*.safetensors")) for part in parts)
