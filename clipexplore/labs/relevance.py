"""Where in the picture: CLIP, trained on whole pictures, is asked about parts.

Windows of several sizes go through it; from their cosines with a prompt follow a map of relevant pixels and a box.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _

if TYPE_CHECKING:
    from PIL import Image

SCALES = (0.4, 0.5, 0.625)  # sides of the windows, as shares of the shorter side of the picture
STEP = 0.2  # from window to window, as a share of a window
RIVAL = 0.5  # how much of a rival's cosine counts against a prompt
EDGE = 0.6  # a box holds what is at least so relevant, as a share of the most relevant pixel

Box = tuple[int, int, int, int]  # left, top, width, height in pixels


def windows(width: int, height: int, scales: Iterable[float] = SCALES, step: float = STEP) -> np.ndarray:
    """Square windows of each scale that cover a picture from edge to edge, `(w, 4)` int: left, top, width, height.

    Raises
    ------
    InputError
        For a scale or a step that is not in (0, 1].
    """
    boxes = []
    for scale in scales:
        if not (0 < scale <= 1 and 0 < step <= 1):
            says = _("The scale {scale} and the step {step} must be above 0 and at most 1; change them.")
            raise InputError(says.format(scale=scale, step=step))
        side = max(1, round(scale * min(width, height)))
        columns, rows = _starts(width, side, step), _starts(height, side, step)
        boxes += [(x, y, side, side) for y in rows for x in columns]
    return np.array(boxes)


def crops(picture: "Image.Image", boxes: np.ndarray) -> "list[Image.Image]":
    """What each window shows."""
    return [picture.crop((x, y, x + width, y + height)) for x, y, width, height in boxes.tolist()]


def relevance_maps(cosines: np.ndarray, boxes: np.ndarray, size: tuple[int, int], logit_scale: float) -> np.ndarray:
    """How likely each pixel is part of what a prompt names, if exactly one window shows it.

    A window's score is its cosine with the prompt minus half of its highest cosine with any other prompt. A softmax
    over the windows turns scores into probabilities, and a pixel gets the sum over all windows that contain it.

    Parameters
    ----------
    cosines
        `(w, p)`: of each window with each prompt.
    boxes
        `(w, 4)`: the windows.
    size
        Width and height of the picture.

    Returns
    -------
    np.ndarray
        `(p, height, width)` float32 in [0, 1].
    """
    cosines = np.asarray(cosines, np.float64)
    return np.stack(
        [_spread(_probabilities(cosines, prompt, logit_scale), boxes, size) for prompt in range(cosines.shape[1])]
    )


def best_box(relevance: np.ndarray, edge: float = EDGE) -> Box:
    """The box around the most relevant pixel and all connected to it that are at least `edge` times as relevant."""
    from scipy.ndimage import find_objects, label

    peak = np.unravel_index(relevance.argmax(), relevance.shape)
    parts, _count = label(relevance >= edge * relevance[peak])
    rows, columns = find_objects(parts)[parts[peak] - 1]
    return columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]: 1 for the same box, 0 for nothing in common."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(0, width) * max(0, height)
    return common / (a[2] * a[3] + b[2] * b[3] - common)


def overlaps(boxes: Sequence[Box], known: Sequence[Box]) -> list[tuple[float, bool]]:
    """For each box its IoU with the known box of the same index, and whether it overlaps no other more."""
    each = [[iou(box, truth) for truth in known] for box in boxes]
    return [(row[own], row[own] > max([*row[:own], *row[own + 1 :]], default=0.0)) for own, row in enumerate(each)]


def _starts(length: int, side: int, step: float) -> list[int]:
    return np.unique(
        np.linspace(0, length - side, round((length - side) / (step * side)) + 1).round().astype(int)
    ).tolist()


def _probabilities(cosines: np.ndarray, prompt: int, logit_scale: float) -> np.ndarray:
    """How likely each window shows the prompt, `(w,)`, together 1."""
    rivals = np.delete(cosines, prompt, axis=1)
    logits = logit_scale * (cosines[:, prompt] - (RIVAL * rivals.max(axis=1) if rivals.shape[1] else 0))
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def _spread(weights: np.ndarray, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Each window's weight on all of its pixels: added at its corners, and summed up along both axes."""
    width, height = size
    corners = np.zeros((height + 1, width + 1))
    left, top, right, bottom = boxes[:, 0], boxes[:, 1], boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]
    for x, y, sign in ((left, top, 1), (right, bottom, 1), (left, bottom, -1), (right, top, -1)):
        np.add.at(corners, (y, x), sign * weights)
    return corners.cumsum(axis=0).cumsum(axis=1)[:height, :width].clip(0, 1).astype(np.float32)
