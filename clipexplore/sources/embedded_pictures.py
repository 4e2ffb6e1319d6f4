"""Pictures in the columns of Parquet and Arrow files, as `datasets` of Hugging Face and img2dataset write them.

A picture is a struct of `bytes` and `path`, or plain binary; names of classes stand in the schema alone. Sources:
huggingface.co/docs/datasets, "Image" and "save_to_disk"; files that datasets 5.2 and img2dataset 1.47 wrote.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice, repeat
from pathlib import PurePosixPath
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import unquote

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.sources import img2dataset
from clipexplore.sources.captions import Open
from clipexplore.sources.columns import (
    dicts_of,
    dim_of,
    holds_pictures,
    is_binary,
    needed,
    note_unread,
    open_columns,
    plain,
    readable,
    texts_of,
    vectors_of,
)
from clipexplore.sources.descriptions import pictures_of, tidy
from clipexplore.sources.entries import Entry, Kind, Rejected, Source, check_ids, with_directions
from clipexplore.sources.files import MAX_FILE, Tree, check_here
from clipexplore.sources.rows import Roles, Row, column_of_ids, one_picture_each

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".parquet", ".arrow")
NAMES = ("image", "img", "picture", "jpg", "jpeg", "png", "webp", "image_bytes", "bytes")  # of plain binary columns
VECTORS: dict[str, Kind] = {"image_vectors": "pictures", "vector": "pictures", "text_vectors": "captions"}
_ROWS = 64  # at once: pictures are large
_KEPT = re.compile(r"(.*/)?cache-\w+\.arrow")  # of `datasets`' map and filter
_SPLIT = re.compile(r"(train|test|validation)-\d+-of-\d+.*")


@dataclass(frozen=True)
class _Layout:
    """Which columns of a file are what; `classes` names the numbers of a column, `of_all` are fields of all rows.

    Of a row with several pictures each has what the columns `plain` say of it.
    """

    pictures: dict[str, Roles]
    plain: list[str]
    vectors: dict[str, Kind] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)
    of_all: dict[str, object] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        return [*self.pictures, *self.plain, *self.vectors]


def in_file(open: Open, name: str) -> Source | None:
    """The pictures in one file; None where no column has any.

    Raises
    ------
    InputError
        If it is damaged, or unpacks to many times its size.
    """
    return _source({name: open})


def in_tree(tree: Tree, report: Report = silent) -> Source | None:
    """The pictures in the files of a tree that has fewer of its own, such as the shards of `push_to_hub`, or what
    `save_to_disk` writes; what it keeps there between two calls is none.
    """
    files = [name for name in tree.names if name.lower().endswith(ENDINGS)]
    found = _source({name: partial(tree.open, name) for name in files if not _KEPT.fullmatch(name)})
    beside = [*pictures_of(tree.names)]
    if not found or not beside:
        return found
    reason = _("It lies beside files that hold more pictures, so it was not used; give its folder.")
    left = partial(map, Rejected, beside, repeat(reason))
    stream = partial(_then, found.stream, left)
    return replace(found, count=found.count + len(beside), stream=stream) if found.count >= len(beside) else None


def _then(
    first: Callable[[], Iterator[Entry | Rejected]], second: Callable[[], Iterator[Rejected]]
) -> Iterator[Entry | Rejected]:
    return chain(first(), second())


def _source(files: dict[str, Open]) -> Source | None:
    layouts, count, dims = dict[str, _Layout](), 0, set[int]()
    notes: dict[str, None] = {}
    for name, open in files.items():
        check_here(open, name)
        with readable(name), open() as file:
            columns = open_columns(file, name)
            if (layout := _layout(columns.schema, name)) and len(columns):
                layouts[name], count = layout, count + len(columns) * len(layout.pictures)
                dims |= {dim_of(columns, each) for each in layout.vectors}
                notes |= dict.fromkeys(note_unread(columns.schema, layout.columns))
    if not layouts:
        return None

    def stream() -> Iterator[Entry | Rejected]:
        for name, layout in layouts.items():
            yield from _entries(files[name], name, layout, dim or 0)

    said = _("Pictures in the column {column} of {names}, as datasets and img2dataset write them.")
    first = next(iter(layouts.values()))
    recognised = said.format(column=", ".join(first.pictures), names=", ".join(layouts)[:200])
    kinds = tuple(dict.fromkeys(first.vectors.values()))
    if len(dims) > 1:
        message = _("The vectors in {names} are not of one length; write each model's into a file of its own.")
        raise InputError(message.format(names=", ".join(layouts)[:200]))
    dim = dims.pop() if dims else None
    beginning = (each for each in islice(stream(), _ROWS) if isinstance(each, Entry))
    notes |= dict.fromkeys(img2dataset.letterboxed((each.fields, each.read) for each in beginning if each.read))
    source = Source("pictures", count, stream, dim, recognised, (*notes,), vectors=kinds)
    ids = column_of_ids(first.plain)
    return check_ids(source, ids, _ids(files, layouts, ids)) if ids else source


def _ids(files: dict[str, Open], layouts: dict[str, _Layout], column: str) -> Iterator[tuple[str]]:
    """The id of each picture."""
    for name, layout in layouts.items():
        with readable(name), files[name]() as file:
            for id in texts_of(open_columns(file, name), column) if column in layout.plain else ():
                yield from repeat((id,), len(layout.pictures))


def _layout(schema: pa.Schema, name: str) -> _Layout | None:
    """What the columns of a file are; None where none holds pictures."""
    features = _features(schema)
    pictures = [each.name for each in schema if _holds_pictures(each, features.get(each.name, {}))]
    if not pictures:
        return None
    classes = {
        each: about["names"]
        for each, about in features.items()
        if about.get("_type") == "ClassLabel" and isinstance(about.get("names"), list)
    }
    vectors = {each: kind for each, kind in VECTORS.items() if each in schema.names}
    inside, base = PurePosixPath(name).parent.name, PurePosixPath(name).name
    found = _SPLIT.fullmatch(base)
    split = found[1] if found else inside if inside in ("train", "test", "validation") else ""
    of_all = {**_partitions(name), **({"split": split} if split else {})}
    words = needed(plain(schema))
    several = one_picture_each([*pictures, *words], range(len(pictures)))
    own = [
        next((place for place, each in enumerate(pictures) if names[place] not in ("", each)), 0) for names in several
    ]
    roles = [Roles(words, names[len(pictures) :]) for names in several]
    return _Layout(
        {pictures[place]: role for place, role in zip(own, roles, strict=True)}, words, vectors, classes, of_all
    )


def _partitions(name: str) -> dict[str, object]:
    """What folders say of the files in them, as Hive, Spark, polars and DuckDB name them: `label=cat/0.parquet`."""
    parts = (part.partition("=") for part in PurePosixPath(name).parts[:-1])
    return {key: unquote(value) for key, equals, value in parts if equals and value != "__HIVE_DEFAULT_PARTITION__"}


def _features(schema: pa.Schema) -> dict[str, dict]:
    """What `datasets` says of the columns."""
    with suppress(ValueError, KeyError, AttributeError, RecursionError):
        said = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: about for name, about in said.items() if isinstance(about, dict)}
    return {}


def _holds_pictures(column: pa.Field, feature: dict) -> bool:
    import pyarrow.types as types

    said = feature.get("_type") == "Image"
    if types.is_struct(column.type):
        return holds_pictures(column.type) or said and "bytes" in [each.name for each in column.type]
    return is_binary(column.type) and (said or column.name.lower().rstrip("_0123456789") in NAMES)


def _entries(open: Open, name: str, layout: _Layout, dim: int) -> Iterator[Entry | Rejected]:
    done = 0
    with readable(name), open() as file:
        for batch in open_columns(file, name).batches(layout.columns, _ROWS):
            pictures = {column: _pictures(batch[column]) for column in layout.pictures}
            vectors = {kind: vectors_of(batch[each], dim) for each, kind in layout.vectors.items()}
            for number, cells in enumerate(dicts_of(batch, layout.plain)):
                own = {kind: block[number] for kind, block in vectors.items()}
                for column, roles in layout.pictures.items():
                    row, (readers, paths) = roles.row(number, cells), pictures[column]
                    called = paths[number] or row.file or f"{PurePosixPath(name).stem}-{done + number + 1:06d}"
                    yield _entry(called, row, readers[number], own, layout)
            done += len(batch)


def _entry(
    called: str, row: Row, read: Callable[[], bytes] | None, vectors: dict[Kind, np.ndarray], layout: _Layout
) -> Entry | Rejected:
    if read is None:
        if row.fields.get("status") not in (None, "success"):
            return Rejected(str(row.fields.get("url") or row.fields.get("key") or called), img2dataset.why(row.fields))
        message = _("The file holds the path of this picture alone; write it with its bytes, as push_to_hub does.")
        return Rejected(called, message)
    fields = tidy({each: _class(layout.classes.get(each), value) for each, value in row.fields.items()})
    fields |= layout.of_all
    called = PurePosixPath(called.replace("\\", "/")).name
    id = row.id or str(row.fields.get("key") or "")
    return with_directions(Entry(called, row.caption, fields, id, read, vectors))


def _class(names: list[str] | None, value: object) -> object:
    """The name of a class; None for −1, which `datasets` writes where there is none."""
    if names is None or not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None


def _pictures(column: pa.Array) -> tuple[list[Callable[[], bytes] | None], list[str]]:
    """What reads each picture of a column, None where there is none, and their paths.

    They wait in a file that has no name: some hundred entries are read ahead, and a picture may have megabytes.
    """
    import pyarrow.types as types

    paths: list[str | None] = [None] * len(column)
    if types.is_struct(column.type):
        inside = [each.name for each in column.type]
        if "path" in inside:
            paths = column.field("path").to_pylist()
        column = column.field("bytes")  # of a slice, too
    held = tempfile.TemporaryFile()  # noqa: SIM115 – closed with the last of its readers
    lock, readers = Lock(), list[Callable[[], bytes] | None]()

    def read(start: int, size: int) -> bytes:
        if size > MAX_FILE:
            message = _("It is larger than {most} MB, the most that can be opened; make it smaller.")
            raise InputError(message.format(most=MAX_FILE // 10**6))
        with lock:
            held.seek(start)
            return held.read(size)

    for each in column:
        data = each.as_buffer()
        readers.append(None if data is None or not data.size else partial(read, held.tell(), data.size))
        if data is not None:
            held.write(data)
    return readers, [path or "" for path in paths]
