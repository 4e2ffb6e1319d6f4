"""What the bundled model was measured to do, stated on the labs' pages beside what they compute live.

The figures are those that `python -m clipexplore.training.labs` prints; it writes them with the revision of the model, and for no other are they shown.
"""

import json
from functools import cache
from pathlib import Path

import streamlit as st

from clipexplore.settings import settings

from .session import space
from .texts import text

FILE = "figures.json"


def say_figures(page: str) -> None:
    """The sentence of a page about the bundled model; nothing for another model, or one that has not been measured."""
    measured = _read(settings().assets / FILE)
    if measured and measured["revision"] == space().revision:
        st.caption(text(f"figures.{page}", of=measured["figures"]), help=text("figures.help"))


@cache
def _read(path: Path) -> dict | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
