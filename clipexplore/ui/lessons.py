"""Lessons on screen: a list, and one that is open, whose answer shows once something was predicted.

What was predicted is kept by the visitor's own device, in the browser's `localStorage`, under a random name for itself;
the server has it only while the session lasts.
"""

from urllib.parse import urlencode

import streamlit as st

from clipexplore import links
from clipexplore.language import _
from clipexplore.lessons import Lesson, lessons, mistakes
from clipexplore.room import Asked

from .browser import component
from .markdown import escape
from .room import EVERY, histogram, room, say_count, teacher_buttons
from .session import access, is_class, preset, run, speaking, visitor
from .widgets import linked

_device = component("device")


def lesson_list() -> Lesson | None:
    """The lessons in their order, with what was predicted already; the one that is open."""
    every, default = lessons(), links.PAGES["lessons"]["lesson"]
    names = list(every)
    marks = {name: "✓ " for name in names if name in predictions()}
    chosen = linked(
        st.radio,
        "lesson",
        _("Lessons"),
        names,
        default if default in names else names[0],
        captions=[marks.get(name, "") for name in names] if marks else None,
        label_visibility="collapsed",
    )
    if marks:
        says = _("{n} of {all} predicted; this is kept on your device only.")
        st.caption(says.format(n=len(marks), all=len(names)))
        st.button(_("Forget my predictions"), on_click=_forget, icon=":material/delete:", type="tertiary")
    for mistake in mistakes() if access().operator else ():
        st.warning(escape(mistake), icon=":material/school:")
    _keep_on_device()
    return every.get(chosen)


def show_lesson(lesson: Lesson) -> None:
    """What a lesson is about, what one predicts, and then what the page shows; above it what a class is asked."""
    st.fragment(speaking(_show), run_every=EVERY if is_class() else None)(lesson)
    names = list(lessons())
    here = names.index(lesson.name)
    with st.container(horizontal=True):
        for name in names[:here][-1:]:
            back, icon = {"on_click": preset, "kwargs": {"lesson": name}}, ":material/arrow_back:"
            st.button(lessons()[name].title, "previous-lesson", icon=icon, type="tertiary", **back)
        for name in names[here + 1 :][:1]:
            label, icon = _("Next: {title}").format(title=lessons()[name].title), ":material/arrow_forward:"
            st.button(label, "next-lesson", on_click=preset, kwargs={"lesson": name}, icon=icon)


def _show(lesson: Lesson) -> None:
    asked, leads = room().asked if is_class() else None, access().operator
    of_class = lessons().get(asked.lesson) if asked and not leads else None
    if of_class:  # in no box: on a page that comes while it is asked, Streamlit loses what is inside of one
        st.info(_("Your class is asked:"), icon=":material/campaign:")
        _show_one(of_class, asked)
        if of_class == lesson:
            return
        st.divider()
    _show_one(lesson, asked if asked and asked.lesson == lesson.name else None)


def _show_one(lesson: Lesson, asked: Asked | None) -> None:
    """A lesson; where the class is `asked` it, its answer shows as soon as the teacher shows the room's."""
    leads = is_class() and access().operator
    st.subheader(lesson.title, anchor=False)
    st.markdown(lesson.text)
    if leads:
        teacher_buttons(lesson)
    mine = asked.answers.get(device()) if asked else predictions().get(lesson.name)
    st.markdown(f"**{lesson.question}**")
    if mine is None and not (asked and leads):
        _show_options(lesson)
    elif asked and not asked.shown:
        _wait(lesson, asked, mine)
    else:
        if asked:
            histogram(lesson)
        _show_answer(lesson, mine)


def _wait(lesson: Lesson, asked: Asked, mine: int | None) -> None:
    """Until the teacher shows the answers: how many there are, and to whoever has answered with what."""
    if mine is None:
        st.markdown("\n".join(f"- {option}" for option in lesson.options))
    else:
        says = _("Your answer: **{option}**. All answers show here as soon as your teacher shows them.")
        st.markdown(says.format(option=lesson.options[mine]))
    say_count(asked)


def _show_options(lesson: Lesson) -> None:
    st.caption(_("Predict first:"))
    for number, option in enumerate(lesson.options):
        if st.button(option, key=f"option-{lesson.name}-{number}", width="stretch"):
            predictions()[lesson.name] = number
            room().answer(lesson.name, device(), number)
            st.rerun()


def _show_answer(lesson: Lesson, mine: int | None) -> None:
    right = lesson.options[lesson.answer]
    if mine == lesson.answer:
        st.success(_("As you predicted: **{answer}**").format(answer=right), icon=":material/check_circle:")
    else:
        if mine is not None and 0 <= mine < len(lesson.options):
            st.caption(_("You predicted: {option}").format(option=lesson.options[mine]))
        st.info(_("The page shows: **{answer}**").format(answer=right), icon=":material/visibility:")
    st.markdown(lesson.why)
    _open_it(lesson)
    st.markdown(f"*{lesson.next}*")


def _open_it(lesson: Lesson) -> None:
    """The way to the page that answers, in the state of the lesson and none that the visitor left there."""
    defaults = links.PAGES[lesson.page]
    keys = lesson.keys or tuple((key, str(value)) for key, value in [*defaults.items()][:1])
    label, icon = _("Look for yourself: {page}").format(page=run().pages[lesson.page].title), ":material/arrow_outward:"
    if {key for key, _value in keys} <= defaults.keys():
        st.page_link(f"pages/{lesson.page}.py", label=f"**{label}**", icon=icon, query_params=keys)
    else:  # the sidebar keeps its values from page to page, so that a link with others is opened afresh
        st.link_button(label, f"{lesson.page}?{urlencode(keys)}", icon=icon)


def device() -> str:
    """A name for the visitor's device, the same when the page is loaded anew; at first that of the session."""
    return st.session_state.get("device") or visitor()


def predictions() -> dict[str, int]:
    """What was predicted, by lesson: the option, counted from 0."""
    return st.session_state.setdefault("predictions", {})


def _keep_on_device() -> None:
    """Exchanges the predictions with the device; called once at the end of a page."""
    forget = bool(st.session_state.pop("forget", False))
    data = {"device": st.session_state.get("device"), "predictions": predictions(), "forget": forget}
    _device(data=data, key="on-device", on={"kept": _take}, height=1)


def _forget() -> None:
    """For `on_click`: forgets what was predicted, on the device too."""
    st.session_state["predictions"], st.session_state["forget"] = {}, True


def _take(kept: dict) -> None:
    """Takes what the device has kept; a browser can send anything."""
    name, before = kept.get("device"), kept.get("predictions")
    if isinstance(name, str) and isinstance(before, dict):
        st.session_state["device"] = name[:64]
        st.session_state["predictions"] = {each: n for each, n in before.items() if type(n) is int} | predictions()
