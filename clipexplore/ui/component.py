"""Components of our own, each a script and mostly a style in `browser/`."""

from pathlib import Path
from typing import Any

import streamlit as st

_BROWSER = Path(__file__).parent / "browser"


def component(name: str, html: str = "<div></div>", **options: Any) -> Any:
    """What mounts `browser/NAME.js`, with `browser/NAME.css` where there is one; `options` as for Streamlit's."""
    style = _BROWSER / f"{name}.css"
    if style.is_file():
        options.setdefault("css", style.read_text(encoding="utf-8"))
    script = (_BROWSER / f"{name}.js").read_text(encoding="utf-8")
    return st.components.v2.component(f"clipexplore_{name}", html=html, js=script, **options)
