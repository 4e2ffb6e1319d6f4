"""Pictures that a table names, each row one item: which file a row means, and what is left over."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from clipexplore.images import suffixes
from clipexplore.language import _
from clipexplore.store.captions import Row, Table
from clipexplore.store.files import Tree
from clipexplore.store.folders import labels_of, reader
from clipexplore.store.sources import Entry, Rejected, Source


def named_pictures(tree: Tree, tables: Mapping[str, Table], recognised: str) -> Source:
    """The pictures of a tree that tables name, by the name of each table; pictures that none names are told."""
    pictures = [name for name in tree.names if name.lower().endswith(suffixes())]
    places = Places(tree.names)
    fields = labels_of(pictures) if len(tables) > 1 or any("/" in name for name in pictures) else {}

    def rows() -> Iterator[Entry | Rejected]:
        return (_entry(tree, places, table, row, fields) for table, every in tables.items() for row in every)

    named = {each.name for each in rows() if isinstance(each, Entry)}
    left = [name for name in pictures if name not in named]

    def stream() -> Iterator[Entry | Rejected]:
        yield from rows()
        for name in left:
            yield Rejected(name, _("{table} names it nowhere.").format(table=", ".join(tables)[:200]))

    count = sum(table.count for table in tables.values()) + len(left)
    return Source("pictures", count, stream, recognised=recognised)


class Places:
    """Finds the files that tables name, by the longest end that two paths share."""

    def __init__(self, names: Iterable[str]):
        self._by_end: dict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        for name in names:
            parts = self._parts(name)
            self._by_end[parts[-1]].append((parts, name))

    def find(self, given: str, folder: str = "") -> list[str]:
        """The files that a path may mean, seen from a folder: one if it is clear, none, or several that fit as well."""
        for whole in (f"{folder}/{given}" if folder else given, given):
            parts = self._parts(whole)
            if not parts:
                return []
            found = [(_shared(parts, other), name) for other, name in self._by_end.get(parts[-1], ())]
            most = max((shared for shared, _name in found), default=0)
            best = [name for shared, name in found if shared == most]
            exact = [name for name in best if self._parts(name) == parts]
            if exact or len(best) == 1:
                return exact[:1] or best
        return best

    @staticmethod
    def _parts(name: str) -> tuple[str, ...]:
        plain = unicodedata.normalize("NFC", name.replace("\\", "/"))
        return tuple(part for part in plain.split("/") if part not in ("", "."))


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many parts two paths have in common, from the end."""
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def _entry(
    tree: Tree, places: Places, table: str, row: Row, fields: Mapping[str, Mapping[str, object]]
) -> Entry | Rejected:
    called = row.file or _("row {number}").format(number=row.number)
    if row.wrong:
        return Rejected(_("row {number}").format(number=row.number), row.wrong)
    found = places.find(row.file, str(PurePosixPath(table).parent).removeprefix(".")) if row.file else []
    if len(found) > 1:
        message = _("{table} names it in row {number}, and it may be {one} or {other}; write more of its path.")
        return Rejected(called, message.format(table=table, number=row.number, one=found[0], other=found[1]))
    if not found:
        message = _("{table} names it in row {number}, and it is not there.")
        return Rejected(called, message.format(table=table, number=row.number))
    split = {key: value for key, value in fields.get(found[0], {}).items() if key == "split"}
    return Entry(found[0], row.caption, {**split, **row.fields}, row.id, read=reader(tree, found[0]))
