"""The rows of a table, and which of its columns are what: the caption, the file, the id, the others its fields."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from clipexplore.errors import InputError
from clipexplore.images import suffixes
from clipexplore.language import _
from clipexplore.reports import Report, silent

FILE = ("file", "filename", "file_name", "filepath", "image", "picture", "path", "datei", "bild", "fichier", "archivo")
_CAPTION = "caption captions text txt title sentence sentences raw description prompt comment"
_ELSEWHERE = "beschreibung bildunterschrift titel légende titre texte descripción título texto"  # in other languages
CAPTION = (*_CAPTION.split(), *_ELSEWHERE.split())
ID = ("id", "ids", "key")
MOST_CHARACTERS = 2000  # of a caption; models read a few hundred
MOST_CAPTIONS = 10  # of an item that are kept
MOST_FIELDS = 30  # further columns that are kept
MOST_COLUMNS, MOST_NAME = 1_000, 2_000  # columns, and characters of their names
_OF_IDS = re.compile(r"(.*_)?ids?")  # names of columns that nothing but a header has
OF_FLICKR = re.compile(r"#\d+$")  # the number of a caption behind the name of its picture


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
    names_files, has_captions
        Whether any of them does.
    notes
        What somebody should know who uses it, a sentence each.
    """

    count: int
    names_files: bool
    has_captions: bool
    rows: Callable[[Report], Iterator[Row]]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Callable[[Report], Iterator[Row]], report: Report, notes: tuple[str, ...] = ()) -> Table:
        """That of some rows, which are gone through once now."""
        count, files, captions = 0, 0, 0
        for row in rows(report):
            count, files, captions = count + 1, files + bool(row.file), captions + bool(row.caption)
        return cls(count, files > 0, captions > 0, rows, notes)

    def __iter__(self) -> Iterator[Row]:
        return self.rows(silent)


def roles_of(header: Sequence[str], first: Sequence[str] = ()) -> dict[str, int]:
    """Which column is the caption, the file and the id: by its whole name, else by the last word of it; a column of
    another name is that of the files if it has the name of a picture in the `first` row, none that has an address.

    "Image Caption" is a caption, "image_id" an id; a header that names none of them, or of them "a silver key" alone,
    names nothing.
    """
    names = [each.strip().lower() for each in header]
    last = [(re.findall(r"[^\W\d_]+", name) or [""])[-1] for name in names]
    roles: dict[str, int] = {}
    for role, choices in (("caption", CAPTION), ("file", FILE), ("id", ID)):
        for said in (names, last):
            free = [place for place, name in enumerate(said) if name in choices and place not in roles.values()]
            if free:
                roles.setdefault(role, min((choices.index(said[place]), place) for place in free)[1])
    shown = place_of_picture(first[: len(header)])
    if "file" not in roles and shown is not None and shown not in roles.values():
        roles["file"] = shown
    if "file" in roles and _is_address(first, roles["file"]):
        del roles["file"]
    by_id = len(names) > 1 and any(map(_OF_IDS.fullmatch, names))
    return roles if by_id or {"caption", "file"} & roles.keys() else {}


def _is_address(first: Sequence[str], place: int) -> bool:
    return place < len(first) and first[place].strip().startswith(("http://", "https://"))


def place_of_picture(cells: Sequence[str]) -> int | None:
    """The first of some cells that has the name of a picture, which is no address."""
    named = (OF_FLICKR.sub("", cell.strip().lower()) for cell in cells)
    return next((place for place, cell in enumerate(named) if cell.endswith(suffixes()) and "://" not in cell), None)


def table_rows(header: Sequence[str], rows: Iterable[dict], first: Sequence[str] = ()) -> Iterator[Row]:
    """Rows of a table whose cells are values; `roles_of` says what a `first` row is for."""
    roles = {role: header[place] for role, place in roles_of(header, first).items()}
    further = [name for name in header if name not in roles.values()][:MOST_FIELDS]

    def value(row: dict, role: str) -> str:
        found = row.get(roles[role]) if role in roles else None
        return "" if found is None else str(found)

    for number, row in enumerate(rows, 1):
        captions = texts_in(row.get(roles["caption"])) if "caption" in roles else []
        fields = further_captions(captions) | {name: row.get(name) for name in further}
        yield Row(number, "".join(captions[:1]), value(row, "file"), value(row, "id"), fields)


def further_captions(captions: Sequence[str]) -> dict[str, object]:
    """The field of an item that has all captions but its first."""
    return {"captions": "\n".join(captions[1:MOST_CAPTIONS])} if len(captions) > 1 else {}


def texts_in(value: object) -> list[str]:
    """The captions in a cell: one, or those of a list, in which an object may say each, `{"raw": "a cat"}`."""
    if isinstance(value, str):
        value = _list_in(value)
    if not isinstance(value, list):
        return [] if value is None else [in_one_line(str(value))]
    said = (
        next((each[name] for name in CAPTION if name in each), None) if isinstance(each, dict) else each
        for each in value
    )
    return [in_one_line(each) for each in said if isinstance(each, str) and each.strip()]


def _list_in(cell: str) -> object:
    """The list of texts that a cell holds as JSON, or as Python prints it; else the cell."""
    if cell.startswith(('["', "['")) and cell.endswith("]"):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            return json.loads(cell)
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            return ast.literal_eval(cell)
    return cell


def check_columns(header: Collection[str]) -> None:
    """Raises an InputError for more columns, or longer names of them, than a table has."""
    if len(header) > MOST_COLUMNS:
        message = _("It has {count:,} columns, and at most {most:,} are read; leave some out.")
        raise InputError(message.format(count=len(header), most=MOST_COLUMNS))
    if long := next((name for name in header if len(name) > MOST_NAME), None):
        message = _("The name of the column {name!r}… is longer than {most} characters; shorten it.")
        raise InputError(message.format(name=long[:40], most=MOST_NAME))


def unread(names: Sequence[str]) -> tuple[str, ...]:
    """A note of columns that are not read."""
    message = _("Columns that are not read: {names}.")
    return (message.format(names=", ".join(names)[:200]),) if names else ()


def in_one_line(caption: str) -> str:
    """A caption as it is kept: in one line, and of at most 2,000 characters."""
    return " ".join(caption.split())[:MOST_CHARACTERS]
