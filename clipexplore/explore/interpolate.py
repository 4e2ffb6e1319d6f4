"""Interpolate: a walk through stops in the space, and what lies nearest along the way. `draw_walk` draws its frames.

Source: traberph/CLIP-Interpolation compares the two curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.maps.pca import PCA, pca
from clipexplore.reports import Report, silent
from clipexplore.space import Hit, Point, Space
from clipexplore.vectors import Curve, Easing, Path, cosine_similarity, path, path_at

CurveChoice = Literal["slerp", "lerp", "both", "even"]
WalkCurve = Curve | Literal["even"]  # what is drawn of a walk


@dataclass(frozen=True, eq=False)
class Walk:
    """A path through the joint space.

    Attributes
    ----------
    stops
        Their points.
    vectors
        `(frames, dim)` float32; unit rows on a slerp path, of any length on a lerp path.
    positions
        `(frames,)` float64 in [0, stops − 1]: where each frame lies, in units of stops.
    pictures, captions
        The nearest of each kind to each frame.
    cosines
        `(frames, stops)` float32 in [−1, 1]: of each frame with each stop.
    lengths
        `(frames,)` float32: of each frame.
    """

    SHOWN: ClassVar = ("captions", "lengths", "cosines")
    stops: list[Point]
    vectors: np.ndarray
    positions: np.ndarray
    pictures: list[Hit]
    captions: list[Hit]
    cosines: np.ndarray
    lengths: np.ndarray

    @property
    def plane(self) -> PCA:
        """The plane on which the frames and stops vary most."""
        return pca(np.concatenate([self.vectors, _stacked(self.stops)]), 2)


def walk(
    space: Space,
    stops: Sequence[str],
    frames: int = 9,
    curve: CurveChoice = "slerp",
    easing: Easing = "linear",
    places: Sequence[float] = (),
    report: Report = silent,
) -> Walk:
    """A path through the points of expressions, and what lies nearest to each of its frames.

    Parameters
    ----------
    stops
        At least two expressions.
    frames
        The number of points in all, the stops included; at least as many as stops are taken.
    curve
        "slerp" follows the unit sphere, "lerp" the straight lines; of "both" the figures are those of slerp. "even"
        follows the sphere too, with its frames at `places`.
    places
        Of an even walk, as a drawing found them: the position of each frame, in units of stops; without them its
        figures are those of slerp.
    report
        Is called before each search.

    Raises
    ------
    InputError
        As `Space.point` and `vectors.path`; for places that are not one for each frame, rising, with every stop among
        them.
    """
    points = [space.point(stop) for stop in stops]
    frames = max(frames, len(points))
    way = way_of(_stacked(points), frames, curves_of(curve)[0], easing, places)
    report(0.0, _("Looking for what lies along the way"))
    pictures = [hit for (hit,) in space.search(way.points, space.instead_of("pictures"), 1)]
    report(0.5, None)
    captions = [hit for (hit,) in space.search(way.points, space.instead_of("captions"), 1)]
    cosines = cosine_similarity(way.points, _stacked(points))
    return Walk(points, way.points, way.positions, pictures, captions, cosines, np.linalg.norm(way.points, axis=1))


def curves_of(curve: CurveChoice) -> tuple[WalkCurve, ...]:
    """The curves that a choice names, the one that figures are of first."""
    return ("slerp", "lerp") if curve == "both" else (curve,)


def way_of(ends: np.ndarray, frames: int, curve: WalkCurve, easing: Easing, places: Sequence[float]) -> Path:
    """The path of a curve through the stops `(s, dim)`; an even one at its places, if those are known."""
    if curve != "even" or not places:
        return path(ends, frames, "slerp" if curve == "even" else curve, easing)
    at, last = np.asarray(places, np.float64), len(ends) - 1
    if len(at) != frames or not (np.diff(at) > 0).all() or at[0] != 0 or at[-1] != last or (at % 1 == 0).sum() <= last:
        raise InputError(
            _(
                "The places of an even walk rise from 0 to {last}, one for each of its {frames} frames, with every "
                "stop among them; leave them out to have them found."
            ).format(last=last, frames=frames)
        )
    return path_at(ends, at)


def _stacked(points: Sequence[Point]) -> np.ndarray:
    return np.stack([point.vector for point in points])
