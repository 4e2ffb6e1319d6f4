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
from clipexplore.space import Space

from .logs import start_log

log = logging.getLogger(__name__)


def space() -> Space:
    """The space of the model and collection that the sidebar and the link name."""
    st.session_state["space"] = _space(st.session_state["model"], st.session_state["collection"])
    return st.session_state["space"]


@st.cache_resource(show_spinner=False, max_entries=8)
def _space(model: str, collection: str) -> Space:
    return Space.open(model, collection, embedder=_embedder(model))


@st.cache_resource(show_spinner=False, max_entries=4)
def _embedder(model: str) -> SharedEmbedder:
    return SharedEmbedder(catalog.get(model).clip_folder)


@st.cache_resource(show_spinner=False)
def warm_up() -> threading.Thread:
    """Starts, once in a process, to import and load what the first question will need; the first page is painted before."""
    start_log()
    thread = threading.Thread(target=_load_all, name="warm-up", daemon=True)
    thread.start()
    return thread


def _load_all() -> None:
    time.sleep(1.0)  # let the page that started this be painted first
    try:
        _embedder(next(iter(catalog.models()))).embed_texts(["hat"])
    except Exception:
        log.exception("the warm-up failed; the first visitor who needs the model will see why")
    # What is loaded now stays: moved out of the collector's sight, it no longer costs half a second a collection.
    gc.collect()
    gc.freeze()


def preset(**values: object) -> None:
    """For `on_click`: sets widgets by key, and the link follows."""
    for key, value in values.items():
        st.session_state[key] = value
