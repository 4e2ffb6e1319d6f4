"""One visitor's session: who it is, what it may do, what is on its screen, and its handle on what the process holds
for everybody.

Loaded models and opened collections exist once (`st.cache_resource`). A script never runs a model itself: it asks
`SharedEmbedder`, whose one thread answers all visitors. In the log a visitor is the first letters of a random id, and
what is typed is logged at DEBUG only.
"""

import gc
import logging
import math
from contextvars import ContextVar
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from clipexplore.access import Access, Caller
from clipexplore.batcher import Shared, shared_embedder
from clipexplore.jobs import Job, Lane
from clipexplore.models import catalog
from clipexplore.server.machine import share_heaps
from clipexplore.settings import settings
from clipexplore.space import Space
from clipexplore.store import shelves
from clipexplore.store.calendar import DAY, calendar
from clipexplore.store.shelves import OWN, own_folder, version_of

STREAMLIT = "1.67"  # for which it was checked what is asked of the runtime here and in `serving`
# The server imports the pages' functions before there is a runtime, of which each would warn.
logging.getLogger("streamlit.runtime.caching.cache_data_api").setLevel(logging.ERROR)
FORMAT = "%(asctime)s %(levelname)-7s %(name)s [%(about)s] %(message)s"
log = logging.getLogger(__name__)
_about: ContextVar[str] = ContextVar("about", default="-")


def visitor() -> str:
    """The random name of this session, by which its jobs are told from those of others."""
    return st.session_state.setdefault("visitor", uuid4().hex)


class Screen:
    """What one run of the app shows to one session, until a later run takes its place or the browser goes.

    How often a browser asks says too little: twice a second from a tab in front, once a minute from one behind, never
    from a frozen one; but it keeps all of them connected.
    """

    def __init__(self, session: str | None):
        self._session, self._seen = session, monotonic()

    @property
    def is_shown(self) -> bool:
        """Whether it still is on screen."""
        return bool(self._session and runtime.exists() and runtime.get_instance().is_active_session(self._session))

    def last_seen(self) -> float:
        """When it was last on screen, by `time.monotonic`: now, if it still is."""
        if self.is_shown:
            self._seen = monotonic()
        return self._seen

    def end(self) -> None:
        """Something else takes its place."""
        self.last_seen()
        self._session = None


def begin_run() -> None:
    """Lets this run of the app look at the disk again, show nothing yet, and take the screen; called once, before
    anything asks for the space.
    """
    state, context = st.session_state, get_script_run_ctx()
    state.pop("opened", None)
    state["choices"], state["on-page"], state["code"] = set(), [], None
    state["calls"] = state.get("calls", ({}, {}))[1], {}  # those of the run before, and of this one
    if before := state.get("screen"):
        before.end()
    state["screen"] = _present()[visitor()] = Screen(context.session_id if context else None)
    calendar().use(own_folder(visitor()))  # what it made grows old from its last run on


@st.cache_resource(show_spinner=False)
def _present() -> dict[str, Screen]:
    """What each visitor had on screen last."""
    return {}


def present() -> set[str]:
    """The visitors whose browsers are connected; what they made is never too old."""
    for name, shown in list(_present().items()):
        if monotonic() - shown.last_seen() > DAY:
            _present().pop(name, None)
    return {name for name, shown in list(_present().items()) if shown.is_shown}


def screen() -> Screen:
    """What this session has on screen."""
    return st.session_state["screen"]


def caller() -> Caller:
    """Where this session's browser is; Streamlit gives no address for this machine's own, and none over a Unix
    socket.
    """
    address, headers = st.context.ip_address, st.context.headers
    if address is None and headers and not str(st.get_option("server.address")).startswith("unix:"):
        address = "127.0.0.1"
    return Caller(address if isinstance(address, str) else None, headers)


def access() -> Access:
    """What this session's visitor may do."""
    return Access.of(caller(), bool(st.session_state.get("operator")), settings())


def space() -> Space:
    """The space of the model and collection that the sidebar and the link name; looked for once in a run, since a
    gallery asks for every picture.
    """
    if (opened := st.session_state.get("opened")) is None:
        opened = st.session_state["opened"] = _look_up(st.session_state["model"], st.session_state["collection"])
    return opened


def space_of(model: str) -> Space:
    """The space of another model and the collection that is explored."""
    return _look_up(model, st.session_state["collection"])


@st.cache_resource(show_spinner=False)
def early_spaces() -> dict[tuple[str, ...], Space]:
    """The space carried over to a model that is still embedding a collection, by `place_of` these."""
    return {}


def place_of(model: str, folder: Path) -> tuple[str, ...]:
    """What stands for a model and the items that a collection has now."""
    return model, str(folder), str((shelves.manifest_of(folder) or {}).get("items"))


def _look_up(model: str, name: str) -> Space:
    folder = shelves.folders(visitor()).get(name)
    if folder and (early := early_spaces().get(place_of(model, folder))):
        return early
    version = version_of(folder) if folder else ""  # what has changed is opened again
    present = catalog.get(model).present
    return _space(model, name, str(folder), version, visitor() if name.startswith(OWN) else None, present)


@st.cache_resource(show_spinner=False, max_entries=8)
def _space(model: str, name: str, folder: str, version: str, owner: str | None, present: bool) -> Space:
    return Space.open(model, name, embedder=embedder(model) if present else None, owner=owner)


@st.cache_resource(show_spinner=False, max_entries=8)
def embedder(model: str) -> Shared:
    """What embeds for all visitors by the model of that key; loaded when it is first asked, which raises an
    InputError if its weights are not here.
    """
    entry = catalog.get(model)
    return shared_embedder(entry.clip.folder, entry.clip.revisions if entry.present else None)


@st.cache_resource(show_spinner=False)
def warm_up() -> Job:
    """Starts, once in a process, to import and load what the first question will need; the first page is painted
    before.
    """
    start_log()
    share_heaps()
    return Lane("warm-up", abandon_after=math.inf).submit(lambda job: _load_all())


def is_warm() -> bool:
    """Whether the first question will be answered at once."""
    return warm_up().state not in ("queued", "running")


def _load_all() -> None:
    sleep(1.0)  # let the page that started this be painted first
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


def note_page(page: str) -> None:
    """Says whom and what the lines that follow in this run are about."""
    _about.set(f"{visitor()[:8]} {page}")
    log.debug("shown with %s", dict(st.query_params))


def start_log() -> None:
    """Writes what the program says to the server's error output, from the level of the settings on; once in a
    process.
    """
    logger, handler = logging.getLogger("clipexplore"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.addFilter(_add_about)
    logger.handlers[:] = [handler]
    logger.setLevel(settings().log_level)


def _add_about(record: logging.LogRecord) -> bool:
    record.about = _about.get()
    return True
