"""The frames of a walk: their token states, the order they are drawn in, and how much drawings differ.

Two promises rest on the order: a walk is seen coarse to fine – ends, middle, quarters – and a frame is always
computed in a batch of the same size, since that decides its last bits. Both follow from the number of frames alone.
"""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.vectors import Curve, Easing, path

PreviewReport = Callable[[float, Image.Image | None], object]  # share of the work done; now and then a preview
SIZES = (1, 4, 8)  # a batch of one shows the first picture as soon as it can be; more than eight gain nothing on a CPU
TURN = 200  # steps of one frame that a batch may take, since others wait for it to end


def coarse_to_fine(count: int) -> list[int]:
    """The numbers 0 … count − 1: both ends, the middle, the quarters, …, each from left to right."""
    last = count - 1
    order = dict.fromkeys([0, last][: max(count, 0)])
    parts = 2
    while len(order) < count:
        order |= dict.fromkeys(_rounded(last * part, parts) for part in range(1, parts))
        parts *= 2
    return list(order)


def batches(count: int, steps: int = 1, alike: bool = False) -> Iterator[tuple[list[int], int]]:
    """The frames of each batch in the order in which they are drawn, and the batch's size; it may hold fewer frames
    and is then filled up.

    Of a walk of n frames the first is drawn alone, the next eight by fours, the others by eights, what is left over
    in the smallest size that holds it. Where a frame takes many `steps`, batches are smaller. Where all are to be
    `alike`, they are fours, or ones.
    """
    order, start = coarse_to_fine(count), 0
    sizes = [size for size in SIZES if size == 1 or size * steps <= TURN]
    if alike:
        same = min(SIZES[1], sizes[-1])
        yield from ((order[at : at + same], same) for at in range(0, count, same))
        return
    while start < count:
        planned = 1 if start == 0 else sizes[-1] if start >= SIZES[-1] else min(SIZES[1], sizes[-1])
        some = order[start : start + planned]
        yield some, min(size for size in sizes if size >= len(some))
        start += len(some)


def planned(
    count: int, steps: int, alike: bool, report: PreviewReport
) -> Iterator[tuple[list[int], list[int], PreviewReport]]:
    """The batches of a drawing of `count` frames, whoever draws them: the frames of each, the same filled up to its
    size, and what it reports its own share of the work to.
    """
    plan = list(batches(count, steps, alike))
    work, done = sum(size for _rows, size in plan), 0
    for rows, size in plan:
        yield rows, [rows[i % len(rows)] for i in range(size)], _part(report, done / work, size / work)
        done += size


def _part(report: PreviewReport, start: float, share: float) -> PreviewReport:
    """Reports a part of the work as what it is of the whole."""
    return lambda done, preview: report(start + done * share, preview)


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def prompt_path(states: np.ndarray, frames: int, curve: Curve = "slerp", easing: Easing = "linear") -> np.ndarray:
    """A walk over token states, `(frames, tokens, width)` float32.

    Parameters
    ----------
    states
        Those of the stops, `(stops, tokens, width)`, stops ≥ 2.
    curve
        "slerp" turns each token's state by a constant angle a frame, its length going evenly; "lerp" follows straight
        lines.

    Raises
    ------
    InputError
        As `vectors.path`, for any of the tokens.

    Source
    ------
    traberph/CLIP-Interpolation: slerp of each token for itself looks better than lerp for long prompts.
    """
    walks = [path(states[:, token], frames, curve, easing) for token in range(states.shape[1])]
    points = np.stack([walk.points for walk in walks], 1)
    if curve == "lerp":
        return points
    lengths = np.linalg.norm(states, axis=2)  # (stops, tokens)
    stops = np.arange(len(states))
    along = np.stack([np.interp(walks[0].positions, stops, lengths[:, token]) for token in range(states.shape[1])], 1)
    return (points * along[..., None]).astype(np.float32)


def changes(pictures: list[Image.Image]) -> np.ndarray:
    """How much each picture differs from the one before, `(n − 1,)` in [0, 255]: the mean absolute difference of
    their values.

    Raises
    ------
    InputError
        For pictures of different sizes.
    """
    if len({picture.size for picture in pictures}) > 1:
        raise InputError(_("Pictures of different sizes cannot be compared; draw them with the same model."))
    values = [np.asarray(picture, np.float32) for picture in pictures]
    return np.array([np.abs(b - a).mean() for a, b in zip(values, values[1:], strict=False)])
