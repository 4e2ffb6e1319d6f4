"""What a path is: which reader reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from clipexplore.errors import InputError, MissingError
from clipexplore.images import suffixes
from clipexplore.language import _
from clipexplore.paths import is_address
from clipexplore.reports import Report, silent
from clipexplore.sources import clip_retrieval, coco, embedded_pictures, fiftyone, takeout, written_vectors
from clipexplore.sources.archives import FolderOfTars, Tar, Zip
from clipexplore.sources.arrays import FAISS
from clipexplore.sources.buckets import Bucket
from clipexplore.sources.captions import TABLES, Open, read_table
from clipexplore.sources.columns import read_rows
from clipexplore.sources.descriptions import Sidecars, pictures_of
from clipexplore.sources.entries import Entry, Rejected, Source, check_ids
from clipexplore.sources.files import OPERATOR, Alone, Caps, Folder, Tree, check_here, check_regular, opened
from clipexplore.sources.folders import folder_of_pictures, top_of
from clipexplore.sources.named_pictures import Places, named_pictures, naming
from clipexplore.sources.remedies import remedy
from clipexplore.sources.rows import Table, place_of_picture
from clipexplore.sources.vector_files import has_vectors, is_pair, open_pair, open_vectors

VECTORS = (".npy", ".npz", ".parquet", ".safetensors", *FAISS)
ARROW, TAR = ".arrow", ".tar"
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")  # of `datasets`' imagefolder, in any folder
_MOST_TABLE = 1_000_000_000  # bytes


def open_source(path: Path | str, caps: Caps | None = None, report: Report = silent) -> Source:
    """The source at a path, by what it is: a folder, a ZIP or a tar, captions or vectors: see `FILES` and `TREES`.

    Or at an address that fsspec reads, such as `s3://bucket/photos`: of a folder, or of a file.

    Parameters
    ----------
    caps
        What an archive may hold; by default what an operator's may.
    report
        Called while a folder or a table is looked through, which may take minutes; may raise to stop.

    Raises
    ------
    InputError
        If there is nothing of the kind, or it is damaged as a whole.
    """
    caps = caps or OPERATOR
    if is_address(path):
        bucket = Bucket(str(path), caps, report)
        return _file_at(bucket, caps, report) if bucket.alone else _in_folder(bucket, str(path), caps, report)
    path = Path(path)
    if path.is_dir():
        return _in_folder(Folder(path, report), str(path), caps, report)
    if not path.exists():
        raise MissingError(_("{path!r} does not exist; check the path.").format(path=str(path)))
    check_regular(path, path.name)
    check_here(opened(path), path.name)
    for reads in FILES.get(path.suffix.lower(), ()):
        if found := reads(path, caps, report):
            return found
    if said := remedy(path.name):
        raise InputError(said)
    message = _("{name!r} is none of: a folder, .zip, .tar, {endings}; choose one of these.")
    raise InputError(message.format(name=path.name, endings=", ".join((*TABLES, *VECTORS, ARROW))))


def _in_folder(tree: Tree, title: str, caps: Caps, report: Report) -> Source:
    tars = any(name.lower().endswith(TAR) for name in tree.names)
    return tree_source(FolderOfTars(tree, caps, report) if tars else tree, title, report)


def _file_at(bucket: Bucket, caps: Caps, report: Report) -> Source:
    """A file at an address: a tar is read where it lies, any other is copied, for as long as anybody may ask for it."""
    (name,) = bucket.names
    if name.lower().endswith(TAR):
        return tree_source(Tar(bucket, name, caps, report), name, report)
    if name.lower().endswith(TABLES):
        table = _table(partial(bucket.open, name), name, report)
        if table.names_files:
            return _beside(bucket.beside(caps, report), name, table)
    held = TemporaryDirectory()
    bucket.copy(name, copy := Path(held.name) / name)
    found = open_source(copy, caps, report)
    return replace(found, stream=partial(_streamed, held, found.stream))


def tree_source(tree: Tree, title: str, report: Report = silent) -> Source:
    """What the files of a folder or an archive are together.

    Raises
    ------
    InputError
        If there are no pictures and no captions.
    """
    for reads in TREES:
        if found := reads(tree, report):
            return found
    raise _nothing(tree, title)


def _embedding_atlas(tree: Tree, report: Report) -> Source | None:
    """The table in what embedding-atlas exports, which is an application with pictures of its own."""
    beside = {f"{name.removesuffix('metadata.json')}dataset.parquet" for name in tree.names}
    names = [name for name in tree.names if name in beside and name.endswith("data/dataset.parquet")]
    return _taken(tree, names[:1], report) if names else None


def _one_file(tree: Tree, report: Report) -> Source | None:
    """The one file of vectors in a tree without pictures, such as what `export` writes; or two of a pair."""
    names = [name for name in tree.names if PurePosixPath(name).suffix.lower() in VECTORS]
    pair = is_pair([PurePosixPath(name).name for name in names])
    if len(names) != 1 and not pair or next(pictures_of(tree.names), None):
        return None
    return _with_texts(_taken(tree, names, report), tree, names, report)


def _taken(tree: Tree, names: Sequence[str], report: Report) -> Source:
    """Files of a tree by themselves, copied where they have no path, for as long as anybody may ask for them."""
    if isinstance(tree, Folder):
        return _of_files([tree.path(name) for name in names], report)
    held = TemporaryDirectory()
    copies = [Path(held.name) / PurePosixPath(name).name for name in names]
    if len(copies) == 1:
        copies = [copies[0].with_stem("vectors")]
    for copy, name in zip(copies, names, strict=True):
        tree.copy(name, copy)
    found = _of_files(copies, report)
    return replace(found, stream=partial(_streamed, held, found.stream))


def _of_files(paths: list[Path], report: Report) -> Source:
    return open_source(paths[0], report=report) if len(paths) == 1 else _as_vectors(open_pair(paths))


def _with_texts(found: Source, tree: Tree, taken: list[str], report: Report) -> Source:
    """Vectors with what a table beside them says, of as many rows, where they have no texts of their own; other files
    are named.
    """
    others = [name for name in tree.names if name not in taken]
    bare = not taken[0].lower().endswith((".npz", ".parquet", ".arrow"))
    for name in [each for each in others if bare and each.lower().endswith(TABLES)]:
        table = _table(partial(tree.open, name), name, report)
        if table.count == found.count:
            others.remove(name)
            said = _("Row by row, {table} tells of the vectors.").format(table=name)
            found = replace(found, stream=partial(_told, found.stream, table), notes=(*found.notes, said))
            break
    unused = (_("Not used: {names}.").format(names=", ".join(others)[:200]),) if others else ()
    return replace(found, notes=(*found.notes, *unused))


def _told(stream: Callable[[], Iterator[Entry | Rejected]], table: Table) -> Iterator[Entry | Rejected]:
    """Vectors with the texts of as many rows."""
    for entry, row in zip(stream(), table, strict=True):
        if isinstance(entry, Entry):
            if not row.file and place_of_picture([row.caption]) == 0:  # a list of files
                row = replace(row, caption="", file=row.caption)
            fields = {**row.fields, "file": row.file} if row.file else row.fields
            entry = replace(entry, caption=row.caption, fields=fields, id=row.id or row.file)
        yield entry


def _streamed(held: TemporaryDirectory, stream: Callable[[], Iterator[Entry | Rejected]]) -> Iterator[Entry | Rejected]:
    """A stream of what is held in a folder, which is there as long as anybody may ask for it."""
    yield from stream()
    del held


def _imagefolder(tree: Tree, report: Report) -> Source | None:
    """Pictures that tables caption which are named as `datasets` has them, in any folder."""
    metadata = [name for name in tree.names if PurePosixPath(name).name.lower() in METADATA]
    tables = {name: table for name in metadata if (table := _table(partial(tree.open, name), name, report)).names_files}
    said = _("An imagefolder of Hugging Face: {tables} caption the pictures.")
    return named_pictures(tree, tables, said.format(tables=", ".join(tables)[:200])) if tables else None


def _arrow(tree: Tree, _report: Report) -> Source | None:
    """What `save_to_disk` writes without pictures is refused, because its JSON would be taken for the table."""
    name = next((name for name in tree.names if name.lower().endswith(ARROW)), "")
    if name and not next(pictures_of(tree.names), None):
        raise _no_pictures_in(name)
    return None


def _no_pictures_in(name: str) -> InputError:
    message = _("There are no pictures in {name!r}; write texts and vectors as Parquet, by to_parquet, which is read.")
    return InputError(message.format(name=name))


def _tables_at_the_top(tree: Tree, report: Report) -> Source | None:
    """Pictures that tables name, each row one item."""
    top, beside = top_of(tree.names), Sidecars(tree).used(pictures_of(tree.names))
    at_the_top = [name for name in tree.names if "/" not in name.removeprefix(top) and name not in beside]
    tables = {name: _table(partial(tree.open, name), name, report) for name in at_the_top if _is_table(name)}
    places = Places(tree.names)
    found = {name: each for name, table in tables.items() if (each := naming(table, places))}
    said = _("A folder in which {table} names pictures, each row one item.")
    return named_pictures(tree, found, said.format(table=", ".join(found)[:200])) if found else None


def _is_table(name: str) -> bool:
    return name.lower().endswith(TABLES)


def _table(open: Open, name: str, report: Report) -> Table:
    read = read_rows if name.lower().endswith(".parquet") else read_table
    return read(open, name, report)


def _nothing(tree: Tree, title: str) -> InputError:
    if found := next(filter(None, map(remedy, tree.names)), ""):
        return InputError(found)
    if any(name.lower().endswith(VECTORS) for name in tree.names):
        message = _("{title!r} holds several files of vectors or texts; give one of them, or write them as one.")
        return InputError(message.format(title=title))
    tables = [name for name in tree.names if name.lower().endswith(TABLES)]
    hint = _("; for captions alone give {table!r} itself").format(table=tables[0]) if tables else _("; put some there")
    message = _("There are no pictures in {title!r} ({endings} are read){hint}.")
    return InputError(message.format(title=title, endings=", ".join(suffixes()), hint=hint))


def _table_source(path: Path, _caps: Caps, report: Report) -> Source:
    """Captions alone, or with a column `file` captions of the pictures beside the table."""
    if path.stat().st_size > _MOST_TABLE:
        message = _("{name!r} is larger than 1,000 MB, the most that is read of captions; split it.")
        raise InputError(message.format(name=path.name))
    table = _table(opened(path), path.name, report)
    if table.names_files:
        return _beside(Folder(path.parent, report), path.name, table)
    if not table.count:
        message = _("{name!r} holds no captions; give one a line, or a column named caption.")
        raise InputError(message.format(name=path.name))
    if vectors := written_vectors.in_columns(path, table):
        return _as_vectors(replace(vectors, notes=(*table.notes, *vectors.notes)))
    said = _("Captions, one a row.") if table.has_captions else _("A table without captions.")
    source = Source("captions", table.count, partial(_captions, path, table), None, said, table.notes)
    return check_ids(source, table.id, ((row.id, row.caption) for row in table)) if table.id else source


def _beside(tree: Tree, name: str, table: Table) -> Source:
    said = _("A table that names the pictures beside it, each row one item.")
    return named_pictures(tree, {name: table}, said, used=tree.names)


def _captions(path: Path, table: Table) -> Iterator[Entry | Rejected]:
    """Its captions; where there are none what else it says, of which a column may be named as the caption."""
    for row in table:
        if row.wrong or table.has_captions and not row.caption:
            yield Rejected(_("row {number}").format(number=row.number), row.wrong or _("It has no caption."))
        else:
            yield Entry(f"{path.stem}-{row.number:05d}", row.caption, row.fields, row.id)


def _in_zip(path: Path, caps: Caps, report: Report) -> Source:
    return tree_source(Zip(path, caps), path.name, report)


def _in_tar(path: Path, caps: Caps, report: Report) -> Source:
    return tree_source(Tar(Alone(path), path.name, caps, report), path.name, report)


def _pictures(path: Path, _caps: Caps, _report: Report) -> Source | None:
    return embedded_pictures.in_file(opened(path), path.name)


def _without_pictures(path: Path, _caps: Caps, _report: Report) -> Source:
    raise _no_pictures_in(path.name)


def _vectors(path: Path, _caps: Caps, _report: Report) -> Source | None:
    return None if path.suffix.lower() == ".parquet" and not has_vectors(path) else _as_vectors(open_vectors(path))


def _numbers(path: Path, _caps: Caps, report: Report) -> Source | None:
    found = written_vectors.in_file(path, report)
    return found and _as_vectors(found)


def _as_vectors(source: Source) -> Source:
    said = _("Ready-made vectors of {dim:,} dimensions.")
    return replace(source, recognised=said.format(dim=source.dim))


#: What a tree may be, asked one after the other; None says that it is something else.
TREES: tuple[Callable[[Tree, Report], Source | None], ...] = (
    written_vectors.in_tree,
    clip_retrieval.read,
    _embedding_atlas,
    embedded_pictures.in_tree,
    _one_file,
    _arrow,
    _imagefolder,
    fiftyone.read,
    coco.read,
    takeout.read,
    _tables_at_the_top,
    lambda tree, _report: folder_of_pictures(tree),
)

#: What a file may be by its ending, asked one after the other.
FILES: dict[str, tuple[Callable[[Path, Caps, Report], Source | None], ...]] = {
    ".zip": (_in_zip,),
    TAR: (_in_tar,),
    ARROW: (_pictures, _without_pictures),
    **dict.fromkeys(TABLES, (_table_source,)),
    **dict.fromkeys((".tsv", ".csv", ".txt"), (_numbers, _table_source)),
    **dict.fromkeys(VECTORS, (_vectors,)),
    ".parquet": (_pictures, _vectors, _table_source),
}
