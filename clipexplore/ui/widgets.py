"""Widgets that stand in the link: each named by its key there, starting at its default on the page (`links.PAGES`); and
buttons that download.

Streamlit writes into a link what a widget shows. That would give choices, whose options have other names in every
language, the language that a link was made in: so `linked` reads a choice from the link where it is first shown and
after Back and Forward, and writes it there, by the name of the option, whenever it is another.
"""

import mimetypes
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from clipexplore import links
from clipexplore.language import LANGUAGES, THOUSANDS, _, language

from .session import Choice, browsers_language, page_here, run, standing
from .titles import naming


def row() -> DeltaGenerator:
    """A place for widgets side by side, level at their feet."""
    return st.container(horizontal=True, vertical_alignment="bottom", gap="medium")


def default_of(key: str) -> Any:
    """What a key means on the page that is being run where a link does not say."""
    run().widgets.add(key)
    return links.PAGES[page_here()][key]


def linked(
    show: Callable[..., Any], key: str, label: str, options: Sequence[str], default: Choice, **look: Any
) -> Choice:
    """What is chosen of some options by a widget that `show` makes: one or, where the default is a list, several. The
    default is absent from the link.
    """
    run().choices.add(key)
    stands = standing(key, default)
    if isinstance(stands, list):
        st.session_state[key] = [each for each in stands if each in options]
    else:  # what is no option is of a wrong link, or of another collection or model
        st.session_state[key] = stands if stands in options else default
    chosen = show(label, options, key=key, format_func=naming(key, options), **look) or default
    if chosen == default:
        st.query_params.pop(key, None)
    elif st.query_params.get_all(key) != ([chosen] if isinstance(chosen, str) else chosen):
        st.query_params[key] = chosen
    return chosen


def language_box() -> None:
    """The choice of the language; the browser's is the default."""
    default = links.ALL["lang"]
    linked(st.selectbox, "lang", _("Language"), [default, *LANGUAGES], default)


def choice(key: str, label: str, options: Sequence[str], **look: Any) -> Any:
    """One of a few options, side by side; never none of them; the first where the default is not among them."""
    default = default_of(key)
    if default not in options:
        default = options[0]
        run().widgets.discard(key)  # `journey.afresh_button` knows the usual default alone
    return linked(st.segmented_control, key, label, options, default, required=True, **look)


def select(key: str, label: str, options: Sequence[str], otherwise: int = 0, **look: Any) -> Any:
    """One of many options; the one in the place `otherwise` where the default is none of them; None where there is
    none.
    """
    default = default_of(key)
    if not options:
        return None
    return linked(st.selectbox, key, label, options, default if default in options else options[otherwise], **look)


def several(key: str, label: str, options: Sequence[str], **look: Any) -> list[str]:
    """Any number of options."""
    return linked(st.multiselect, key, label, options, default_of(key), **look)


def toggle(key: str, label: str, **look: Any) -> bool:
    """On or off."""
    return st.toggle(label, default_of(key), key=key, bind="query-params", **look)


def with_comma() -> str | None:
    """The format of a slider's numbers where they have a comma. Streamlit asks the browser how its language writes
    numbers, so there is none where the visitor reads another.
    """
    return "localized" if language.get() in THOUSANDS and language.get() == browsers_language() else None


def slider(key: str, label: str, least: Any, most: Any, **look: Any) -> Any:
    """A number from a range, int or float as its ends are."""
    look = look | {"format": with_comma()} if isinstance(least, float) else look
    return st.slider(label, least, most, default_of(key), key=key, bind="query-params", **look)


def number(key: str, label: str, least: float, most: float, **look: Any) -> float | None:
    """A typed number, always a float: an integer field fails at `inf` in a link. None if nothing is typed."""
    default = default_of(key)
    start = None if default is None else float(default)
    return st.number_input(label, float(least), float(most), start, key=key, bind="query-params", **look)


def text_line(key: str, label: str, max_chars: int, **look: Any) -> str:
    """A line of text."""
    return st.text_input(label, default_of(key), key=key, bind="query-params", max_chars=max_chars, **look)


def text_lines(key: str, label: str, max_chars: int, **look: Any) -> str:
    """Several lines of text."""
    shape = {"height": "content", **look}
    return st.text_area(label, default_of(key), key=key, bind="query-params", max_chars=max_chars, **shape)


def download(
    label: str, make: Callable[[], bytes], name: str, key: str, icon: str = "download", **look: object
) -> None:
    """A button that downloads what `make` gives as a file of that name; nothing is made before, and the page stays."""
    mime = mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"
    st.download_button(label, make, name, mime, key=key, on_click="ignore", icon=f":material/{icon}:", **look)
