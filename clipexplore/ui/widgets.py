"""Widgets that stand in the link: named by its key there, starting at its default on the page (`links.PAGES`); and
buttons that download.
"""

import mimetypes
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from clipexplore import links

from .linked import linked
from .page import name_of, page_here


def default_of(key: str) -> Any:
    """What a key means on the page that is being run where a link does not say."""
    st.session_state.setdefault("shown-keys", set()).add(key)  # see `journey.afresh_button`
    return {**links.ALL, **links.PAGES[name_of(page_here())]}[key]


def choice(key: str, label: str, options: Sequence[str], **look: Any) -> Any:
    """One of a few options, side by side; never none of them; the first where the default is not among them."""
    default = default_of(key)
    if default not in options:
        default = options[0]
        st.session_state["shown-keys"].discard(key)  # `journey.afresh_button` knows the usual default alone
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
    chosen = [value for value in default_of(key) if value in options]
    return st.multiselect(label, options, chosen, key=key, bind="query-params", **look)


def toggle(key: str, label: str, **look: Any) -> bool:
    """On or off."""
    return st.toggle(label, default_of(key), key=key, bind="query-params", **look)


def slider(key: str, label: str, least: Any, most: Any, **look: Any) -> Any:
    """A number from a range, int or float as its ends are."""
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
