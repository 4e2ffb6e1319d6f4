"""What the Hugging Face hub is asked: which files a set of weights is made of, and their bytes.

The only module that goes to the network, and only in the command `models get`, which the server runs as a process of
its own. Files are received here and not by `snapshot_download`, which begins a file anew after every stop.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from clipexplore.errors import MissingError, NetworkError, NoRoomError
from clipexplore.models.weights import ADAPTER, Weights, fetched_folder

CHUNK = 10_000_000  # bytes
TIMEOUT = 20.0  # seconds without a byte
TEXTS = ("*.json", "*.txt", "*.model")
_SHARD = r"(-\d{5}-of-\d{5})?"
_FULL = (rf"(diffusion_pytorch_)?model{_SHARD}\.safetensors", rf"(diffusion_)?pytorch_model{_SHARD}\.bin")
_ONE = (  # file of a CLIP, never in parts
    r"model\.safetensors",
    r"open_clip_model\.safetensors",
    r"pytorch_model\.bin",
    r"open_clip_pytorch_model\.bin",
)
_HALF = tuple(pattern.replace("model", r"model\.fp16") for pattern in _FULL)


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository; `sha256` is None for small files, which git's own hash `blob` describes."""

    name: str
    size: int
    sha256: str | None
    blob: str | None

    @property
    def has_checksum(self) -> bool:
        return bool(self.sha256 or self.blob)


@dataclass(frozen=True)
class Plan:
    """What will be fetched: a repository at a commit, and of it these files; its licence as the repository says it."""

    repo: str
    commit: str
    files: tuple[RemoteFile, ...]
    licence: str = ""

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def folder(self) -> Path:
        return fetched_folder(self.repo, self.commit)

    @property
    def partial(self) -> Path:
        return self.folder.with_name(f"{self.commit}.partial")


def choose(names: Iterable[str], kind: str) -> set[str]:
    """The files of a repository that a set of weights is made of; empty if there are none.

    Safetensors are taken before `.bin`, and of a pipeline fp16 if all its parts have it; other formats, full
    checkpoints at the top and weights for further training are left out. A CLIP is one file, in
    open_clip's layout where it has no other.
    """
    if kind == "adapter":
        return set(names) & {ADAPTER}
    if kind == "lora":
        return set(names) & {"pytorch_lora_weights.safetensors"}
    depth = 1 if kind == "clip" else 2
    inside = [name for name in names if name.count("/") == depth - 1 or name == "model_index.json"]
    if kind == "prior":  # its encoders are those of the CLIP
        inside = [name for name in inside if name.startswith(("prior/", "scheduler/", "model_index"))]
    folders: dict[str, list[str]] = {}
    for name in inside:
        folders.setdefault(str(PurePosixPath(name).parent), []).append(PurePosixPath(name).name)
    half = {folder: _first(_HALF, names) for folder, names in folders.items()}
    wanted = _ONE if kind == "clip" else _FULL
    full = {folder: _first(wanted, names) for folder, names in folders.items()}
    with_weights = [folder for folder in folders if half[folder] or full[folder]]
    taken = half if kind != "clip" and all(half[folder] for folder in with_weights) else full
    files = {str(PurePosixPath(folder, name)) for folder in with_weights for name in taken[folder]}
    texts = {name for name in inside if any(fnmatch(name, text) for text in TEXTS) and ".index." not in name}
    shards = {name for name in inside if ".index." in name and any("-of-" in file for file in files)}
    return files | texts | shards if files else set()


def _first(patterns: tuple[str, ...], names: list[str]) -> list[str]:
    """The names that match the first of these patterns that any name matches."""
    matches = ([name for name in names if re.fullmatch(pattern, name)] for pattern in patterns)
    return next(filter(None, matches), [])


def plan(weights: Weights) -> Plan:
    """What fetching these weights means, asked of the hub.

    Raises
    ------
    NetworkError
        If the hub cannot be reached, or does not give the repository or the revision.
    MissingError
        If the repository holds nothing that can be used.
    """
    from huggingface_hub import HfApi

    with _hub_errors(weights.name):
        try:
            info = HfApi().model_info(weights.name, revision=weights.pinned, files_metadata=True, timeout=20)
        except (LookupError, TypeError) as error:  # an answer that describes no repository
            raise ValueError from error
    siblings = info.siblings or []
    chosen = choose((each.rfilename for each in siblings), weights.kind)
    if not chosen or not info.sha:
        raise MissingError(
            f"The repository {weights.repo} holds no {weights.kind} that can be used; name another in the "
            "configuration."
        )
    files = (
        RemoteFile(each.rfilename, each.size or 0, each.lfs.sha256 if each.lfs else None, each.blob_id)
        for each in sorted(siblings, key=lambda each: each.size or 0)  # what is refused by its configuration is so soon
        if each.rfilename in chosen and _is_inside(each.rfilename)
    )
    licence = str((info.card_data or {}).get("license") or "")
    return Plan(weights.name, info.sha, tuple(files), licence)


def _is_inside(name: str) -> bool:
    """Whether a file name of a repository stays inside its folder."""
    return not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts and "\\" not in name


def receive(wanted: Plan, file: RemoteFile, out: BinaryIO, report: Callable[[int], None]) -> None:
    """Appends what is still missing of a file; a connection that drops is made again as long as anything comes.

    Parameters
    ----------
    report
        Is told every 10 MB how many bytes the file has.

    Raises
    ------
    NetworkError
        If the hub or the network refuse.
    NoRoomError
        If the disk is full.
    """
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    with _hub_errors(wanted.repo):
        while True:
            start = out.tell()
            report(start)
            try:
                return _append(wanted, file, out, report)
            except HTTPError as error:
                if isinstance(error, HfHubHTTPError) or out.tell() <= start:
                    raise
            time.sleep(1)


def _append(wanted: Plan, file: RemoteFile, out: BinaryIO, report: Callable[[int], None]) -> None:
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    start = out.tell()
    headers = build_hf_headers() | ({"Range": f"bytes={start}-"} if start else {})
    url = hf_hub_url(wanted.repo, file.name, revision=wanted.commit)
    with get_session().stream("GET", url, headers=headers, follow_redirects=True, timeout=TIMEOUT) as response:
        hf_raise_for_status(response)
        if start and response.status_code != 206:  # a server that sends no parts: from the beginning
            out.truncate(0)
        for chunk in response.iter_bytes(CHUNK):
            out.write(chunk)
            report(out.tell())


@contextmanager
def _hub_errors(repo: str) -> Iterator[None]:
    """Turns what the hub or the network refuse into one sentence with a remedy."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HfHubHTTPError as error:
        raise NetworkError(_refusal(repo, error)) from error
    except errors.OfflineModeIsEnabled as error:
        raise NetworkError(
            f"{repo} cannot be fetched while HF_HUB_OFFLINE is set; unset it, or copy the folder of a machine that has "
            "the weights."
        ) from error
    except errors.HTTPError as error:
        raise NetworkError(
            f"The hub cannot be reached for {repo} ({type(error).__name__}); connect this machine to the network, "
            "or copy the folder of a machine that has the weights. What was fetched is kept."
        ) from error
    except ValueError as error:  # a page where an answer was expected, as from the login of a hotel's network
        raise NetworkError(
            f"What answered for {repo} is not the hub; check the network of this machine. What was fetched is kept."
        ) from error
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise NoRoomError(f"{repo} cannot be fetched: {reason}; what was fetched is kept.") from error


def _refusal(repo: str, error: Any) -> str:
    """What the hub said no to."""
    from huggingface_hub import errors

    sentences = {
        errors.GatedRepoError: f"{repo} is gated: accept its terms at https://huggingface.co/{repo}, "
        "log in with `hf auth login`, and fetch it again.",
        errors.DisabledRepoError: f"{repo} has been disabled by the hub; name another repository or a folder in the "
        "configuration.",
        errors.RevisionNotFoundError: f"{repo} no longer has the revision that is wanted; name another in the "
        "configuration.",
        errors.RepositoryNotFoundError: f"{repo} is not on the hub, or is private; name another repository or a folder "
        "in the configuration.",
        errors.RemoteEntryNotFoundError: f"A file of {repo} is gone from the hub; name another revision in the "
        "configuration.",
    }
    code = getattr(error.response, "status_code", "an error")
    other = f"The hub answered {code} for {repo}; try again later, what was fetched is kept."
    return next((sentence for kind, sentence in sentences.items() if isinstance(error, kind)), other)
