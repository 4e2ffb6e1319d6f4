"""What files beside a picture say of it: a text, what a program wrote as JSON, XMP of a photo manager, a class."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from clipexplore.errors import InputError
from clipexplore.images import suffixes
from clipexplore.language import _
from clipexplore.store.arrays import open_npy
from clipexplore.store.captions import in_one_line, table_rows
from clipexplore.store.descriptions import in_xmp
from clipexplore.store.files import Tree
from clipexplore.store.items import Kind

ENDINGS = (".txt", ".json", ".xmp", ".cls")
VECTORS: dict[str, Kind] = {".image_vectors.npy": "pictures", ".text_vectors.npy": "captions"}
_MOST = 1_000_000  # bytes of a file that are read


@dataclass(frozen=True)
class Said:
    """What is said of one picture."""

    caption: str = ""
    fields: dict[str, object] = field(default_factory=dict)
    id: str = ""


class Sidecars:
    """The files beside the pictures of a tree: `a.txt` and `a.jpg.txt` of `a.jpg`, and of `a.b.jpg` also `a.txt`, as
    WebDataset has it.
    """

    def __init__(self, tree: Tree):
        self._tree = tree
        endings = (*ENDINGS, *VECTORS)
        self._names = {name.lower(): name for name in tree.names if name.lower().endswith(endings)}

    def of(self, picture: str) -> list[str]:
        """The names of those of a picture that say something, in the order of `ENDINGS`."""
        stem, folder = picture.rpartition(".")[0], picture.rpartition("/")[0]
        key = f"{folder}/{picture.rpartition('/')[2].split('.')[0]}".removeprefix("/")
        found = {
            self._names[name]: None
            for ending in ENDINGS
            for name in (f"{stem}{ending}".lower(), f"{picture}{ending}".lower(), f"{key}{ending}".lower())
            if name in self._names
        }
        return [*found]

    def used(self, pictures: Iterable[str]) -> set[str]:
        """Those that belong to some picture."""
        return {name for picture in pictures for name in (*self.of(picture), *self._vectors(picture).values())}

    def said(self, picture: str) -> Said:
        """What they say of a picture; a text counts before JSON, and that before XMP.

        Raises
        ------
        InputError
            If one cannot be read.
        """
        caption, fields, id = "", dict[str, object](), ""
        for name in self.of(picture):
            said = _read(self._tree.read(name)[:_MOST], name)
            caption, fields, id = caption or said.caption, {**said.fields, **fields}, id or said.id
        return Said(caption, fields, id)

    def vectors(self, picture: str) -> dict[Kind, np.ndarray]:
        """The vectors `(dim,)` beside a picture, float32, by what they are of.

        Raises
        ------
        InputError
            If one is no such array.
        """
        return {kind: _vector(self._tree.read(name), name) for kind, name in self._vectors(picture).items()}

    def _vectors(self, picture: str) -> dict[Kind, str]:
        stem = picture.rpartition(".")[0].lower()
        return {kind: self._names[stem + ending] for ending, kind in VECTORS.items() if stem + ending in self._names}


def _vector(data: bytes, name: str) -> np.ndarray:
    try:
        found = open_npy(name, lambda: io.BytesIO(data), len(data))
        if len(found.shape) == 1 and found.dtype.kind == "f" and found.shape[0]:
            return next(found.blocks(found.shape[0])).astype(np.float32)
    except InputError:
        raise
    except Exception:  # noqa: BLE001, S110 – a damaged file raises anything, and the sentence below says so
        pass
    raise InputError(_("{name!r} is no vector that can be read; save it again.").format(name=name))


def _read(data: bytes, name: str) -> Said:
    ending = name.lower().rpartition(".")[2]
    if ending == "json":
        return _from_json(data)
    if ending == "xmp":
        return Said(in_xmp(data))
    text = first_line(data)
    return Said(fields={"label": text}) if ending == "cls" else Said(text)


def first_line(data: bytes) -> str:
    """The caption that a text file holds: its first line that is not empty."""
    lines = data[:100_000].decode("utf-8-sig", "replace").split("\n")
    return next((in_one_line(line) for line in lines if line.strip()), "")


#: What img2dataset writes of each picture and nobody looks at: that it was fetched, and how.
_DULL = re.compile(r"status|error_message|exif|key|sha256|md5")


def _from_json(data: bytes) -> Said:
    with suppress(ValueError, RecursionError):
        found = json.loads(data)
        if isinstance(found, dict):
            (row,) = table_rows([*found], [found])
            return Said(row.caption, tidy(row.fields), row.id)
    return Said()


def tidy(fields: dict[str, object]) -> dict[str, object]:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, []) and not _dull(name)}


def _dull(name: str) -> bool:
    return bool(_DULL.fullmatch(name))


def pictures_of(names: Iterable[str]) -> Iterator[str]:
    """The names of pictures among some."""
    return (name for name in names if name.lower().endswith(suffixes()))
