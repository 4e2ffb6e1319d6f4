"""Pictures as plain numbers, one per pixel and colour: the space that CLIP's is set beside.

What principal components of pixels look like was shown by
L. Sirovich and M. Kirby, Low-dimensional procedure for the characterization of human faces, 1987.
"""

from collections.abc import Callable, Sequence
from math import isqrt

import numpy as np

from clipexplore.images import open_picture

SIDE = 32  # pixels of a picture as it is projected


def pixels(
    pictures: Sequence[bytes], side: int = SIDE, report: Callable[[float], object] = lambda progress: None
) -> np.ndarray:
    """Pictures as rows of numbers, `(n, side * side * 3)` float32 in [0, 1]: row by row, RGB of each pixel.

    Each is pressed into a square. Takes about a millisecond a picture; `report` is told how far it is, in [0, 1].

    Raises
    ------
    InputError
        For what is no picture.
    """
    rows = np.empty((len(pictures), side * side * 3), np.float32)
    for number, data in enumerate(pictures):
        rows[number] = np.asarray(open_picture(data).resize((side, side)), np.float32).ravel() / 255
        if number % 64 == 0:
            report(number / len(pictures))
    return rows


def digits() -> tuple[np.ndarray, list[str]]:
    """Scikit-learn's 1,797 handwritten digits: `(1797, 64)` float32, 1 for ink, and which digit each is."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.data / 16).astype(np.float32), [str(digit) for digit in found.target]


def as_picture(row: np.ndarray, enlarge: int = 1) -> np.ndarray:
    """One row of pixels as a picture, `(side, side, 3)` uint8, each `enlarge` times as large, clipped to [0, 1]."""
    channels = 1 if isqrt(len(row)) ** 2 == len(row) else 3  # grey or colour: three times a square is never a square
    side = isqrt(len(row) // channels)
    square = np.broadcast_to(row.reshape(side, side, channels), (side, side, 3))
    return np.rint(square.clip(0, 1) * 255).astype(np.uint8).repeat(enlarge, axis=0).repeat(enlarge, axis=1)


def as_direction(component: np.ndarray, enlarge: int = 1) -> np.ndarray:
    """A component of pixels as a picture: mid-grey where it is zero, the largest entry at an end of the scale."""
    return as_picture(0.5 + 0.5 * component / max(np.abs(component).max(), 1e-12), enlarge)


def error(row: np.ndarray, rebuilt: np.ndarray) -> float:
    """The root mean square difference of two rows of pixels, in grey levels of 255."""
    return float(np.sqrt(((row - rebuilt).astype(np.float64) ** 2).mean()) * 255)
