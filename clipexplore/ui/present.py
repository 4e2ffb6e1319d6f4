"""Presenting: a page in large type with nothing around it, led by a clicker (browser/window.js has its keys)."""

import streamlit as st

from clipexplore.language import _


def is_presenting() -> bool:
    """Whether this session's pages are shown so."""
    return bool(st.session_state.get("presenting"))


def present_button() -> None:
    """Begins it."""
    st.button(
        _("Present"),
        "present",
        on_click=_turn,
        args=(True,),
        icon=":material/slideshow:",
        width="stretch",
        help=_(
            "Large type, nothing around it. A clicker, Page Down and → lead to the next lesson, or on other pages to "
            "the next example; Page Up and ← lead back; Esc ends it."
        ),
    )


def end_presenting() -> None:
    """Ends it."""
    _turn(False)


def _turn(on: bool) -> None:
    st.session_state["presenting"] = on
    if on:
        st.session_state["share"] = False  # the popover that the button stands in
