"""Folders that FiftyOne exports: classes in `labels.json`, and its own form with everything in `samples.json`.

Its CSV is a table like any other. Sources: docs.voxel51.com, "Exporting datasets": FiftyOneImageClassificationDataset,
FiftyOneDataset; files that FiftyOne 1.22 wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.sources.descriptions import pictures_of
from clipexplore.sources.entries import Source
from clipexplore.sources.files import Tree
from clipexplore.sources.json_stream import values_of
from clipexplore.sources.named_pictures import named_pictures
from clipexplore.sources.rows import Roles, Row, Table

_KEPT_BY_ITSELF = ("metadata", "_media_type", "_rand", "_dataset_id", "_id", "created_at", "last_modified_at")


def read(tree: Tree, report: Report = silent) -> Source | None:
    """The pictures of a folder that FiftyOne has exported; None where it has not.

    Raises
    ------
    InputError
        If its JSON cannot be read.
    """
    forms = (("samples.json", _samples), ("labels.json", _labels))
    for ending, rows in forms:
        for name in tree.names:
            folder = name.removesuffix(ending)
            if name.endswith(ending) and any(each.startswith(f"{folder}data/") for each in tree.names):
                table = Table.of(partial(rows, tree, name), report)
                if table.count:
                    said = _("A folder that FiftyOne has exported: {name} tells of the pictures in data/.")
                    return named_pictures(tree, {name: table}, said.format(name=name), [f"{folder}metadata.json"])
    return None


def _labels(tree: Tree, name: str, report: Report) -> Iterator[Row]:
    """The classes of pictures, which are named without their endings: one, or those of several things."""
    folder = f"{name.removesuffix('labels.json')}data/"
    inside = [each.removeprefix(folder) for each in pictures_of(tree.names) if each.startswith(folder)]
    files = {each.rpartition(".")[0]: each for each in inside}
    classes: dict[str, str] = {}
    number = 0
    for key, stem, value in values_of(partial(tree.open, name), name, report):
        if key == "classes" and isinstance(value, str):
            classes[str(len(classes))] = value
        elif key == "labels":
            number += 1
            said = [_plain(each) for each in (value if isinstance(value, list) else [value])]
            label = ", ".join(dict.fromkeys(str(classes.get(str(word), word)) for word in said if word is not None))
            yield Row(number, "", f"data/{files.get(stem, stem)}", fields={"label": label} if label else {})


def _samples(tree: Tree, name: str, report: Report) -> Iterator[Row]:
    """What FiftyOne knows of each picture: plain values as they are, labels by their words."""
    for key, _inside, sample in values_of(partial(tree.open, name), name, report):
        if key != "samples" or not isinstance(sample, dict) or not isinstance(sample.get("filepath"), str):
            continue
        said: dict[str, object] = {"file": sample["filepath"]}
        for field, value in sample.items():
            if field not in (*_KEPT_BY_ITSELF, "filepath") and (plain := _plain(value)) not in (None, ""):
                labelled = isinstance(value, dict) and value.get("_cls") == "Classification" and "label" not in said
                said["label" if labelled else field] = plain
        yield Roles([*said], [*said]).row(0, said)


def _plain(value: object) -> object:
    """A value of a sample: of a label its word, of several all of them once."""
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, list):
        return ", ".join(sorted({str(word) for each in value if (word := _plain(each)) is not None}))
    if isinstance(value, dict):
        kind = value.get("_cls")
        if kind == "Classification" or "label" in value:
            return value.get("label")
        return next((_plain(each) for each in value.values() if isinstance(each, list)), None)
    return None
