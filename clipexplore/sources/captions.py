"""Tables of captions as people bring them: CSV with any separator, TSV, JSON lines, or one caption a line.

A file is gone through to see how it is to be read, and again for its rows: a line is held at a time, never the file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import IO, Literal

from clipexplore.errors import InputError
from clipexplore.images import suffixes
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.sources.json_stream import MOST_JSON, objects, records

TABLES = (".csv", ".tsv", ".txt", ".jsonl", ".json")
FILE = ("file", "filename", "file_name", "filepath", "image", "picture", "path", "datei", "bild", "fichier", "archivo")
_CAPTION = "caption captions text txt title sentence sentences raw description prompt comment"
_ELSEWHERE = "beschreibung bildunterschrift titel légende titre texte descripción título texto"  # in other languages
CAPTION = (*_CAPTION.split(), *_ELSEWHERE.split())
ID = ("id", "ids", "key")
MOST_CHARACTERS = 2000  # of a caption; models read a few hundred
MOST_CAPTIONS = 10  # of an item that are kept
MOST_FIELDS = 30  # further columns that are kept
MOST_COLUMNS, MOST_NAME = 1_000, 2_000  # columns, and characters of their names
MOST_LINE = 1_000_000  # characters
_LOOK = 4_096  # lines between two looks at whether to go on
_SEPARATORS = ",;\t|"
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_MOST_NUMBERS = 6  # that a caption may consist of; more of them are a vector
_OF_FLICKR = re.compile(r"#\d+$")  # the number of a caption behind the name of its picture
_EXCEL = re.compile(r'"?sep=([^"\r\n])"?\r?\n', re.IGNORECASE)  # a first line that tells Excel what separates

Open = Callable[[], IO[bytes]]  # a file from its beginning; whoever asks closes it
Lines = Callable[[Report], Iterator[str]]


@dataclass(frozen=True)
class Row:
    """One row: its number from 1 (without the header), and what it says; `wrong` if it cannot be used."""

    number: int = 0
    caption: str = ""
    file: str = ""
    id: str = ""
    fields: dict[str, object] = field(default_factory=dict)
    wrong: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of a file, read from it each time that one goes through them.

    Attributes
    ----------
    count
        How many there are.
    names_files
        Whether any of them names a file.
    """

    count: int
    names_files: bool
    rows: Callable[[Report], Iterator[Row]]

    @classmethod
    def of(cls, rows: Callable[[Report], Iterator[Row]], report: Report) -> Table:
        """That of some rows, which are gone through once now."""
        count, files = 0, 0
        for row in rows(report):
            count, files = count + 1, files + bool(row.file)
        return cls(count, files > 0, rows)

    def __iter__(self) -> Iterator[Row]:
        return self.rows(silent)


def read_table(open: Open, name: str, report: Report = silent) -> Table:
    """The rows of a file; its name says how they are written.

    The first line of a table is its header if it names a column of captions or files, or if the row below has the name
    of a picture; a first line that has one is a row as all others; without either, each line is a caption. What stands
    in a TSV or, of a .txt, in a line is taken as it is; elsewhere quotes enclose separators.

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
    if ending == "json":
        return _table_of(partial(records, open, name), report)
    if ending == "jsonl":
        return _table_of(lambda report: objects(lines(report, most=MOST_JSON), name), report)
    for rows in _ways(lines, ending, report):
        try:
            return Table.of(rows, report)
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


def roles_of(header: Sequence[str], first: Sequence[str] = ()) -> dict[str, int]:
    """Which column is the caption, the file and the id: by its whole name, else by the last word of it; a column of
    another name is that of the files if it has the name of a picture in the `first` row.

    "Image Caption" is a caption, "image_id" an id; a header that names neither captions nor files names nothing.
    """
    names = [each.strip().lower() for each in header]
    last = [(re.findall(r"[^\W\d_]+", name) or [""])[-1] for name in names]
    roles: dict[str, int] = {}
    for role, choices in (("caption", CAPTION), ("file", FILE), ("id", ID)):
        for said in (names, last):
            free = [place for place, name in enumerate(said) if name in choices and place not in roles.values()]
            if free:
                roles.setdefault(role, min((choices.index(said[place]), place) for place in free)[1])
    shown = _place_of_picture(first[: len(header)])
    if "file" not in roles and shown is not None and shown not in roles.values():
        roles["file"] = shown
    return roles if {"caption", "file"} & roles.keys() else {}


def _ways(lines: Lines, ending: str, report: Report) -> Iterator[Callable[[Report], Iterator[Row]]]:
    """How a table may be meant; the first way that raises no csv.Error is how."""
    excel = _EXCEL.match(next(lines(silent), ""))
    body: Lines = (lambda report: islice(lines(report), 1, None)) if excel else lines
    first, second = (line.rstrip("\r\n") for line in islice(chain(body(silent), ("", "")), 2))
    separator = excel[1] if excel else "\t" if ending == "tsv" else _separator(first)
    header, below = _cells(first, separator), _cells(second, separator)
    check_columns(header)
    start, place = 1, _place_of_picture(header)
    if place is not None and len(header) > 1:  # there is no header
        start, header = 0, ["caption" if len(header) == 2 else f"column {each}" for each in range(1, len(header) + 1)]
        header[place] = "file"
    if ending == "txt" and len(header) < 2 or not (roles := roles_of(header, below)):
        yield partial(_lines, body, separator if ending != "txt" and _agree(body(report), separator) else None)
        return
    yield partial(_rows, body, separator, header, roles, start, ending != "tsv")
    yield partial(_rows, body, separator, header, roles, start, None)  # a quote is not closed at the end of a cell


def _place_of_picture(cells: Sequence[str]) -> int | None:
    """The first of some cells that has the name of a picture, which is no address."""
    named = (_OF_FLICKR.sub("", cell.strip().lower()) for cell in cells)
    return next((place for place, cell in enumerate(named) if cell.endswith(suffixes()) and "://" not in cell), None)


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


def _lines(body: Lines, separator: str | None, report: Report) -> Iterator[Row]:
    """The captions of a table without a header: its first column, or whole lines."""
    for number, line in enumerate(body(report), 1):
        plain = line.rstrip("\r\n")
        text = plain if separator is None else (_cells(plain, separator) or [""])[0]
        if text.strip():
            wrong = _(
                "It holds numbers in the place of a caption; vectors come as .npy, .npz or a table of them alone."
            )
            yield Row(number, in_one_line(text), wrong=wrong if _is_vector(plain) else "")


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


def _rows(
    body: Lines,
    separator: str,
    header: list[str],
    roles: dict[str, int],
    start: int,
    quoted: bool | None,
    report: Report,
) -> Iterator[Row]:
    """The rows from line `start` on; where it is None whether they are `quoted`, lines are taken as they are."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    every: Iterable[list[str]] = (
        (line.rstrip("\r\n").split(separator) for line in body(report))
        if quoted is None
        else csv.reader(body(report), delimiter=separator, strict=True, quoting=quoting)
    )
    number = 0
    further = {
        name: place for place, each in enumerate(header) if place not in roles.values() and (name := each.strip())
    }
    kept = dict(list(further.items())[:MOST_FIELDS])
    for cells in islice(every, start, None):
        if any(map(str.strip, cells)):
            number += 1
            yield _row(number, cells, roles, kept, header, separator)


def _row(
    number: int,
    cells: list[str],
    roles: dict[str, int],
    further: dict[str, int],
    header: list[str],
    separator: str,
) -> Row:
    """The row of some cells; `roles` and `further` say in which of them its parts and its fields are."""
    extra = len(cells) - len(header)
    if extra > 0 and any(cell.strip() for cell in cells[len(header) :]):
        place = roles.get("caption", -1)
        if place != len(header) - 1 and len(header) > 1:
            wrong = _("It has {cells} columns and the header {header}; put quotes around what holds a {separator!r}.")
            cells = [cell.strip() for cell in cells]
            return Row(
                number,
                in_one_line(separator.join(cells)),
                wrong=wrong.format(cells=len(cells), header=len(header), separator=separator),
            )
        cells = [*cells[:place], separator.join(cells[place:])]  # a caption in the last column, without quotes

    cells = [cell.strip() for cell in cells] + [""] * -extra
    said = {role: cells[place] for role, place in roles.items()}
    fields: dict[str, object] = {name: cells[place] or None for name, place in further.items()}
    file = said.get("file", "")
    if "#" in file and _place_of_picture([file]) == 0:
        file = _OF_FLICKR.sub("", file)
    return Row(number, in_one_line(said.get("caption", "")), file, said.get("id", ""), fields)


def _table_of(objects: Callable[[Report], Iterator[dict]], report: Report) -> Table:
    """The table of some objects, which are gone through now for their keys."""
    keys: dict[str, None] = {}
    for each in objects(report):
        keys |= dict.fromkeys(each)
        check_columns(keys)
    return Table.of(lambda report: table_rows([*keys], objects(report)), report)


def table_rows(header: Sequence[str], rows: Iterable[dict]) -> Iterator[Row]:
    """Rows of a table whose cells are values."""
    roles = {role: header[place] for role, place in roles_of(header).items()}
    further = [name for name in header if name not in roles.values()][:MOST_FIELDS]

    def value(row: dict, role: str) -> str:
        found = row.get(roles[role]) if role in roles else None
        return "" if found is None else str(found)

    for number, row in enumerate(rows, 1):
        captions = _texts(row.get(roles["caption"])) if "caption" in roles else []
        fields = further_captions(captions) | {name: row.get(name) for name in further}
        yield Row(number, "".join(captions[:1]), value(row, "file"), value(row, "id"), fields)


def further_captions(captions: Sequence[str]) -> dict[str, object]:
    """The field of an item that has all captions but its first."""
    return {"captions": "\n".join(captions[1:MOST_CAPTIONS])} if len(captions) > 1 else {}


def _texts(value: object) -> list[str]:
    """The captions in a cell: one, or those of a list, in which an object may say each, `{"raw": "a cat"}`."""
    if not isinstance(value, list):
        return [] if value is None else [in_one_line(str(value))]
    said = (
        next((each[name] for name in CAPTION if name in each), None) if isinstance(each, dict) else each
        for each in value
    )
    return [in_one_line(each) for each in said if isinstance(each, str) and each.strip()]


def check_columns(header: Collection[str]) -> None:
    """Raises an InputError for more columns, or longer names of them, than a table has."""
    if len(header) > MOST_COLUMNS:
        message = _("It has {count:,} columns, and at most {most:,} are read; leave some out.")
        raise InputError(message.format(count=len(header), most=MOST_COLUMNS))
    if long := next((name for name in header if len(name) > MOST_NAME), None):
        message = _("The name of the column {name!r}… is longer than {most} characters; shorten it.")
        raise InputError(message.format(name=long[:40], most=MOST_NAME))


def in_one_line(caption: str) -> str:
    """A caption as it is kept: in one line, and of at most 2,000 characters."""
    return " ".join(caption.split())[:MOST_CHARACTERS]
