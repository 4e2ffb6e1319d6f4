"""What the browser's window does on every page: Back and Forward step through what was done, `/` leads to the box, and
a clicker through what is presented.

Checked with Streamlit 1.67, whose browser side writes the address by `history.pushState` and `history.replaceState`.
"""

from .component import component
from .present import end_presenting, is_presenting

_window = component("window", isolate_styles=False)


def keep_window() -> None:
    """Called once in a run, wherever there is room for what shows nothing."""
    data = {"presenting": is_presenting()}
    # no key of a link, such as that of Words, holds a hyphen
    _window(data=data, key="browser-window", height=1, on_leave_change=end_presenting)
