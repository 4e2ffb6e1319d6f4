"""Even walks: where on a path to draw, so that what is drawn changes evenly.

Equal steps along a path are not equal steps of what is drawn: a decoder holds on to one picture for long, and then
turns it into the next within a few frames. So a coarse pass is drawn and embedded again, and tells where frames of an
even walk lie; the furthest from all that is drawn come next, a few at a time. Of all frames drawn those are kept that
are the most even walk.

Source: the walk by arc length that animation makes of any curve (Guenter and Parent 1990, Computing the arc length of
parametric curves, IEEE Computer Graphics & Applications 10), here measured where the drawings lie.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from clipexplore.vectors import frame_positions, normalize

if TYPE_CHECKING:
    from clipexplore.draw.drawer import Drawn

SHARE = 1.5  # of the frames that are kept, so many are drawn
COARSE = 0.4  # of them, for the coarse pass
AT_ONCE = 4  # frames that are looked for together: a batch
DIGITS = 4  # of a place, as it stands in a link
LEAST = 1e-6  # radians of a step in which nothing changes
FALLS = 0.99  # of a bound on the widest step, for the next one


def steps(embeddings: np.ndarray) -> np.ndarray:
    """How far what is drawn goes from each frame to the next, `(n − 1,)` float64 in radians.

    Parameters
    ----------
    embeddings
        `(n, dim)` of the drawings, in the order of the path.
    """
    unit = normalize(embeddings).astype(np.float64)
    chords = np.linalg.norm(np.diff(unit, axis=0), axis=1)
    return 2 * np.arcsin(np.clip(chords / 2, 0, 1))


def unevenness(embeddings: np.ndarray) -> float:
    """The widest step over the mean step: 1 for an even walk; 1 too where nothing changes."""
    each = steps(embeddings)
    return float(each.max() / each.mean()) if len(each) and each.mean() > 0 else 1.0


def finer(places: np.ndarray, embeddings: np.ndarray, frames: int, count: int) -> np.ndarray:
    """Where to draw next, `(≤ count,)` float64: where an even walk of so many frames has a frame, by all that is known,
    and what is drawn so far is furthest from it.

    Parameters
    ----------
    places
        `(n,)` float64, rising: where on the path the drawings lie. Between them the length of what is drawn is taken to
        rise smoothly (monotone cubic interpolation, Fritsch and Carlson 1980).
    """
    from scipy.interpolate import PchipInterpolator

    lengths = np.append(0, np.cumsum(steps(embeddings) + LEAST))
    wanted = np.linspace(0, lengths[-1], frames)[1:-1]
    missing = np.abs(wanted[:, None] - lengths).min(axis=1)
    chosen = np.sort(np.argsort(-missing, kind="stable")[:count])
    return PchipInterpolator(lengths, places)(wanted[chosen])


def kept(embeddings: np.ndarray, count: int, always: np.ndarray) -> np.ndarray:
    """The rows `(count,)` of drawn frames that are the most even walk; another's `unevenness` is at most 1 % lower.

    Of the walks with the same widest step the longest is the most even: so the longest is looked for of all whose steps
    are below a bound, which falls until there is none.

    Parameters
    ----------
    always
        `(n,)` bool: frames that have to be among them, both ends too.
    """
    unit, number = normalize(embeddings).astype(np.float64), len(embeddings)
    angles = np.arccos(np.clip(unit @ unit.T, -1, 1)) + LEAST
    passed = np.cumsum(always)
    for row in range(number):  # no step leads backwards, nor over a frame that has to be there
        angles[row, : row + 1] = -np.inf
        angles[row, row + 1 :][passed[row:-1] - passed[row] > 0] = -np.inf
    rows, least, bound = np.empty(0, int), np.inf, np.inf
    while (way := _longest(np.where(angles < bound, angles, -np.inf), count)) is not None:
        each = angles[way[:-1], way[1:]]
        if each.max() / each.sum() < least:
            rows, least = way, each.max() / each.sum()
        bound = FALLS * min(each.max(), least * each.sum())  # above that no shorter walk is more even
    return rows


def _longest(lengths: np.ndarray, count: int) -> np.ndarray | None:
    """The rows `(count,)` of the longest walk from the first of `(n, n)` to the last; None where there is none."""
    best, before = np.where(np.arange(len(lengths)) == 0, 0.0, -np.inf), []
    for _ in range(count - 1):
        through = best[:, None] + lengths
        before.append(through.argmax(axis=0))
        best = through[before[-1], range(len(lengths))]
    if not np.isfinite(best[-1]):
        return None
    rows = [len(lengths) - 1]
    for each in reversed(before):
        rows.append(int(each[rows[-1]]))
    return np.array(rows[::-1])


def found(
    stops: int, frames: int, draw: Callable[[np.ndarray, int, int], Generator[None, None, Drawn]]
) -> Generator[None, None, Drawn]:
    """An even walk through some stops, which are among its frames; draws half as many frames more than it keeps.

    Parameters
    ----------
    stops, frames
        Their numbers; frames ≥ stops ≥ 2.
    draw
        Draws and embeds the frames at places `(n,)`, in units of stops, given how many were drawn before and how many
        will be in all.
    """
    from clipexplore.draw.drawer import Drawn

    most = max(frames, int(SHARE * frames))
    new = frame_positions(stops, max(stops, round(COARSE * frames))).round(DIGITS)
    places, embeddings = np.empty(0), None
    pictures: list[Image.Image] = []
    while len(new):
        drawn = yield from draw(new, len(places), most)
        assert drawn.embeddings is not None
        places, pictures = np.append(places, new), pictures + drawn.pictures
        embeddings = drawn.embeddings if embeddings is None else np.concatenate([embeddings, drawn.embeddings])
        order, count = np.argsort(places, kind="stable"), min(AT_ONCE, most - len(places))
        new = _unseen(finer(places[order], embeddings[order], frames, count), places)
        if not len(new) and len(places) < frames:  # a jump that is narrower than places are told apart
            new = _unseen(_middles(places[order], count), places)
    assert embeddings is not None
    rows = order[kept(embeddings[order], frames, places[order] % 1 == 0)]
    return Drawn([pictures[row] for row in rows], embeddings[rows], places=places[rows], kept=rows.tolist())


def _unseen(new: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.setdiff1d(new.round(DIGITS), places)


def _middles(places: np.ndarray, count: int) -> np.ndarray:
    """The middles of the widest gaps between places."""
    wide = np.argsort(-np.diff(places), kind="stable")[:count]
    return (places[wide] + places[wide + 1]) / 2


def progress(embeddings: np.ndarray) -> np.ndarray:
    """How much of all that is drawn has changed up to each frame, `(n,)` from 0 to 1; even where nothing changes."""
    sums = np.append(0, np.cumsum(steps(embeddings) + LEAST))
    return sums / sums[-1]


def beside(stops: np.ndarray, places: np.ndarray, embeddings: np.ndarray) -> dict[str, np.ndarray]:
    """What the drawings of an even walk say of as many frames along slerp and lerp: their `progress`, `(n,)` each.

    Parameters
    ----------
    stops
        `(s, dim)`, of the path.
    places, embeddings
        `(n,)` and `(n, dim)` of the drawings, which tell the progress between them too.
    """
    at = frame_positions(len(stops), len(places))
    start = np.minimum(at.astype(int), len(stops) - 2)
    unit = normalize(stops).astype(np.float64)
    angles = steps(unit)[start]
    along = at - start  # a straight line's place on the arc: the angle whose tangent it has
    turned = np.arctan2(along * np.sin(angles), 1 - along + along * np.cos(angles)) / angles
    known = progress(embeddings)
    return {"slerp": np.interp(at, places, known), "lerp": np.interp(start + turned, places, known)}
