"""Tables of captions as people bring them: CSV with any separator, TSV, JSON, JSON lines, or one caption a line.

A file is gone through to see how it is to be read, and again for its rows: a line is held at a time, never the file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import IO

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.sources.json_stream import MOST_JSON, is_one_a_line, objects, records
from clipexplore.sources.rows import (
    MOST_FIELDS,
    OF_FLICKR,
    Row,
    Table,
    check_columns,
    column_of_ids,
    further_captions,
    in_one_line,
    named_as,
    place_of_picture,
    roles_of,
    table_rows,
    texts_in,
    unread,
)

TABLES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json")
MOST_LINE = 1_000_000  # characters
_LOOK = 4_096  # lines between two looks at whether to go on
_SEPARATORS = ",;\t|"
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_MOST_NUMBERS = 6  # that a caption may consist of; more of them are a vector
_EXCEL = re.compile(r'"?sep=([^"\r\n])"?\r?\n', re.IGNORECASE)  # a first line that tells Excel what separates

Open = Callable[[], IO[bytes]]  # a file from its beginning; whoever asks closes it
Lines = Callable[[Report], Iterator[str]]


def read_table(open: Open, name: str, report: Report = silent) -> Table:
    """The rows of a file; its name says how they are written.

    The first line of a table is its header if it names a column of captions, files or ids, or if the row below has the
    name of a picture; a first line that has one, or an address, is a row as all others. Without either the first column
    is the caption, of a .txt the whole line. Quotes enclose cells where all of them do so; in a TSV no row is in one.

    Parameters
    ----------
    report
        Called while the file is gone through, with the share of it that was read.

    Raises
    ------
    InputError
        If it is not text in UTF-8, or no table.
    """
    ending, lines = name.lower().rpartition(".")[2], partial(lines_of, open, name)
    if ending in ("jsonl", "ndjson") or ending == "json" and is_one_a_line(open):
        return _table_of(lambda report: objects(lines(report, most=MOST_JSON), name), report)
    if ending == "json":
        return _table_of(partial(records, open, name), report)
    for rows, notes, ids in _ways(lines, ending, report):
        try:
            return Table.of(rows, report, notes, ids)
        except csv.Error as error:
            if "larger" in str(error):
                message = _("It is no table that can be read ({error}); save it as CSV again.")
                raise InputError(message.format(error=error)) from error
    raise AssertionError("the last way raises no csv.Error")


def lines_of(
    open: Open, name: str, report: Report = silent, errors: str = "strict", most: int = MOST_LINE
) -> Iterator[str]:
    """The lines of a file with what ends them: not U+2028, which is in captions.

    Raises
    ------
    InputError
        If it is not text in UTF-8 or UTF-16, or a line has more than `most` characters.
    """
    with open() as file:
        size = max(file.seek(0, io.SEEK_END), 1)
        file.seek(0)
        utf16 = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
        file.seek(0)
        text = io.TextIOWrapper(file, "utf-16" if utf16 else "utf-8-sig", errors, newline="")
        try:
            for number, line in enumerate(iter(partial(text.readline, most), "")):
                if number % _LOOK == 0:
                    report(file.tell() / size, _("Reading {name}").format(name=name))
                if len(line) == most:
                    message = _(
                        "Line {number} of {name!r} has {most:,} characters or more, the most that are read; split it."
                    )
                    raise InputError(message.format(number=number + 1, name=name, most=most))
                yield line.replace("\0", "")
        except UnicodeDecodeError as error:
            message = _("{name!r} is not text in UTF-8; save it in that encoding.")
            raise InputError(message.format(name=name)) from error


Way = tuple[Callable[[Report], Iterator[Row]], tuple[str, ...], str]  # what reads a table, notes, the column of ids


@dataclass(frozen=True)
class _Header:
    """The names of columns, which of them are what, and in which line the rows begin."""

    names: list[str]
    roles: dict[str, int]
    start: int

    @property
    def further(self) -> dict[str, int]:
        """The places of the other columns; of two of one name the second has a `_` behind it."""
        found: dict[str, int] = {}
        for place, name in enumerate(map(str.strip, self.names)):
            if name and place not in self.roles.values():
                while name in found:
                    name += "_"
                found[name] = place
        return found

    def each(self, below: Sequence[str]) -> list[_Header]:
        """One for each picture of a row, as the row `below` shows."""
        every = named_as(self.names, below)
        shown = [[cell if name else "" for cell, name in zip(below, names, strict=False)] for names in every]
        both = zip(every, shown, strict=True)
        return [_Header(names, roles_of(names, own), self.start) for names, own in both] if len(every) > 1 else [self]


def _ways(lines: Lines, ending: str, report: Report) -> Iterator[Way]:
    """How a table may be meant; the first way that raises no csv.Error is how."""
    excel = _EXCEL.match(next(lines(silent), ""))
    body: Lines = (lambda report: islice(lines(report), 1, None)) if excel else lines
    first, second = (line.rstrip("\r\n") for line in islice(chain(body(silent), ("", "")), 2))
    separator = excel[1] if excel else "\t" if ending == "tsv" else _separator(first)
    cells = _cells(first, separator)
    check_columns(cells)
    header, notes = _header(cells, _cells(second, separator), ending), tuple[str, ...]()
    numbers = _is_vector(second)
    if not header and ending != "txt" and not numbers and _agree(body(report), separator):
        header = _Header(["caption", *(f"column {each}" for each in range(2, len(cells) + 1))], {"caption": 0}, 0)
        message = _("No column is called caption, so the first is taken for it, from the first line on.")
        notes = (message,) if len(cells) > 1 else ()
    if not header:
        yield partial(_lines, body, numbers), (), ""
        return
    notes += unread([*header.further][MOST_FIELDS:])
    headers, ids = header.each(_cells(second, separator) if header.start else ()), column_of_ids(header.names)
    yield partial(_rows, body, separator, headers, True), notes, ids
    yield partial(_rows, body, separator, headers, False), notes, ids  # a quote is not closed at the end of a cell


def _header(cells: list[str], below: list[str], ending: str) -> _Header | None:
    """The columns by the first line of a table and the one below; None where neither says which are what."""
    address = next((place for place, cell in enumerate(cells) if "://" in cell and ending != "txt"), None)
    for role, place in (("file", place_of_picture(cells)), ("url", address)):
        if place is not None and len(cells) > 1:  # there is no header
            names = ["caption" if len(cells) == 2 else f"column {each}" for each in range(1, len(cells) + 1)]
            names[place] = role
            return _Header(names, roles_of(names), 0)
    roles = {} if ending == "txt" and len(cells) < 2 else roles_of(cells, below)
    return _Header(cells, roles, 1) if roles else None


def _separator(line: str) -> str:
    return max(_SEPARATORS, key=lambda each: len(_cells(line, each)))


def _agree(lines: Iterable[str], separator: str) -> bool:
    """Whether all lines that hold something have as many cells."""
    counts: set[int] = set()
    for line in lines:
        if line.strip():
            counts.add(len(_cells(line.rstrip("\r\n"), separator)))
        if len(counts) > 1:
            return False
    return bool(counts)


def _lines(body: Lines, numbers: bool, report: Report) -> Iterator[Row]:
    """Whole lines as captions; what is `numbers` from the second line on has no caption in the first, either."""
    for number, line in enumerate(body(report), 1):
        if line.strip():
            wrong = _(
                "It holds numbers in the place of a caption; vectors come as .npy, .npz or a table of them alone."
            )
            is_vector = _is_vector(line) or numbers and number == 1
            yield Row(number, in_one_line(line), wrong=wrong if is_vector else "")


def _is_vector(line: str) -> bool:
    """Whether a line is many numbers, or a word and many numbers."""
    line = line.strip()
    if not line[-1:].isdigit():
        return False
    cells = re.split(r"[\s,;|]+", line[:2_000])[:-1]
    return len(cells) > _MOST_NUMBERS and all(map(NUMBER.fullmatch, cells[1:]))


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return line.split(separator)


def _rows(body: Lines, separator: str, headers: list[_Header], quoted: bool, report: Report) -> Iterator[Row]:
    """The rows below a header, one for each picture; unless cells are `quoted`, lines are taken as they are."""
    plain = (line.rstrip("\r\n").split(separator) for line in body(report))
    every = _quoted(body(report), separator) if quoted else plain
    number, (header, *others) = 0, [(each, dict([*each.further.items()][:MOST_FIELDS])) for each in headers]
    for cells in islice(every, headers[0].start, None):
        if any(map(str.strip, cells)):
            number += 1
            yield (first := _row(number, cells, *header, separator))
            further = (_row(number, cells, *other, separator) for other in others if not first.wrong)
            yield from (row for row in further if row.file)


def _quoted(lines: Iterator[str], separator: str) -> Iterator[list[str]]:
    """The cells of rows; a csv.Error where quotes mean something else, as in a TSV those around several rows."""
    for cells in csv.reader(lines, delimiter=separator, strict=True):
        if separator == "\t" and any("\t" in cell and "\n" in cell for cell in cells):
            raise csv.Error
        yield cells


def _row(number: int, cells: list[str], header: _Header, kept: dict[str, int], separator: str) -> Row:
    """The row of some cells; `kept` says in which of them its fields are."""
    roles, width = header.roles, len(header.names)
    extra = len(cells) - width
    if extra > 0 and any(cell.strip() for cell in cells[width:]):
        place = roles.get("caption", -1)
        if place != width - 1 and width > 1:
            wrong = _("It has {cells} columns and the header {header}; put quotes around what holds a {separator!r}.")
            cells = [cell.strip() for cell in cells]
            return Row(
                number,
                in_one_line(separator.join(cells)),
                wrong=wrong.format(cells=len(cells), header=width, separator=separator),
            )
        cells = [*cells[:place], separator.join(cells[place:])]  # a caption in the last column, without quotes

    cells = [cell.strip() for cell in cells] + [""] * -extra
    said = {role: cells[place] for role, place in roles.items()}
    captions = texts_in(said.get("caption", ""))
    fields = further_captions(captions) | {name: cells[place] or None for name, place in kept.items()}
    file = said.get("file", "")
    if "#" in file and place_of_picture([file]) == 0:
        file = OF_FLICKR.sub("", file)
    return Row(number, "".join(captions[:1]), file, said.get("id", ""), fields)


def _table_of(objects: Callable[[Report], Iterator[dict]], report: Report) -> Table:
    """The table of some objects, which are gone through now for their keys."""
    first: dict[str, str] = {}  # value of each key, where it is a text
    for each in objects(report):
        if each.keys() - first.keys():
            first |= {key: value if isinstance(value, str) else "" for key, value in each.items() if key not in first}
            check_columns(first)
    names, texts = [*first], [*first.values()]
    further = [name for place, name in enumerate(names) if place not in roles_of(names, texts).values()]
    notes = unread(further[MOST_FIELDS:])
    ids = column_of_ids(names, texts)
    return Table.of(lambda report: table_rows(names, objects(report), texts), report, notes, ids)
