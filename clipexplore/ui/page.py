"""All pages in the order of the navigation, and what stands around each: title, examples, explanation, measured
figures, and the one error boundary.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from clipexplore.errors import InputError
from clipexplore.images import data_url
from clipexplore.language import _, language
from clipexplore.paths import BUNDLE
from clipexplore.settings import settings

from .examples import show_examples
from .journey import arrive
from .markdown import escape
from .session import about, begin_run, run, space, visitor

log = logging.getLogger(__name__)


@cache
def _sections(language: str) -> dict[str, list[StreamlitPage]]:
    """The pages by the section they stand in, in the language spoken; those everybody starts with stand in none.

    Their icons are emoji: Streamlit fetches any other from the network for the browser's tab.
    """
    return {
        "": [
            _page(
                "start",
                _("CLIP Explorer"),
                "🧭",
                _("Pictures and texts as points of one space. Type anything below, or pick an example."),
            ),
            _page(
                "search", _("Search"), "🔎", _("Find the pictures, captions and words nearest to any text or picture.")
            ),
            _page("classify", _("Classify"), "🏷️", _("Describe the classes in words: no training, no labels.")),
            _page("map", _("Map"), "🗺️", _("See the whole collection on a plane, with your own points among it.")),
            _page("interpolate", _("Interpolate"), "🎞️", _("Walk from one point to another and see what lies between.")),
            _page(
                "arithmetic",
                _("Arithmetic"),
                "🎩",
                _("Subtract a bare head from one with a hat, and find words for hats."),
            ),
            _page("lessons", _("Lessons"), "🎓", _("Predict first, then look: short lessons to do alone or in class.")),
        ],
        _("Labs"): [
            _page("apart", _("Take apart"), "🪛", _("Read any picture or text back as a short sum of words.")),
            _page("concepts", _("Concepts"), "💡", _("See what a sparse dictionary of pictures holds, and turn it.")),
            _page(
                "components", _("Components"), "🧩", _("Take principal components apart and see what each one means.")
            ),
            _page("pixels", _("Pixels"), "🔲", _("Compare what plain pixels keep of a picture with what CLIP keeps.")),
            _page("match", _("Match"), "🤝", _("Do what CLIP was trained to do: pair pictures with their captions.")),
            _page("properties", _("Properties"), "🧪", _("Cross objects with properties: is the space made of parts?")),
            _page("two", _("Two models"), "👯", _("See what two trainings agree about, and what they do not.")),
            _page("words", _("Words"), "📖", _("Ask vectors made from text alone the questions you ask CLIP.")),
        ],
        _("Server"): [
            _page(
                "collections", _("Collections"), "🗂️", _("Add your own pictures, captions or vectors, and explore them.")
            ),
            _page("status", _("Status"), "🩺", _("See how the server is doing and what waits in its queues.")),
        ],
    }


def _page(name: str, title: str, icon: str, lead: str) -> StreamlitPage:
    return st.Page(f"pages/{name}.py", title=title, icon=icon, help=lead, default=name == "start")


def navigation() -> StreamlitPage:
    """Shows the navigation and gives the page to run."""
    # a run marks the pages as its own, so it has copies
    sections = {title: list(map(copy, each)) for title, each in _sections(language.get()).items()}
    run().pages = {page.url_path or "start": page for section in sections.values() for page in section}
    page = st.navigation(sections, position="top", expanded=True)
    run().page = page.url_path or "start"
    about.set(f"{visitor()[:8]} {run().page}")
    log.debug("shown with %s", dict(st.query_params))
    return page


def show_doors() -> None:
    """A way into every page but the first, with its picture, where there is one, and what it is for."""
    with st.grid("auto", min_column_width=220):
        for name, page in list(run().pages.items())[1:]:
            with st.container(border=True, height="stretch", gap="small"):
                if picture := _picture_of(name):
                    st.image(picture, width="stretch", link=name, alt=page.title)
                st.page_link(page, label=f"**{page.title}**")
                st.caption(page.help)


@cache
def _picture_of(page: str) -> str | None:
    """The README's picture of a page as an address: `st.image` would write a file anew as JPEG in every run."""
    file = BUNDLE / "docs/pictures" / f"{page}.webp"
    return data_url(file.read_bytes()) if file.is_file() else None


def header(*, lead: str, why: str, formula: str, attempt: str) -> None:
    """The title, one line about the page, its examples, and behind "What is happening?" its explanation.

    Parameters
    ----------
    lead
        One line about the page.
    why
        Markdown: what happens on it, with its source.
    formula
        LaTeX.
    attempt
        Markdown: something to try.
    """
    name = _under_app()
    arrive(name)
    try_this = _("Try this:")  # gettext's extraction does not look into f-strings
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom", key="page-head"):
        st.title(run().pages[name].title, anchor=False, width="content")
        with st.popover(_("What is happening?"), icon=":material/lightbulb:"):
            st.markdown(why)
            st.latex(formula)
            st.markdown(f"**{try_this}** {attempt}")
    st.markdown(lead)
    show_examples()


def _under_app() -> str:
    """The name of the page that is being run; starts over through app.py where Streamlit ran one alone.

    It does that for a folder called pages/ until `st.navigation` is first called, so for a link into a fresh server.
    """
    if "run" not in st.session_state or not run().page or "model" not in st.session_state:
        begin_run()
        navigation()
        st.rerun()
    return run().page


def say_figures(sentence: str, by: str = "labs") -> None:
    """What the bundled model was measured to do; nothing for another model, or one that has not been measured.

    Parameters
    ----------
    sentence
        Markdown with a `{of[name]}` for each figure, as the program that prints them names them.
    by
        That program, one of `clipexplore.training`.
    """
    if figures := measured():
        st.caption(
            sentence.format(of=figures),
            help=_("Printed by `python -m clipexplore.training.{by}`, on scenes that the model has never seen.").format(
                by=by
            ),
        )


def measured() -> dict[str, float]:
    """The figures of the bundled model by name; none for another model, or one that has not been measured."""
    found = _measured()
    return found["figures"] if found and found["revision"] == space().revision else {}


@cache
def _measured() -> dict | None:
    path = settings().assets / "figures.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


@contextmanager
def show_errors() -> Iterator[None]:
    """The error boundary of a page: a visitor's mistake is a sentence; anything else is logged and called our fault.

    After it no page is being run, so that `header` can tell a page which Streamlit runs without app.py.
    """
    try:
        yield
    except InputError as error:
        st.error(escape(str(error)), icon=":material/error:")
    except Exception:
        log.exception("a page failed")
        st.error(
            _("Something went wrong here, and it is not your fault. The server has logged it."),
            icon=":material/bug_report:",
        )
    finally:
        run().page = ""
