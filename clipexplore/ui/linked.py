"""Choices that stand in the link by the name of the option, whatever the visitor's language calls it.

Streamlit writes into a link what a widget shows, so that a link would hold the language it was made in. Here a choice
is read from the link where it is first shown and after Back and Forward, and written
there whenever it is another.
"""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from clipexplore import links

from .options import naming


def end_choices(page: str) -> None:
    """For the end of a page that has run whole: what it no longer shows leaves the link."""
    shown = st.session_state["choices"]
    for key in (_before() - shown) & links.PAGES[page].keys() & set(st.query_params):
        del st.query_params[key]
    st.session_state["choices-before"] = shown


def forget_choices(page: str) -> None:
    """For a page that takes the place of another: what both have is read from the link again."""
    for key in _before() & links.PAGES[page].keys():
        st.session_state.pop(key, None)
    st.session_state["choices-before"] = set()


def by_history() -> bool:
    """Whether the visitor came to what is shown by Back or Forward."""
    run = get_script_run_ctx()
    return bool(run and run.is_history_navigation)


def standing(key: str, default: str) -> str:
    """What a choice stands at."""
    if key in st.session_state and not by_history():
        return st.session_state[key]
    return st.query_params.get(key, default)


def linked(
    show: Callable[..., str | None], key: str, label: str, options: Sequence[str], default: str, **look: Any
) -> str:
    """What is chosen of some options by a widget that `show` makes; the default is absent from the link."""
    st.session_state["choices"].add(key)
    st.session_state[key] = standing(key, default)
    if st.session_state[key] not in options:  # of a wrong link, or of another collection or model
        st.session_state[key] = default
    chosen = show(label, options, key=key, format_func=naming(key, options), **look) or default
    if chosen == default:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != chosen:
        st.query_params[key] = chosen
    return chosen


def _before() -> set[str]:
    """The choices of the run before."""
    return st.session_state.get("choices-before", set())
