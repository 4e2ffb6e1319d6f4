"""What the process holds for all visitors, and the handle of one session.

The loaded models and opened collections exist once (`st.cache_resource`); a session keeps its handle on them in `st.session_state`.
A script never runs a model itself: it asks `SharedEmbedder`, whose one thread answers all visitors.
"""

import gc
import logging
import threading
import time

import streamlit as st

from clipexplore import catalog
from clipexplore.batcher import SharedEmbedder
from clipexplore.collections.shelves import OWN
from clipexplore.collections.storage import MANIFEST
from clipexplore.server.machine import share_heaps
from clipexplore.space import Space, collection_folders

from .logs import start_log, visitor
from .screen import begin_screen

log = logging.getLogger(__name__)


def begin_run() -> None:
    """Lets this run of the app look at the disk again and take the screen; called once, before anything asks for the space."""
    st.session_state.pop("opened", None)
    begin_screen()


def space() -> Space:
    """The space of the model and collection that the sidebar and the link name; looked for once in a run, since a gallery asks for every picture."""
    chosen = st.session_state["model"], st.session_state["collection"]
    if st.session_state.get("opened", (None,))[0] != chosen:
        st.session_state["opened"] = chosen, _look_up(*chosen)
    return st.session_state["opened"][1]


def _look_up(model: str, name: str) -> Space:
    folder = collection_folders(visitor()).get(name)
    written = (folder / MANIFEST).stat().st_mtime_ns if folder else 0  # what has changed is opened again
    return _space(model, name, str(folder), written, visitor() if name.startswith(OWN) else None)


@st.cache_resource(show_spinner=False, max_entries=8)
def _space(model: str, name: str, folder: str, written: int, owner: str | None) -> Space:
    return Space.open(model, name, embedder=embedder(model), owner=owner)


@st.cache_resource(show_spinner=False, max_entries=8)
def embedder(model: str) -> SharedEmbedder:
    """What embeds for all visitors by the model of that key; loaded when it is first asked, which raises an InputError if its weights are not here."""
    entry = catalog.get(model)
    return SharedEmbedder(entry.clip_folder, entry.clip.identity if entry.present else None)


@st.cache_resource(show_spinner=False)
def warm_up() -> threading.Thread:
    """Starts, once in a process, to import and load what the first question will need; the first page is painted before."""
    start_log()
    share_heaps()
    thread = threading.Thread(target=_load_all, name="warm-up", daemon=True)
    thread.start()
    return thread


def _load_all() -> None:
    time.sleep(1.0)  # let the page that started this be painted first
    try:
        embedder(next(iter(catalog.models()))).embed_texts(["hat"])
    except Exception:
        log.exception("the warm-up failed; the first visitor who needs the model will see why")
    # What is loaded now stays: moved out of the collector's sight, it no longer costs half a second a collection.
    gc.collect()
    gc.freeze()


def preset(**values: object) -> None:
    """For `on_click`: sets widgets by key, and the link follows."""
    for key, value in values.items():
        st.session_state[key] = value
