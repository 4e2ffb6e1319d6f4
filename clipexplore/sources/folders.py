"""Pictures in folders: captioned by the files beside them, or by tables that name them; labelled by their folders."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import PurePosixPath

from clipexplore.errors import InputError
from clipexplore.images import suffixes
from clipexplore.language import _
from clipexplore.sources import img2dataset
from clipexplore.sources.captions import TABLES, Row, Table
from clipexplore.sources.descriptions import Sidecars, pictures_of
from clipexplore.sources.entries import Entry, Rejected, Source, with_directions
from clipexplore.sources.files import Tree

_SPLIT = re.compile(r"(train|training|test|testing|val|valid|validation|dev)(\d{4})?")  # COCO has train2017
_NO_LABEL = re.compile(r"_?unlabell?ed|.*\.tar|\d{5}")  # folders that say nothing: the last are shards of img2dataset


def folder_of_pictures(tree: Tree) -> Source | None:
    """Each picture as an item, with what files beside it say; None where there are none.

    Folders are labels unless all share one; the outermost may be a split. What is no picture and says nothing of one is
    named.
    """
    pictures = [*pictures_of(tree.names)]
    if not pictures:
        return None
    sidecars, reports = Sidecars(tree), img2dataset.reports(tree)
    used = {*pictures, *sidecars.used(pictures), *reports, *img2dataset.statistics(tree)}
    left = [name for name in tree.names if name not in used]

    dims = {kind: len(vector) for kind, vector in sidecars.vectors(pictures[0]).items()}

    def stream() -> Iterator[Entry | Rejected]:
        labels = labels_of(pictures)
        for name in pictures:
            try:
                said, vectors = sidecars.said(name), sidecars.vectors(name)
            except InputError as error:
                yield Rejected(name, str(error))
                continue
            if {kind: len(vector) for kind, vector in vectors.items()} != dims:
                yield Rejected(name, _("The vectors beside it are others than beside the first picture."))
                continue
            fields = {**labels[name], **said.fields}
            yield with_directions(Entry(name, said.caption, fields, said.id, tree.reader(name), vectors))
        yield from chain.from_iterable(img2dataset.failed(tree, name) for name in reports)
        yield from (Rejected(name, why_not(name)) for name in left)

    failed = sum(1 for name in reports for _each in img2dataset.failed(tree, name))
    by_img2dataset = pictures if img2dataset.statistics(tree) else []
    notes = img2dataset.letterboxed((sidecars.said(name).fields, partial(tree.read, name)) for name in by_img2dataset)
    count, said = len(left) + failed + len(pictures), _said(tree, reports)
    return Source("pictures", count, stream, next(iter(dims.values()), None), said, notes, vectors=tuple(dims))


def _said(tree: Tree, reports: Sequence[str]) -> str:
    if reports:
        return _("Pictures that img2dataset has fetched, with the reports of its shards beside them.")
    if any(".tar/" in name for name in tree.names):
        return _("A WebDataset: files of one name in a tar are one item.")
    return _("Pictures in folders, each with the files of its name beside it.")


def why_not(name: str) -> str:
    """Why a file was not used that is no picture."""
    if name.lower().endswith(TABLES):
        return _("It names no pictures, so it was not used; give it a column file.")
    kinds = ", ".join(suffixes())
    return _("It is not a picture of a known kind ({kinds}).").format(kinds=kinds)


def top_of(names: Sequence[str]) -> str:
    """The one folder in which everything is, as a ZIP of a folder has it, with its slash; else nothing."""
    first = {name.split("/")[0] for name in names}
    return f"{first.pop()}/" if len(first) == 1 and all("/" in name for name in names) else ""


def labels_of(names: Iterable[str]) -> dict[str, dict[str, object]]:
    """The fields `label` and `split` of pictures by the folders they are in.

    The folder next to a picture is its label; one that all pictures share says nothing of any, and no more do
    `_unlabeled` and a shard. An outermost folder called train, test or the like is a split.
    """
    names, fields = list(names), {}
    top = top_of(names)
    folders = {name: PurePosixPath(name.removeprefix(top)).parts[:-1] for name in names}
    split = all(parts and _SPLIT.fullmatch(parts[0].lower()) for parts in folders.values())
    within = {name: parts[1:] if split else parts for name, parts in folders.items()}
    shared = len({parts[-1] for parts in within.values() if parts}) == 1 and all(within.values())
    for name, parts in within.items():
        said: dict[str, object] = {"split": folders[name][0]} if split else {}
        if parts and not shared and not _NO_LABEL.fullmatch(parts[-1].lower()):
            said["label"] = parts[-1]
        fields[name] = said
    return fields


# Named by tables


def named_pictures(tree: Tree, tables: Mapping[str, Table], recognised: str) -> Source:
    """The pictures of a tree that tables name, by the name of each table; pictures that none names are told."""
    pictures = [*pictures_of(tree.names)]
    places, fields = Places(tree.names), labels_of(pictures)

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
    return Entry(found[0], row.caption, {**split, **row.fields}, row.id, read=tree.reader(found[0]))
