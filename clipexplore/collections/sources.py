"""Which source a path is, and folders and ZIPs of pictures as sources: with their captions, labels and further columns.

Separate because an import should not know where its items come from, nor how people arrange pictures and captions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from clipexplore.collections.caption_files import Row, as_pairs, read_table
from clipexplore.collections.entries import Entry, Rejected, Source
from clipexplore.collections.trees import OPERATOR, Archive, Caps, Folder, Tree
from clipexplore.collections.vector_files import open_vectors
from clipexplore.errors import InputError
from clipexplore.images import suffixes

VECTORS = (".npy", ".npz", ".parquet")
TABLES = (".csv", ".tsv", ".txt")


def open_source(path: Path, caps: Caps | None = None) -> Source:
    """The source at a path, by what it is: a folder, a ZIP, captions (.csv, .tsv, .txt) or vectors (.npy, .npz, .parquet).

    Parameters
    ----------
    caps
        What a ZIP may hold; by default what an operator's may.

    Raises
    ------
    InputError
        If there is nothing of the kind, or it is damaged as a whole.
    """
    if path.is_dir():
        return tree_source(Folder(path), str(path))
    if not path.is_file():
        raise InputError(f"{str(path)!r} does not exist; check the path.")
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return tree_source(Archive(path, caps or OPERATOR), path.name)
    if suffix in VECTORS:
        return open_vectors(path)
    if suffix in TABLES:
        return _table_source(path)
    raise InputError(f"{path.name!r} is none of: a folder, .zip, {', '.join((*TABLES, *VECTORS))}; choose one of these.")


def tree_source(tree: Tree, title: str) -> Source:
    """The pictures of a tree.

    A table with a column `file` in it captions them, each row one item; else each picture is an item, its caption that
    of the text file beside it, and its subfolder, if there are any, the field `label`.

    Raises
    ------
    InputError
        If there are no pictures and no captions.
    """
    for name in tree.names:
        if "/" not in name.strip("/") and PurePosixPath(name).suffix.lower() in (".csv", ".tsv"):
            pairs = as_pairs(read_table(tree.read(name), name))
            if pairs:
                return _paired(tree, pairs, name)
    sidecars = {name.rpartition(".")[0]: name for name in tree.names if name.lower().endswith(".txt")}
    names = [name for name in tree.names if not name.lower().endswith(TABLES)]
    if not any(name.lower().endswith(suffixes()) for name in names):
        raise _nothing(tree, title)
    captioned = any(name.rpartition(".")[0] in sidecars for name in names)
    return Source("pictures", len(names), lambda: _pictures(tree, names, sidecars), captioned)


def _nothing(tree: Tree, title: str) -> InputError:
    tables = [name for name in tree.names if name.lower().endswith(TABLES)]
    hint = f"; for captions alone give {tables[0]!r} itself" if tables else "; put some there"
    return InputError(f"There are no pictures in {title!r} ({', '.join(suffixes())} are read){hint}.")


def _pictures(tree: Tree, names: list[str], sidecars: Mapping[str, str]) -> Iterator[Entry | Rejected]:
    nested = any("/" in name for name in names)
    for name in names:
        stem, folder = name.rpartition(".")[0], PurePosixPath(name).parent.name
        if not name.lower().endswith(suffixes()):
            yield Rejected(name, f"It is no picture of a known kind ({', '.join(suffixes())}).")
            continue
        try:
            caption = as_text(tree.read(sidecars[stem])) if stem in sidecars else ""
        except InputError as error:
            yield Rejected(name, str(error))
            continue
        yield Entry(name, caption, {"label": folder} if nested and folder else {}, read=_reader(tree, name))


def as_text(data: bytes) -> str:
    """The caption that a file beside a picture holds: its first line that is not empty."""
    lines = data[:100_000].decode("utf-8-sig", "replace").split("\n")
    return next((" ".join(line.split())[:2000] for line in lines if line.strip()), "")


def _paired(tree: Tree, rows: list[Row], table: str) -> Source:
    known = set(tree.names)
    by_name = {PurePosixPath(name).name: name for name in reversed(tree.names)}

    def stream() -> Iterator[Entry | Rejected]:
        for row in rows:
            given = row.file.replace("\\", "/").removeprefix("./")
            name = given if given in known else by_name.get(PurePosixPath(given).name)
            if name is None:
                yield Rejected(row.file or f"row {row.number}", f"{table} names it in row {row.number}, and it is not there.")
            else:
                yield Entry(name, row.caption, row.fields, row.id, read=_reader(tree, name))

    return Source("pictures", len(rows), stream, any(row.caption for row in rows))


def _reader(tree: Tree, name: str) -> Callable[[], bytes]:
    return lambda: tree.read(name)


def _table_source(path: Path) -> Source:
    """Captions alone, or with a column `file` captions of the pictures beside the table."""
    if path.stat().st_size > 1_000_000_000:
        raise InputError(f"{path.name!r} is larger than 1,000 MB, the most that is read of captions; split it.")
    rows = read_table(path.read_bytes(), path.name)
    if pairs := as_pairs(rows):
        return _paired(Folder(path.parent), pairs, path.name)
    if not rows:
        raise InputError(f"{path.name!r} holds no captions; give one a line, or a column named caption.")

    def stream() -> Iterator[Entry | Rejected]:
        for row in rows:
            if row.caption:
                yield Entry(f"{path.stem}-{row.number:05d}", row.caption, row.fields, row.id)
            else:
                yield Rejected(f"row {row.number}", "It has no caption.")

    return Source("captions", len(rows), stream, captioned=True)

