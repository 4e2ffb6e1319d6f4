"""Geometry of unit vectors: their cosines, and paths between them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _

_TINY_ANGLE = 1e-6  # radians: some thirty times the rounding error of a float32 unit vector

Curve = Literal["slerp", "lerp"]
Easing = Literal["linear", "smooth"]


@dataclass(frozen=True, eq=False)
class Path:
    """The frames of a path through given stops.

    Attributes
    ----------
    points
        `(frames, dim)` float32, in the order of the path; unit rows on a slerp path, of any length on a lerp path.
    positions
        `(frames,)` float64 in [0, stops − 1], in units of stops: 1.5 lies half-way between the second and the third.
    """

    points: np.ndarray
    positions: np.ndarray


def normalize(x: np.ndarray) -> np.ndarray:
    """The rows of `x`, scaled to length 1.

    Parameters
    ----------
    x
        `(n, dim)`, or `(dim,)` for a single vector; any real dtype. It is not changed.

    Returns
    -------
    np.ndarray
        The shape of `x`, float32.

    Raises
    ------
    InputError
        When a row has length zero or holds NaN or infinity: it has no direction.
    """
    x = np.asarray(x)
    return np.divide(x, _lengths(x), out=np.empty(x.shape, np.float32), casting="same_kind")


def cosine_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cosine of every row of `a` with every row of `b`.

    Parameters
    ----------
    a, b
        `(n, dim)` and `(m, dim)`; rows of any length other than zero.

    Returns
    -------
    np.ndarray
        `(n, m)` float32 in [−1, 1].

    Raises
    ------
    InputError
        When a row has no direction, as in `normalize`.
    """
    return np.clip(normalize(a) @ normalize(b).T, -1.0, 1.0)


def lerp(a: np.ndarray, b: np.ndarray, t: float | np.ndarray) -> np.ndarray:
    """The points of the straight line from `a` (t = 0) to `b` (t = 1), both exact; not renormalised.

    Parameters
    ----------
    a, b
        `(dim,)`, of any length.
    t
        In [0, 1]: a number, or `(n,)`.

    Returns
    -------
    np.ndarray
        float32 `(dim,)` for a number, `(n, dim)` for an array.
    """
    t = np.asarray(t, np.float64)[..., np.newaxis]
    return ((1 - t) * a + t * b).astype(np.float32)


def slerp(a: np.ndarray, b: np.ndarray, t: float | np.ndarray) -> np.ndarray:
    """The points of the shortest arc on the unit sphere from `a` (t = 0) to `b` (t = 1).

    Equal steps of `t` are equal angles. The end points are exactly `normalize(a)` and `normalize(b)`.

    Parameters
    ----------
    a, b
        `(dim,)`; only their directions count.
    t
        In [0, 1]: a number, or `(n,)`.

    Returns
    -------
    np.ndarray
        float32 unit vectors: `(dim,)` for a number, `(n, dim)` for an array.

    Raises
    ------
    InputError
        When `a` and `b` are opposite, so that no arc is the shortest; or one of them has no direction.

    Source
    ------
    K. Shoemake, Animating rotation with quaternion curves, SIGGRAPH 1985, §3.3.
    """
    # float64, and the angle from two chords, for ends that nearly coincide or are nearly opposite
    a, b = np.asarray(a), np.asarray(b)
    a, b = a / _lengths(a), b / _lengths(b)
    angle = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    if np.pi - angle < _TINY_ANGLE:
        raise InputError(_("Two points are opposite, so no way between them is the shortest; put a stop between them."))
    if angle < _TINY_ANGLE:
        return lerp(a, b, t)  # arc and chord differ by less than float32 can hold, also in length
    t = np.asarray(t, np.float64)[..., np.newaxis]
    return (np.sin((1 - t) * angle) / np.sin(angle) * a + np.sin(t * angle) / np.sin(angle) * b).astype(np.float32)


def frame_positions(stops: int, frames: int) -> np.ndarray:
    """Where each frame of a path lies, in units of stops.

    Every stop is a frame; the other frames are shared out so that no two neighbouring stops have more than one frame
    more between them than any other two.

    Parameters
    ----------
    stops
        The number of given points, at least 2.
    frames
        The number of points in all, the stops included.

    Returns
    -------
    np.ndarray
        `(frames,)` float64, increasing from 0 to `stops` − 1.

    Raises
    ------
    InputError
        When there are fewer than 2 stops, or fewer frames than stops.
    """
    if stops < 2:
        raise InputError(_("A path needs at least 2 stops and has {stops}; add one.").format(stops=stops))
    if frames < stops:
        message = _("{frames} frames are too few: each of the {stops} stops is one; ask for {stops} or more.")
        raise InputError(message.format(frames=frames, stops=stops))
    frame_of_stop = np.arange(stops) * (frames - 1) // (stops - 1)
    return np.interp(np.arange(frames), frame_of_stop, np.arange(stops))


def path(stops: np.ndarray, frames: int, curve: Curve = "slerp", easing: Easing = "linear") -> Path:
    """A path through all stops, in their order.

    Parameters
    ----------
    stops
        `(s, dim)`, s ≥ 2.
    frames
        The number of points in all, the stops included; at least s.
    curve
        "slerp" follows the unit sphere, with a constant angle a frame between two stops; "lerp" the straight lines.
    easing
        "smooth" leaves each stop and comes to the next slowly (3t² − 2t³); "linear" goes evenly.

    Returns
    -------
    Path
        Its points hold every stop exactly: as given for "lerp" (in float32), as `normalize` gives it for "slerp".

    Raises
    ------
    InputError
        As in `frame_positions` and `slerp`, and for an unknown curve or easing.
    """
    return path_at(stops, _eased(frame_positions(len(stops), frames), easing), curve)


def path_at(stops: np.ndarray, positions: np.ndarray, curve: Curve = "slerp") -> Path:
    """A path through all stops, at given positions.

    Parameters
    ----------
    stops, curve
        As in `path`.
    positions
        `(frames,)` float64 in [0, s − 1], rising, in units of stops.

    Raises
    ------
    InputError
        As in `slerp`, and for an unknown curve.
    """
    curves = {"slerp": slerp, "lerp": lerp}
    if curve not in curves:
        message = _("There is no curve {curve!r}; use one of {curves}.")
        raise InputError(message.format(curve=curve, curves=", ".join(curves)))
    segments = np.minimum(positions.astype(int), len(stops) - 2)
    legs = [curves[curve](stops[i], stops[i + 1], positions[segments == i] - i) for i in range(len(stops) - 1)]
    return Path(np.concatenate(legs), positions)


def _eased(positions: np.ndarray, easing: Easing) -> np.ndarray:
    if easing not in ("linear", "smooth"):
        raise InputError(_("There is no easing {easing!r}; use one of linear, smooth.").format(easing=easing))
    stop = np.floor(positions)
    t = positions - stop
    return positions if easing == "linear" else stop + t * t * (3 - 2 * t)


def _lengths(x: np.ndarray) -> np.ndarray:
    """The length of each row, `(n, 1)` float64; InputError for one without a direction."""
    lengths = np.sqrt(np.einsum("...i,...i->...", x, x, dtype=np.float64))
    usable = np.isfinite(lengths) & (lengths > 0)
    if not usable.all():
        row = int(np.flatnonzero(~usable)[0])
        message = _("Vector {number} of {count} is zero or not finite and has no direction; leave it out.")
        raise InputError(message.format(number=row + 1, count=usable.size))
    return lengths[..., np.newaxis]
