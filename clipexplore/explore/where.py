"""Where in a picture a class is: windows through CLIP, and how often that is right where the answer is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.images import open_picture
from clipexplore.labs.relevance import Box, best_box, crops, iou, overlaps, relevance_maps, windows
from clipexplore.labs.zeroshot import class_embeddings
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.space import Space

AT_ONCE = 32  # windows in a forward pass, between which other visitors get their turn
SCENES = 24  # of two things, that the method is judged by
SIDE = 512  # pixels of the longer side of a picture that is searched


@dataclass(frozen=True, eq=False)
class Windows:
    """A picture seen through windows.

    Attributes
    ----------
    picture
        At most 512 pixels a side.
    boxes
        `(w, 4)` int: left, top, width, height of each window.
    vectors
        `(w, dim)`: what each window shows, embedded.
    """

    picture: Image.Image
    boxes: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True, eq=False)
class Where:
    """Where in a picture each class is.

    Attributes
    ----------
    maps
        `(c, height, width)` float32 in [0, 1]: how relevant each pixel is.
    boxes
        What is at least 60 % as relevant as the peak of its map.
    best
        The highest cosine of any window with each class.
    known, ious
        The true box where the collection has it, and how far the box found overlaps it; None where it has none.
    """

    SHOWN: ClassVar = ("boxes", "best", "ious")
    picture: Image.Image
    windows: int
    class_names: list[str]
    maps: np.ndarray
    boxes: list[Box]
    best: list[float]
    known: list[Box | None]

    @cached_property
    def ious(self) -> list[float | None]:
        return [iou(box, true) if true else None for box, true in zip(self.boxes, self.known, strict=True)]


@dataclass(frozen=True)
class WhereJudged:
    """How good "where" is on scenes of two things: the mean IoU of the boxes found with the true ones, and the share of
    boxes
    that overlap their own thing more than the other."""

    mean_iou: float
    right: float
    boxes: int
    scenes: int


def look(space: Space, image: str, report: Report = silent) -> Windows:
    """A picture through windows of three sizes.

    Parameters
    ----------
    image
        The `@id` of one picture.

    Raises
    ------
    InputError
        For any other expression, and for an unknown id.
    """
    return _look(space, space.picture(only_id(image)), report)


def where(
    space: Space,
    image: str,
    class_names: Sequence[str],
    templates: Sequence[str] = ("a photo of a {}",),
    seen: Windows | None = None,
    classes: np.ndarray | None = None,
) -> Where:
    """Which part of a picture shows each class.

    Parameters
    ----------
    image
        The `@id` of one picture.
    seen
        What `look` gives for it, if that is known already.
    classes
        The embeddings `(c, dim)` of the classes, where they are known.

    Raises
    ------
    InputError
        As `look` and `class_embeddings`.
    """
    seen = seen or look(space, image)
    classes = class_embeddings(space.embed_texts, class_names, templates) if classes is None else classes
    cosines = seen.vectors @ classes.T
    maps = relevance_maps(cosines, seen.boxes, seen.picture.size, space.model.logit_scale)
    true = _known_boxes(space, only_id(image))
    return Where(
        picture=seen.picture,
        windows=len(seen.boxes),
        class_names=list(class_names),
        maps=maps,
        boxes=[best_box(each) for each in maps],
        best=[float(each) for each in cosines.max(axis=0)],
        known=[_box_named(true, name) for name in class_names],
    )


def judge_where(space: Space, scenes: int = SCENES, report: Report = silent) -> WhereJudged:
    """How often "where" is right, on at most `scenes` pictures of the collection known to show two things apart."""
    known = {id: boxes for id in space.collection.ids if _two_apart(boxes := _known_boxes(space, id))}
    if not known:
        return WhereJudged(0.0, 0.0, 0, 0)
    ids = list(known)[:: max(1, len(known) // scenes)][:scenes]
    judged: list[tuple[float, bool]] = []
    for number, id in enumerate(ids):
        report(number / len(ids), _("scene {done} of {count}").format(done=number, count=len(ids)))
        seen = _look(space, space.collection.picture(id))
        cosines = seen.vectors @ space.embed_texts([f"a {name}" for name in known[id]]).T
        maps = relevance_maps(cosines, seen.boxes, seen.picture.size, space.model.logit_scale)
        judged += overlaps([best_box(each) for each in maps], list(known[id].values()))
    shares, right = zip(*judged, strict=True)
    return WhereJudged(float(np.mean(shares)), float(np.mean(right)), len(judged), len(ids))


def only_id(image: str) -> str:
    """The id that an expression consists of.

    Raises
    ------
    InputError
        For an expression that is not a single picture.
    """
    if not image.startswith("@") or " " in image:
        raise InputError(_("{image!r} is not one picture; give a single @id on the first line.").format(image=image))
    return image[1:]


def _look(space: Space, data: bytes, report: Report = silent) -> Windows:
    picture = open_picture(data)
    picture.thumbnail((SIDE, SIDE))
    boxes = windows(*picture.size)
    parts, vectors = crops(picture, boxes), []
    for start in range(0, len(parts), AT_ONCE):
        report(start / len(parts), _("window {done} of {count}").format(done=start, count=len(parts)))
        vectors.append(space.embedder.embed_images(parts[start : start + AT_ONCE]))
    return Windows(picture, boxes, np.concatenate(vectors))


def _known_boxes(space: Space, id: str) -> dict[str, Box]:
    """The things in a picture of the collection and where they are; empty where that is not known."""
    collection = space.collection
    if id not in collection or "boxes" not in collection.fields:
        return {}
    written = collection.fields["boxes"].iloc[collection.row(id)]
    entries = [entry.rsplit(" ", 4) for entry in written.split("; ")] if isinstance(written, str) else []
    return {name: (int(left), int(top), int(width), int(height)) for name, left, top, width, height in entries}


def _box_named(known: dict[str, Box], class_name: str) -> Box | None:
    """The box of the thing that a class names: the same name, else one that is part of the other."""
    words = class_name.lower().removeprefix("a ").removeprefix("an ").removeprefix("the ")
    return known.get(words) or next((box for name, box in known.items() if words in name or name in words), None)


def _two_apart(known: dict[str, Box]) -> bool:
    return len(known) == 2 and iou(*known.values()) == 0
