"""Tables of captions as people bring them: CSV with any separator, TSV, or one caption a line.

Separate because what a column may be called, and what a spreadsheet does to a file, is knowledge of its own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from clipexplore.errors import InputError

FILE = ("file", "filename", "file_name", "filepath", "image", "picture", "path")
CAPTION = ("caption", "captions", "text", "title", "sentence", "description", "prompt")
ID = ("id", "ids", "key")
MOST_CHARACTERS = 2000  # of a caption; models read a few hundred
MOST_FIELDS = 30  # further columns that are kept


@dataclass(frozen=True)
class Row:
    """One row: its number from 1 as people count (without the header), and what it says."""

    number: int
    caption: str
    file: str = ""
    id: str = ""
    fields: dict[str, str | None] = field(default_factory=dict)


def read_table(data: bytes, name: str) -> list[Row]:
    """The rows of a file; its name says by .txt that each line is one caption.

    The first line of a table is its header if it names a column of `CAPTION` or `FILE`; without one, the first column is
    the caption.

    Raises
    ------
    InputError
        If it is not text in UTF-8, or no table.
    """
    text = _decoded(data, name)
    if name.lower().endswith(".txt"):
        return [Row(number, _clean(line)) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    try:
        return list(_rows(text))
    except csv.Error as error:
        raise InputError(f"{name!r} is no table that can be read ({error}); save it as CSV again.") from error


def as_pairs(rows: list[Row]) -> list[Row]:
    """The rows if they name files, else none."""
    return rows if any(row.file for row in rows) else []


def _decoded(data: bytes, name: str) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding).replace("\0", "")
    except UnicodeDecodeError as error:
        raise InputError(f"{name!r} is not text in UTF-8; save it in that encoding.") from error


def _rows(text: str) -> Iterator[Row]:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    first = next(lines, [])
    names = [each.strip().lower() for each in first]
    headed = any(name in (*CAPTION, *FILE) for name in names)
    roles = _roles(first) if headed else {"caption": 0}
    number = 0
    for cells in ([] if headed else [first], lines):
        for row in cells:
            if any(cell.strip() for cell in row):
                number += 1
                yield _row(number, row, roles, first if headed else [])


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


def _roles(header: list[str]) -> dict[str, int]:
    names = [each.strip().lower() for each in header]
    known = {"caption": CAPTION, "file": FILE, "id": ID}
    return {role: names.index(name) for role, choices in known.items() for name in reversed(choices) if name in names}


def _row(number: int, cells: list[str], roles: dict[str, int], header: list[str]) -> Row:
    def cell(role: str) -> str:
        place = roles.get(role, len(cells))
        return cells[place].strip() if place < len(cells) else ""

    further = {name.strip(): cells[place].strip() or None if place < len(cells) else None
               for place, name in enumerate(header) if place not in roles.values() and name.strip()}  # fmt: skip
    return Row(number, _clean(cell("caption")), cell("file"), cell("id"), dict(list(further.items())[:MOST_FIELDS]))


def _clean(caption: str) -> str:
    return " ".join(caption.split())[:MOST_CHARACTERS]
