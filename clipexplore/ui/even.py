"""Interpolate's even walks: the places of their frames in the link, and how evenly each curve is drawn."""

from typing import Any

import numpy as np
import streamlit as st

from clipexplore.draw import even
from clipexplore.explore.interpolate import WalkDrawing
from clipexplore.language import _

from . import spec as go
from .drawing import Track, keep_drawn
from .plots import ACCENT, MUTED, OTHER, chart
from .widgets import text_line

COLOURS = {"even": ACCENT, "slerp": OTHER, "lerp": MUTED}
MOST_CHARACTERS = 2400  # 240 places


def places_box(curve: str, *settings: Any) -> list[float]:
    """The places of the frames of an even walk that has these settings; none until they are found. What was found is
    forgotten when a setting changes, unless other places come with it.
    """
    of, here = repr([each for each in settings if each is not None]), st.session_state.get("places", "")
    before_of, before = st.session_state.get("places-of", (of, here))
    if before_of != of and before == here:
        st.session_state["places"] = ""
    if (found := st.session_state.pop("places-found", None)) is not None:
        st.session_state["places"] = found
    typed = text_line(
        "places",
        _("Places of the frames"),
        max_chars=MOST_CHARACTERS,
        disabled=curve != "even",
        placeholder=_("found when it is drawn"),
        help=_("Where on the path each frame lies, in units of stops. Found once, they stand in the link."),
    )
    st.session_state["places-of"] = (of, typed)
    if curve != "even":
        return []
    try:
        return [float(each) for each in typed.split()]
    except ValueError:
        st.error(_("Places are numbers with blanks between; leave them out to have them found."))
        return []


def note_places(walk: WalkDrawing, tracks: dict[str, Track]) -> None:
    """Writes the places of an even walk that was just found into the link."""
    if walk.curves != ("even",) or walk.places or (places := tracks["even"].places) is None:
        return
    keep_drawn(walk.at(places.tolist()).key, tracks)
    st.session_state["places-found"] = " ".join(f"{place:g}" for place in places)
    st.rerun()


def show_evenness(tracks: dict[str, Track], walk: WalkDrawing) -> None:
    """How much of what is drawn has changed up to each frame, by curve; nothing for token states."""
    shown = {name: even.progress(track.embeddings) for name, track in tracks.items() if track.embeddings is not None}
    if not shown:
        return
    track = tracks.get("even")
    if track is not None and track.places is not None and track.embeddings is not None:
        shown |= even.beside(walk.stops, track.places, track.embeddings)
    figure = go.Figure()
    for name, progress in shown.items():
        line = dict(color=COLOURS[name], width=3 if name == "even" else 2)
        frames = np.arange(1, len(progress) + 1)
        figure.add_trace(go.Scatter(x=frames, y=progress, mode="lines+markers", name=name, line=line))
    widest = {name: np.diff(each).max() * (len(each) - 1) for name, each in shown.items()}
    said = " · ".join(f"**{name}** {each:.1f}" for name, each in widest.items())
    st.subheader(_("How evenly it is drawn"), anchor=False)
    st.caption(
        _("Widest step over mean step: {said}. 1 is even.").format(said=said),
        help=_("In angles between re-embedded drawings. Beside an even walk, slerp and lerp are read off its frames."),
    )
    alt = _("Lines: by curve, how much of what is drawn has changed up to each frame")
    axes: dict = dict(x=dict(title=_("frame")), y=dict(title=_("share of the change"), range=[0, 1.02]))
    chart(figure, alt, "evenness", height=360, legend="below", **axes)
