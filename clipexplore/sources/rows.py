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
_OF_EXIFTOOL = "caption-abstract imagedescription"
_ELSEWHERE = "beschreibung bildunterschrift titel légende titre texte descripción título texto"  # in other languages
CAPTION = (*_CAPTION.split(), *_OF_EXIFTOOL.split(), *_ELSEWHERE.split())
ID = ("id", "ids", "key")
MOST_CHARACTERS = 2000  # of a caption; models read a few hundred
MOST_CAPTIONS = 10  # of an item that are kept
MOST_FIELDS = 30  # further columns that are kept
MOST_COLUMNS, MOST_NAME = 1_000, 2_000  # columns, and characters of their names
_OF_IDS = re.compile(r"(.*_)?ids?")  # names of columns that nothing but a header has
_NUMBERED = re.compile(r"(?P<name>.*[^\W\d_])[ _.-]?(?P<number>\d{1,2})")  # image_0, caption1
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
    id
        The column of its ids, "" where there is none.
    """

    count: int
    names_files: bool
    has_captions: bool
    rows: Callable[[Report], Iterator[Row]]
    notes: tuple[str, ...] = ()
    id: str = ""

    @classmethod
    def of(
        cls, rows: Callable[[Report], Iterator[Row]], report: Report, notes: tuple[str, ...] = (), id: str = ""
    ) -> Table:
        """That of some rows, which are gone through once now."""
        count, files, captions = 0, 0, 0
        for row in rows(report):
            count, files, captions = count + 1, files + bool(row.file), captions + bool(row.caption)
        return cls(count, files > 0, captions > 0, rows, notes, id)

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


def one_picture_each(header: Sequence[str], pictures: Collection[int]) -> list[list[str]]:
    """The names of columns as each picture of a row has them, "" for those of another picture.

    `image_0, caption_0, image_1, caption_1, id` are `image, caption, –, –, id` and `–, –, image, caption, id`.

    Parameters
    ----------
    pictures
        The places of the columns that hold pictures, or the names of their files.
    """
    places: dict[str, dict[str, int]] = {}
    for place, found in enumerate(_NUMBERED.fullmatch(name.strip()) for name in header):
        if found:
            places.setdefault(found["name"], {})[found["number"]] = place
    shown = [some for some in places.values() if len(some) > 1 and {*some.values()} <= {*pictures}]
    if not shown:
        return [[*header]]
    series = {name: some for name, some in places.items() if some.keys() == shown[0].keys()}
    single = {place: name for name, some in series.items() for place in some.values()}
    return [
        [single[place] if place in own else "" if place in single else name for place, name in enumerate(header)]
        for own in ([some[number] for some in series.values()] for number in shown[0])
    ]


def named_as(header: Sequence[str], first: Sequence[str] = ()) -> list[list[str]]:
    """The same of a table that names files, whose `first` row is looked at."""
    last = ["".join(re.findall(r"[^\W\d_]+", name)[-1:]).lower() for name in header]
    cells = [*first, *[""] * len(header)][: len(header)]
    pictures = [place for place, cell in enumerate(cells) if last[place] in FILE or place_of_picture([cell]) == 0]
    return one_picture_each(header, [place for place in pictures if not _is_address(cells, place)])


def table_rows(header: Sequence[str], rows: Iterable[dict], first: Sequence[str] = ()) -> Iterator[Row]:
    """Rows of a table whose cells are values, one for each picture; `roles_of` says what a `first` row is for."""
    every = [Roles(header, names, first) for names in named_as(header, first)]
    for number, cells in enumerate(rows, 1):
        yield every[0].row(number, cells)
        others = (roles.row(number, cells) for roles in every[1:])
        yield from (row for row in others if row.file)


class Roles:
    """What the columns of a table say of one picture of a row; `names` are what they are called for it."""

    def __init__(self, header: Sequence[str], names: Sequence[str], first: Sequence[str] = ()):
        roles = roles_of(names, [cell if name else "" for cell, name in zip(first, names, strict=False)])
        self._roles = {role: header[place] for role, place in roles.items()}
        further = [place for place, name in enumerate(names) if name and place not in roles.values()]
        self._further = {names[place]: header[place] for place in further[:MOST_FIELDS]}

    def row(self, number: int, cells: dict) -> Row:
        """What some cells, by the header, say of the picture."""
        captions = texts_in(cells.get(self._roles["caption"])) if "caption" in self._roles else []
        fields = further_captions(captions) | {name: cells.get(column) for name, column in self._further.items()}
        return Row(number, "".join(captions[:1]), self._text(cells, "file"), self._text(cells, "id"), fields)

    def _text(self, cells: dict, role: str) -> str:
        found = cells.get(self._roles[role]) if role in self._roles else None
        return "" if found is None else str(found)


def column_of_ids(header: Sequence[str], first: Sequence[str] = ()) -> str:
    """The name of the column of ids; "" where there is none."""
    place = roles_of(header, first).get("id")
    return "" if place is None else header[place].strip()


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
