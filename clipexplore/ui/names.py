"""The visitor's names for points: their field in the sidebar, and the popover that adds one, beside every result."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from clipexplore import links
from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.names import MAX_CHARACTERS, add, define

from .markdown import escape
from .session import run, space, speaking, standing


def names_box() -> DeltaGenerator:
    """The field for the names of the link; gives the place below it, for `check_names`."""
    with st.expander(_("Names"), icon=":material/bookmark:", expanded=bool(standing("names", links.ALL["names"]))):
        st.text_area(
            _("One per line: name = expression"),
            links.ALL["names"],
            key="names",
            bind="query-params",
            max_chars=MAX_CHARACTERS,
            placeholder="blueness = a blue rose - a red rose",
            help=_(
                "After `blueness = a blue rose - a red rose`, `@blueness` is that direction on every page: "
                "`@lion + @blueness`. A name can use those above it. Names are part of the link."
            ),
        )
        return st.container()


def check_names() -> None:
    """What is wrong with the names; called when the page has opened the space, if it could."""
    if not st.session_state["names"]:
        return
    try:
        defined = define(st.session_state["names"])
    except InputError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    if run().space and (taken := [name for name in defined if name in space().collection]):
        clash = _("@{name} is both a name of yours and a picture of this collection; give your point another name.")
        st.error(escape(clash.format(name=taken[0])), icon=":material/error:")


def name_box(expression: str, slot: str) -> None:
    """A popover that gives an expression a name, for all pages and for whoever gets the link."""
    with st.popover(_("Name it"), icon=":material/bookmark_add:", key=f"naming-{slot}", on_change="rerun"):
        st.caption(_("Any expression on any page can then use it as `@name`, and links carry it."))
        st.text_input(_("Name"), key=f"name-{slot}", max_chars=40, placeholder="blueness")
        st.button(
            _("Keep"),
            key=f"keep-name-{slot}",
            on_click=_keep,
            args=(expression, slot),
            icon=":material/check:",
        )


@speaking
def _keep(expression: str, slot: str) -> None:
    """For the button: one more line in the link, if there is room for it, the field empty again and the popover
    closed.
    """
    field = f"name-{slot}"
    if (name := st.session_state[field].strip()) and space().has_picture(name):
        clash = _("@{name} is a picture already; choose another name.")
        st.toast(escape(clash.format(name=name)), icon=":material/error:")
        return
    lines = add(st.session_state["names"], name, expression)
    if len(lines) > MAX_CHARACTERS:
        st.toast(_("There is no room for another name; remove one in the sidebar first."), icon=":material/error:")
        return
    st.session_state["names"], st.session_state[field] = lines, ""
    st.session_state[f"naming-{slot}"] = False
