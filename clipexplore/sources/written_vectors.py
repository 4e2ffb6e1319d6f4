"""Vectors written as text: tables of numbers alone, as TensorBoard and NumPy have them, and columns of other tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain, islice, repeat
from pathlib import Path, PurePosixPath

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.sources.captions import NUMBER, Open, lines_of
from clipexplore.sources.entries import Entry, Kind, Rejected, Source, check_ids, with_directions
from clipexplore.sources.files import Tree, opened
from clipexplore.sources.rows import Row, Table, check_columns, table_rows
from clipexplore.sources.vector_files import FEWEST, by_kind, check_dimensions, rows_at_once, said_by

_FEWEST = 5  # numbers in a line that are a vector and no text, such as "1 2 3"
_FIRST = 100  # rows of a table from which is seen whether it has vectors
_CUT = re.compile(r"\[[-+.\de\s]+ \.\.\. [-+.\de\s]+\]$")  # a vector with three dots in its middle
_SEPARATED = ("\t", ",", ";", None)  # numbers in a line; the last by blanks


def in_tree(tree: Tree, report: Report) -> Source | None:
    """The vectors of a log folder of TensorBoard, those of its last step."""
    names = [name for name in tree.names if PurePosixPath(name).name == "tensors.tsv"]
    if not names:
        return None
    name = names[-1]
    beside = f"{name.removesuffix('tensors.tsv')}metadata.tsv"
    metadata = partial(tree.open, beside) if beside in tree.names else None
    found = open_tensors(partial(tree.open, name), metadata, name, report)
    said = _("A log folder of TensorBoard: the vectors of {name}, the last of {count:,}.")
    return replace(found, recognised=said.format(name=name, count=len(names)))


def in_file(path: Path, report: Report) -> Source | None:
    """Numbers alone, as TensorBoard's projector has vectors, with the metadata of the same name."""
    with open(path, "rb") as file:
        if not _is_tensors(file.read(4_000)):
            return None
    beside = path.with_name(path.name.replace("tensors", "metadata").replace("vectors", "metadata"))
    metadata = opened(beside) if beside != path and beside.is_file() else None
    return open_tensors(opened(path), metadata, path.name, report)


def in_columns(path: Path, table: Table) -> Source | None:
    """The rows of a table with the vectors in its columns; None where there are none."""
    columns, dims = _vector_columns(table)
    if not columns:
        return None
    dim = dims[next(iter(columns.values()))]

    def stream() -> Iterator[Entry | Rejected]:
        for row in table:
            vectors = {kind: _vector_in(row.fields.get(name)) for kind, name in columns.items()}
            given = {kind: each for kind, each in vectors.items() if each is not None and len(each) == dim}
            called = _("row {number}").format(number=row.number)
            if row.wrong or len(given) < len(columns):
                yield Rejected(called, row.wrong or _("Its vector is missing or of another length."))
                continue
            fields = {name: value for name, value in row.fields.items() if name not in columns.values()}
            yield with_directions(Entry(f"{path.stem}-{row.number:05d}", row.caption, fields, row.id, vectors=given))

    source = Source.of_vectors(columns, table.count, stream, dim)
    return check_ids(source, table.id, ((row.id,) for row in table)) if table.id else source


def open_tensors(tensors: Open, metadata: Open | None, name: str, report: Report = silent) -> Source:
    """The vectors of a table of numbers, such as TensorBoard's projector has, with the metadata beside them: captions,
    or columns with a header.

    Raises
    ------
    InputError
        If they are no numbers, or are as many as there is metadata.
    """
    vectors = _numbers(lines_of(tensors, name, report), name)

    def rows() -> Iterator[Row]:
        return _metadata(lines_of(metadata, name, errors="replace")) if metadata else iter(())

    count = sum(1 for _row in rows())
    if count and count != len(vectors):
        message = _("{name!r} has {vectors} vectors and its metadata {rows} rows; export both again.")
        raise InputError(message.format(name=name, vectors=len(vectors), rows=count))

    def stream() -> Iterator[Entry | Rejected]:
        told = rows() if count else (Row(number) for number in range(1, len(vectors) + 1))
        for number, (vector, row) in enumerate(zip(vectors, told, strict=True), 1):
            fields = {**row.fields, "file": row.file} if row.file else row.fields
            called = row.id or row.file or f"{PurePosixPath(name).stem}-{number:06d}"
            yield with_directions(Entry(called, row.caption, fields, row.id, vectors={"captions": vector}))

    source = Source.of_vectors(["captions"], len(vectors), stream, vectors.shape[1])
    return check_ids(source, "id", ((row.id,) for row in rows()))


def not_read(table: Table) -> tuple[str, ...]:
    """A note of the vectors in a table that names pictures, whose rows come without them."""
    columns = _vector_columns(table)[0].values()
    message = _("Vectors in columns of a text that names pictures are not read: {names}. Write it as Parquet.")
    return (message.format(names=", ".join(columns)),) if columns else ()


def _vector_columns(table: Table) -> tuple[dict[Kind, str], dict[str, int]]:
    """Which fields of a table hold vectors of what, by its first rows; and the length of the first in each field.

    Raises
    ------
    InputError
        If they are cut short, as NumPy prints more than 1,000 numbers.
    """
    dims = dict[str, int]()
    for row in islice(table, _FIRST):
        for name, value in row.fields.items():
            if name not in dims and (vector := _vector_in(value)) is not None:
                dims[name] = len(vector)
            elif isinstance(value, str) and _CUT.match(value):
                message = _("The vectors in the column {name!r} were cut short when they were written; use Parquet.")
                raise InputError(message.format(name=name))
    return by_kind([*dims], [name for name, dim in dims.items() if said_by([name]) or dim >= FEWEST]), dims


def _vector_in(cell: object) -> np.ndarray | None:
    """The vector `(dim,)` in a cell, float32: a list of numbers, JSON of it, or as NumPy prints it; else None."""
    with suppress(ValueError, RecursionError):
        found = cell
        if isinstance(cell, str) and cell.startswith("["):
            found = json.loads(cell) if "," in cell else [*map(float, cell.strip("[]").split())]
        if isinstance(found, list) and found and all(type(each) in (int, float) for each in found):
            return np.array(found, np.float32)
    return None


def _is_tensors(head: bytes) -> bool:
    """Whether a file, of which these are the first 4,000 bytes, begins with numbers alone: as TensorBoard's projector
    writes vectors, without a header, or NumPy and pandas do."""
    line, _end, rest = head[:4_000].decode("utf-8", "replace").partition("\n")
    separator = _separator(line)
    cells, fewest = line.split(separator), 3 if separator == "\t" else _FEWEST
    return len(cells) >= fewest and all(NUMBER.fullmatch(cell.strip()) for cell in cells[: None if rest else -1])


def _separator(line: str) -> str | None:
    return next((each for each in _SEPARATED if each and each in line), None)


def _numbers(lines: Iterator[str], name: str) -> np.ndarray:
    """The numbers `(n, dim)` of lines, float32; above them pandas numbers the columns, 0, 1, 2 and so on."""
    lines = filter(str.strip, lines)
    first = next(lines, "")
    separator = _separator(first)
    cells = first.strip().split(separator)
    check_dimensions(name, len(cells))
    numbered = separator == "," and cells == [*map(str, range(len(cells)))]
    lines, blocks, rows = chain([] if numbered else [first], lines), [], rows_at_once(2 * len(first))
    try:
        while some := [*islice(lines, rows)]:
            blocks.append(np.loadtxt(some, np.float32, delimiter=separator, ndmin=2))
        return np.concatenate(blocks)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        message = _("{name!r} is no table of numbers ({error}); export it again.")
        raise InputError(message.format(name=name, error=str(error)[:120])) from error


def _metadata(lines: Iterator[str]) -> Iterator[Row]:
    rows = _without_end(line.rstrip("\r\n") for line in lines)
    first = next(rows, "")
    header = first.split("\t")
    if len(header) > 1:  # one column has no header
        check_columns(header)
        return table_rows(header, (dict(zip(header, line.split("\t"), strict=False)) for line in rows))
    return (Row(number, line.strip()) for number, line in enumerate(chain([first], rows), 1))


def _without_end(lines: Iterable[str]) -> Iterator[str]:
    """The lines without empty ones at their end."""
    empty = 0
    for line in lines:
        if line:
            yield from repeat("", empty)
            yield line
        empty = 0 if line else empty + 1
