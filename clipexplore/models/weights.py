"""A set of weights: a folder of this machine, or a repository of the Hugging Face hub at one revision.

Nothing here goes to the network. What was fetched lies in `<home>/models/<owner>--<name>/<revision>`, laid out as in
its repository; a snapshot in the hub's own cache on this machine is used where it is.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from clipexplore.errors import DamagedError, MissingError
from clipexplore.language import _
from clipexplore.models import open_clip
from clipexplore.paths import write_whole
from clipexplore.settings import settings

Kind = Literal["clip", "pipeline", "lora", "adapter", "prior"]
RECEIPT = "fetched.json"  # in a fetched folder, written last: {file: {"size", "sha256"}}
LOCK = "lock.json"  # beside the fetched folders: the revision of each repository that the catalogue does not pin
LICENCES = "licences.json"
WEIGHTS = "model.safetensors"
ADAPTER = "models/ip-adapter_sd15.safetensors"  # of the many in the repository that of one picture in four tokens
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")

# Repositories that are gone, and who serves the same weights now.
MOVED = {
    "runwayml/stable-diffusion-v1-5": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "stabilityai/stable-diffusion-2-1-unclip-small": "sd2-community/stable-diffusion-2-1-unclip-small",
}

_NEEDED = {
    "clip": ("config.json", "preprocessor_config.json"),
    "pipeline": ("model_index.json",),
    "prior": ("model_index.json",),
    "lora": (),
    "adapter": (ADAPTER,),
}
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


@dataclass(frozen=True)
class Weights:
    """One set of weights; either `repo` or `path` says where it comes from.

    Attributes
    ----------
    kind
        A model of pictures and texts ("clip"), a `diffusers` pipeline, a LoRA or an IP-Adapter for one, or a pipeline
        that imagines pictures of texts ("prior"), of which the encoders are left out.
    repo, revision
        The repository and its commit, 40 hex digits; without one the repository is pinned when it is fetched.
    path
        A folder of this machine; relative to the assets.
    parameters, download
        How many numbers it has, and about how many bytes are fetched; 0 where nobody knows before.
    licence, terms
        Its name, empty where the repository is asked when it is fetched; and what it forbids in one sentence, empty if
        it only asks for attribution.
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
    def terms_of_use(self) -> str:
        """The name of its licence: that of the catalogue, else what its repository said when it was fetched."""
        known = self.licence or (read_licences().get(self.repo) if self.repo else None)
        return known or _("not yet known")

    @property
    def bundled(self) -> bool:
        """Whether it is shipped with the product."""
        return self.path is not None and not Path(self.path).is_absolute()

    @property
    def pinned(self) -> str | None:
        """The commit in use: that of the catalogue, else of the lock file, else None: nothing was fetched yet."""
        return self.revision or (read_lock().get(self.repo) if self.repo else None)

    @property
    def folder(self) -> Path:
        """Where its files are, or would be."""
        if self.repo is None:
            return converted_folder(self.given) if self.converted else self.given
        commit = self.pinned or "unpinned"
        fetched = fetched_folder(self.repo, commit)
        cached = hub_cache() / f"models--{self.repo.replace('/', '--')}" / "snapshots" / commit
        return cached if not fetched.exists() and _is_whole(cached, self.kind) else fetched

    @property
    def given(self) -> Path:
        """The folder that was named, of weights without a repository."""
        return settings().assets / str(self.path)

    @property
    def converted(self) -> bool:
        """Whether it is a folder in open_clip's layout, of which `models get` makes a copy in that of transformers."""
        return self.repo is None and open_clip.find_weights(self.given) is not None

    @property
    def kept(self) -> Path | None:
        """Where this program keeps all that it fetched or converted of it; None for a folder that is used as it is."""
        if self.repo:
            return fetched_folder(self.repo, "any").parent
        return self.folder if self.converted else None

    @property
    def present(self) -> bool:
        """Whether all its files are there, by name and size; `downloads.verify` reads them."""
        return _is_whole(self.folder, self.kind)

    @property
    def revisions(self) -> Revisions:
        """What identifies a CLIP; the first call for a folder takes a second for each gigabyte."""
        if self.repo:
            return Revisions(*[(self.pinned or "unpinned")[:12]] * 3)
        return revisions_of(self.folder)

    @property
    def identity(self) -> str:
        """12 hex digits that say which weights these are: of the commit, or of the hash of a folder's weights."""
        return (self.pinned or "unpinned")[:12] if self.repo else revision_of(self.folder / WEIGHTS)

    def require(self, get: str) -> Path:
        """The folder, which is whole.

        Parameters
        ----------
        get
            The key that `models get` takes to fetch it.

        Raises
        ------
        MissingError
            If files are missing; the message has the command that fetches them.
        """
        if self.present:
            return self.folder
        if self.converted:
            raise MissingError(
                _(
                    "The folder {folder} is in the layout of open_clip; convert it with: python -m clipexplore models "
                    "get {key}"
                ).format(folder=self.given, key=get)
            )
        if self.repo is None:
            raise MissingError(
                _("The folder {folder} does not hold a whole {kind}; restore it or correct the configuration.").format(
                    folder=self.folder, kind=self.kind
                )
            )
        raise MissingError(
            _(
                "The weights {name} are not on this machine; fetch them with: python -m clipexplore models get {key}"
            ).format(name=self.repo, key=get)
        )


def fetched_folder(repo: str, revision: str) -> Path:
    """Where a revision of a repository is fetched to."""
    return models_folder() / repo.replace("/", "--") / revision


def converted_folder(given: Path) -> Path:
    """Where a folder of open_clip is converted to; another one once its weights are others."""
    weights = open_clip.find_weights(given) or given
    about = weights.stat()
    name = hashlib.blake2b(f"{weights} {about.st_size} {about.st_mtime_ns}".encode(), digest_size=6).hexdigest()
    return models_folder() / "converted" / name


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
    DamagedError
        If the file is damaged.
    """
    path = models_folder() / LOCK
    if not path.is_file():
        return {}
    try:
        commits: dict[str, str] = json.loads(path.read_bytes())
        whole = all(HUB_ID.fullmatch(repo) and COMMIT.fullmatch(commit) for repo, commit in commits.items())
    except (OSError, ValueError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise DamagedError(
            _("The lock file {path} is damaged; delete it, and fetch again what it pinned.").format(path=path)
        )
    return commits


def write_lock(repo: str, commit: str) -> None:
    """Pins a repository; other pins in the file stay."""
    write_json(models_folder() / LOCK, {**read_lock(), repo: commit})


def read_licences() -> dict[str, str]:
    """The licence that each repository named when it was fetched; none if the file is damaged."""
    try:
        return {str(repo): str(name) for repo, name in json.loads((models_folder() / LICENCES).read_bytes()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def write_licence(repo: str, name: str) -> None:
    """Notes the licence that a repository names."""
    write_json(models_folder() / LICENCES, {**read_licences(), repo: name})


def write_json(path: Path, value: object) -> None:
    """The value in a file that is whole at every moment."""
    write_whole(path, (json.dumps(value, indent=1) + "\n").encode())


def variant_of(folder: Path) -> str | None:
    """What `from_pretrained` calls the variant of a folder's files: "fp16", or None for plain names."""
    return "fp16" if any(folder.glob("*/*.fp16.safetensors")) else None


def weight_files(folder: Path) -> list[Path]:
    """The safetensors in a folder and in its subfolders."""
    return sorted([*folder.glob("*.safetensors"), *folder.glob("*/*.safetensors")])


def count_numbers(path: Path) -> int:
    """How many numbers a file of safetensors holds, by its header; none where that is damaged, which loading tells."""
    try:
        header, _start = _header(path)
        return sum(math.prod(about["shape"]) for name, about in header.items() if name != "__metadata__")
    except (ValueError, TypeError, LookupError, AttributeError):
        return 0


class Scale(NamedTuple):
    """What makes logits of cosines: logits = logit_scale × cosine + logit_bias.

    With a bias, as SigLIP's, the probability of a text is the sigmoid of its own logit; without one, None, it is the
    softmax over all texts. `learned` is false where the weights hold no scale, so that another stands in for it.
    """

    logit_scale: float
    logit_bias: float | None = None
    learned: bool = True


def read_scale(folder: Path) -> Scale:
    """The learned scale of a model, read from its safetensors without loading the rest.

    CLIP and SigLIP learn its logarithm, SigLIP a bias too; TIPS learns its inverse, which its published weights leave
    out: then the one its configuration starts from is used.
    """
    from safetensors import safe_open

    with safe_open(folder / WEIGHTS, framework="np") as file:
        learned = {
            name: float(file.get_tensor(name).item())
            for name in ("logit_scale", "logit_bias", "temperature")
            if name in file.keys()  # noqa: SIM118 – no mapping
        }
    if "logit_scale" in learned:
        return Scale(math.exp(learned["logit_scale"]), learned.get("logit_bias"))
    config = json.loads((folder / "config.json").read_bytes())
    start = config.get("temperature_init_value", 0.005065968260169029)
    return Scale(1 / learned.get("temperature", start), learned="temperature" in learned)


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
    header, data = _header(path)
    with open(path, "rb") as file:
        for name in sorted(name for name in header if name.startswith(prefix)):
            about = header[name]
            start, end = about["data_offsets"]
            yield json.dumps([name, about["dtype"], about["shape"]]).encode()
            file.seek(data + start)
            yield file.read(end - start)


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """What a file of safetensors says of each tensor, by name, and where their bytes begin."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(min(length, _LONGEST_HEADER))), 8 + length


def _is_whole(folder: Path, kind: Kind) -> bool:
    receipt = folder / RECEIPT
    if receipt.is_file():
        files = json.loads(receipt.read_bytes())
        return all(
            (folder / name).is_file() and (folder / name).stat().st_size == entry["size"]
            for name, entry in files.items()
        )
    return all((folder / name).is_file() for name in _NEEDED[kind]) and _has_weights(folder, kind)


def _has_weights(folder: Path, kind: Kind) -> bool:
    """Of a CLIP the one file; of a pipeline those of every part that has a network."""
    if kind == "clip":
        return (folder / WEIGHTS).is_file()
    if kind == "adapter":
        return True  # it is the one file that is needed
    parts = [path.parent for path in folder.glob("*/config.json")] if kind in ("pipeline", "prior") else [folder]
    return bool(parts) and all(any(part.glob("*.safetensors")) for part in parts)
