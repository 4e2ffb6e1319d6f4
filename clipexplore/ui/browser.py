"""What runs in the browser: our own components, each a script and mostly a style in the folder of the same name; one of
them, on every page, for the window.

In the window Back and Forward step through what was done, `/` leads to the box, and a clicker through what is
presented; what Streamlit's own widgets say is said in the visitor's language. Checked with Streamlit 1.67, whose
browser side writes the address by `history.pushState` and `history.replaceState`, and says “8 more”, “Upload” and
“Press Enter to apply” in every language.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import streamlit as st

from clipexplore.language import LANGUAGES, _, language

from .session import speaking

_FOLDER = Path(__file__).parent / "browser"


def component(name: str, html: str = "<div></div>", js: str = "", **options: Any) -> Callable[..., None]:
    """What mounts a component, by default `browser/NAME.js` with `browser/NAME.css` where there is one.

    It takes the `data` that the script is given, the `key` of the place, `on`, a function for each name under which the
    browser says something, which is called with that, and further options of Streamlit's.
    """
    style = _FOLDER / f"{name}.css"
    if style.is_file():
        options.setdefault("css", style.read_text(encoding="utf-8"))
    script = js or (_FOLDER / f"{name}.js").read_text(encoding="utf-8")
    mount = st.components.v2.component(f"clipexplore_{name}", html=html, js=script, **options)

    def show(data: Any, key: str, on: Mapping[str, Callable[[Any], None]] = MappingProxyType({}), **look: Any) -> None:
        told = {f"on_{each}_change": speaking(partial(_tell, key, each, take)) for each, take in on.items()}
        mount(data=data, key=key, **told, **look)

    return show


def _tell(key: str, name: str, take: Callable[[Any], None]) -> None:
    """Passes on what the browser has said, if it has."""
    if (said := st.session_state[key].get(name)) is not None:
        take(said)


_window = component("window", isolate_styles=False, css=None)  # its style stands in the head of every page


def keep_window() -> None:
    """Called once in a run, wherever there is room for what shows nothing."""
    most = st.get_option("server.maxUploadSize")
    words = {
        "more": _("More"),
        "upload": _("Upload"),
        "limit": _("up to {most} MB each").format(most=most),
        "enter": _("Press Enter to apply"),
        "outside": _("Click outside to apply"),
    }
    read = language.get() if language.get() in LANGUAGES else "en"
    data = {"presenting": bool(st.session_state.get("presenting")), "words": words, "language": read}
    # no key of a link, such as that of Words, holds a hyphen
    _window(data=data, key="browser-window", height=1, on={"leave": lambda left: _turn(False)})


def present_button() -> None:
    """Begins presenting: a page in large type with nothing around it; `browser/window.js` has its keys."""
    st.button(
        _("Present"),
        "present",
        on_click=_turn,
        args=(True,),
        icon=":material/slideshow:",
        width="stretch",
        help=_(
            "Large type, nothing around it. A clicker, Page Down and → lead to the next lesson, or on other pages to "
            "the next example; Page Up and ← lead back; Esc ends it."
        ),
    )


def _turn(on: bool) -> None:
    st.session_state["presenting"] = on
    if on:
        st.session_state["share"] = False  # the popover that the button stands in
