"""What the browser's window does on every page: Back and Forward step through what was done, and `/` leads to the box.

Checked with Streamlit 1.67, whose browser side writes the address by `history.pushState` and `history.replaceState`.
"""

from .component import component

_window = component("window")


def keep_history() -> None:
    """Called once in a run, wherever there is room for what shows nothing."""
    _window(key="browser-window", height=1)  # no key of a link, such as that of Words, holds a hyphen
