"""Columns of Parquet and Arrow files: their sizes are checked, then only those needed are read, some rows at a time.

Arrow is what `datasets` writes to the disk: a stream of batches, mapped and not read. A compressed batch would unpack
to whatever it says as a whole, so it is refused by its header. Source: arrow.apache.org/docs/format/Columnar.html, "IPC
Streaming Format" and "Compression" (Message.fbs: RecordBatch).
"""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.sources.captions import Open
from clipexplore.sources.files import check_unpacked
from clipexplore.sources.rows import (
    CAPTION,
    FILE,
    ID,
    MOST_FIELDS,
    Row,
    Table,
    check_columns,
    column_of_ids,
    roles_of,
    table_rows,
    unread,
)

if TYPE_CHECKING:
    import pyarrow as pa

_BUFFER = 1 << 20  # bytes of a column that are read together
_ROWS = 4_096
_MOST_DICTIONARY = 120_000_000  # bytes
_FEW = 100_000  # rows that any file may have; a larger one has no more than bytes, as every other table
_RANDOM_ACCESS, _CONTINUED = b"ARROW1\0\0", b"\xff\xff\xff\xff"  # how an Arrow file begins, and a stream of Arrow
# Fields of Arrow by their number: the header of a message, the data of a dictionary, the compression of a batch.
_HEADER, _DATA, _COMPRESSION = 2, 1, 3


class Columns(Protocol):
    """The columns of a file; the schema is that of all of them."""

    schema: pa.Schema

    def __len__(self) -> int:
        """How many rows there are."""

    def batches(self, names: Sequence[str], rows: int = _ROWS) -> Iterator[pa.RecordBatch]:
        """Columns, at most so many rows at a time.

        Raises
        ------
        InputError
            If they unpack to many times the size of the file, or a part that is read as a whole is too large.
        """


def open_columns(file: IO[bytes], name: str) -> Columns:
    """The columns of a Parquet or Arrow file.

    Raises
    ------
    InputError
        If it is compressed Arrow, or says that it has more columns or rows than are believed.
    Exception
        If it is damaged, see `readable`.
    """
    head, size = file.read(8), file.seek(0, io.SEEK_END)
    file.seek(0)
    if head.startswith((_RANDOM_ACCESS, _CONTINUED)):
        return _Arrow(file, name, head)
    return Parquet(file, name, size)


def plain(schema: pa.Schema) -> list[str]:
    """The names of the columns of single values, without binary ones, and of lists of texts."""
    return [each.name for each in schema if not _is_nested(each.type) or _is_text(_inside(each.type))]


def nested(schema: pa.Schema) -> list[str]:
    """The names of the columns of lists of numbers; large whole ones are ids of tokens and the like."""
    import pyarrow.types as types

    def is_number(kind: pa.DataType | None) -> bool:
        return kind is not None and (types.is_floating(kind) or types.is_integer(kind) and kind.bit_width <= 16)

    return [each.name for each in schema if is_number(_inside(each.type))]


def _inside(kind: pa.DataType) -> pa.DataType | None:
    """What a list is of; None for what is no list."""
    import pyarrow.types as types

    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return kind.value_type if is_list or types.is_list_view(kind) or types.is_large_list_view(kind) else None


def _is_text(kind: pa.DataType | None) -> bool:
    return str(kind) in ("string", "large_string", "string_view")


def _is_nested(kind: pa.DataType) -> bool:
    import pyarrow.types as types

    return types.is_nested(kind) or is_binary(kind) or types.is_fixed_size_binary(kind)


def is_binary(kind: pa.DataType) -> bool:
    return str(kind) in ("binary", "large_binary", "binary_view")


def note_unread(schema: pa.Schema, read: Collection[str]) -> tuple[str, ...]:
    """Notes of the columns that are not read; those whose name begins with two underscores are some tool's own."""
    left = [each for each in schema if each.name not in read and not each.name.startswith("__")]
    lists = [each.name for each in left if holds_pictures(_inside(each.type))]
    message = _("Lists of pictures in one row are not read: {names}. Write one picture a row.")
    several = (message.format(names=", ".join(lists)[:200]),) if lists else ()
    return unread([each.name for each in left if each.name not in lists]) + several


def holds_pictures(kind: pa.DataType | None) -> bool:
    """Whether it is the struct of `bytes` and `path` that `datasets` has for a picture."""
    import pyarrow.types as types

    return kind is not None and types.is_struct(kind) and {"bytes", "path"} <= {each.name for each in kind}


def needed(names: Sequence[str]) -> list[str]:
    """The columns that are used of plain ones: those with a role, and some more."""
    said = {names[place] for place in roles_of(names).values()}
    said |= {name for name in names if name.lower() in (*FILE, *CAPTION, *ID)}
    return [name for name in names if name in said] + [name for name in names if name not in said][:MOST_FIELDS]


def dim_of(columns: Columns, name: str) -> int:
    """The length of the first list of a column that has any; 0 where there is none."""
    every = (each for batch in columns.batches([name]) for each in batch[0])
    return next((len(each) for each in every if each.is_valid and len(each)), 0)


def dicts_of(batch: pa.RecordBatch, names: Sequence[str]) -> Iterator[dict]:
    """The rows of plain columns by their names; a text that many rows have is held once."""
    import pyarrow as pa

    def values(column: pa.Array) -> list:
        if isinstance(column, pa.DictionaryArray):
            words = column.dictionary.to_pylist()
            return [None if index is None else words[index] for index in column.indices.to_pylist()]
        return column.to_pylist()

    if not names:
        return iter([{} for _row in range(len(batch))])
    every = zip(*(values(batch[name]) for name in names), strict=True)
    return (dict(zip(names, row, strict=True)) for row in every)


def texts_of(columns: Columns, name: str) -> Iterator[str]:
    """What stands in a plain column; "" where nothing does."""
    every = (row[name] for batch in columns.batches([name]) for row in dicts_of(batch, [name]))
    return ("" if value is None else str(value) for value in every)


def vectors_of(column: pa.Array, dim: int) -> np.ndarray:
    """The rows `(n, dim)` of a column of lists, float32; NaN for one that is missing or of another length."""
    flat = column.flatten().to_numpy(zero_copy_only=False)
    if column.null_count == 0 and len(flat) == len(column) * dim and all(len(each) == dim for each in column):
        return np.asarray(flat, np.float32).reshape(-1, dim)
    rows = (each.as_py() for each in column)
    return np.array([row if row and len(row) == dim else [np.nan] * dim for row in rows], np.float32)


def rows_of(open: Open, name: str, wanted: Sequence[str] | None = None, report: Report = silent) -> Iterator[dict]:
    """The rows of a table without vectors by the names of its columns, of which those `wanted` are read.

    Raises
    ------
    InputError
        If it is damaged.
    """
    with readable(name), open() as file:
        columns, done = open_columns(file, name), 0
        names = plain(columns.schema)
        names = needed(names) if wanted is None else [each for each in names if each in wanted]
        for batch in columns.batches(names) if names else ():
            report(done / len(columns), _("Reading {name}").format(name=name))
            yield from dicts_of(batch, names)
            done += len(batch)


def read_rows(open: Open, name: str, report: Report = silent) -> Table:
    """The rows of a table without vectors, such as `metadata.parquet`.

    Raises
    ------
    InputError
        If it is damaged.
    """
    with readable(name), open() as file:
        schema = open_columns(file, name).schema
    names = needed(plain(schema))
    return Table.of(partial(_rows, open, name), report, note_unread(schema, names), column_of_ids(names))


def _rows(open: Open, name: str, report: Report) -> Iterator[Row]:
    rows = rows_of(open, name, None, report)
    first = next(rows, None)
    if first is None:
        return iter(())
    texts = [value if isinstance(value, str) else "" for value in first.values()]
    return table_rows([*first], chain([first], rows), texts)


def _check_names(names: Sequence[str]) -> None:
    check_columns(names)
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise InputError(_("Two columns are called {name!r}; call one otherwise.").format(name=twice[:40]))


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Raises an InputError for whatever pyarrow raises of a damaged file."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        message = _("{name!r} is no Parquet or Arrow file that can be read ({error}); write it as Parquet.")
        raise InputError(message.format(name=name, error=str(error)[:120])) from error


class Parquet:
    def __init__(self, file: Path | IO[bytes], name: str, size: int):
        import pyarrow.parquet as parquet

        self._name, self._size, whole = name, size, parquet.read_metadata(file)
        if whole.num_rows > max(_FEW, size):
            message = _("{name!r} says that it has {rows:,} rows in {size:,} bytes, which is not believed; split it.")
            raise InputError(message.format(name=name, rows=whole.num_rows, size=size))
        self.schema: pa.Schema = whole.schema.to_arrow_schema()
        _check_names(self.schema.names)
        texts = [each.name for each in self.schema if _is_text(each.type)]
        # A text that all rows have takes no more room than once; nothing is read before it is asked for.
        self._file = parquet.ParquetFile(
            file, metadata=whole, read_dictionary=texts, buffer_size=_BUFFER, pre_buffer=False
        )

    def __len__(self) -> int:
        return self._file.metadata.num_rows

    def values(self, name: str) -> int:
        """How many values a column has, those of its lists counted singly."""
        return sum(each.num_values for each in self._chunks([name]))

    def batches(self, names: Sequence[str], rows: int = _ROWS) -> Iterator[pa.RecordBatch]:
        """Fewer rows at a time where they are long."""
        unpacked = sum(each.total_uncompressed_size for each in self._chunks(names))
        check_unpacked(self._name, unpacked, self._size)
        if any(_dictionary(chunk) > _MOST_DICTIONARY for chunk in self._chunks(names)):
            message = _("{name!r} has row groups of more than {most} MB; write it with a smaller row_group_size.")
            raise InputError(message.format(name=self._name, most=_MOST_DICTIONARY // 10**6))
        each = max(1, unpacked // max(len(self), 1))
        return self._file.iter_batches(max(1, min(rows, (1 << 22) // each)), columns=[*names])

    def _chunks(self, names: Sequence[str]) -> Iterator:
        about = self._file.metadata
        for group in range(about.num_row_groups):
            for column in range(about.num_columns):
                chunk = about.row_group(group).column(column)
                if any(chunk.path_in_schema == name or chunk.path_in_schema.startswith(f"{name}.") for name in names):
                    yield chunk


def _dictionary(chunk: Any) -> float:
    """Bytes, about, of the dictionary of a column in a row group once unpacked, which is read as a whole: small row
    groups of pictures consist of nothing else.
    """
    if not chunk.has_dictionary_page or not chunk.dictionary_page_offset:
        return 0.0
    packed = chunk.data_page_offset - chunk.dictionary_page_offset
    return packed / max(chunk.total_compressed_size, 1) * chunk.total_uncompressed_size


class _Arrow:
    def __init__(self, file: IO[bytes], name: str, head: bytes):
        import pyarrow as pa

        # A file of its own is mapped; what lies in an archive was read, as a whole and not large.
        mapped = isinstance(file, io.BufferedReader)
        buffer = pa.memory_map(file.name).read_buffer() if mapped else pa.py_buffer(file.read())
        self._buffer = buffer.slice(len(_RANDOM_ACCESS)) if head == _RANDOM_ACCESS else buffer
        for message in pa.ipc.MessageReader.open_stream(self._buffer):
            if message.type != "schema" and _is_compressed(message.metadata.to_pybytes(), message.type):
                sentence = _("{name!r} is compressed Arrow; write it without compression, or as Parquet.")
                raise InputError(sentence.format(name=name))
        self.schema: pa.Schema = pa.ipc.open_stream(self._buffer).schema
        _check_names(self.schema.names)
        self._count = sum(batch.num_rows for batch in pa.ipc.open_stream(self._buffer))

    def __len__(self) -> int:
        return self._count

    def batches(self, names: Sequence[str], rows: int = _ROWS) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in pa.ipc.open_stream(self._buffer):
            some = batch.select([*names])
            some.validate(full=True)
            yield from (some.slice(start, rows) for start in range(0, some.num_rows, rows))


def _is_compressed(metadata: bytes, kind: str) -> bool:
    """Whether the header of a message says that its body is compressed; one that cannot be read counts as such."""
    try:
        (root,) = struct.unpack_from("<I", metadata)
        batch = _table(metadata, root, _HEADER)
        if kind == "dictionary" and batch:
            batch = _table(metadata, batch, _DATA)
        return not batch or bool(_place(metadata, batch, _COMPRESSION))
    except struct.error:
        return True


def _table(data: bytes, table: int, field: int) -> int:
    """Where a table in a field of another begins, 0 where there is none."""
    place = _place(data, table, field)
    return place + int(struct.unpack_from("<I", data, place)[0]) if place else 0


def _place(data: bytes, table: int, field: int) -> int:
    """Where a field of a flatbuffer's table stands, 0 where it has none."""
    listed = table - int(struct.unpack_from("<i", data, table)[0])
    (size,) = struct.unpack_from("<H", data, listed)
    entry = 4 + 2 * field
    offset = int(struct.unpack_from("<H", data, listed + entry)[0]) if entry < size else 0
    return table + offset if offset else 0
