"""Pictures that tables name: which file each row means, and what is left.

A wrong picture under a caption is worse than none: what is not clear is refused.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, starmap
from pathlib import PurePosixPath

from clipexplore.language import _
from clipexplore.reports import Report
from clipexplore.sources.captions import TABLES
from clipexplore.sources.descriptions import Sidecars, pictures_of
from clipexplore.sources.entries import Entry, Rejected, Source, check_ids
from clipexplore.sources.files import Tree
from clipexplore.sources.folders import labels_of, why_not
from clipexplore.sources.rows import Row, Table, place_of_picture
from clipexplore.sources.written_vectors import not_read

Parts = tuple[str, ...]  # of a path
_LOOKED_AT = 20  # rows from which is seen whether a column names pictures


def named_pictures(tree: Tree, tables: Mapping[str, Table], recognised: str, used: Collection[str] = ()) -> Source:
    """The pictures of a tree that tables name, by the name of each table; pictures that none names, and other tables,
    are told.

    Parameters
    ----------
    used
        Further files that are no tables to be told.
    """
    pictures = [*pictures_of(tree.names)]
    named = _Named(tree, tables, pictures)
    twice = named.twice() if len(tables) > 1 else Counter()
    left = [name for name in pictures if name not in named.best]
    known = {*tables, *used, *Sidecars(tree).used(pictures)}
    unused = [name for name in tree.names if name.lower().endswith(TABLES) and name not in known]

    def stream() -> Iterator[Entry | Rejected]:
        for table, every in tables.items():
            yield from filter(None, (named.entry(table, row) for row in every))
        yield from starmap(named.why_unused, twice.items())
        for name in left:
            yield Rejected(name, _("{table} names it nowhere.").format(table=", ".join(tables)[:200]))
        yield from (Rejected(name, why_not(name)) for name in unused)

    count = sum(table.count for table in tables.values()) - twice.total() + len(twice) + len(left) + len(unused)
    said = (note for table in tables.values() for note in (*table.notes, *not_read(table), *named.others(table)))
    notes = (*dict.fromkeys(said), *named.elsewhere())
    source = Source("pictures", count, stream, recognised=recognised, notes=notes)
    ids = next((table.id for table in tables.values() if table.id), "")
    every = ((row.id, row.caption, row.file) for table in tables.values() for row in table)
    return check_ids(source, ids, every) if ids else source


@dataclass(frozen=True)
class Match:
    """What a given path may mean: the files that fit best, and how many parts at its end each shares with it."""

    files: Sequence[str] = ()
    path: Parts = ()
    shared: int = 0
    given: str = ""


class Places:
    """Finds the files that tables name, by the longest end that two paths share, in capitals or not."""

    def __init__(self, names: Sequence[str]):
        self._by_end: dict[str, list[tuple[Parts, str]]] = defaultdict(list)
        self._folders: set[str] = set()
        for name in names:
            parts = _parts(name)
            self._by_end[parts[-1]].append((parts, name))
            self._folders.update(parts[:-1])
        for name in pictures_of(names):  # without its ending, too
            *folders, last = _parts(name)
            stem = last.rpartition(".")[0]
            self._by_end[stem].append(((*folders, stem), name))
        self._with_pictures = {_parts(name)[:-1] for name in pictures_of(names)}

    def find(self, given: str, folder: str = "") -> Match:
        """The files that a path may mean, seen from a folder: one if it is clear, none, or several that fit as well."""
        best = self._best(_parts(f"{folder}/{given}"), given)
        if len(best.files) == 1 or not folder or _parts(folder) in self._with_pictures:
            return best
        return self._best(_parts(given), given)

    def _best(self, path: Parts, given: str) -> Match:
        every = self._by_end.get(path[-1], ()) if path else ()
        if same := [name for parts, name in every if parts == path]:
            called_so = [name for name in same if name.endswith(given)]
            return Match(called_so if len(called_so) == 1 else same, path, len(path), given)
        found = [(_shared(path, parts), name) for parts, name in every if self._fits(path, parts)]
        most = max((shared for shared, _name in found), default=0)
        return Match([name for shared, name in found if shared == most], path, most, given)

    def _fits(self, path: Parts, parts: Parts) -> bool:
        """Whether a file may be that of a path: not if the folder where they part is here, and the file not in it."""
        rest = path[: -_shared(path, parts)]
        return not rest or rest[-1] not in self._folders or rest[-1] in parts


def _parts(name: str) -> Parts:
    plain = unicodedata.normalize("NFC", name.replace("\\", "/")).casefold()
    return tuple(part for part in plain.split("/") if part not in ("", "."))


def _shared(one: Parts, other: Parts) -> int:
    """How many parts two paths have in common, from the end."""
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def naming(table: Table, places: Places) -> Table | None:
    """A table that names pictures which are there: in its column of files, or else in one whose first cells most do."""
    if table.names_files:
        return table if any(places.find(row.file).files for row in table) else None
    first = [row for row in islice(table, _LOOKED_AT) if not row.wrong]
    for column in ("", *(first[0].fields if first else ())):
        if 2 * sum(len(places.find(_cell(row, column)).files) == 1 for row in first) > len(first):
            message = _("The column {name} names pictures, without their endings.").format(name=column or "id")
            rows = partial(_by_column, table.rows, column)
            return replace(table, names_files=True, rows=rows, notes=(*table.notes, message))
    return None


def _by_column(rows: Callable[[Report], Iterator[Row]], column: str, report: Report) -> Iterator[Row]:
    """Rows whose files stand in a column."""
    return (replace(row, file=_cell(row, column)) for row in rows(report))


def _cell(row: Row, column: str) -> str:
    """What stands in a column; in that without a name the id."""
    value = row.fields.get(column) if column else row.id
    return "" if value is None else str(value)


class _Named:
    """The pictures of a tree that rows name.

    Attributes
    ----------
    best
        Of each picture the path that fits it best, with its table; none where two fit as well and are not the same.
    """

    def __init__(self, tree: Tree, tables: Mapping[str, Table], pictures: Iterable[str]):
        self._tree, self._tables = tree, tables
        self._places, self._fields = Places(tree.names), labels_of(pictures)
        self.best: dict[str, tuple[Match, str] | None] = {}
        shared: dict[str, int] = {}
        for table, every in tables.items():
            for row in every:
                match = self._find(table, row)
                if len(match.files) == 1 and match.shared >= shared.get(match.files[0], 0):
                    self._note(match, table, shared)

    def _note(self, match: Match, table: str, shared: dict[str, int]) -> None:
        (file,) = match.files
        known = self.best.get(file)
        if match.shared > shared.get(file, 0):
            self.best[file], shared[file] = (match, table), match.shared
        elif known and not _agree(match.path, known[0].path):
            self.best[file] = None

    def elsewhere(self) -> tuple[str, ...]:
        """A note where pictures are taken for paths with other folders."""
        found = [(each[0], file) for file, each in self.best.items() if each]
        moved = [(match, file) for match, file in found if not _agree(match.path[:-1], _parts(file)[:-1])]
        if not moved:
            return ()
        match, file = moved[0]
        message = _("Pictures lie in other folders than their table says ({count:,}), such as {file} for {path}.")
        return (message.format(count=len(moved), file=file, path=match.given),)

    def others(self, table: Table) -> tuple[str, ...]:
        """A note of further columns of a table that name pictures."""
        rows = [row for row in islice(table, _LOOKED_AT) if row.file and not row.wrong]
        columns = dict.fromkeys(
            name for row in rows for name, cell in row.fields.items() if self._is_picture(cell, row)
        )
        message = _("One picture a row is read, and the column {names} names others; write a row for each.")
        return (message.format(names=", ".join(columns)[:200]),) if columns else ()

    def _is_picture(self, cell: object, row: Row) -> bool:
        found = isinstance(cell, str) and place_of_picture([cell]) == 0 and cell != row.file
        return found and len(self._places.find(str(cell)).files) == 1

    def twice(self) -> Counter[tuple[str, str]]:
        """How many rows of a table name pictures that are those of another one."""
        every = ((table, row) for table, rows in self._tables.items() for row in rows)
        return Counter((table, other) for table, row in every if (other := self._taken(self._find(table, row), table)))

    def _taken(self, match: Match, table: str) -> str:
        """The other table whose picture a match is."""
        best = self.best.get(match.files[0]) if len(match.files) == 1 else None
        return best[1] if best and best[1] != table and _agree(match.path, best[0].path) else ""

    def why_unused(self, both: tuple[str, str], count: int) -> Rejected:
        table, other = both
        message = _("{table} names pictures that {other} names, too ({count:,}): put what both say into one table.")
        return Rejected(table, message.format(table=table, other=other, count=count))

    def _find(self, table: str, row: Row) -> Match:
        folder = str(PurePosixPath(table).parent).removeprefix(".")
        return self._places.find(row.file, folder) if row.file and not row.wrong else Match()

    def entry(self, table: str, row: Row) -> Entry | Rejected | None:
        """What a row says of its picture; None where that is another table's."""
        if row.wrong:
            return Rejected(_("row {number}").format(number=row.number), row.wrong)
        match = self._find(table, row)
        if self._taken(match, table):
            return None
        if why := self._why_not(match, table, row.number):
            return Rejected(row.file[:200] or _("row {number}").format(number=row.number), why)
        (file,) = match.files
        split = {key: value for key, value in self._fields.get(file, {}).items() if key == "split"}
        return Entry(file, row.caption, {**split, **row.fields}, row.id, read=self._tree.reader(file))

    def _why_not(self, match: Match, table: str, number: int) -> str:
        """Why a match is not believed; "" where it is."""
        if not match.files:
            message = _("{table} names it in row {number}, and it is not there.")
            return message.format(table=table, number=number)
        if len(match.files) > 1:
            message = _("{table} names it in row {number}, and it may be {one} or {other}; write more of its path.")
            return message.format(table=table, number=number, one=match.files[0], other=match.files[1])
        best = self.best[match.files[0]]
        if best is None or not _agree(match.path, best[0].path):
            message = _("{table} names it in row {number}, and only {file} is there, which another row may mean, too.")
            return message.format(table=table, number=number, file=match.files[0])
        return ""


def _agree(one: Parts, other: Parts) -> bool:
    """Whether two paths may mean one file: one is the end of the other."""
    return _shared(one, other) == min(len(one), len(other))
