"""Pixels: a picture as plain numbers and as a point of CLIP's space, rebuilt from few components in both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from clipexplore.errors import InputError
from clipexplore.explore.components import cloud
from clipexplore.labs.pixels import digits, error, pixels
from clipexplore.language import _
from clipexplore.maps.pca import PCA, randomized_pca, reconstructions
from clipexplore.reports import Report, silent
from clipexplore.retrieval.nearest import search
from clipexplore.space import Hit, Space
from clipexplore.vectors import normalize

PixelSource = Literal["collection", "digits"]

MOST = 3000  # pictures; a larger collection is sampled evenly
COMPONENTS = 100
NEAR = 8


@dataclass(frozen=True, eq=False)
class PixelSpace:
    """Pictures as rows of pixels `(n, dim)` in [0, 1], and their first 100 principal components."""

    rows: np.ndarray
    fit: PCA


def pixel_space(space: Space, source: PixelSource = "collection", report: Report = silent) -> PixelSpace:
    """The pixels of the collection's pictures, or of scikit-learn's digits; reading thousands takes seconds.

    Raises
    ------
    InputError
        For a picture that cannot be read.
    """
    if source == "digits":
        rows, _names = digits()
    else:
        some = space.collection.ids[:: -(-len(space.collection) // MOST)]
        encoded = [space.collection.picture(id) for id in some]
        rows = pixels(encoded, report=lambda share: report(0.7 * share, _("Reading pictures")))
    report(0.7, _("Finding components"))
    return PixelSpace(rows, randomized_pca(rows, COMPONENTS))


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """A picture from its first few components."""

    SHOWN: ClassVar = ("error", "kept", "cosines")

    pixels: PixelSpace
    row: np.ndarray  # (dim,) float32: its pixels
    rebuilt: np.ndarray  # (dim,) float32: what the components make of them
    coordinates: np.ndarray  # (k,) float32: along all components
    error: float  # the root mean square difference of both, in grey levels of 255
    kept: float  # the share of what sets the picture apart from the mean
    near: np.ndarray  # the rows of the pixel space nearest by these components
    cosines: np.ndarray  # and their cosines


def in_pixels(
    space: Space, picture: str = "", source: PixelSource = "collection", digit: int = 0, rank: int = 10
) -> Rebuilt:
    """A picture as its first `rank` components of pixels have it, and the nearest by these.

    Parameters
    ----------
    picture
        The `@id` of a picture; not needed for digits.
    source, digit
        Where the components are from; among digits the number of one, from 0 to 1,796.

    Raises
    ------
    InputError
        For what is not the id of a picture.
    """
    if source == "digits":
        found = pixel_space(space, source)
        return rebuilt(found, found.rows[digit], rank)
    row = pixels_of(picture, space.picture)
    return rebuilt(pixel_space(space, source), row, rank)


def rebuilt(found: PixelSpace, row: np.ndarray, rank: int) -> Rebuilt:
    """As `in_pixels`, of a picture as a row of pixels `(dim,)`, in a space of pixels that is there already."""
    coordinates = found.fit.transform(row[None])
    made = found.fit.inverse_transform(coordinates[:, :rank])[0]
    near = search(_directions(found.fit, row[None], rank), _directions(found.fit, found.rows, rank), NEAR)
    kept = 1 - _square(row - made) / max(_square(row - found.fit.mean), 1e-12)
    return Rebuilt(found, row, made, coordinates[0], error(row, made), kept, near.indices[0], near.cosines[0])


def pixels_of(picture: str, read: Callable[[str], bytes]) -> np.ndarray:
    """The pixels `(3072,)` of the picture `@id`, which `read(id)` gives as a file.

    Raises
    ------
    InputError
        For what is not the id of a picture.
    """
    if not picture.startswith("@"):
        raise InputError(_("{text!r} is not a picture; enter the @id of one.").format(text=picture[:40]))
    return pixels([read(picture[1:])])[0]


def _directions(fit: PCA, rows: np.ndarray, k: int) -> np.ndarray:
    """The first k coordinates of rows of pixels, of length 1, so that their products are cosines."""
    return normalize(fit.transform(rows)[:, :k] + 1e-9)


def _square(x: np.ndarray) -> float:
    return float((x**2).sum())


@dataclass(frozen=True, eq=False)
class RebuiltInClip:
    """A picture's point from its first few components."""

    SHOWN: ClassVar = ("cosine", "kept", "hits")

    fit: PCA
    coordinates: np.ndarray  # (k,) float32: along all components of the collection's pictures
    cosine: float  # of what the components make of the point with the point
    kept: float  # the share of what sets the point apart from the mean
    hits: list[Hit]  # the pictures nearest to what the components make of it


def in_clip(space: Space, picture: str, rank: int = 10) -> RebuiltInClip:
    """The picture `@id` in CLIP's space as its first `rank` components have it, and the nearest pictures to that.

    Raises
    ------
    InputError
        As `Space.point`.
    """
    fit, point = cloud(space).fit, space.point(picture).vector
    vector = reconstructions(point, fit, [rank])[0]
    cosine = vector @ point / np.linalg.norm(vector)
    kept = 1 - _square(point - vector) / max(_square(point - fit.mean), 1e-12)
    hits = space.search(vector, "pictures", NEAR)
    return RebuiltInClip(fit, fit.transform(point[None])[0], float(cosine), kept, hits)
