"""A drawn walk to take along: each curve as GIF, animated WebP, film, strip and a ZIP of pictures that carry their settings.

Separate from `walks` because files are made off the script's thread, where no session is at hand: everything they hold is passed to them.
"""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import streamlit as st

from clipexplore.drawing import animation
from clipexplore.drawing.pipelines import usual_settings
from clipexplore.drawing.recipe import as_png
from clipexplore.drawing.schedulers import common_name
from clipexplore.images import open_picture

from .drawing import drawer, few_steps, name_of
from .session import space
from .texts import text
from .walks import DrawSettings, Route, Track


def walk_download(tracks: list[Track], route: Route, settings: DrawSettings) -> None:
    """Each curve as GIF, WebP, film, strip and ZIP; what is written is made when it is asked for, off the script's thread."""
    kind = "joint" if tracks[0].points is not None else "tokens"
    values = {"model": space().model.key, "collection": space().collection.name, **_values(route, settings)}
    weights = drawer(kind)
    quick = bool(few_steps(weights))
    used = {key: value for key, value in settings.sampling.items() if value is not None}
    about = {"revision": name_of(weights), "sampler": common_name(settings.scheduler, quick), **usual_settings(weights.folder, quick), **used}
    for track in tracks:
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.caption(track.name, width="content")
            _button("GIF", track, lambda pngs: animation.gif(_opened(pngs)), "walk.gif", "image/gif")
            _button("WebP", track, lambda pngs: animation.webp(_opened(pngs)), "walk.webp", "image/webp")
            if find_spec("av"):
                _button("MP4", track, lambda pngs: animation.mp4(_opened(pngs)), "walk.mp4", "video/mp4")
            _button(text("draw.strip"), track, partial(_strip, values=values, about=about | {"curve": track.name}), "strip.png", "image/png")
            _button(text("draw.zip"), track, partial(_archive, values=values, about=about | {"curve": track.name}), "walk.zip", "application/zip")


def _button(label: str, track: Track, make: Callable[[list[bytes]], bytes], file: str, mime: str) -> None:
    st.download_button(label, partial(make, track.pngs), file, mime, key=f"walk-{track.name}-{file}", on_click="ignore", icon=":material/download:")


def _opened(pngs: list[bytes]) -> list:
    return [open_picture(png) for png in pngs]


def _strip(pngs: list[bytes], values: dict[str, object], about: dict[str, object]) -> bytes:
    return as_png(animation.strip(_opened(pngs)), "interpolate", values, **about)


def _archive(pngs: list[bytes], values: dict[str, object], about: dict[str, object]) -> bytes:
    said = {**values, **about}
    written = [as_png(open_picture(png), "interpolate", values, **about, frame=number) for number, png in enumerate(pngs, 1)]
    return animation.archive(written, said)


def _values(route: Route, settings: DrawSettings) -> dict[str, object]:
    """What the link says, by its keys."""
    return {"stops": "\n".join(route.stops), "frames": route.frames, "curve": route.curve, "easing": route.easing, "draw": settings.draw,
            "space": settings.space, "shift": settings.shift, **settings.sampling, "names": st.session_state.get("names", "")}  # fmt: skip


