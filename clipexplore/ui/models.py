"""The choice of a model: what is here, what would have to be fetched, what fits, under which terms; and making a model ready for a collection.

A page runs once the chosen model has embedded the word bank and the collection; the background captions and their map follow while it is used.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import streamlit as st

from clipexplore import catalog
from clipexplore.catalog import Model
from clipexplore.collection import Collection
from clipexplore.collections.embedded import Embedded, embed, fit_maps, missing, open_embedded
from clipexplore.collections.repair import mend
from clipexplore.collections.storage import MANIFEST
from clipexplore.errors import InputError
from clipexplore.models.fetching import duration, gigabytes
from clipexplore.models.weights import Weights
from clipexplore.server import machine
from clipexplore.settings import settings
from clipexplore.space import collection_folders
from clipexplore.worker import Job

from .fits import fitted, lane
from .logs import visitor
from .markdown import escape
from .session import embedder, space
from .texts import text

WITHOUT_MODEL = ("status", "collections")  # pages that need none


def ready(page: str, title: str) -> bool:
    """Whether the page can be shown; if not, what is missing or how far it is stands in its place.

    Raises
    ------
    InputError
        If the weights are needed, not on this machine, and visitors may not fetch them.
    """
    folders, name = collection_folders(visitor()), st.session_state["collection"]
    if page in WITHOUT_MODEL or name not in folders:  # of a collection that is not there the page tells
        return True
    model = catalog.get(st.session_state["model"])
    this = (model.key, str(folders[name]), (folders[name] / MANIFEST).stat().st_mtime_ns)
    if this in _prepared():
        return True
    present = model.present  # asked once: a download may end at any moment
    opened = _opened(model, folders["words"], folders[name]) if present or _brought(model, folders["words"], folders[name]) else []
    if opened and not any(missing(each, model) for each in opened):
        return _go_on(model, this)
    st.title(title, anchor=False)
    if not present:
        return _offer(model)
    st.markdown(text("models.embedding", title=model.title))
    work = partial(_embed, opened, model, embedder(model.key))
    return bool(fitted(work, ("embed", model.clip.identity, *this), "embed", on="embed")) and _go_on(model, this)


@st.cache_resource(show_spinner=False)
def _prepared() -> set[tuple]:
    """What is ready, for all visitors: the model's key, the collection's folder, which says more than its name, and when it was written."""
    return set()


def _brought(model: Model, *folders: Path) -> bool:
    """Whether these collections come with the model's vectors, so that what is stored is answered even without its weights."""
    return all(model.key in Collection.open(folder).manifest["models"] for folder in folders)


def _opened(model: Model, *folders: Path) -> list[Collection]:
    for folder in folders:
        mend(folder)
    return [open_embedded(folder, model) for folder in folders]


def _embed(opened: list[Collection], model: Model, by, job: Job) -> bool:
    job.report(0.0, text("models.loading"))
    embed(opened, model, by, job.report)
    return True


def _go_on(model: Model, this: tuple) -> bool:
    """Marks what is ready, and lets the rest follow in the background."""
    _prepared().add(this)
    here = space()
    if isinstance(here.background, Embedded):
        with suppress(InputError):  # a full queue: the rest is made when somebody else comes
            lane("rest").submit(partial(_rest, here, embedder(model.key)), ("rest", model.clip.identity, *this))
    return True


def _rest(here, by, job: Job) -> None:
    embed([here.background], here.model, by, lambda share, stage: job.report(0.8 * share, stage))
    fit_maps(here.collection, here.background, here.model, lambda share, stage: job.report(0.8 + 0.2 * share, stage))


def _offer(model: Model) -> bool:
    """A button that fetches the weights, where the operator allows one, and its progress; else the sentence that says how."""
    if not settings().downloads:
        model.clip.require(model.key)
    slot, key = f"fetch-{model.key}", ("fetch", model.key)
    if st.session_state.get(f"wanted-{slot}"):
        if fitted(partial(_fetch, model.key), key, slot, on="fetch"):
            st.session_state.pop(f"wanted-{slot}")
            st.rerun()
        return False
    st.markdown(text("models.not_here", title=model.title, size=gigabytes(model.clip.download), speed=_time(model.clip)))
    st.caption(_terms(model.clip))
    st.button(text("models.fetch"), key=slot, on_click=lambda: st.session_state.update({f"wanted-{slot}": True}), icon=":material/download:", type="primary")
    return False


def _fetch(key: str, job: Job) -> bool:
    """Runs `models get` in a process of its own, which alone goes to the network, and ends it if the job is cancelled."""
    command = [sys.executable, "-m", "clipexplore", "models", "get", key, "--part", "clip", "--lines"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout:
                said = json.loads(line)
                _speed().update({"bytes": said["speed"]} if said.get("speed") else {})
                job.report(said.get("progress", 0.0), _said(said))
        finally:
            process.terminate()
        told = process.stderr.read().strip().splitlines()
    if process.returncode not in (0, -15):
        raise InputError(told[-1] if told else text("models.fetch_failed"))
    return True


def _said(said: dict) -> str:
    if "total" not in said:
        return said["stage"]
    left = f" · {duration(said['left'])}" if "left" in said else ""
    return f"{said['stage']}: {gigabytes(said['done'])} / {gigabytes(said['total'])} · {said['speed'] / 1e6:.1f} MB/s{left}"


@st.cache_resource(show_spinner=False)
def _speed() -> dict[str, float]:
    """The bytes a second of the last download, once there was one."""
    return {}


def _time(weights: Weights) -> str:
    """How long a download takes at the last speed, in brackets; empty before there was one."""
    return f" ({duration(weights.download / _speed()['bytes'])})" if _speed().get("bytes") else ""


def model_card(key: str) -> None:
    """What the chosen model is and forbids, and behind a button the table of all."""
    model = catalog.get(key)
    st.caption(escape(model.description))
    for terms in dict.fromkeys(part.terms for part in model.parts if part.terms):
        st.caption(_terms(*(part for part in model.parts if part.terms == terms)))
    with st.popover(text("models.all"), icon=":material/table_rows:"):
        st.dataframe([_row(each) for each in catalog.models().values()], hide_index=True)
        st.caption(text("models.table_says"))


def _terms(*parts: Weights) -> str:
    """What weights with the same terms are called, their licences, and the terms."""
    names, licences = (", ".join(dict.fromkeys(each)) for each in ([part.name.split("/")[-1] for part in parts], [part.licence for part in parts]))
    return escape(text("models.terms", name=names, licence=licences, terms=parts[0].terms))


def _row(model: Model) -> dict[str, str]:
    return {
        text("models.model"): model.key,
        text("models.here"): _here(model),
        text("models.fits"): text("models.yes") if fits(model.parts) else text("models.clip_only") if fits((model.clip,)) else text("models.no"),
        text("models.texts"): _can(model.draws_prompts),
        text("models.points"): _can(model.draws_embeddings),
        text("models.licence"): model.licence,
    }


def _here(model: Model) -> str:
    to_fetch = [part for part in model.parts if part.repo and not part.present]
    if not to_fetch:
        return text("models.yes")
    size = gigabytes(sum(part.download for part in to_fetch))
    return text("models.partly", size=size) if model.present else text("models.to_fetch", size=size)


def _can(weights: Weights | None) -> str:
    if weights and weights.present:
        return text("models.yes")
    return text("models.not_fetched") if weights and weights.repo else text("models.no")


def fits(parts: tuple[Weights, ...], look: Callable[[], machine.Machine] = machine.look) -> bool:
    """Whether the memory of this device holds these weights in 16 bits, and half of it beside them for the work."""
    found = look()
    room = found.gpu_memory or found.memory
    return sum(part.parameters for part in parts) * 2 * 1.5 < room
