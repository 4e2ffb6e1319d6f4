"""Fetching weights from the Hugging Face hub: only what is needed, resumed where it stopped, checked, and whole or not there at all.

Separate because it is the only module that goes to the network, and it does so in the command `models get` alone, which the server
runs as a process of its own. Files arrive in `<revision>.partial` beside their place; a receipt is written last, then the folder
takes its name.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from clipexplore.errors import InputError
from clipexplore.models.choosing import choose
from clipexplore.models.weights import RECEIPT, Weights, fetched_folder, models_folder, write_json, write_lock

Report = Callable[[int, int, str], None]  # bytes done, bytes in all, what is being done; may raise to stop the work
SPARE = 200_000_000  # bytes that a download leaves free on the disk


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository; `sha256` is None for small files, which git's own hash `blob` describes."""

    name: str
    size: int
    sha256: str | None
    blob: str | None


@dataclass(frozen=True)
class Plan:
    """What will be fetched: a repository at a commit, and of it these files."""

    repo: str
    commit: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def folder(self) -> Path:
        return fetched_folder(self.repo, self.commit)

    @property
    def partial(self) -> Path:
        return self.folder.with_name(f"{self.commit}.partial")


def plan(weights: Weights) -> Plan:
    """What fetching these weights means, asked of the hub.

    Raises
    ------
    InputError
        If the hub cannot be reached, or does not give the repository, the revision or anything that can be used.
    """
    from huggingface_hub import HfApi

    with _told(weights):
        info = HfApi().model_info(weights.repo, revision=weights.pinned, files_metadata=True, timeout=20)
    names = {each.rfilename for each in info.siblings}
    chosen = choose(names, weights.kind)
    if not chosen:
        raise InputError(f"The repository {weights.repo} holds no {weights.kind} that can be used; name another in the configuration.")
    files = [each for each in info.siblings if each.rfilename in chosen and _is_inside(each.rfilename)]
    found = (RemoteFile(each.rfilename, each.size or 0, each.lfs.sha256 if each.lfs else None, each.blob_id) for each in files)
    return Plan(weights.repo, info.sha, tuple(found))


def fetch(weights: Weights, report: Report = lambda done, total, stage: None) -> Path:
    """The folder with all files of these weights, after fetching what is missing; pins the repository if the catalogue does not.

    Parameters
    ----------
    report
        Is told of every 10 MB; whatever it raises stops the work, which goes on from there the next time.

    Raises
    ------
    InputError
        As in `plan`; if the disk is too small, a file is not what the hub says it is, or somebody fetches the same just now.
    """
    if weights.repo is None:
        raise InputError(f"{weights.name} is a folder of this machine; there is nothing to fetch.")
    if weights.present:
        return weights.folder
    wanted = plan(weights)
    with _alone(wanted):
        _check_room(wanted)
        receipt = _fetch_files(wanted, report)
        receipt = _convert_all(wanted, receipt, report)
        write_json(wanted.partial / RECEIPT, receipt)
        shutil.rmtree(wanted.folder, ignore_errors=True)  # one from which something is missing, or whose pin was lost
        wanted.partial.rename(wanted.folder)
    if weights.revision is None:
        write_lock(weights.repo, wanted.commit)
    return wanted.folder


def _fetch_files(wanted: Plan, report: Report) -> dict[str, dict]:
    """Fetches all files, in which `done` counts what earlier tries have left; the receipt."""
    receipt, before = {}, 0
    for file in wanted.files:
        sha256 = _fetch_file(wanted, file, lambda size, before=before, file=file: report(before + size, wanted.size, file.name))
        receipt[file.name] = {"size": file.size, "sha256": sha256}
        before += file.size
    return receipt


def _fetch_file(wanted: Plan, file: RemoteFile, report: Callable[[int], None]) -> str:
    """Fetches one file unless it is there; its SHA-256, which for a large one is the hub's."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers, disable_progress_bars

    place = wanted.partial / file.name
    if not place.is_file():
        coming = place.with_name(place.name + ".incomplete")
        coming.parent.mkdir(parents=True, exist_ok=True)
        if file.sha256 is None or (coming.is_file() and coming.stat().st_size > file.size):
            coming.unlink(missing_ok=True)  # small, or nonsense: from the beginning
        disable_progress_bars()
        url = hf_hub_url(wanted.repo, file.name, revision=wanted.commit)
        with _told(wanted), open(coming, "ab") as out:
            start = out.tell()
            report(start)
            http_get(url, _Watched(out, report), resume_size=start, headers=build_hf_headers(), expected_size=file.size)
        _check(wanted, file, coming)
        coming.rename(place)
    report(file.size)
    return file.sha256 or sha256(place)


class _Watched:
    """A file that says how long it is whenever something was written."""

    def __init__(self, file, report: Callable[[int], None]):
        self._file, self._report = file, report

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def write(self, data: bytes) -> int:
        written = self._file.write(data)
        self._report(self._file.tell())
        return written


def _check(wanted: Plan, file: RemoteFile, path: Path) -> None:
    """Refuses a file that is not what the hub says it is, and removes it."""
    right = sha256(path) == file.sha256 if file.sha256 else git_hash(path) == (file.blob or git_hash(path))
    if not right:
        path.unlink()
        raise InputError(f"What arrived as {file.name} of {wanted.repo} is not what the hub says it is; fetch it again.")


def _convert_all(wanted: Plan, receipt: dict[str, dict], report: Report) -> dict[str, dict]:
    """Replaces `.bin` files by safetensors, each in a process of its own; the receipt says what it was converted from."""
    found = {}
    for name, entry in receipt.items():
        if not name.endswith(".bin"):
            found[name] = entry
            continue
        report(wanted.size, wanted.size, f"converting {name}, which can hold code, to safetensors, which cannot")
        new = converted_name(name)
        convert(wanted.partial / name, wanted.partial / new)
        found[new] = {"size": (wanted.partial / new).stat().st_size, "sha256": sha256(wanted.partial / new), "from": entry["sha256"]}
        (wanted.partial / name).unlink()
    return found


def converted_name(name: str) -> str:
    """What the safetensors of a `.bin` file are called where libraries look for them."""
    folder, _, file = name.rpartition("/")
    kept = file if file.startswith("diffusion_") else file.replace("pytorch_model", "model")  # diffusers keeps the word, transformers drops it
    return f"{folder}/{kept}".lstrip("/").removesuffix(".bin") + ".safetensors"


def convert(source: Path, target: Path) -> None:
    """Writes the tensors of a `.bin` file as safetensors, in a process that does nothing else.

    Raises
    ------
    InputError
        If the file holds anything but tensors, or is damaged.
    """
    done = subprocess.run([sys.executable, "-m", "clipexplore.models.convert", str(source), str(target)], capture_output=True, text=True)
    if done.returncode:
        target.unlink(missing_ok=True)
        reason = (done.stderr.strip().splitlines() or ["it was killed"])[-1]
        raise InputError(f"{source.name} cannot be converted to safetensors ({reason[:200]}); use a revision that has them.")


def verify(weights: Weights) -> list[str]:
    """The files that are not what was fetched, by their checksums; takes a second for each gigabyte.

    Raises
    ------
    InputError
        If the weights are not there, or no receipt says what they should be.
    """
    folder = weights.folder
    if not (folder / RECEIPT).is_file():
        raise InputError(f"{weights.name} was not fetched by this program, so nothing says what its files should be; fetch it with models get.")
    receipt = json.loads((folder / RECEIPT).read_bytes())
    return [name for name, entry in receipt.items() if not (folder / name).is_file() or sha256(folder / name) != entry["sha256"]]


def remove(weights: Weights) -> int:
    """Deletes what was fetched of these weights, finished or not; the bytes that are free now.

    Raises
    ------
    InputError
        For a folder of this machine, which is not ours to delete.
    """
    if weights.repo is None:
        raise InputError(f"{weights.name} is a folder of this machine and was not fetched; delete it yourself if you mean to.")
    kept = fetched_folder(weights.repo, "any").parent
    freed = sum(path.stat().st_size for path in kept.rglob("*") if path.is_file())
    shutil.rmtree(kept, ignore_errors=True)
    return freed


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_hash(path: Path) -> str:
    """The hash by which git, and so the hub, knows a small file."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _is_inside(name: str) -> bool:
    """Whether a file name of a repository stays inside its folder."""
    return not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts and "\\" not in name


@contextmanager
def _alone(wanted: Plan):
    """Holds the only right to fetch this repository; the system takes it back if the process dies."""
    from filelock import FileLock, Timeout

    models_folder().mkdir(parents=True, exist_ok=True)
    lock = FileLock(models_folder() / f"{wanted.repo.replace('/', '--')}.lock", timeout=0)
    try:
        with lock:
            yield
    except Timeout as error:
        raise InputError(f"{wanted.repo} is being fetched by another process; wait for it.") from error


def _check_room(wanted: Plan) -> None:
    """Refuses before anything is fetched what the disk cannot hold; a `.bin` needs room for its conversion too."""
    there = sum(path.stat().st_size for path in wanted.partial.rglob("*") if path.is_file()) if wanted.partial.is_dir() else 0
    converted = max((file.size for file in wanted.files if file.name.endswith(".bin")), default=0)
    needed, free = wanted.size - there + converted + SPARE, shutil.disk_usage(models_folder()).free
    if free < needed:
        raise InputError(f"Fetching {wanted.repo} needs {needed / 1e9:.1f} GB and {models_folder()} has {free / 1e9:.1f} GB free; "
                         "make room, or set CLIPEXPLORE_HOME to a larger disk.")  # fmt: skip


@contextmanager
def _told(about: Weights | Plan):
    """Turns what the hub or the network refuse into one sentence with a remedy."""
    from huggingface_hub import errors

    repo = about.repo
    sentences = {
        errors.GatedRepoError: f"{repo} is gated: accept its terms at https://huggingface.co/{repo}, log in with `hf auth login`, and fetch it again.",
        errors.DisabledRepoError: f"{repo} has been disabled by the hub; name another repository or a folder in the configuration.",
        errors.RevisionNotFoundError: f"{repo} no longer has the revision that is wanted; name another in the configuration.",
        errors.RepositoryNotFoundError: f"{repo} is not on the hub, or is private; name another repository or a folder in the configuration.",
        errors.RemoteEntryNotFoundError: f"A file of {repo} has gone from the hub; name another revision in the configuration.",
        errors.OfflineModeIsEnabled: f"{repo} cannot be fetched while HF_HUB_OFFLINE is set; unset it, or copy the folder of a machine that has the weights.",
    }
    try:
        yield
    except errors.HfHubHTTPError as error:
        code = getattr(error.response, "status_code", "an error")
        other = f"The hub answered {code} for {repo}; try again later, what was fetched is kept."
        raise InputError(next((said for kind, said in sentences.items() if isinstance(error, kind)), other)) from error
    except errors.OfflineModeIsEnabled as error:
        raise InputError(sentences[errors.OfflineModeIsEnabled]) from error
    except errors.HTTPError as error:
        raise InputError(f"The hub cannot be reached for {repo} ({type(error).__name__}); connect this machine to the network, "
                         "or copy the folder of a machine that has the weights. What was fetched is kept.") from error  # fmt: skip
    except OSError as error:
        raise InputError(f"{repo} cannot be fetched: {error.strerror or str(error).splitlines()[0]}; what was fetched is kept.") from error
