"""The player: the frames of a walk as a film, with a scrubber, tied to a plane on which the walk is drawn.

A component of our own, because playing happens in the browser: the frames are sent once, and neither a server nor a page has to run for each of them.
"""

from pathlib import Path

import numpy as np
import streamlit as st

from clipexplore.images import data_url, encode, is_webp, open_picture

from .texts import text

_HTML = """
<div class="player">
  <div class="screens"></div>
  <div class="plane"><canvas role="img" tabindex="0"></canvas></div>
  <div class="controls"><button class="play"></button><input type="range" min="0" value="0" step="1"><output></output>
  <select></select></div>
</div>
"""
_HERE = Path(__file__).parent
_player = st.components.v2.component("clipexplore_player", html=_HTML, css=(_HERE / "player.css").read_text(), js=(_HERE / "player.js").read_text())

MOST_BEHIND = 600  # points of the collection behind a walk
SPEEDS = (4, 10, 24)  # frames a second


def player(tracks: dict[str, list[bytes]], says: list[str], way: np.ndarray, stops: np.ndarray, labels: list[str], behind: np.ndarray, key: str) -> None:
    """Shows the frames of each track side by side, and where on the plane the walk is.

    Parameters
    ----------
    tracks
        Encoded pictures by name, as many in each.
    says
        One line for each frame.
    way, stops, behind
        Places on the plane `(frames, 2)`, `(stops, 2)` and `(n, 2)`.
    labels
        Of the stops.
    """
    some = behind[:: max(1, -(-len(behind) // MOST_BEHIND))]
    data = {
        "tracks": [{"name": name, "frames": [_source(data) for data in pictures]} for name, pictures in tracks.items()],
        "says": says, "way": _rounded(way), "stops": _rounded(stops), "labels": labels, "behind": _rounded(some), "speeds": SPEEDS,
        "texts": {name: text(f"player.{name}") for name in ("play", "pause", "frame", "speed", "alt")},
    }  # fmt: skip
    _player(data=data, key=key)


def _source(data: bytes) -> str:
    """What a browser takes for a picture: WebP of good quality, a fifth of a PNG."""
    return data_url(data if is_webp(data) else encode(open_picture(data), "WEBP", quality=88))


def _rounded(places: np.ndarray) -> list[list[float]]:
    return np.round(places.astype(float), 4).tolist()
