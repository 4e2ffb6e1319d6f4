"""How a view was made, for a file: what the link holds, whose vectors and pictures they are, and the code."""

import json
from typing import Any

import streamlit as st

import clipexplore
from clipexplore import links

from .calls import shown_code
from .session import space

TOLD = ("q", "image", "points", "stops", "objects", "picture")  # what a page is about, where it has such a key


def recipe(link: str) -> bytes:
    """JSON: the page and all its values, also those that a link leaves out, with the revisions that they hold for."""
    here, page = space(), st.session_state["shown-page"]
    keys = {**links.ALL, **links.PAGES[page]}
    made: dict[str, Any] = {
        "page": page,
        "link": link,
        "values": {key: st.session_state.get(key, default) for key, default in keys.items()},
        "model": {"key": here.model.key, "revision": here.revision},
        "collection": {"name": here.collection.name, "version": here.collection.version},
        "clipexplore": clipexplore.__version__,
        "code": shown_code(),
    }
    return json.dumps(made, ensure_ascii=False, indent=2).encode()


def about() -> str:
    """What the view is about, on one line."""
    keys = links.PAGES[st.session_state["shown-page"]]
    told = next((st.session_state.get(key) for key in TOLD if key in keys), None)
    return " · ".join(str(told or "").split("\n"))
