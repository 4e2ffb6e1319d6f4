"""A walk through stops, drawn: every frame as a picture, from points of the joint space or from token states.

Source: traberph/CLIP-Interpolation; Ramesh et al. 2022 draw from embeddings.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from clipexplore.draw import even, ready
from clipexplore.draw.drawer import (
    Drawer,
    Drawn,
    drawing_vectors,
    gap_of,
)
from clipexplore.draw.pace import Effort
from clipexplore.draw.schedulers import OWN
from clipexplore.draw.walks import PreviewReport, prompt_path
from clipexplore.errors import InputError, MissingError
from clipexplore.explore.bridges import drawer_for
from clipexplore.explore.interpolate import CurveChoice, WalkCurve, curves_of, way_of
from clipexplore.jobs import run_through
from clipexplore.language import _
from clipexplore.models.catalog import DrawnFrom
from clipexplore.points import across_gap
from clipexplore.space import Point, Space
from clipexplore.vectors import Curve, Easing, path, path_at

TrackShown = Callable[[str, int, Image.Image], object]  # curve, number of the frame, its picture


@dataclass(frozen=True, eq=False)
class WalkDrawing:
    """A walk as pictures, drawn when they are first asked for.

    Attributes
    ----------
    drawn_from
        "joint" for points of the joint space, "tokens" for token states.
    points
        By curve, `(frames, dim)`; none for token states, and none of an even walk that has to be found.
    stops
        Their points, as they are drawn, `(stops, dim)`; for token states those of the texts, moved across the gap where
        the drawer reads both.
    places
        Of an even walk that was found before.
    texts
        The stops, for token states.
    sampling
        seed, num_inference_steps, guidance_scale and scheduler, as `Renderer.render` takes them.
    """

    SHOWN: ClassVar = ("drawn_from", "mean_changes")
    space: Space
    drawer: Drawer
    drawn_from: DrawnFrom
    frames: int
    curves: tuple[WalkCurve, ...]
    easing: Easing
    points: dict[str, np.ndarray]
    stops: np.ndarray
    places: tuple[float, ...]
    texts: tuple[str, ...]
    sampling: dict[str, Any]

    @property
    def key(self) -> tuple:
        """Everything the pictures depend on."""
        what = (*(rows.tobytes() for rows in self.points.values()), self.stops.tobytes(), self.places, self.texts)
        walk = (self.drawn_from, self.frames, self.curves, self.easing, what)
        return self.drawer.name, walk, *self.sampling.items()

    @property
    def recipe(self) -> dict[str, object] | None:
        """What its pictures depend on besides the stops, in plain values that are the same on every machine; None of a
        walk that is never shipped: through a bridge or the like, along both curves, or an even one, whose frames lie
        where the drawings of one machine say.
        """
        if not self.drawer.is_alone or len(self.curves) > 1 or "even" in self.curves:
            return None
        given = {name: value for name, value in self.sampling.items() if value is not None}
        sampling = {**self.drawer.settings, **given}
        return {
            "decoder": self.drawer.revision,
            "clip": self.drawer.clip.identity,
            "drawn_from": self.drawn_from,
            "frames": self.frames,
            "curve": self.curves[0],
            "easing": self.easing,
            "texts": self.texts,
            "seed": int(sampling["seed"]),
            "num_inference_steps": int(sampling["num_inference_steps"]),
            "guidance_scale": float(sampling["guidance_scale"]),
            "scheduler": sampling["scheduler"],
        }

    @property
    def pictures(self) -> float:
        """How many are drawn in all; more than the frames of an even walk whose places are to be found."""
        found = even.SHARE if "even" in self.curves and not self.places else 1
        return self.frames * found * len(self.curves)

    @property
    def steps(self) -> int:
        """How many steps of one frame that takes."""
        steps = self.sampling["num_inference_steps"] or self.drawer.settings["num_inference_steps"]
        return int(self.pictures * steps)

    @property
    def effort(self) -> Effort:
        """What drawing it asks of a machine."""
        how = (self.sampling[name] for name in ("num_inference_steps", "guidance_scale"))
        return Effort.of(self.drawer, self.pictures, *how)

    @cached_property
    def ready(self) -> dict[str, Drawn] | None:
        """The drawings, where they are shipped: there at once; None of any other walk."""
        recipe = self.recipe
        if recipe is None or (held := ready.find(self.drawer.folder, recipe, self.stops)) is None:
            return None
        curve = str(self.curves[0])
        return {curve: Drawn(held.pictures, held.embeddings, self.points.get(curve))}

    def at(self, places: Sequence[float]) -> WalkDrawing:
        """The same even walk, its places known."""
        return replace(self, places=tuple(places), points={"even": path_at(self.stops, np.array(places)).points})

    @cached_property
    def drawn(self) -> dict[str, Drawn]:
        """The drawings of each curve; takes seconds a frame where they are not `ready`."""
        return run_through(self.drawing())

    @property
    def mean_changes(self) -> dict[str, float]:
        """By curve, how much a picture differs from the one before, in grey levels."""
        return {curve: round(float(drawn.changes[1:].mean()), 2) for curve, drawn in self.drawn.items()}

    def drawing(
        self,
        report: PreviewReport = lambda share, preview: None,
        shown: TrackShown = lambda curve, number, picture: None,
    ) -> Generator[None, None, dict[str, Drawn]]:
        """Draws one curve after the other, step by step (`Renderer.drawing`); returns the drawings of each. What is
        `ready` is shown and returned.

        Parameters
        ----------
        report, shown
            As in `Renderer.render`, of all curves together; `shown` is given the curve first.

        Raises
        ------
        InputError
            As `Renderer.render`.
        """
        if self.ready:
            for curve, shipped in self.ready.items():
                for number, picture in enumerate(shipped.pictures):
                    shown(curve, number, picture)
            return self.ready
        drawn = {}
        for number, curve in enumerate(self.curves):
            watch: dict[str, Any] = {
                "report": partial(_part, report, number, len(self.curves)),
                "shown": partial(shown, curve),
            }
            if curve == "even":
                steps = self._drawing_even(**self.sampling, **watch)
            elif self.points:
                steps = drawing_vectors(self.space, self.drawer, self.points[curve], **self.sampling, **watch)
            else:
                steps = self._drawing_tokens(curve, **self.sampling, **watch)
            drawn[str(curve)] = yield from steps
        return drawn

    def _drawing_even(self, report: PreviewReport, shown: Any, **settings: Any) -> Generator[None, None, Drawn]:
        """Frames at the places of an even walk, found first where nobody knows them. All are drawn in batches of one
        size, so that a place has the same picture whether it was found or given.
        """

        def draw(places: np.ndarray, before: int, most: int) -> Generator[None, None, Drawn]:
            def part(share: float, preview: Image.Image | None) -> None:
                report((before + share * len(places)) / most, preview)

            return drawing_vectors(
                self.space,
                self.drawer,
                path_at(self.stops, places).points,
                **settings,
                alike=True,
                report=part,
                shown=lambda number, picture: shown(before + number, picture),
            )

        if self.places:
            places = np.array(self.places)
            return replace((yield from draw(places, 0, len(places))), places=places)
        return (yield from even.found(len(self.stops), self.frames, draw))

    def _drawing_tokens(self, curve: Curve, **settings: Any) -> Generator[None, None, Drawn]:
        renderer = self.drawer.load()
        states = prompt_path(renderer.encode_prompts(self.texts), self.frames, curve, self.easing)
        points = path(self.stops, self.frames, curve, self.easing).points if self.drawer.reads_both else None
        return Drawn((yield from renderer.drawing(prompt_embeds=states, embeddings=points, **settings)))


def draw_walk(
    space: Space,
    stops: Sequence[str],
    frames: int = 9,
    curve: CurveChoice = "slerp",
    easing: Easing = "linear",
    draw_from: str = "auto",
    shift: bool = True,
    seed: int = 0,
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    scheduler: str = OWN,
    checked: bool = False,
    places: Sequence[float] = (),
) -> WalkDrawing:
    """Every frame of a walk as a picture, all from the same noise.

    Parameters
    ----------
    stops, frames, curve, easing, places
        As in `walk`; of "both" each curve is drawn. An "even" walk without places finds them, from half as many frames
        more; only points of the joint space are walked evenly.
    draw_from
        "joint" for points of the joint space, "tokens" for token states, which exist where every stop is one text, with
        the points that the texts lead to where the drawer reads both;
        "auto" for tokens where they exist and something draws them, else joint.
    shift
        Whether texts are moved across the modality gap before they are drawn.
    seed, num_inference_steps, guidance_scale, scheduler
        As `Renderer.render`.
    checked
        Whether drawings pass the safety checker of the model's Stable Diffusion.

    Raises
    ------
    MissingError
        If nothing on this machine draws it.
    InputError
        As `Space.point` and `vectors.path`.
    """
    points = [space.point(stop) for stop in stops]
    kind = kind_of(space, points, drawn_from(curve, draw_from))
    drawer = drawer_for(space, kind, checked)
    if drawer is None:
        raise MissingError(
            _("Nothing on this machine draws this for {model}; fetch what does, or choose another model.").format(
                model=space.model.title
            )
        )
    frames, curves = max(frames, len(points)), curves_of(curve)
    gap = gap_of(space, drawer) if (shift if kind == "joint" else drawer.reads_both) else None
    ends = np.stack([across_gap(point, gap) for point in points])
    known = [each for each in curves if each != "even" or places] if kind == "joint" else []
    ways = {str(each): way_of(ends, frames, each, easing, places).points for each in known}
    if curve == "even" and kind != "joint":
        raise InputError(_("Only points of the joint space are walked evenly; choose another path."))
    texts = () if kind == "joint" else tuple(point.one_text or "" for point in points)
    sampling = {
        "seed": seed,
        "num_inference_steps": num_inference_steps,
        "guidance_scale": guidance_scale,
        "scheduler": scheduler,
    }
    return WalkDrawing(space, drawer, kind, frames, curves, easing, ways, ends, tuple(places), texts, sampling)


def drawn_from(curve: CurveChoice, wanted: str) -> str:
    """What is drawn from, where a choice of the visitor leaves that open: an even walk is one of points."""
    return "joint" if curve == "even" else wanted


def kind_of(space: Space, points: Sequence[Point], draw_from: str) -> DrawnFrom:
    """What a walk is drawn from: as wanted if its stops have it, by itself ("auto") token states, which texts are
    drawn best from.

    Where that draws nothing on this machine and the other does, the other; through a bridge only where the model has
    nothing of its own to fetch.
    """
    if not all(point.one_text for point in points):
        return "joint"
    first: DrawnFrom
    second: DrawnFrom
    first, second = ("joint", "tokens") if draw_from == "joint" else ("tokens", "joint")
    if drawer_for(space, first) or not (other := drawer_for(space, second)):
        return first
    return first if other.bridge and space.model.drawn_by(first) else second


def _part(report: PreviewReport, number: int, count: int, share: float, preview: Image.Image | None) -> None:
    report((number + share) / count, preview)
