"""What the folder of a drawing model says of itself, before anything of it is loaded.

Beside what `diffusers` writes, a folder may hold `drawing.json` – the revision of the CLIP it was made for, the norm of
the embeddings it was trained on, its usual steps and guidance – and `gap.safetensors`, how texts cross the modality
gap.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from clipexplore.errors import InputError, MissingError
from clipexplore.language import _
from clipexplore.models.residents import or_damaged
from clipexplore.models.revisions import WEIGHTS, revision_of

CHECKER = "safety_checker"
FACTS, GAP = "drawing.json", "gap.safetensors"
UNCLIP, CLASSIC, KANDINSKY = "StableUnCLIPImg2ImgPipeline", "StableDiffusionPipeline", "KandinskyV22Pipeline"
_ENDS = 1 << 20  # bytes at either end of a file of weights that tell it from others


def class_of(folder: Path) -> str:
    """The class of its pipeline.

    Raises
    ------
    InputError
        For a folder without one, or of a class that does not draw here.
    """
    try:
        kind = json.loads((folder / "model_index.json").read_bytes())["_class_name"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise MissingError(
            _(
                "There is no drawing model in {folder}: its model_index.json is missing or damaged; fetch or train one "
                "first."
            ).format(folder=folder)
        ) from error
    if kind not in (known := (UNCLIP, CLASSIC, KANDINSKY)):
        raise InputError(
            _("The model in {folder} is a {kind}, and only {known} can draw here; choose another folder.").format(
                folder=folder, kind=kind, known=", ".join(known)
            )
        )
    return kind


def sees_points(folder: Path, adapter: Path | None) -> bool:
    """Whether a pipeline draws points of a CLIP that it is not itself a part of, and so has to know that."""
    return adapter is not None or class_of(folder) == KANDINSKY


def read_facts(folder: Path) -> dict:
    """What `drawing.json` says; nothing where there is none, as in folders of others."""
    path = folder / FACTS
    with or_damaged(_("{path} cannot be read: {error}; fetch or train the model again."), path=path):
        return json.loads(path.read_bytes()) if path.is_file() else {}


def usual_settings(folder: Path, few_steps: bool = False) -> dict[str, float]:
    """The `num_inference_steps` and `guidance_scale` that a pipeline is best used with."""
    if few_steps:
        return {"num_inference_steps": 4, "guidance_scale": 1.0}
    facts = read_facts(folder)
    return {
        "num_inference_steps": int(facts.get("num_inference_steps", 15)),
        "guidance_scale": float(facts.get("guidance_scale") or (4.0 if class_of(folder) == KANDINSKY else 7.5)),
    }


def read_gap(folder: Path) -> np.ndarray | None:
    """How unit vectors of texts cross the modality gap, float32: the linear map `(dim + 1, dim)` where one was learned,
    else the mean picture minus the mean text `(dim,)`; None without either. See `crossed`.
    """
    if not (folder / GAP).is_file():
        return None
    from safetensors.numpy import load_file

    stored = load_file(folder / GAP)
    return stored.get("map", stored["gap"]).astype(np.float32)


def check_clip(folder: Path, facts: dict, clip: Path | None) -> None:
    """A decoder draws the vectors of one CLIP; those of another are noise to it."""
    wanted = facts.get("clip")
    if wanted is None:
        return
    revision = revision_of(clip / WEIGHTS) if clip and (clip / WEIGHTS).is_file() else None
    if revision != wanted:
        raise InputError(
            _(
                "The model in {folder} draws the vectors of CLIP {wanted}, and the CLIP here is {revision}; train it "
                "again on this one."
            ).format(folder=folder, wanted=wanted, revision=revision)
        )


def has_checker(folder: Path) -> bool:
    """Whether the folder of a pipeline holds a safety checker."""
    return (folder / CHECKER).is_dir()


def revision(folder: Path, *more: object) -> str:
    """12 hex digits that name the files of a folder, and `more`, the same on every machine; of weights their size and
    both ends count.
    """
    return _revision(folder, max(path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()), more)


@lru_cache(maxsize=16)
def _revision(folder: Path, changed: int, more: tuple) -> str:
    """`changed` tells when to look again."""
    digest = hashlib.blake2b(repr(more).encode(), digest_size=6)
    for path in sorted(folder.rglob("*.json")) + sorted(folder.rglob("*.safetensors")):
        digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size} ".encode())
        with open(path, "rb") as file:
            digest.update(file.read(_ENDS))
            file.seek(max(0, path.stat().st_size - _ENDS))
            digest.update(file.read())
    return digest.hexdigest()
