"""What stands around every page: title, examples, explanation and code, and the one error boundary."""

import json
import logging
from contextlib import contextmanager
from functools import cache

import streamlit as st
from streamlit.errors import StreamlitAPIException

from clipexplore import links
from clipexplore.errors import InputError
from clipexplore.settings import settings

from .markdown import escape
from .session import preset
from .texts import PAGES, text

log = logging.getLogger(__name__)
CARRIED = "to-"  # before a key in a link from page to page, as `open_in` writes it


def navigation():
    """All pages, as `st.navigation` takes them; gives the one to run. Emoji as icons: Streamlit fetches others from the network for the tab."""
    return st.navigation([
        st.Page(f"pages/{name}.py", title=says.title, icon=says.icon, help=says.lead, default=name == "start") for name, says in PAGES.items()
    ], position="top")  # fmt: skip


def header(page: str) -> None:
    """The title, one line about the page, its explanation and its examples."""
    _under_app()
    _take_carried(page)
    says = PAGES[page]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.title(says.title, anchor=False, width="content")
        with st.popover(text("page.why"), icon=":material/lightbulb:"):
            st.markdown(says.why)
            st.latex(says.formula)
            st.markdown(f"**{text('page.try')}** {says.attempt}")
    st.markdown(says.lead)
    _show_examples(page)


def _take_carried(page: str) -> None:
    """Puts into the link what one of `open_in` carries: on its way to this page Streamlit drops every key that the page before has too, such as `q`."""
    carried = [name for name in st.query_params if name.startswith(CARRIED)]
    for name in carried:
        if (key := name.removeprefix(CARRIED)) in links.PAGES[page]:
            _set_in_link(key, st.query_params[name])
        del st.query_params[name]
    if carried:
        st.rerun()


def _set_in_link(key: str, value: str) -> None:
    try:
        st.query_params[key] = value
    except StreamlitAPIException:  # its widget is there already: somebody went back to the link
        st.session_state[key] = value


def _under_app() -> None:
    """Starts over through app.py where Streamlit ran a page alone.

    It does that for a folder of the name pages/ until `st.navigation` is first called, so for a link into a fresh server.
    """
    if "model" not in st.session_state:
        navigation()
        st.rerun()


def _show_examples(page: str) -> None:
    with st.container(horizontal=True, gap="small"):
        for number, example in enumerate(examples().get(page, ())):
            st.button(example["label"], key=f"example-{page}-{number}", on_click=preset, kwargs=example["set"], type="secondary")


@cache
def examples() -> dict[str, list[dict]]:
    """The examples of each page: a label and what it sets."""
    return json.loads((settings().assets / "examples.json").read_text(encoding="utf-8"))


def code(lines: str) -> None:
    """The few lines of Python that reproduce what the page shows."""
    with st.expander(text("page.code"), icon=":material/code:"):
        st.caption(text("page.code_lead"))
        st.code(lines.strip(), language="python")


@contextmanager
def show_errors():
    """The boundary around a page: what a visitor caused is a sentence; anything else is logged, and said to be our fault."""
    try:
        yield
    except InputError as error:
        st.error(escape(str(error)), icon=":material/error:")
    except Exception:
        log.exception("a page failed")
        st.error(text("app.wrong"), icon=":material/bug_report:")
