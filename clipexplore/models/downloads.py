"""Fetching weights from the Hugging Face hub: only what is needed, resumed where it stopped, checked, and whole or
not there at all.

Files arrive in `<revision>.partial` beside their place; a receipt is written last, then the folder takes its
name.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipexplore.errors import DamagedError, InputError, MissingError, NoRoomError
from clipexplore.language import _
from clipexplore.models import hub, open_clip
from clipexplore.models.hub import Plan, RemoteFile
from clipexplore.models.revisions import WEIGHTS
from clipexplore.models.weights import RECEIPT, Weights, models_folder, write_json, write_licence, write_lock
from clipexplore.paths import bytes_of

BytesReport = Callable[[int, int, str], None]  # bytes done and in all, what is being done; may raise to stop
Receipt = dict[str, dict[str, Any]]
SPARE = 200_000_000  # bytes that a download leaves free on the disk


def fetch(weights: Weights, report: BytesReport = lambda done, total, stage: None) -> Path:
    """The folder with all files of these weights, after fetching what is missing; pins the repository if the
    catalogue does not.

    Parameters
    ----------
    report
        Called every 10 MB; whatever it raises stops the work, which goes on from there the next time.

    Raises
    ------
    NetworkError, MissingError
        As in `plan`.
    NoRoomError
        If the disk is too small.
    DamagedError
        If a file is not what the hub says it is.
    InputError
        For a folder of this machine, unless it is in open_clip's layout: that is converted; for a model of open_clip
        that is no plain CLIP; and while another process fetches the same.
    """
    if weights.present and weights.kept:
        return weights.folder
    if weights.converted:
        return _convert_folder(weights, report)
    if weights.repo is None:
        raise InputError(f"{weights.name} is a folder of this machine; there is nothing to fetch.")
    wanted = hub.plan(weights)
    with _alone(wanted.repo):
        _check_room(wanted)
        receipt = _convert_all(wanted, _fetch_files(wanted, report), report)
        if open_clip.WEIGHTS in receipt:
            receipt = _arrange(wanted.partial / open_clip.WEIGHTS, wanted.partial, receipt, report)
            (wanted.partial / open_clip.WEIGHTS).unlink()
        write_json(wanted.partial / RECEIPT, receipt)
        shutil.rmtree(wanted.folder, ignore_errors=True)  # one from which something is missing, or whose pin was lost
        wanted.partial.rename(wanted.folder)
    if weights.revision is None:
        write_lock(weights.repo, wanted.commit)
    if wanted.licence and not weights.licence:
        write_licence(weights.repo, wanted.licence)
    return wanted.folder


def _fetch_files(wanted: Plan, report: BytesReport) -> Receipt:
    """Fetches all files, checks each, and gives the receipt; what earlier tries left counts as done."""
    receipt: Receipt = {}
    before = 0
    for file in wanted.files:
        _fetch_file(wanted, file, before, report)
        before += file.size
        receipt[file.name] = {"size": file.size, "sha256": _check(wanted, file)}
        if file.name == open_clip.CONFIG and any(each.name in open_clip.TENSORS for each in wanted.files):
            open_clip.model_config(
                json.loads((wanted.partial / file.name).read_bytes())
            )  # or refused, while it is cheap
        stage = file.name
        if not file.has_checksum:
            receipt[file.name]["unchecked"] = True
            stage = _("{name}, for which the hub gives no checksum").format(name=file.name)
        report(before, wanted.size, stage)
    return receipt


def _fetch_file(wanted: Plan, file: RemoteFile, before: int, report: BytesReport) -> None:
    """Fetches one file unless it is there, going on from where an earlier try stopped."""
    place = wanted.partial / file.name
    if place.is_file():
        return
    coming = place.with_name(place.name + ".incomplete")
    coming.parent.mkdir(parents=True, exist_ok=True)
    if file.sha256 is None or (coming.is_file() and coming.stat().st_size > file.size):
        coming.unlink(missing_ok=True)  # small, or nonsense: from the beginning
    with open(coming, "ab") as out:
        hub.receive(wanted, file, out, lambda done: report(before + done, wanted.size, file.name))
    coming.rename(place)


def _check(wanted: Plan, file: RemoteFile) -> str:
    """The SHA-256 of a file that arrived; one that is not what the hub says it is is removed and refused.

    Where the hub gives no checksum, its size is all that can be compared; what arrived is what `verify` compares with
    from then on.
    """
    path = wanted.partial / file.name
    digest = sha256(path)
    if file.sha256:
        is_right = digest == file.sha256
    elif file.blob:
        is_right = git_hash(path) == file.blob
    else:
        is_right = path.stat().st_size == file.size
    if not is_right:
        path.unlink()
        raise DamagedError(
            f"What arrived as {file.name} of {wanted.repo} is not what the hub says it is; fetch it again."
        )
    return digest


def unchecked(weights: Weights) -> list[str]:
    """The fetched files for which the hub gave no checksum: they are known to be as they were when they arrived."""
    receipt: Receipt = json.loads((weights.folder / RECEIPT).read_bytes())
    return [name for name, entry in receipt.items() if entry.get("unchecked")]


def _convert_all(wanted: Plan, receipt: Receipt, report: BytesReport) -> Receipt:
    """Replaces `.bin` files by safetensors, each in a process of its own; the receipt says what each was converted
    from.
    """
    converted: Receipt = {}
    for name, entry in receipt.items():
        if not name.endswith(".bin"):
            converted[name] = entry
            continue
        report(wanted.size, wanted.size, f"converting {name}, which can hold code, to safetensors, which cannot")
        source, target = wanted.partial / name, wanted.partial / converted_name(name)
        convert_bin(source, target)
        source.unlink()
        converted[converted_name(name)] = {
            "size": target.stat().st_size,
            "sha256": sha256(target),
            "from": entry["sha256"],
        }
    return converted


def converted_name(name: str) -> str:
    """What the safetensors of a `.bin` file are called where libraries look for them."""
    folder, _slash, file = name.rpartition("/")
    # diffusers keeps the word "pytorch", transformers drops it
    kept = file if file.startswith("diffusion_") else file.replace("pytorch_model", "model")
    return f"{folder}/{kept}".lstrip("/").removesuffix(".bin") + ".safetensors"


def convert_bin(source: Path, target: Path) -> None:
    """Writes the tensors of a `.bin` file as safetensors, in a process that does nothing else.

    Raises
    ------
    DamagedError
        If the file holds anything but tensors, or is damaged.
    """
    if reason := _failure("clipexplore.models.convert", source, target):
        target.unlink(missing_ok=True)
        raise DamagedError(
            f"{source.name} cannot be converted to safetensors ({reason}); use a revision that has them."
        )


def _failure(module: str, *arguments: Path) -> str:
    """Runs a module of the package as a process of its own; why it failed, empty if it did not."""
    done = subprocess.run([sys.executable, "-m", module, *map(str, arguments)], capture_output=True, text=True)
    return (done.stderr.strip().splitlines() or ["it was killed"])[-1][:300] if done.returncode else ""


def _arrange(source: Path, folder: Path, receipt: Receipt, report: BytesReport) -> Receipt:
    """Writes a model of open_clip into a folder with the rest of its files, as transformers has it; what the receipt
    says then.
    """
    report(1, 1, f"bringing {source.name} into the layout of transformers")
    if reason := _failure("clipexplore.models.open_clip", source, folder):
        raise DamagedError(f"{source.name} cannot be brought into the layout of transformers: {reason}")
    made = {
        name: {"size": (folder / name).stat().st_size, "sha256": sha256(folder / name)}
        for name in (WEIGHTS, "config.json", "preprocessor_config.json")
    }
    made[WEIGHTS]["from"] = receipt[open_clip.WEIGHTS]["sha256"]
    return {**{name: entry for name, entry in receipt.items() if name != open_clip.WEIGHTS}, **made}


def _convert_folder(weights: Weights, report: BytesReport) -> Path:
    """A copy of a folder of open_clip in the layout of transformers; the folder itself stays as it is."""
    source, folder = open_clip.find_weights(weights.given), weights.folder
    assert source is not None
    partial = folder.with_name(folder.name + ".partial")
    with _alone(f"converted/{folder.name}"):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for pattern in hub.TEXTS:
            for file in weights.given.glob(pattern):
                shutil.copyfile(file, partial / file.name)
        open_clip.model_config(json.loads((partial / open_clip.CONFIG).read_bytes()))
        tensors = source
        if source.suffix == ".bin":
            convert_bin(source, tensors := partial / open_clip.WEIGHTS)
        receipt: Receipt = {
            each.name: {"size": each.stat().st_size, "sha256": sha256(each)} for each in partial.iterdir()
        }
        receipt[open_clip.WEIGHTS] = {"sha256": sha256(source)}
        write_json(partial / RECEIPT, _arrange(tensors, partial, receipt, report))
        (partial / open_clip.WEIGHTS).unlink(missing_ok=True)
        partial.rename(folder)
    return folder


def verify(weights: Weights) -> list[str]:
    """The files that are not what was fetched, by their checksums; takes a second for each gigabyte.

    Raises
    ------
    MissingError
        If the weights are not there, or no receipt says what they should be.
    """
    folder = weights.folder
    if not (folder / RECEIPT).is_file():
        raise MissingError(
            f"{weights.name} was not fetched by this program, so nothing says what its files should be; "
            "fetch it with models get."
        )
    receipt = json.loads((folder / RECEIPT).read_bytes())
    return [
        name
        for name, entry in receipt.items()
        if not (folder / name).is_file() or sha256(folder / name) != entry["sha256"]
    ]


def remove(weights: Weights) -> int:
    """Deletes what was fetched or converted of these weights, finished or not; the bytes that are free now.

    Raises
    ------
    InputError
        For a folder of this machine, which is not ours to delete.
    """
    kept = weights.kept
    if kept is None:
        raise InputError(
            f"{weights.name} is a folder of this machine and was not fetched; delete it yourself if you mean to."
        )
    freed = bytes_of(kept)
    shutil.rmtree(kept, ignore_errors=True)
    return freed


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_hash(path: Path) -> str:
    """The hash by which git, and so the hub, knows a small file."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Holds the only right to fetch or convert what is called so; the system takes it back if the process dies."""
    from filelock import FileLock, Timeout

    models_folder().mkdir(parents=True, exist_ok=True)
    lock = FileLock(models_folder() / f"{name.replace('/', '--')}.lock", timeout=0)
    try:
        with lock:
            yield
    except Timeout as error:
        raise InputError(f"{name} is being fetched by another process; wait for it.") from error


def _check_room(wanted: Plan) -> None:
    """Refuses what the disk cannot hold before anything is fetched; what is converted needs room for that too."""
    changed = (".bin", open_clip.WEIGHTS)
    converted = max((file.size for file in wanted.files if file.name.endswith(changed)), default=0)
    needed, free = wanted.size - bytes_of(wanted.partial) + converted + SPARE, shutil.disk_usage(models_folder()).free
    if free < needed:
        raise NoRoomError(
            f"Fetching {wanted.repo} needs {needed / 1e9:.1f} GB and {models_folder()} has {free / 1e9:.1f} GB free; "
            "make room, or set CLIPEXPLORE_HOME to a larger disk."
        )
