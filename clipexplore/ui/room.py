"""The class: what the teacher asks, and what everybody answered."""

import streamlit as st

from clipexplore.language import _, ngettext
from clipexplore.lessons import Lesson
from clipexplore.room import Asked, Room
from clipexplore.settings import settings

EVERY = 0.8  # seconds between two looks at what is asked


@st.cache_resource(show_spinner=False)
def room() -> Room:
    """Everybody on this server."""
    return Room()


def is_class() -> bool:
    """Whether others than this machine reach the server, as with `serve --class`."""
    return bool(settings().public_url)


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
