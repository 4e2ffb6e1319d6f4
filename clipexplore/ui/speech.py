"""The language that a visitor reads: the one of the link, else the browser's, else English."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import streamlit as st

from clipexplore import links
from clipexplore.language import LANGUAGES, _, language

from .linked import linked, standing

AUTO = links.ALL["lang"]
Run = TypeVar("Run", bound=Callable)


def speak() -> None:
    """Lets this thread speak the visitor's language; called before anything is said."""
    chosen = standing("lang", AUTO)
    language.set(chosen if chosen in LANGUAGES else (st.context.locale or "en")[:2].lower())


def speaking(run: Run) -> Run:
    """For what Streamlit runs on a thread of its own, without the rest of the page: fragments and callbacks."""

    @wraps(run)
    def spoken(*args: Any, **kwargs: Any) -> Any:
        speak()
        return run(*args, **kwargs)

    return spoken  # type: ignore[return-value]


def language_box() -> None:
    """The choice of the language, which stands in the link; the browser's does not."""
    linked(st.selectbox, "lang", _("Language"), [AUTO, *LANGUAGES], AUTO)
