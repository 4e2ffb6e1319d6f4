"""The class: what the teacher asks, what everybody answered, and the page that the teacher shows."""

import streamlit as st

from clipexplore import links
from clipexplore.language import _, ngettext
from clipexplore.lessons import Lesson
from clipexplore.room import Asked, Led, Room

from .journey import send_to
from .session import access, is_class, run, speaking

EVERY = 0.5  # seconds between two looks at what is asked
LOOK = 1.5  # seconds between two looks at what is shown to the room


@st.cache_resource(show_spinner=False)
def room() -> Room:
    """Everybody on this server."""
    return Room()


def teacher_buttons(lesson: Lesson) -> None:
    """Asks the class the question of a lesson, shows the answers, ends the question."""
    asked = room().asked
    with st.container(horizontal=True, gap="small"):
        if not asked or asked.lesson != lesson.name:
            ask, given = _("Ask the class"), (lesson.name, len(lesson.options))
            st.button(ask, "ask", on_click=room().ask, args=given, icon=":material/campaign:", type="primary")
        elif not asked.shown:
            show = _("Show the answers")
            st.button(show, "show", on_click=room().show, icon=":material/bar_chart:", type="primary")
        if asked:
            st.button(_("End the question"), "end", on_click=room().end, icon=":material/stop:")


def say_count(asked: Asked) -> None:
    """How many have answered."""
    n = len(asked.answers)
    st.caption(ngettext("{n} answer so far", "{n} answers so far", n).format(n=n))


def histogram(lesson: Lesson) -> None:
    """How many chose each option."""
    counts = room().counts()
    for option, count in zip(lesson.options, counts, strict=False):
        st.progress(count / max(sum(counts), 1), f"{option} · **{count}**")


def lead_buttons(page: str) -> None:
    """For the teacher: shows the room this page as it is, or nothing any more."""
    if not (is_class() and access().operator):
        return
    keys = tuple((key, value) for key in st.query_params for value in st.query_params.get_all(key))
    label, icon = _("Show the room this page"), ":material/cast:"
    st.button(label, "lead", on_click=room().lead, args=(page, keys), icon=icon, width="stretch")
    if room().led:
        st.button(_("Show the room nothing"), "let-go", on_click=room().let_go, icon=":material/stop:", width="stretch")


def follow_box() -> None:
    """For the class: whether to go along with the teacher by itself."""
    st.session_state["following"] = st.session_state.get("follows", False)  # which a change of page forgets
    says = _("Your page changes when the teacher shows another.")
    st.toggle(_("Follow the teacher"), key="following", on_change=_agree, help=says)


def _agree() -> None:
    st.session_state["follows"] = st.session_state["following"]


def teachers_page() -> None:
    """For the class: what the teacher shows, offered on every page, or gone to by whoever follows."""
    st.fragment(speaking(_look), run_every=LOOK)()


def _look() -> None:
    led = room().led
    if led is None or led.number == st.session_state.get("followed"):
        return
    if st.session_state.get("follows"):
        _follow(led)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="teachers-page"):
        says = _("Your teacher shows the room **{page}**.").format(page=run().pages[led.page].title)
        st.markdown(says, width="content")
        if st.button(_("Go there"), "go-there", icon=":material/arrow_forward:", type="primary"):
            _follow(led)


def _follow(led: Led) -> None:
    st.session_state["followed"] = led.number
    keys = dict(led.keys)
    there = {key: [value for each, value in led.keys if each == key] for key in keys if key in links.PAGES[led.page]}
    send_to(led.page, there, {key: keys.get(key, default) for key, default in links.ALL.items() if key != "lang"})
    st.rerun()
