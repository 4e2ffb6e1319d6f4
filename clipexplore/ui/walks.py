"""Interpolate's walk, drawn: the widgets that say how, and its frames as they arrive.

In the joint space every stop may be an expression and an unCLIP draws it; token states exist for one text only, and
are what Stable Diffusion reads.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from clipexplore import links
from clipexplore.draw.recipe import from_png
from clipexplore.draw.renderer import RANGES
from clipexplore.draw.schedulers import OWN, SCHEDULERS
from clipexplore.draw.walks import coarse_to_fine
from clipexplore.errors import InputError
from clipexplore.explore.draw_walk import WalkDrawing, draw_walk, drawn_from, kind_of
from clipexplore.images import data_url
from clipexplore.jobs import Job
from clipexplore.language import _
from clipexplore.models import catalog
from clipexplore.space import Point
from clipexplore.store.shelves import explorable

from .calls import Call, call
from .drawing import Look, Track, at_once, draw_toggle, drawer, drawn, keep_drawn, never, say_bridge, say_cannot
from .page import show_errors
from .session import access, folders, preset, space
from .widgets import choice, number, text_line, toggle

DICE = "🎲"
Arguments = dict[str, Any]  # of a library function, as they stand in the link
MOST_SHOWN = 60  # frames of a strip; of a longer walk every few are shown
MOST_CHARACTERS = 2400  # of the places of an even walk: 240 of them
DEFAULTS: dict[str, Any] = links.PAGES["interpolate"]


def walk_draw_settings() -> Arguments | None:
    """The widgets of a drawing: its arguments of `draw_walk`, or None where nothing is to be drawn."""
    draw = draw_toggle(("joint", "tokens"))
    kind = _space_control()
    shift = toggle(
        "shift",
        _("Move texts across the gap"),
        help=_(
            "The decoder knows the vectors of pictures, and those of texts lie elsewhere. Each text is moved by the "
            "mean difference; switch this off to see what happens without."
        ),
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = _number("seed", _("Seed"), 1.0, "%.0f")
        st.button(DICE, help=_("Another seed"), on_click=_roll)
    steps = _number(
        "num_inference_steps",
        _("Steps"),
        1.0,
        "%.0f",
        _("How often noise is removed. More steps are slower and rarely better."),
    )
    guidance = _number(
        "guidance_scale",
        _("Guidance"),
        0.5,
        "%.1f",
        _("How strongly a picture leans towards what was asked for. 1 leaves guidance out and is twice as fast."),
    )
    scheduler = _scheduler_control(kind)
    _restore_box()
    if not draw:
        return None
    return {
        "draw_from": kind,
        "shift": shift,
        "seed": int(seed or 0),
        "num_inference_steps": None if steps is None else int(steps),
        "guidance_scale": guidance,
        "scheduler": scheduler,
    }


def _space_control() -> str:
    lacking = never("joint") or never("tokens")
    return choice(
        "space",
        _("Draw from"),
        ["auto", "joint", "tokens"],
        disabled=bool(lacking),
        help=lacking
        or _(
            "**auto**: tokens where every stop is one text, else joint. **joint**: points of the space of pictures and "
            "texts; stops may be sums and pictures. **tokens**: the states of every token of a text, which Stable "
            "Diffusion reads; each stop is one text."
        ),
    )


def _scheduler_control(kind: str) -> str:
    artist = drawer("tokens")
    bound = kind != "joint" and artist is not None and artist.lora is not None
    chosen = choice(
        "scheduler",
        _("Scheduler"),
        list(SCHEDULERS),
        disabled=bound,
        help=_("Texts are drawn in a few steps here, which works with the model’s own scheduler only.")
        if bound
        else _(
            "How noise is removed. **own** suits the model best; **pndm** and **ddim** are older, need more steps, and "
            "reproduce experiments that were made with them."
        ),
    )
    return OWN if bound else chosen or OWN


def _number(key: str, label: str, step: float, format: str, help: str | None = None) -> float | None:
    low, high = map(float, RANGES[key])
    return number(key, label, low, high, step=step, format=format, placeholder=_("the model’s own"), help=help)


def _roll() -> None:
    preset(seed=float(np.random.default_rng().integers(2**32)))


def _restore_box() -> None:
    file = st.file_uploader(
        _("Restore from a picture"),
        type="png",
        key="restore",
        help=_("Drop a PNG from a downloaded ZIP here: it carries the settings it was drawn with."),
    )
    if file is None:
        return
    with show_errors():
        page, values = from_png(file.getvalue())
        if page != "interpolate":
            raise InputError(_("This picture was drawn on the page {page}; drop it there.").format(page=page))
        st.button(
            _("Restore its settings"), on_click=_restore, args=(values,), icon=":material/settings_backup_restore:"
        )


def _restore(values: dict[str, Any]) -> None:
    """Sets every widget of the page, by default where the picture says nothing; and the model and collection if they
    are here.
    """
    whole = DEFAULTS | {key: value for key, value in values.items() if key in DEFAULTS}
    whole["names"] = values.get("names", links.ALL["names"])
    here: dict[str, Mapping[str, object]] = {"model": catalog.models(), "collection": explorable(folders())}
    whole |= {key: values[key] for key, known in here.items() if values.get(key) in known}
    preset(**{key: float(value) if key in RANGES and value is not None else value for key, value in whole.items()})


def walk_drawing(route: Arguments, points: list[Point], settings: Arguments | None) -> Call[WalkDrawing] | None:
    """The call that draws a walk; None, with the reason on screen, where nothing is drawn.

    Parameters
    ----------
    route, settings
        Arguments of `draw_walk`: the walk itself, and how it is drawn.
    """
    if settings is None:
        return None
    kind = kind_of(space(), points, drawn_from(route["curve"], settings["draw_from"]))
    if settings["draw_from"] not in ("auto", kind):
        st.info(_why_not(settings["draw_from"], points), icon=":material/info:")
    if (artist := drawer(kind)) is None:
        say_cannot(kind)
        return None
    drawing = call(draw_walk, **route, **settings, checked=access().must_check)
    if (steps := drawing.result.steps) > (most := access().most_steps):
        says = _(
            "This walk takes {steps:,} steps (frames × steps × curves), and at most {most:,} are drawn here; choose "
            "fewer frames or steps."
        )
        st.warning(says.format(steps=steps, most=int(most)), icon=":material/hourglass_empty:")
        return None
    say_bridge(artist)
    if kind == "joint":
        st.caption(_("Drawn from the **joint space**: each frame is one vector. Any expression can be a stop."))
    else:
        says = _(
            "Drawn from **token states**: each frame is one state for every token, between those of two texts. "
            "These are not embeddings: the charts below show the joint space."
        )
        if artist.reads_both:
            says += " " + _("This model is given the point of each frame too, moved to where pictures lie.")
        st.caption(says)
    return drawing


def _why_not(wanted: str, points: list[Point]) -> str:
    """Why a walk leads through the other space than was wanted."""
    if wanted == "joint":
        return _(
            "This model draws no points of the joint space; every stop is one text, so the walk leads through token "
            "states."
        )
    if all(point.one_text for point in points):
        return _("What draws token states is not here, so the walk leads through the joint space instead.")
    return _(
        "Token states exist for one text only, and a stop here is a sum or a picture: the walk leads through the joint "
        "space instead."
    )


def drawn_walk(drawing: Call[WalkDrawing]) -> dict[str, Track] | None:
    """The drawn frames of each curve; None, with the progress on screen, until they are there. What is shipped is
    there at once.
    """
    walk = drawing.result
    if walk.ready:
        return at_once(walk.ready, walk.key)
    show = partial(_show_arriving, count=walk.frames)
    return drawn(walk.drawing, map(str, walk.curves), walk.key, walk.effort, "walk", show=show)


def _show_arriving(job: Job, count: int) -> None:
    """Every frame in its place, the one that is emerging too; a square with its number where there is nothing yet."""
    if not isinstance(job.preview, Look):
        return
    # a file of its own would be gone before a slow browser asked for it
    emerging = job.preview.emerging and data_url(job.preview.emerging)
    for name, frames in job.preview.frames.items():
        next_one = next((number for number in coarse_to_fine(count) if number not in frames), None)
        here = frames if next_one is None or not emerging else frames | {next_one: emerging}
        emerging = emerging if next_one is None else None  # tracks are drawn one after the other
        st.caption(name)
        with st.grid("auto", min_column_width=72 if count > 16 else 110, gap="small"):
            for number in some_frames(count):
                picture = here.get(number) or _empty_square(number + 1)
                st.image(picture, output_format="PNG", width="stretch", alt=frame_called(number))


def frame_called(number: int) -> str:
    return _("Frame {number}").format(number=number + 1)


def _empty_square(number: int) -> str:
    """Where a frame is going to be, so that nothing moves when it comes; SVG, in a grey for light and dark."""
    label = f'<text x="64" y="70" text-anchor="middle" font-family="sans-serif" font-size="20">{number}</text>'
    return (
        '<svg viewBox="0 0 128 128" width="128" height="128" fill="#888">'
        f'<rect width="128" height="128" rx="8" opacity=".15"/>{label}</svg>'
    )


def some_frames(count: int) -> list[int]:
    """The numbers of the frames that are shown, both ends among them."""
    return sorted({round(at) for at in np.linspace(0, count - 1, min(count, MOST_SHOWN))})


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
