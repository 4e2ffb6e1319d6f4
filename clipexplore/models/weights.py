"""A set of weights: a folder of this machine, or a repository of the Hugging Face hub at one revision.

Nothing here goes to the network. What was fetched lies in `<home>/models/<owner>--<name>/<revision>`, laid out as in
its repository; a snapshot in the hub's own cache on this machine is used where it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clipexplore.errors import DamagedError, MissingError
from clipexplore.language import _
from clipexplore.models import open_clip
from clipexplore.models.revisions import WEIGHTS, Revisions, revision_of, revisions_of
from clipexplore.paths import write_whole
from clipexplore.settings import settings

WeightsKind = Literal["clip", "pipeline", "lora", "adapter", "prior"]
RECEIPT = "fetched.json"  # in a fetched folder, written last: {file: {"size", "sha256"}}
LOCK = "lock.json"  # beside the fetched folders: the revision of each repository that the catalogue does not pin
LICENCES = "licences.json"
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

    kind: WeightsKind
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
        return not (self.repo or self.bundled) and open_clip.find_weights(self.given) is not None

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


def _is_whole(folder: Path, kind: WeightsKind) -> bool:
    receipt = folder / RECEIPT
    if receipt.is_file():
        files = json.loads(receipt.read_bytes())
        return all(
            (folder / name).is_file() and (folder / name).stat().st_size == entry["size"]
            for name, entry in files.items()
        )
    return all((folder / name).is_file() for name in _NEEDED[kind]) and _has_weights(folder, kind)


def _has_weights(folder: Path, kind: WeightsKind) -> bool:
    """Of a CLIP the one file; of a pipeline those of every part that has a network."""
    if kind == "clip":
        return (folder / WEIGHTS).is_file()
    if kind == "adapter":
        return True  # it is the one file that is needed
    parts = [path.parent for path in folder.glob("*/config.json")] if kind in ("pipeline", "prior") else [folder]
    return bool(parts) and all(any(part.glob("*.safetensors")) for part in parts)
