"""Pictures in folders: captioned by the files beside them, labelled by their folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import PurePosixPath

from clipexplore.errors import InputError
from clipexplore.images import suffixes
from clipexplore.language import _
from clipexplore.sources import img2dataset
from clipexplore.sources.captions import TABLES
from clipexplore.sources.descriptions import Sidecars, pictures_of
from clipexplore.sources.entries import Entry, Rejected, Source, with_directions
from clipexplore.sources.files import Tree
from clipexplore.sources.remedies import remedy

_SPLIT = re.compile(r"(train|training|test|testing|val|valid|validation|dev)(\d{4})?")  # COCO has train2017
_LOOKED_AT = 8  # pictures whose texts are looked at for what they are
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
            yield with_directions(Entry(name, said.caption, fields, said.id, read=tree.reader(name), vectors=vectors))
        yield from chain.from_iterable(img2dataset.failed(tree, name) for name in reports)
        yield from (Rejected(name, why_not(name)) for name in left)

    failed = sum(1 for name in reports for _each in img2dataset.failed(tree, name))
    by_img2dataset = pictures if img2dataset.statistics(tree) else []
    notes = img2dataset.letterboxed((sidecars.said(name).fields, partial(tree.read, name)) for name in by_img2dataset)
    notes += sidecars.numbers(pictures[:_LOOKED_AT])
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
        return _(
            "It was not used: a table at the top, or a metadata.csv in any folder, names pictures in a column file."
        )
    if found := remedy(name):
        return found
    kinds = ", ".join(suffixes())
    return _("It is not a picture of a known kind ({kinds}).").format(kinds=kinds)


def top_of(names: Sequence[str]) -> str:
    """The one folder in which everything is, as a ZIP of a folder has it, with its slash; else nothing."""
    first = {name.split("/")[0] for name in names}
    return f"{first.pop()}/" if len(first) == 1 and all("/" in name for name in names) else ""


def labels_of(names: Iterable[str]) -> dict[str, dict[str, object]]:
    """The fields `label` and `split` of pictures by the folders they are in.

    The folder next to a picture is its label, or the one above where all pictures share the name of that, as in
    `cat/images/1.jpg`; one that all share says nothing of any, and no more do `_unlabeled` and a shard. An outermost
    folder called train, test or the like is a split.
    """
    names, fields = list(names), {}
    top = top_of(names)
    folders = {name: PurePosixPath(name.removeprefix(top)).parts[:-1] for name in names}
    split = all(parts and _SPLIT.fullmatch(parts[0].lower()) for parts in folders.values())
    within = {name: parts[1:] if split else parts for name, parts in folders.items()}
    while names and all(within.values()) and len({parts[-1] for parts in within.values()}) == 1:
        within = {name: parts[:-1] for name, parts in within.items()}
    for name, parts in within.items():
        said: dict[str, object] = {"split": folders[name][0]} if split else {}
        if parts and not _NO_LABEL.fullmatch(parts[-1].lower()):
            said["label"] = parts[-1]
        fields[name] = said
    return fields
