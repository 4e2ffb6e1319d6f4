"""The visitor's names for points: the lines that the link holds, and the popover that adds one, beside every result."""

import streamlit as st

from clipexplore.errors import InputError
from clipexplore.expression import Expression
from clipexplore.names import MAX_CHARACTERS, add, define
from clipexplore.space import Point

from .markdown import escape
from .session import space
from .texts import text
from .uploads import uploads


def names() -> dict[str, Expression]:
    """What the names of the link stand for; none while one of the lines is wrong, which `check_names` says."""
    try:
        return define(st.session_state["names"])
    except InputError:
        return {}


def check_names() -> None:
    """Below the field of the names: what is wrong with them."""
    try:
        define(st.session_state["names"])
    except InputError as error:
        st.error(escape(str(error)), icon=":material/error:")


def resolved(expression: str | Expression) -> Point:
    """The point of an expression, which may hold uploads and names of this visitor.

    Raises
    ------
    InputError
        As `Space.point`.
    """
    return space().point(expression, uploads(), names())


def is_named(id: str) -> bool:
    """Whether `@id` is a name and so has no picture."""
    return id in names()


def name_box(expression: str, slot: str) -> None:
    """A popover that gives an expression a name, for all pages and for whoever gets the link."""
    with st.popover(text("names.give"), icon=":material/bookmark_add:"):
        st.caption(text("names.give_says"))
        st.text_input(text("names.name"), key=f"name-{slot}", max_chars=40, placeholder=text("names.example"))
        st.button(text("names.keep"), key=f"keep-name-{slot}", on_click=_keep, args=(expression, f"name-{slot}"), icon=":material/check:")


def _keep(expression: str, field: str) -> None:
    """For the button: one more line in the link, if there is room for it, and the field empty again."""
    lines = add(st.session_state["names"], st.session_state[field], expression)
    if len(lines) > MAX_CHARACTERS:
        st.toast(text("names.full"), icon=":material/error:")
        return
    st.session_state["names"], st.session_state[field] = lines, ""
