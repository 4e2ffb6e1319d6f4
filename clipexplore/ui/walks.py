"""Interpolate's walk, drawn: its settings, its frames as they arrive, and what can be taken along.

In the joint space every stop may be an expression and an unCLIP draws it; token states exist for one text only, and are what Stable Diffusion reads.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from clipexplore import catalog, links
from clipexplore.drawing.frames import batches
from clipexplore.drawing.pipelines import read_gap
from clipexplore.drawing.recipe import from_png
from clipexplore.drawing.schedulers import OWN, SCHEDULERS
from clipexplore.drawing.walks import across_gap, changes, one_text, prompt_path
from clipexplore.errors import InputError
from clipexplore.images import data_url, open_picture
from clipexplore.models.weights import Weights
from clipexplore.renderer import RANGES, Renderer
from clipexplore.space import Point, explorable
from clipexplore.vectors import path
from clipexplore.worker import Job

from .drawing import Look, checker_folder, drawer, drawn, few_steps, gap_of, never, say_cannot
from .drawn_points import draw_toggle, reembedded
from .logs import visitor
from .markdown import escape
from .session import preset, space
from .texts import text

DICE = "🎲"
MOST_SHOWN = 60  # frames of a strip; of a longer walk every few are shown


@dataclass(frozen=True)
class Route:
    """Where a walk leads: what the link says of it."""

    stops: tuple[str, ...]
    frames: int
    curve: str
    easing: str

    @property
    def curves(self) -> tuple[str, ...]:
        return ("slerp", "lerp") if self.curve == "both" else (self.curve,)


@dataclass(frozen=True)
class DrawSettings:
    """How a walk is drawn: what the link says of that. None is what the model is best used with."""

    draw: bool
    space: str
    shift: bool
    seed: int
    num_inference_steps: int | None
    guidance_scale: float | None
    scheduler: str = OWN

    @property
    def sampling(self) -> dict[str, object]:
        """As `Renderer.render` takes them."""
        return {"seed": self.seed, "num_inference_steps": self.num_inference_steps, "guidance_scale": self.guidance_scale, "scheduler": self.scheduler}


@dataclass(frozen=True, eq=False)
class Track:
    """The drawn frames of one curve as PNG, and what was to be drawn, `(frames, dim)`; no points for token states."""

    name: str
    pngs: list[bytes]
    points: np.ndarray | None


def walk_draw_settings() -> DrawSettings:
    """The widgets of a drawing; numbers are floats, since a link may say inf."""
    defaults = links.PAGES["interpolate"]

    def number(key: str, step: float, format: str) -> float | None:
        low, high = map(float, RANGES[key])
        return st.number_input(text(f"draw.{key}"), low, high, defaults[key], step=step, format=format, key=key, bind="query-params",
                               placeholder=text("draw.own"), help=text(f"draw.{key}_help"))  # fmt: skip

    draw = draw_toggle(defaults["draw"], ("joint", "tokens"))
    lacking = never("joint") or never("tokens")
    kind = st.segmented_control(text("draw.space"), ["auto", "joint", "tokens"], default=defaults["space"], required=True, key="space", bind="query-params",
                                disabled=bool(lacking), help=lacking or text("draw.space_help"))  # fmt: skip
    shift = st.toggle(text("draw.shift"), defaults["shift"], key="shift", bind="query-params", help=text("draw.shift_help"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        low, high = map(float, RANGES["seed"])
        seed = st.number_input(text("draw.seed"), low, high, float(defaults["seed"]), step=1.0, format="%.0f", key="seed", bind="query-params")
        st.button(DICE, help=text("draw.dice"), on_click=_roll)
    steps, guidance = number("num_inference_steps", 1.0, "%.0f"), number("guidance_scale", 0.5, "%.1f")
    bound = kind != "joint" and drawer("tokens") is not None and few_steps(drawer("tokens")) is not None
    scheduler = st.segmented_control(text("draw.scheduler"), list(SCHEDULERS), default=defaults["scheduler"], required=True, key="scheduler", bind="query-params",
                                     disabled=bound, help=text("draw.scheduler_bound") if bound else text("draw.scheduler_help"))  # fmt: skip
    _restore_box()
    return DrawSettings(draw, kind or defaults["space"], shift, int(seed), None if steps is None else int(steps), guidance, OWN if bound else scheduler or OWN)


def _roll() -> None:
    preset(seed=float(np.random.default_rng().integers(2**32)))


def _restore_box() -> None:
    given = st.file_uploader(text("draw.restore"), type="png", key="restore", help=text("draw.restore_help"))
    if given is None:
        return
    try:
        page, values = from_png(given.getvalue())
        if page != "interpolate":
            raise InputError(f"This picture was drawn on the page {page}; drop it there.")
        st.button(text("draw.restore_now"), on_click=_restore, args=(values,), icon=":material/settings_backup_restore:")
    except InputError as error:
        st.error(escape(str(error)), icon=":material/error:")


def _restore(values: dict[str, object]) -> None:
    """Sets every widget of the page, those the picture says nothing of to their defaults; and the model and the collection, if they are here."""
    whole = links.PAGES["interpolate"] | {key: value for key, value in values.items() if key in links.PAGES["interpolate"]}
    whole["names"] = values.get("names", links.ALL["names"])
    whole |= {key: values[key] for key, known in (("model", catalog.models()), ("collection", explorable(visitor()))) if values.get(key) in known}
    preset(**{key: float(value) if key in RANGES and value is not None else value for key, value in whole.items()})


def drawn_walk(route: Route, points: list[Point], settings: DrawSettings) -> list[Track] | None:
    """The drawn frames of each curve; None where nothing is drawn (yet): the reason or the progress is on screen then."""
    kind = _kind(points, settings)
    if not settings.draw or kind is None:
        return None
    weights = drawer(kind)
    gap = gap_of(weights) if settings.shift else None
    stops = np.stack([across_gap(point, gap) for point in points])
    targets = {curve: path(stops, route.frames, curve, route.easing).points if kind == "joint" else None for curve in route.curves}
    if kind == "joint":
        conditions = {curve: partial(_given, points=target) for curve, target in targets.items()}
        what = tuple(target.tobytes() for target in targets.values())
    else:
        conditions = {curve: partial(_between_texts, texts=[one_text(point) for point in points], frames=route.frames, curve=curve, easing=route.easing)
                      for curve in route.curves}  # fmt: skip
        what = tuple(one_text(point) for point in points)
    key = (kind, route.frames, route.curves, route.easing, what)
    found = drawn(conditions, key, "walk", weights, show=partial(_show_arriving, count=route.frames), **settings.sampling)
    return found and [Track(curve, found[curve], targets[curve]) for curve in route.curves]


def _kind(points: list[Point], settings: DrawSettings) -> str | None:
    """The space that is drawn from; None, with a sentence on screen, where it cannot be."""
    if not settings.draw:
        return None
    kind = _space_of(points, settings.space)
    if settings.space not in ("auto", kind):
        texts_only = all(one_text(point) for point in points)
        st.info(text("draw.joint_instead") if kind == "joint" and texts_only else text("draw.no_tokens") if kind == "joint" else text("draw.tokens_instead"),
                icon=":material/info:")  # fmt: skip
    if drawer(kind) is None:
        say_cannot(kind)
        return None
    st.caption(text("draw.says_joint") if kind == "joint" else text("draw.says_tokens"))
    return kind


def _space_of(points: list[Point], wanted: str) -> str:
    """Where a walk leads through, "joint" or "tokens": as wanted if the stops have it; by itself ("auto") through token states, which texts are drawn
    best from, where every stop is one text. Where that draws nothing here and the other does, through the other."""
    if not all(one_text(point) for point in points):
        return "joint"
    first, second = ("joint", "tokens") if wanted == "joint" else ("tokens", "joint")
    return second if drawer(first) is None and drawer(second) else first


def _given(renderer: Renderer, points: np.ndarray) -> dict[str, np.ndarray]:
    return {"embeddings": points}


def _between_texts(renderer: Renderer, texts: list[str], frames: int, curve: str, easing: str) -> dict[str, np.ndarray]:
    return {"prompt_embeds": prompt_path(renderer.encode_prompts(texts), frames, curve, easing)}


def _show_arriving(job: Job, count: int) -> None:
    """Every frame in its place, the one that is emerging too; a square with its number where there is nothing yet."""
    if not isinstance(job.preview, Look):
        return
    emerging = job.preview.emerging and data_url(job.preview.emerging)  # a file of its own would be gone before a slow browser asked for it
    for name, frames in job.preview.frames.items():
        next_one = next((rows[0] for rows, _ in batches(count) if rows[0] not in frames), None)
        here = frames if next_one is None or not emerging else frames | {next_one: emerging}
        emerging = emerging if next_one is None else None  # tracks are drawn one after the other
        st.caption(name)
        with st.grid("auto", min_column_width=72 if count > 16 else 110, gap="small"):
            for number in some_frames(count):
                st.image(here.get(number) or _empty_square(number + 1), output_format="PNG", width="stretch", alt=text("draw.frame", number=number + 1))


def _empty_square(number: int) -> str:
    """Where a frame is going to be, so that nothing moves when it comes; SVG, in a grey for light and dark."""
    said = f'<text x="64" y="70" text-anchor="middle" font-family="sans-serif" font-size="20">{number}</text>'
    return f'<svg viewBox="0 0 128 128" width="128" height="128" fill="#888"><rect width="128" height="128" rx="8" opacity=".15"/>{said}</svg>'


def some_frames(count: int) -> list[int]:
    """The numbers of the frames that are shown, both ends among them."""
    return sorted({round(at) for at in np.linspace(0, count - 1, min(count, MOST_SHOWN))})


def drawing_code(points: list[Point], route: Route, settings: DrawSettings) -> str:
    """The lines of Python that draw the walk; none where nothing draws here."""
    kind = _space_of(points, settings.space)
    weights = drawer(kind)
    if weights is None or not settings.draw:
        return ""
    more = ", lora=space.model.few_steps.folder" * bool(few_steps(weights)) + ", checker=space.model.draws_prompts.folder" * bool(checker_folder())
    how = f"frames={route.frames}, curve={route.curves[0]!r}, easing={route.easing!r}"
    if kind == "tokens":
        told = f"frames = dict(prompt_embeds=prompt_path(renderer.encode_prompts({[one_text(point) for point in points]!r}), {how}))"
    else:
        told = f"""{_gap_code(weights) if settings.shift else "gap = None"}
stops = np.stack([across_gap(space.point(line), gap) for line in {list(route.stops)!r}])
frames = dict(embeddings=path(stops, {how}).points)"""
    return f"""
from clipexplore import Renderer, across_gap, prompt_path

renderer = Renderer.load(space.model.draws_{"prompts" if kind == "tokens" else "embeddings"}.folder, space.model.clip_folder{more})
{told}
for number, picture in enumerate(renderer.render(**frames, **{settings.sampling!r})):
    picture.save(f"frame-{{number + 1:03d}}.png")
"""


def _gap_code(weights: Weights) -> str:
    """As `gap_of`."""
    if read_gap(weights.folder) is not None or not space().collection.has_pictures:
        return "gap = renderer.gap"
    return f"""pictures, captions = (space.collection.embeddings({space().model.key!r}, kind) for kind in ("pictures", "captions"))
gap = pictures.mean(axis=0) - captions.mean(axis=0)"""


def drawn_strip(tracks: list[Track]) -> None:
    """All frames with how much each differs from the one before and, in the joint space, how near its re-embedding is to what was to be drawn."""
    st.caption(text("draw.strip_says"))
    for track in tracks:
        moved = [0.0, *changes([open_picture(png) for png in track.pngs])]
        near = None if track.points is None else _nearness(track)
        st.caption(f"**{track.name}** · " + text("draw.mean_change", mean=float(np.mean(moved[1:]))))
        with st.grid("auto", min_column_width=96, gap="small"):
            for number in some_frames(len(track.pngs)):
                with st.container(gap=None):
                    st.image(track.pngs[number], output_format="PNG", width="stretch", alt=text("draw.frame", number=number + 1))
                    st.caption(f"**{number + 1}** · Δ {moved[number]:.0f}" + ("" if near is None else f" · {near[number]:.2f}"))


def _nearness(track: Track) -> np.ndarray:
    again = reembedded(track.pngs)
    return (again * track.points).sum(1) / np.linalg.norm(track.points, axis=1)
