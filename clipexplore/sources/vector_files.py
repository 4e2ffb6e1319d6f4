"""Ready-made vectors, for people who have embedded already: NPY, NPZ, safetensors, Parquet and flat indexes of FAISS.

Nothing is unpickled. What a file says of itself is checked before any of it is read, and then it is read some megabytes
at a time, only the arrays and columns that are needed: small files may unpack to gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import repeat
from pathlib import Path

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.sources.arrays import Array, open_faiss, open_npy, open_npz, open_safetensors, reading
from clipexplore.sources.captions import MOST_LINE
from clipexplore.sources.columns import (
    Parquet,
    dicts_of,
    dim_of,
    needed,
    nested,
    note_unread,
    plain,
    texts_of,
    vectors_of,
)
from clipexplore.sources.entries import Entry, Kind, Rejected, Source, check_ids, has_direction, with_directions
from clipexplore.sources.files import Folder, check_unpacked, opened
from clipexplore.sources.rows import CAPTION, FILE, ID, MOST_FIELDS

NAMES = ("vectors", "embeddings", "vector", "embedding")  # of the array or the column, where it says no kind
_KINDS: dict[Kind, re.Pattern[str]] = {  # what an array is called that says one: image_vectors, text_embedding, img
    "pictures": re.compile(r"(image|img|picture|photo|vision)s?($|[_.]?(vec|emb|feat|proj|npy))"),
    "captions": re.compile(r"(text|txt|caption|sentence)s?($|[_.]?(vec|emb|feat|proj|npy))"),
}
FEWEST = 5  # dimensions from which a list of numbers is taken for a vector whatever it is called
MOST_DIMENSIONS = 16_384  # of a vector; the largest models have some thousands
_BLOCK, _AT_ONCE = 8_192, 1 << 22  # rows, and bytes, that are read together
_OF_ATLAS = ("FILE_NAME", "__row_index__")  # of embedding-atlas: the table that it read, on every row, and its rows


def open_vectors(path: Path) -> Source:
    """The vectors of a file, with the ids, captions and fields that it has for them.

    An NPZ may hold arrays of text beside its vectors, a Parquet file columns; without ids, a vector's id is its number.
    A column `file` names pictures beside the file, which are then the items. Two arrays, of pictures and of texts by
    their names, are pairs, row by row.

    Raises
    ------
    InputError
        If there is no array of numbers of two dimensions, two are no pairs, or the file is damaged, would have to be
        unpickled, or unpacks to many times its size.
    """
    ending = path.suffix.lower()
    with reading(path.name):
        if ending == ".parquet":
            return _open_parquet(path)
        if ending == ".npz":
            return _of_arrays(path, open_npz(path))
        if ending == ".safetensors":
            return _of_arrays(path, _no_weights(path, open_safetensors(path)))
        if ending == ".npy":
            return _source(path, {"captions": _npy(path)}, {})
        return _source(path, {"captions": open_faiss(path)}, {})


def _npy(path: Path) -> Array:
    return open_npy(path.name, opened(path), path.stat().st_size)


def has_vectors(path: Path) -> bool:
    """Whether a Parquet file has a column of vectors."""
    with reading(path.name):
        return bool(_columns_of_vectors(Parquet(path, path.name, path.stat().st_size)))


def _columns_of_vectors(columns: Parquet) -> dict[Kind, str]:
    """Which of the columns of lists hold vectors of what."""
    lists = nested(columns.schema)
    return by_kind(lists, [name for name in lists if said_by([name]) or dim_of(columns, name) >= FEWEST])


def _no_weights(path: Path, found: dict[str, Array]) -> dict[str, Array]:
    """The arrays of a file, if their rows may be those of the same items, as those of a model's weights are not."""
    rows = {array.shape[0] for array in found.values() if len(array.shape) == 2}
    if len(rows) > 1:
        message = _(
            "{name!r} holds tables of different length, as the weights of a model do; vectors have a row an item."
        )
        raise InputError(message.format(name=path.name))
    return found


def _of_arrays(path: Path, found: Mapping[str, Array]) -> Source:
    """Named arrays: vectors, and texts and numbers for them."""
    two = [name for name, array in found.items() if len(array.shape) == 2 and array.dtype.kind == "f"]
    named = by_kind([*found], two)
    if not named:
        message = _("{name!r} holds no array of vectors; call it one of: {names}.")
        raise InputError(message.format(name=path.name, names=", ".join((*NAMES, "image_vectors", "text_vectors"))))
    vectors = {kind: found[name] for kind, name in named.items()}
    rows = next(iter(vectors.values())).shape[:1]
    told = {
        name: array
        for name, array in found.items()
        if array.shape == rows and array.dtype.kind in "USifb" and array.row_bytes < MOST_LINE
    }
    texts = {name: told[name] for name in needed([*told])}
    check_unpacked(path.name, sum(each.nbytes for each in (*vectors.values(), *texts.values())), path.stat().st_size)
    held, notes = [name for name, array in found.items() if array.dtype.hasobject], tuple[str, ...]()
    message = _("Not read, because they are arrays of Python objects: {names}. Save them as arrays of texts.")
    if held:
        notes += (message.format(names=", ".join(held)),)
    if left := [name for name in found if name not in (*named.values(), *texts, *held)]:
        notes += (_("Arrays that are not read: {names}.").format(names=", ".join(left)[:200]),)
    source = _source(path, vectors, texts)
    return replace(source, notes=(*source.notes, *notes))


def is_pair(names: Sequence[str]) -> bool:
    """Whether two files hold vectors of pictures and of texts, by their names: `image_vectors.npy`, `text_emb.npy`."""
    return len(names) == len(said_by(names)) == 2 and all(name.lower().endswith(".npy") for name in names)


def open_pair(paths: Sequence[Path]) -> Source:
    """The pairs of two such files, row by row.

    Raises
    ------
    InputError
        As `open_vectors`.
    """
    by_name = {path.name: path for path in paths}
    with reading(paths[0].name):
        arrays = {kind: _npy(by_name[name]) for kind, name in said_by([*by_name]).items()}
        return _source(paths[0], arrays, {})


def by_kind(names: Sequence[str], likely: Sequence[str]) -> dict[Kind, str]:
    """Which of some arrays holds the vectors of which kind: by its name, else the first likely one, as texts."""
    plain = [*filter(names.__contains__, NAMES), *likely]
    return said_by(likely) or ({"captions": plain[0]} if plain else {})


def said_by(names: Sequence[str]) -> dict[Kind, str]:
    """Which names say that vectors are of a kind, the first of each."""
    return {kind: name for kind, pattern in _KINDS.items() for name in reversed(names) if pattern.match(name.lower())}


def _source(path: Path, vectors: Mapping[Kind, Array], columns: Mapping[str, Array]) -> Source:
    for array in vectors.values():
        if array.dtype.hasobject:
            raise ValueError("it holds objects")
        if len(array.shape) != 2 or array.dtype.kind != "f" or not array.nbytes:
            message = _(
                "The array in {name!r} is {dtype} of shape {shape}; give numbers (rows, dimensions), such as float32."
            )
            raise InputError(message.format(name=path.name, dtype=array.dtype, shape=array.shape))
    shape = _one_shape(path.name, [array.shape for array in vectors.values()])
    check_dimensions(path.name, shape[1])
    count = rows_at_once(sum(array.row_bytes for array in (*vectors.values(), *columns.values())))

    def blocks() -> Iterator[Block]:
        for each in zip(*(array.blocks(count) for array in (*vectors.values(), *columns.values())), strict=True):
            block = {kind: rows.astype(np.float32) for kind, rows in zip(vectors, each, strict=False)}
            told = zip(*(_plain(rows) for rows in each[len(vectors) :]), strict=True)
            rows = (dict(zip(columns, row, strict=True)) for row in told) if columns else repeat({})
            yield block, rows

    def stream() -> Iterator[Entry | Rejected]:
        with reading(path.name):
            yield from _entries(path, blocks(), [*columns], None)

    source, ids = Source.of_vectors(vectors, shape[0], stream, shape[1]), _column_of_ids([*columns])
    said = (_plain(rows) for rows in columns[ids].blocks(count)) if ids else ()
    return check_ids(source, ids, ((str(each),) for rows in said for each in rows))


def _column_of_ids(names: Sequence[str]) -> str:
    """The name of the column of ids; "" where there is none."""
    return next((name for name in names if name.lower() in ID), "")


def _plain(rows: np.ndarray) -> list:
    """Texts and numbers of an array as those of Python."""
    return [each.decode("utf-8", "replace") for each in rows.tolist()] if rows.dtype.kind == "S" else rows.tolist()


def _one_shape(name: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    if shapes[0] != shapes[-1]:
        message = _("{name!r} has vectors of pictures {one} and of texts {other}; pairs are as many, of one length.")
        raise InputError(message.format(name=name, one=shapes[0], other=shapes[-1]))
    return shapes[0]


def _open_parquet(path: Path) -> Source:
    columns = Parquet(path, path.name, path.stat().st_size)
    if not len(columns):
        message = _("{name!r} holds no rows; a collection needs at least one.")
        raise InputError(message.format(name=path.name))
    named = _columns_of_vectors(columns)
    if not named:
        message = _("{name!r} has no column of vectors (lists of numbers); call it one of: {names}.")
        raise InputError(message.format(name=path.name, names=", ".join((*NAMES, "image_vectors", "text_vectors"))))
    for name in named.values():
        check_dimensions(path.name, columns.values(name) // len(columns))
    check_unpacked(path.name, 4 * sum(map(columns.values, named.values())), path.stat().st_size)
    dim = _one_shape(path.name, [(len(columns), dim_of(columns, name)) for name in named.values()])[1]
    check_dimensions(path.name, dim)
    told = needed([name for name in plain(columns.schema) if name not in _OF_ATLAS])
    read = Folder(path.parent).read if any(name.lower() in FILE for name in told) else None
    if read and [*named] == ["captions"] and not _KINDS["captions"].match(named["captions"].lower()):
        named = {"pictures": named["captions"]}  # those of the pictures beside it

    def blocks() -> Iterator[Block]:
        for batch in columns.batches([*named.values(), *told], rows_at_once(4 * dim * len(named))):
            yield {kind: vectors_of(batch[name], dim) for kind, name in named.items()}, dicts_of(batch, told)

    def stream() -> Iterator[Entry | Rejected]:
        with reading(path.name):
            yield from _entries(path, blocks(), told, read)

    kind: Kind = "pictures" if read or "pictures" in named else "captions"
    bare = kind == "pictures" and read is None
    notes = note_unread(columns.schema, (*named.values(), *told, *_OF_ATLAS))
    source = Source(kind, len(columns), stream, dim, notes=notes, vectors=tuple(named), bare=bare)
    ids = _column_of_ids(told)
    return check_ids(source, ids, ((id,) for id in texts_of(columns, ids))) if ids else source


def rows_at_once(row_bytes: int) -> int:
    return max(1, min(_BLOCK, _AT_ONCE // max(row_bytes, 1)))


def check_dimensions(name: str, dim: int) -> None:
    if dim > MOST_DIMENSIONS:
        message = _("The vectors in {name!r} have {dim:,} dimensions, and at most {most:,} are read; give one a row.")
        raise InputError(message.format(name=name, dim=dim, most=MOST_DIMENSIONS))


Block = tuple[dict[Kind, np.ndarray], Iterable[dict]]  # some vectors by what they are of, and what is said of each


def _entries(
    path: Path, blocks: Iterable[Block], columns: Sequence[str], read: Callable[[str], bytes] | None
) -> Iterator[Entry | Rejected]:
    """The rows of blocks of vectors, with what the other columns say of each."""
    roles = {
        role: next((name for name in columns if name.lower() in names), None)
        for role, names in (("id", ID), ("caption", CAPTION), ("file", FILE))
    }
    further = [name for name in columns if name not in roles.values()][:MOST_FIELDS]
    number = 0
    for block, told in blocks:
        whole = np.logical_and.reduce([has_direction(vectors) for vectors in block.values()]).tolist()
        for row, (said, usable) in enumerate(zip(told, whole, strict=False)):
            number += 1
            id, caption, file = ("" if (each := said.get(name)) is None else str(each) for name in roles.values())
            fields, called = {name: said[name] for name in further}, file or f"{path.stem}-{number:06d}"
            vectors = {kind: rows[row] for kind, rows in block.items()}
            entry = Entry(called, caption, fields, id, read and partial(read, file), vectors)
            checked = entry if usable else with_directions(entry)
            if isinstance(checked, Rejected):
                checked = replace(checked, name=_("row {number}").format(number=number))
            yield checked
