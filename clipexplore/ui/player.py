"""Interpolate's walk on screen: a film tied to a plane, what each frame is near to, its curves, and its files.

The player is a component of our own, because playing happens in the browser: the frames are sent once, and neither a
server nor a page has to run for each of them.
"""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import streamlit as st

from clipexplore.draw import even, films
from clipexplore.draw.recipe import as_png
from clipexplore.draw.schedulers import common_name
from clipexplore.explore.draw_walk import WalkDrawing
from clipexplore.explore.interpolate import Walk
from clipexplore.images import data_url, encode, is_webp, open_picture
from clipexplore.language import _, numeral
from clipexplore.tables import csv_file, harmless, npy_file

from .browser import component
from .drawing import Track, say_withheld
from .markdown import escape, plain, short
from .plots import ACCENT, MUTED, OTHER, chart
from .results import hit_tiles, tiles
from .session import space
from .uploads import picture_url
from .walks import Arguments, frame_called, some_frames
from .widgets import download

_HTML = """
<div class="player">
  <div class="screens"></div>
  <div class="plane"><canvas role="img" tabindex="0"></canvas></div>
  <div class="controls"><button class="play"></button><input type="range" min="0" value="0" step="1"><output></output>
  <select></select></div>
</div>
"""
_player = component("player", _HTML)

MOST_BEHIND = 600  # points of the collection behind a walk
COLOURS = {"even": ACCENT, "slerp": OTHER, "lerp": MUTED}
SPEEDS = (4, 10, 24)  # frames a second


def show_film(walk: Walk, tracks: dict[str, Track] | None) -> None:
    """The walk as a film, tied to the plane of its own two largest components, with the collection's pictures behind
    it.

    What is shown is what was drawn, and until then the nearest pictures.
    """
    fit = walk.plane
    pictures = space().embeddings()
    behind = fit.transform(pictures[:: max(1, -(-len(pictures) // MOST_BEHIND))])
    frames = {name: [_source(each) for each in track.pngs] for name, track in (tracks or {}).items()} or {
        _("nearest pictures"): [picture_url(hit.id) for hit in walk.pictures]
    }
    alt = _(
        "The walk on the plane of its two largest components, the pictures of the collection behind it; arrow keys "
        "step through the frames"
    )
    data = {
        "tracks": [{"name": name, "frames": shown} for name, shown in frames.items()],
        "says": [
            _("{number} · “{name}” {cosine:.3f}").format(number=number, name=hit.name, cosine=hit.cosine)
            for number, hit in enumerate(walk.captions, 1)
        ],
        "way": _rounded(fit.transform(walk.vectors)),
        "stops": _rounded(fit.transform(np.stack([stop.vector for stop in walk.stops]))),
        "labels": [short(str(point.expression), 28) for point in walk.stops],
        "behind": _rounded(behind),
        "speeds": SPEEDS,
        "texts": {"play": _("Play"), "pause": _("Pause"), "frame": _("Frame"), "speed": _("Speed"), "alt": alt},
    }
    _player(data=data, key="player")
    st.caption(
        _(
            "The plane on which the walk and its stops lie best ({share:.0%} of what differs between them). Grey: the "
            "pictures of the collection. Click a point, or use the arrow keys."
        ).format(share=fit.explained_variance_ratio.sum())
    )


def _source(data: bytes) -> str:
    """What a browser takes for a picture: WebP of good quality, a fifth of a PNG."""
    return data_url(data if is_webp(data) else encode(open_picture(data), "WEBP", quality=88))


def _rounded(places: np.ndarray) -> list[list[float]]:
    return np.round(places.astype(float), 4).tolist()


def show_nearest_frames(walk: Walk) -> None:
    """Every frame with its nearest picture and nearest caption; of a long walk every few."""
    shown = ((number, walk.pictures[number], walk.captions[number]) for number in some_frames(len(walk.vectors)))
    notes = (
        (near, f"**{number + 1}** · {numeral(near.cosine, '.3f')}  \n{escape(caption.name)}")
        for number, near, caption in shown
    )
    hit_tiles(notes, width=120)


def show_drawn_frames(tracks: dict[str, Track], walk: WalkDrawing) -> None:
    """All frames with how much each differs from the one before, and the cosine of its re-embedding to its point."""
    st.caption(
        _(
            "Δ is the mean change from the frame before, in grey levels; where frames are points, the number after it "
            "is the cosine of the re-embedded drawing to its point."
        )
    )
    for name, track in tracks.items():
        mean = _("on average Δ {mean:.1f}").format(mean=float(np.mean(track.changes[1:])))
        st.caption(f"**{name}** · {mean}")
        say_withheld(track)
        near = _nearness(track, walk.points.get(name))
        cosines = [f" · {numeral(each, '.2f')}" for each in near] if near is not None else [""] * len(track.pngs)
        shown = ((number, track.pngs[number], track.changes[number]) for number in some_frames(len(track.pngs)))
        notes = (
            (png, number, f"**{number + 1}** · Δ {numeral(change, '.0f')}{cosines[number]}")
            for number, png, change in shown
        )
        tiles(((png, frame_called(number), note) for png, number, note in notes), width=96)


def _nearness(track: Track, points: np.ndarray | None) -> np.ndarray | None:
    if points is None or track.embeddings is None:
        return None
    return (track.embeddings * points).sum(1) / np.linalg.norm(points, axis=1)


def show_evenness(tracks: dict[str, Track], walk: WalkDrawing) -> None:
    """How much of what is drawn has changed up to each frame, by curve; nothing for token states."""
    shown = {name: even.progress(track.embeddings) for name, track in tracks.items() if track.embeddings is not None}
    if not shown:
        return
    track = tracks.get("even")
    if track is not None and track.places is not None and track.embeddings is not None:
        shown |= even.beside(walk.stops, track.places, track.embeddings)
    traces = []
    for name, progress in shown.items():
        line = dict(color=COLOURS[name], width=3 if name == "even" else 2)
        frames = np.arange(1, len(progress) + 1)
        traces.append(dict(type="scatter", x=frames, y=progress, mode="lines+markers", name=name, line=line))
    widest = {name: np.diff(each).max() * (len(each) - 1) for name, each in shown.items()}
    said = " · ".join(f"**{name}** {numeral(each, '.1f')}" for name, each in widest.items())
    st.subheader(_("How evenly it is drawn"), anchor=False)
    st.caption(
        _("Widest step over mean step: {said}. 1 is even.").format(said=said),
        help=_("In angles between re-embedded drawings. Beside an even walk, slerp and lerp are read off its frames."),
    )
    alt = _("Lines: by curve, how much of what is drawn has changed up to each frame")
    axes: dict = dict(x=dict(title=_("frame")), y=dict(title=_("share of the change"), range=[0, 1.02]))
    chart(traces, alt, "evenness", height=360, legend="below", **axes)


def show_curves(walk: Walk) -> None:
    """The cosine of each frame with every stop, and the length of each frame."""
    traces, frames = [], np.arange(1, len(walk.vectors) + 1)
    for number, point in enumerate(walk.stops):
        label = plain(str(point.expression), 28)
        traces.append(dict(type="scatter", x=frames, y=walk.cosines[:, number], mode="lines+markers", name=label))
    dots = dict(dash="dot", color=MUTED)
    lengths = _("length before normalising")
    traces.append(dict(type="scatter", x=frames, y=walk.lengths, mode="lines", name=lengths, line=dots))
    alt = _("Lines: the cosine of each frame with every stop, and the length of each frame")
    x = dict(title=_("frame"), dtick=max(1, len(frames) // 10))
    chart(traces, alt, "curves", height=380, legend="below", x=x, y=_("cosine"))


def path_download(walk: Walk) -> None:
    """All frames as a table and as one array, made when asked for."""
    with st.container(horizontal=True, gap="small"):
        download(_("CSV"), partial(_csv, walk), "path.csv", "path-csv")
        download(_("Path (NPY)"), partial(npy_file, walk.vectors), "path.npy", "path-npy")


def _csv(walk: Walk) -> bytes:
    header = ["frame", "position", "length", "picture", "caption"]
    rows = []
    for number, position in enumerate(walk.positions):
        near, caption = walk.pictures[number], walk.captions[number]
        values = [f"{cosine:.6f}" for cosine in walk.cosines[number]]
        about = [number + 1, f"{position:.4f}", f"{walk.lengths[number]:.6f}", near.id, harmless(caption.caption)]
        rows.append([*about, *values])
    return csv_file([*header, *(f"cosine with {point.expression}" for point in walk.stops)], rows)


def walk_download(tracks: dict[str, Track], route: Arguments, walk: WalkDrawing, settings: Arguments) -> None:
    """Each curve as GIF, WebP, film, strip and ZIP, made when asked for: off the script's thread, where no session is
    at hand.
    """
    values = {"model": space().model.key, "collection": space().collection.name, **_values(route, settings)}
    chosen = {key: value for key, value in walk.sampling.items() if value is not None}
    about = {
        "revision": walk.drawer.name,
        "sampler": common_name(settings["scheduler"], bool(walk.drawer.lora)),
        **walk.drawer.settings,
        **chosen,
    }
    for name, track in tracks.items():
        button = partial(_button, name, track)
        settings_of: Any = {"values": values, "about": about | {"curve": name}}
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.caption(name, width="content")
            button("GIF", lambda pngs: films.gif(_opened(pngs)), "walk.gif")
            button("WebP", lambda pngs: films.webp(_opened(pngs)), "walk.webp")
            if find_spec("av"):
                button("MP4", lambda pngs: films.mp4(_opened(pngs)), "walk.mp4")
            button(_("Strip"), partial(_strip, **settings_of), "strip.png")
            button(_("All frames (ZIP)"), partial(_archive, **settings_of), "walk.zip")


def _button(name: str, track: Track, label: str, make: Callable[[list[bytes]], bytes], file: str) -> None:
    download(label, partial(make, track.pngs), file, f"walk-{name}-{file}")


def _opened(pngs: list[bytes]) -> list:
    return [open_picture(png) for png in pngs]


def _strip(pngs: list[bytes], values: dict[str, object], about: dict[str, object]) -> bytes:
    return as_png(films.strip(_opened(pngs)), "interpolate", values, **about)


def _archive(pngs: list[bytes], values: dict[str, object], about: dict[str, object]) -> bytes:
    frames = [
        as_png(open_picture(png), "interpolate", values, **about, frame=number) for number, png in enumerate(pngs, 1)
    ]
    return films.archive(frames, {**values, **about})


def _values(route: Arguments, settings: Arguments) -> dict[str, object]:
    """What the link says, by its keys."""
    places = " ".join(f"{place:g}" for place in route.get("places", ()))
    values = {**route, **settings, "draw": True, "stops": "\n".join(route["stops"]), "places": places}
    return values | {"space": values.pop("draw_from"), "names": st.session_state.get("names", "")}
