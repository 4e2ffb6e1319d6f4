"""Drawing for visitors: which pipeline draws what, the one lane of the device, and a point drawn wherever one is shown.

A script only asks and looks; the pipeline runs on the lane "render", is loaded there when first needed and kept for everybody. What was drawn is kept by
everything it depends on, so that the same question is answered at once.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from clipexplore.drawing.pipelines import read_gap, revision
from clipexplore.images import data_url, encode
from clipexplore.models.residents import shared, size_of
from clipexplore.models.safety import has_checker
from clipexplore.models.weights import Weights
from clipexplore.renderer import Renderer
from clipexplore.settings import settings
from clipexplore.worker import Job

from .fetching import offer_weights
from .fits import fitted
from .session import space
from .texts import text

LANE = "render"
MOST_KEPT = 200_000_000  # bytes: of 128 pixels some ten thousand pictures, of 512 some five hundred


@dataclass(frozen=True)
class Look:
    """What a job shows while it draws: frames by track and number as PNG, and the first of those at work as it emerges."""

    frames: dict[str, dict[int, bytes]]
    emerging: bytes | None


class Kept:
    """Drawn pictures by what they depend on; the longest unused go first. Any thread may ask."""

    def __init__(self, most: int = MOST_KEPT):
        self._most, self._lock, self._count = most, threading.Lock(), 0
        self._held: OrderedDict[Hashable, dict[str, list[bytes]]] = OrderedDict()

    def get(self, key: Hashable) -> dict[str, list[bytes]] | None:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: Hashable, drawn: dict[str, list[bytes]]) -> None:
        with self._lock:
            self._held[key] = drawn
            while len(self._held) > 1 and sum(len(png) for tracks in self._held.values() for pngs in tracks.values() for png in pngs) > self._most:
                self._held.popitem(last=False)


@st.cache_resource(show_spinner=False)
def _kept() -> Kept:
    return Kept()


def drawer(kind: str) -> Weights | None:
    """What draws points of the joint space ("joint") or token states ("tokens") for the chosen model; None where nothing here does."""
    weights = _named(kind)
    return weights if weights and weights.present else None


def _named(kind: str) -> Weights | None:
    """What the catalogue names for it, here or not."""
    model = space().model
    return model.draws_embeddings if kind == "joint" else model.draws_prompts


def never(kind: str) -> str:
    """Why the chosen model can never draw points of the joint space ("joint") or token states ("tokens"), in a sentence; empty where it can, once fetched."""
    if _named(kind):
        return ""
    model = space().model
    said = "never_tokens" if kind == "tokens" else "only_texts" if model.draws_prompts else "never_joint"
    return text(f"draw.{said}", model=model.title)


def say_cannot(kind: str) -> None:
    """One sentence on why nothing is drawn, and what visitors may do about it."""
    model, named = space().model, _named(kind)
    if reason := never(kind):
        st.info(reason, icon=":material/brush:")
    elif named.bundled:
        st.info(text("draw.unfinished", model=model.title), icon=":material/brush:")
    else:
        st.info(text("draw.absent", model=model.title, name=named.name, key=model.key), icon=":material/brush:")
        offer_weights(model)


def renderer_of(weights: Weights) -> Callable[[], Renderer]:
    """What gives the loaded pipeline, for a job to call: one copy for all visitors."""
    folder, clip, lora, checker = weights.folder, space().model.clip_folder, few_steps(weights), checker_folder()
    load = partial(Renderer.load, folder, clip, lora=lora, checker=checker)
    alone = (folder / "text_encoder").is_dir()  # it serves every CLIP, whose weights it shares where they are equal
    return partial(shared.get, ("draw", str(folder), None if alone else str(clip), str(lora), str(checker)), load, partial(size_of, folder))


def few_steps(weights: Weights) -> Path | None:
    """The folder of the LoRA that the chosen model draws texts in few steps with; None where it has none here."""
    model = space().model
    return model.few_steps.folder if model.few_steps and model.few_steps.present and weights == model.draws_prompts else None


def wants_checker() -> bool:
    """Whether drawings pass a safety checker: as the operator says, else wherever others than this machine can reach the server."""
    said = settings().safety_checker
    local = (st.get_option("server.address") or "0.0.0.0") in ("127.0.0.1", "localhost", "::1")
    return said == "on" or said == "auto" and not local


def checker_folder() -> Path | None:
    """The folder whose safety checker sees what is drawn with the chosen model, points as well as texts; None without one, or without need."""
    beside = space().model.draws_prompts
    return beside.folder if wants_checker() and beside and beside.present and has_checker(beside.folder) else None


def name_of(weights: Weights) -> str:
    """What stands for the weights in a key: equal names draw the same in this process."""
    about = max(path.stat().st_mtime_ns for path in weights.folder.rglob("*") if path.is_file())
    return f"{_name_of(str(weights.folder), about, weights.folder)} {few_steps(weights)} {checker_folder()}"


@st.cache_data(show_spinner=False, max_entries=16)
def _name_of(folder: str, changed: int, _folder: object) -> str:
    return revision(_folder)


def gap_of(weights: Weights) -> np.ndarray | None:
    """The offset that texts are moved by before this pipeline draws them, `(dim,)`: what is stored with it, else that of the collection; None without pictures."""
    stored, here = read_gap(weights.folder), space()
    if stored is not None or not here.collection.has_pictures:
        return stored
    pictures, captions = (here.collection.embeddings(here.model.key, kind) for kind in ("pictures", "captions"))
    return pictures.mean(axis=0) - captions.mean(axis=0)


def drawn(tracks: dict[str, Callable[[Renderer], dict]], key: Hashable, slot: str, weights: Weights, show: Callable[[Job], None] | None = None,
          **settings: object) -> dict[str, list[bytes]] | None:  # fmt: skip
    """The pictures of each track as PNG; None, with the progress on screen, until they are all there.

    Parameters
    ----------
    tracks
        By name, what gives `Renderer.render` its conditions; called on the lane.
    key
        Everything the conditions depend on.
    show
        Draws what the job has so far, below its progress.
    settings
        seed, num_inference_steps, guidance_scale and scheduler, as `Renderer.render` takes them.
    """
    whole = (name_of(weights), key, *sorted(settings.items()))
    if (known := _kept().get(whole)) is not None:
        return known
    work = partial(draw_tracks, load=renderer_of(weights), tracks=tracks, settings=settings, keep=partial(_kept().put, whole))
    return fitted(work, whole, slot, on=LANE, show=show or show_emerging)


def draw_tracks(job: Job, load: Callable[[], Renderer], tracks: dict[str, Callable[[Renderer], dict]], settings: dict[str, object],
                keep: Callable[[dict[str, list[bytes]]], None]) -> dict[str, list[bytes]]:  # fmt: skip
    """On the lane: draws every track and reports each step and each frame."""
    job.report(0.0, text("draw.loading"))
    renderer = load()
    done: dict[str, dict[int, bytes]] = {name: {} for name in tracks}

    def report(number: int, share: float, preview: Image.Image | None) -> None:
        look = Look({name: dict(frames) for name, frames in done.items()}, encode(preview, "PNG") if preview else None)
        count = sum(map(len, done.values()))
        job.report((number + share) / len(tracks), text("draw.drawing", count=count), look if preview or job.preview is None else None)

    def shown(name: str, row: int, picture: Image.Image) -> None:
        done[name][row] = encode(picture, "PNG")
        job.report(job.progress, preview=Look({each: dict(frames) for each, frames in done.items()}, None))

    for number, (name, conditions) in enumerate(tracks.items()):
        renderer.render(**conditions(renderer), **settings, report=partial(report, number), shown=partial(shown, name))
    result = {name: [frames[row] for row in sorted(frames)] for name, frames in done.items()}
    keep(result)
    return result


def show_emerging(job: Job) -> None:
    """What a job has so far, and what is emerging."""
    if not isinstance(job.preview, Look):
        return
    found = [frame for frames in job.preview.frames.values() for _, frame in sorted(frames.items())]
    with st.container(horizontal=True):
        for frame in found:
            st.image(frame, output_format="PNG", width=128)
        if job.preview.emerging:
            st.image(data_url(job.preview.emerging), width=128, alt=text("draw.emerging"))
