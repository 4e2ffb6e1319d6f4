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

from .logs import note_page
from .markdown import escape
from .names import names
from .session import preset
from .texts import PAGES, text

log = logging.getLogger(__name__)
CARRIED = "to-"  # before a key in a link from page to page, as `open_in` writes it


def navigation():
    """All pages, as `st.navigation` takes them; gives the one to run. Emoji as icons: Streamlit fetches others from the network for the tab."""
    sections: dict[str, list] = {}
    for name, says in PAGES.items():
        page = st.Page(f"pages/{name}.py", title=says.title, icon=says.icon, help=says.lead, default=name == "start")
        sections.setdefault(says.section, []).append(page)
    return st.navigation(sections, position="top")


def header(page: str) -> None:
    """The title, one line about the page, its explanation and its examples."""
    _under_app()
    _take_carried(page)
    if st.session_state.get("shown-page") != page:
        st.session_state["shown-page"] = page
        _forget_the_page_before(page)
    note_page(page)
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
        _forget_the_page_before(page)
        st.rerun()


def _set_in_link(key: str, value: str) -> None:
    try:
        st.query_params[key] = value
    except StreamlitAPIException:  # its widget is there already: somebody went back to the link
        st.session_state[key] = value


def _forget_the_page_before(page: str) -> None:
    """Drops values that the link does not hold. Streamlit does that at the end of a run; until then a key that both pages have, such as `rank`, has
    the other page's value, which may be none that this page allows."""
    for key in links.PAGES[page].keys() - set(st.query_params):
        st.session_state.pop(key, None)


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
        st.code(_with_names(lines.strip()), language="python")


def _with_names(lines: str) -> str:
    """The lines, with the visitor's names given to `space.point` where they use one."""
    before, opening, after = lines.partition("space = Space.open(")
    if not opening or not any(f"@{name}" in lines for name in names()):
        return lines
    call, _, after = after.partition("\n")
    meant = "\n".join(f"{name} = {meaning}" for name, meaning in names().items())
    imported = "from functools import partial\nfrom clipexplore.names import define\n"
    return f"{imported}{before}{opening}{call}\nspace.point = partial(space.point, names=define({meant!r}))\n{after}"


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
