"""What the visitor's own device keeps of the lessons: a random name for itself, and what was predicted.

It lies in the browser's `localStorage`; the server has it only while the session lasts.
"""

import streamlit as st

from .component import component
from .session import visitor

_device = component("device")
_KEY = "on-device"


def device() -> str:
    """A name for the visitor's device, the same when the page is loaded anew; at first that of the session."""
    return st.session_state.get("device") or visitor()


def predictions() -> dict[str, int]:
    """What was predicted, by lesson: the option, counted from 0."""
    return st.session_state.setdefault("predictions", {})


def keep_on_device() -> None:
    """Exchanges the predictions with the device; called once at the end of a page."""
    forget = bool(st.session_state.pop("forget", False))
    data = {"device": st.session_state.get("device"), "predictions": predictions(), "forget": forget}
    _device(data=data, key=_KEY, on_kept_change=_take, height=1)


def forget() -> None:
    """For `on_click`: forgets what was predicted, on the device too."""
    st.session_state["predictions"], st.session_state["forget"] = {}, True


def _take() -> None:
    """Takes what the device has kept; a browser can send anything."""
    kept = st.session_state[_KEY].get("kept") or {}
    name, before = kept.get("device"), kept.get("predictions")
    if isinstance(name, str) and isinstance(before, dict):
        st.session_state["device"] = name[:64]
        st.session_state["predictions"] = {each: n for each, n in before.items() if type(n) is int} | predictions()
