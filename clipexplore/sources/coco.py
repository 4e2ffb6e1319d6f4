"""Annotations in COCO's JSON: captions of pictures, or the things in them by category.

Source: cocodataset.org, "Data format": `images`, `annotations`, `categories`, joined by their ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.sources.descriptions import pictures_of
from clipexplore.sources.entries import Source
from clipexplore.sources.files import Tree
from clipexplore.sources.json_stream import values_of
from clipexplore.sources.named_pictures import Places, named_pictures
from clipexplore.sources.rows import MOST_CAPTIONS, Row, Table, further_captions, in_one_line

_BEFORE = ("info", "licenses", "type", "categories", "annotations")  # what may stand before `images`


@dataclass
class _Annotated:
    """What is said of one picture, first in one table; captions with the ids of their annotations, their order."""

    file: str
    table: str
    captions: list[tuple[int, str]] = field(default_factory=list)
    things: Counter[str] = field(default_factory=Counter)


def read(tree: Tree, report: Report = silent) -> Source | None:
    """The pictures of a tree with their first captions, the others in the field `captions`, and with the names of the
    things in them; None where there are no such annotations.

    Raises
    ------
    InputError
        If annotations cannot be read.
    """
    if not next(pictures_of(tree.names), None):
        return None
    names = [name for name in tree.names if name.lower().endswith(".json") and _is_coco(tree, name)]
    if not names:
        return None
    annotated: dict[str, _Annotated] = {}
    places = Places(tree.names)
    for name in names:
        _take(tree, name, annotated, places, report)
    count = sum(len(each.captions) for each in annotated.values())
    recognised = _("COCO's annotations: {names} say {captions:,} captions of {pictures:,} pictures.")
    tables = {name: Table.of(partial(_rows, annotated, name), report) for name in names}
    about = recognised.format(names=", ".join(names)[:200], captions=count, pictures=len(annotated))
    return named_pictures(tree, tables, about)


def _is_coco(tree: Tree, name: str) -> bool:
    try:
        for key, _inside, value in values_of(partial(tree.open, name), name):
            if key == "images":
                return isinstance(value, dict) and "file_name" in value
            if key not in _BEFORE:
                return False
    except InputError:
        pass
    return False


def _take(tree: Tree, name: str, annotated: dict[str, _Annotated], places: Places, report: Report) -> None:
    """Adds what a file of annotations says; of one picture several files may."""
    folder = str(PurePosixPath(name).parent).removeprefix(".")
    images, categories = dict[object, _Annotated](), dict[object, str]()
    every = partial(values_of, partial(tree.open, name), name, report)
    for key, _inside, value in every():
        if key == "images" and isinstance(value, dict) and "id" in value:
            file = str(value.get("file_name") or "")
            found = places.find(file, folder).files
            images[value["id"]] = annotated.setdefault(found[0] if len(found) == 1 else file, _Annotated(file, name))
        elif key == "categories" and isinstance(value, dict):
            categories[value.get("id")] = str(value.get("name"))
    for key, _inside, value in every():
        if key == "annotations" and isinstance(value, dict) and (image := images.get(value.get("image_id"))):
            _note(image, value, categories)


def _note(image: _Annotated, annotation: dict, categories: dict[object, str]) -> None:
    number = annotation.get("id")
    if annotation.get("is_rejected"):  # by those who made VizWiz: no caption of the picture
        return
    if isinstance(caption := annotation.get("caption"), str):
        if len(image.captions) < MOST_CAPTIONS:
            image.captions.append((number if isinstance(number, int) else 0, in_one_line(caption)))
    elif "keypoints" not in annotation and (thing := categories.get(annotation.get("category_id"))):
        image.things[thing] += 1


def _rows(annotated: dict[str, _Annotated], table: str, _report: Report) -> Iterator[Row]:
    for number, each in enumerate((each for each in annotated.values() if each.table == table), 1):
        captions = [caption for _id, caption in sorted(each.captions)]
        fields = further_captions(captions)
        if each.things:
            fields["things"] = ", ".join(sorted(each.things))
            fields["count"] = sum(each.things.values())
        if len(each.things) == 1:
            fields["label"] = next(iter(each.things))
        yield Row(number, captions[0] if captions else "", each.file, "", fields)
