"""Folders of clip-retrieval: vectors of pictures and of texts, with what is known of each in a table beside them.

Row i of `metadata/metadata_0.parquet` is row i of `img_emb/img_emb_0.npy` and of `text_emb/text_emb_0.npy`; no model is
named. Source: github.com/rom1504/clip-retrieval, README, "clip inference", and files that its writer wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, repeat
from pathlib import PurePosixPath

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.sources.arrays import Array, open_npy, reading
from clipexplore.sources.columns import open_columns, readable, rows_of
from clipexplore.sources.descriptions import tidy
from clipexplore.sources.entries import Entry, Kind, Rejected, Source, check_ids, with_directions
from clipexplore.sources.files import Tree
from clipexplore.sources.rows import Roles, Row

_PART = re.compile(r"(.*/)?(?P<folder>img_emb|text_emb|metadata)/(?P=folder)_(?P<number>\d+)\.(npy|parquet)")
_KINDS: dict[str, Kind] = {"img_emb": "pictures", "text_emb": "captions"}
_ROWS = 1_024

Part = dict[str, str]  # the files of a part by the names of their folders


def read(tree: Tree, report: Report = silent) -> Source | None:
    """The vectors of a folder, with captions and addresses; None where it is no such folder.

    Raises
    ------
    InputError
        If a file is damaged, or the parts of one number are not of one length.
    """
    parts: dict[str, Part] = {}
    for name in tree.names:
        if found := _PART.fullmatch(name):
            parts.setdefault(found["number"].zfill(9), {})[found["folder"]] = name
    parts = {number: part for number, part in sorted(parts.items()) if _KINDS.keys() & part.keys()}
    if not parts:
        return None
    kinds = [folder for folder in _KINDS if all(folder in part for part in parts.values())]
    arrays = [{folder: _array(tree, part[folder]) for folder in kinds} for part in parts.values()]
    shapes = [{each.shape for each in some.values()} for some in arrays]
    if not kinds or any(len(some) > 1 for some in shapes) or len({shape[1] for some in shapes for shape in some}) > 1:
        message = _("The vectors of pictures and of texts are not as many, or not of one length: {names}.")
        raise InputError(message.format(names=", ".join(next(iter(parts.values())).values())))

    for part, some in zip(parts.values(), arrays, strict=True):
        _check_metadata(tree, part, next(iter(some.values())))

    def stream() -> Iterator[Entry | Rejected]:
        for part, some in zip(parts.values(), arrays, strict=True):
            yield from _entries(tree, part, some)

    count = sum(next(iter(some.values())).shape[0] for some in arrays)
    dim = next(iter(arrays[0].values())).shape[1]
    said = _("A folder of clip-retrieval: {count:,} vectors in {parts:,} parts; their pictures are not in it.")
    source = Source.of_vectors([_KINDS[folder] for folder in kinds], count, stream, dim)
    source = replace(source, recognised=said.format(count=count, parts=len(parts)))
    told = (_told(tree, part) for part in parts.values() if "metadata" in part)
    return check_ids(source, "id", ((row.id,) for rows in told for row, _said in rows))


def _array(tree: Tree, name: str) -> Array:
    with tree.open(name) as file:
        size = file.seek(0, 2)
    with reading(name):
        found = open_npy(name, partial(tree.open, name), size)
    if len(found.shape) != 2 or found.dtype.kind != "f":
        message = _(
            "The array in {name!r} is {dtype} of shape {shape}; give numbers (rows, dimensions), such as float32."
        )
        raise InputError(message.format(name=name, dtype=found.dtype, shape=found.shape))
    return found


def _check_metadata(tree: Tree, part: Part, vectors: Array) -> None:
    """Raises an InputError for a table that has not as many rows as there are vectors."""
    if not (name := part.get("metadata")):
        return
    with readable(name), tree.open(name) as file:
        rows = len(open_columns(file, name))
    if rows != vectors.shape[0]:
        message = _("{name!r} has {vectors} vectors and its metadata {rows} rows; export both again.")
        raise InputError(message.format(name=vectors.name, vectors=vectors.shape[0], rows=rows))


def _told(tree: Tree, part: Part) -> Iterator[tuple[Row, dict]]:
    """What the table of a part says of each vector, and its cells."""
    rows = rows_of(partial(tree.open, part["metadata"]), part["metadata"])
    if first := next(rows, None):
        roles = Roles([*first], [*first])
        yield from ((roles.row(number, cells), cells) for number, cells in enumerate(chain([first], rows), 1))


def _entries(tree: Tree, part: Part, arrays: dict[str, Array]) -> Iterator[Entry | Rejected]:
    blocks = zip(*(array.blocks(_ROWS) for array in arrays.values()), strict=True)
    rows = (row for block in blocks for row in zip(*block, strict=True))
    told = _told(tree, part) if "metadata" in part else repeat((Row(), {}))
    for number, (vectors, (row, said)) in enumerate(zip(rows, told, strict="metadata" in part), 1):
        called = row.file or str(said.get("url") or f"{PurePosixPath(next(iter(part.values()))).stem}-{number:06d}")
        own = {_KINDS[folder]: np.asarray(vector, np.float32) for folder, vector in zip(arrays, vectors, strict=True)}
        yield with_directions(Entry(called, row.caption, tidy(row.fields), row.id, vectors=own))
