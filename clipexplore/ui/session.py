"""One visitor's session: who it is, its language, what it may do, what is on its screen, and its handle on what the
process holds for everybody.

Loaded models and opened collections exist once (`st.cache_resource`). A script never runs a model itself: it asks
`SharedEmbedder`, whose one thread answers all visitors.
"""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar
from uuid import uuid4

import streamlit as st
from streamlit import runtime
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.scriptrunner import get_script_run_ctx

from clipexplore import links
from clipexplore.access import Access, Caller
from clipexplore.batcher import Shared, shared_embedder
from clipexplore.errors import InputError
from clipexplore.expression import Expression
from clipexplore.language import LANGUAGES, language
from clipexplore.models import catalog
from clipexplore.names import define
from clipexplore.server import operator
from clipexplore.settings import settings
from clipexplore.space import Space
from clipexplore.store import shelves
from clipexplore.store.calendar import DAY, calendar
from clipexplore.store.kept import Uploads
from clipexplore.store.shelves import OWN, session_folder, version_of

STREAMLIT = "1.67"  # for which it was checked what is asked of the runtime here and in `serving`
# The server imports the pages' functions before there is a runtime, of which each would warn.
logging.getLogger("streamlit.runtime.caching.cache_data_api").setLevel(logging.ERROR)
about: ContextVar[str] = ContextVar("about", default="-")  # whom and what the log's lines of this thread are about
Spoken = TypeVar("Spoken", bound=Callable)
Choice = TypeVar("Choice", str, list[str])


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


@dataclass
class Run:
    """What one run of the app has shown so far; each piece notes here what another needs of it.

    Attributes
    ----------
    screen
        What tells whether it still is on screen.
    pages, page
        All pages by name, in the order of the navigation, and the name of the one that is being run.
    space, folders
        The explored one and those of all collections, once they were asked for: looked for once in a run, since a
        gallery asks for every picture.
    calls, calls_before
        The library calls of this run and of the one before, by what they compute: see `calls.call`.
    code
        Gives the code of the page: see `calls.code`.
    choices, choices_before
        The keys of the choices, and of those in the last run of this page that came to its end.
    widgets
        The keys of the widgets that start at the default of the link table.
    fields
        The keys of the text fields in which ids are offered.
    pictures
        The ids of the pictures in galleries, in the order of the page.
    items
        The ids of all items that the page shows, of which the share box makes files.
    afresh
        The place beside the examples for `journey.afresh_button`: what a page shows is known when it has run.
    """

    screen: Screen = field(default_factory=lambda: Screen(None))
    calls_before: dict[tuple, Any] = field(default_factory=dict)
    calls: dict[tuple, Any] = field(default_factory=dict)
    space: Space | None = None
    folders: dict[str, Path] | None = None
    code: Callable[[], str] | None = None
    choices_before: set[str] = field(default_factory=set)
    choices: set[str] = field(default_factory=set)
    widgets: set[str] = field(default_factory=set)
    fields: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    afresh: DeltaGenerator | None = None
    pages: dict[str, StreamlitPage] = field(default_factory=dict)
    page: str = ""


def begin_run() -> None:
    """Lets this run of the app look at the disk again, show nothing yet, and take the screen; called once, before
    anything asks for the space.
    """
    context = get_script_run_ctx()
    last = st.session_state.get("run") or Run()
    last.screen.end()
    shown = _present()[visitor()] = Screen(context.session_id if context else None)
    st.session_state["run"] = Run(shown, calls_before=last.calls, choices_before=last.choices_before)
    calendar().use(session_folder(visitor()))  # what it made grows old from its last run on


@st.cache_resource(show_spinner=False)
def _present() -> dict[str, Screen]:
    """What each visitor had on screen last."""
    return {}


def run() -> Run:
    """What this run has shown so far."""
    return st.session_state["run"]


def page_here() -> str:
    """The name of the page that is shown, as `links.PAGES` has it; empty before the first has begun."""
    return st.session_state.get("shown-page", "")


def by_history() -> bool:
    """Whether the visitor came to what is shown by Back or Forward."""
    context = get_script_run_ctx()
    return bool(context and context.is_history_navigation)


def standing(key: str, default: Choice) -> Choice:
    """What a choice stands at, of one option or, where the default is a list, of several: see `widgets.linked`."""
    if key in st.session_state and not by_history():
        return st.session_state[key]
    if isinstance(default, list):
        return st.query_params.get_all(key) or default
    return st.query_params.get(key, default)


def speak() -> None:
    """Lets this thread speak the visitor's language, that of the link, else the browser's, else English; called before
    anything is said.
    """
    chosen = standing("lang", links.ALL["lang"])
    language.set(chosen if chosen in LANGUAGES else browsers_language())


def browsers_language() -> str:
    """An ISO 639 code; English where the browser does not say."""
    return (st.context.locale or "en")[:2].lower()


def speaking(run: Spoken) -> Spoken:
    """For what Streamlit runs on a thread of its own, without the rest of the page: fragments and callbacks."""

    @wraps(run)
    def spoken(*args: Any, **kwargs: Any) -> Any:
        speak()
        return run(*args, **kwargs)

    return spoken  # type: ignore[return-value]


def present() -> set[str]:
    """The visitors whose browsers are connected; what they made is never too old."""
    for name, shown in list(_present().items()):
        if monotonic() - shown.last_seen() > DAY:
            _present().pop(name, None)
    return {name for name, shown in list(_present().items()) if shown.is_shown}


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
    return Access.of(caller(), has_typed_code(), settings())


def has_typed_code() -> bool:
    """Whether the operator code was typed in this session, or in this browser within a day."""
    if "operator" not in st.session_state:
        given = st.context.cookies.get(operator.COOKIE)
        st.session_state["operator"] = isinstance(given, str) and operator.is_ticket(given, settings().operator_code)
    return st.session_state["operator"]


def is_class() -> bool:
    """Whether others than this machine reach the server, as with `serve --class`."""
    return bool(settings().public_url)


def is_pupil() -> bool:
    """Whether the visitor is one of a class."""
    return is_class() and not access().operator


def folders() -> dict[str, Path]:
    """The folder of each collection that this visitor sees, by its name."""
    if (here := run()).folders is None:
        here.folders = shelves.folders(visitor())
    return here.folders


def names() -> dict[str, Expression]:
    """What the names of the link stand for; none while one of the lines is wrong, which `check_names` says."""
    try:
        return define(st.session_state["names"])
    except InputError:
        return {}


def uploads() -> Uploads:
    """The pictures of this session."""
    return st.session_state.setdefault("uploads", Uploads())


def space() -> Space:
    """The space of the model and collection that the sidebar and the link name, with this visitor's names and pictures;
    the same one as in the run before, where nothing of that has changed.
    """
    if (here := run()).space is None:
        opened = _look_up(st.session_state["model"], st.session_state["collection"])
        made_of, own = st.session_state.get("own-space", (None, None))
        if made_of != (opened, st.session_state["names"]):
            made_of, own = (opened, st.session_state["names"]), opened.with_names(names(), uploads())
            st.session_state["own-space"] = made_of, own
        here.space = own
    return here.space


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
    folder = folders().get(name)
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


def preset(**values: object) -> None:
    """For `on_click`: sets widgets by key, and the link follows."""
    for key, value in values.items():
        st.session_state[key] = value
