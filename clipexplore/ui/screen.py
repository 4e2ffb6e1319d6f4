"""What a visitor has on screen, and whether it still is there: until a later run of the app takes its place, or the browser goes.

Separate because questions say too little: a browser asks again twice a second from a tab in front, once a minute from one behind, and never from
one that it has frozen, but it keeps all of them connected.
"""

from time import monotonic

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx


class Screen:
    """What one run of the app shows to one session."""

    def __init__(self, session: str | None):
        self._session, self._seen = session, monotonic()

    def last_seen(self) -> float:
        """When it was last on screen, by `time.monotonic`: now, if it still is."""
        if self._session and runtime.exists() and runtime.get_instance().is_active_session(self._session):
            self._seen = monotonic()
        return self._seen

    def end(self) -> None:
        """Something else takes its place."""
        self.last_seen()
        self._session = None


def begin_screen() -> None:
    """What this run shows takes the place of what the last one did."""
    if before := st.session_state.get("screen"):
        before.end()
    context = get_script_run_ctx()
    st.session_state["screen"] = Screen(context.session_id if context else None)


def screen() -> Screen:
    """What this session has on screen."""
    return st.session_state["screen"]
