"""Columns of Parquet files: their sizes are checked, then only those that are needed are read, some rows at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.store.captions import (
    CAPTION,
    FILE,
    ID,
    MOST_FIELDS,
    Open,
    Row,
    Table,
    check_columns,
    roles_of,
    table_rows,
)
from clipexplore.store.files import check_unpacked

if TYPE_CHECKING:
    import pyarrow as pa

_BUFFER = 1 << 20  # bytes of a column that are read together
_ROWS = 4_096
_MOST_DICTIONARY = 120_000_000  # bytes
_FEW = 100_000  # rows that any file may have; a larger one has no more than bytes, as every other table


class Columns:
    """The columns of a Parquet file.

    Attributes
    ----------
    schema
        Of all columns.
    nested, plain
        The names of those of lists, and of those of single values, without binary ones.
    """

    def __init__(self, file: Path | IO[bytes], name: str, size: int):
        import pyarrow.parquet as parquet
        import pyarrow.types as types

        self._name, self._size, whole = name, size, parquet.read_metadata(file)
        if whole.num_rows > max(_FEW, size):
            message = _("{name!r} says that it has {rows:,} rows in {size:,} bytes, which is not believed; split it.")
            raise InputError(message.format(name=name, rows=whole.num_rows, size=size))
        self.schema: pa.Schema = whole.schema.to_arrow_schema()
        fields = [*self.schema]
        check_columns([each.name for each in fields])
        lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
        self.nested = [each.name for each in fields if any(is_one(each.type) for is_one in lists)]
        others = (types.is_nested, types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
        self.plain = [each.name for each in fields if not any(is_one(each.type) for is_one in others)]
        texts = [each.name for each in fields if types.is_string(each.type) or types.is_large_string(each.type)]
        # A text that all rows have takes no more room than once; nothing is read before it is asked for.
        self._file = parquet.ParquetFile(
            file, metadata=whole, read_dictionary=texts, buffer_size=_BUFFER, pre_buffer=False
        )

    def __len__(self) -> int:
        return self._file.metadata.num_rows

    def dim(self, name: str) -> int:
        """The length of the first list of a column; 0 where there is none."""
        first = next(self.batches([name], 1), [[None]])[0][0]
        return len(first) if first is not None and first.is_valid else 0

    def values(self, name: str) -> int:
        """How many values a column has, those of its lists counted singly."""
        return sum(each.num_values for each in self._chunks([name]))

    def batches(self, names: Sequence[str], rows: int = _ROWS) -> Iterator[pa.RecordBatch]:
        """Columns, at most so many rows at a time, fewer where rows are long.

        Raises
        ------
        InputError
            If they unpack to many times the size of the file, or a part that is read as a whole is too large.
        """
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


def values_of(column: pa.Array) -> list:
    """The values of a column of single ones."""
    import pyarrow as pa

    if isinstance(column, pa.DictionaryArray):
        words = column.dictionary.to_pylist()
        return [None if index is None else words[index] for index in column.indices.to_pylist()]
    return column.to_pylist()


def read_rows(open: Open, name: str, report: Report = silent) -> Table:
    """The rows of a table without vectors, such as `metadata.parquet`.

    Raises
    ------
    InputError
        If it is damaged.
    """
    return Table.of(partial(_rows, open, name), report)


def rows_of(open: Open, name: str, wanted: Sequence[str] | None = None, report: Report = silent) -> Iterator[dict]:
    """The rows of a table without vectors by the names of its columns, of which those `wanted` are read.

    Raises
    ------
    InputError
        If it is damaged.
    """
    with readable(name), open() as file:
        size = file.seek(0, io.SEEK_END)
        columns = Columns(file, name, size)
        names = [each for each in columns.plain if wanted is None or each in wanted]
        yield from _values(columns, needed(names) if wanted is None else names, name, report)


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Raises an InputError for whatever pyarrow raises of a damaged file."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        message = _("{name!r} is no Parquet or Arrow file that can be read ({error}); write it again.")
        raise InputError(message.format(name=name, error=str(error)[:120])) from error


def needed(plain: Sequence[str]) -> list[str]:
    """The columns that are used: those with a role, and some more."""
    said = {plain[place] for place in roles_of(plain).values()}
    said |= {name for name in plain if name.lower() in (*FILE, *CAPTION, *ID)}
    return [*said, *[name for name in plain if name not in said][:MOST_FIELDS]]


def _rows(open: Open, name: str, report: Report) -> Iterator[Row]:
    with readable(name), open() as file:
        names = needed(Columns(file, name, file.seek(0, io.SEEK_END)).plain)
    yield from table_rows(names, rows_of(open, name, None, report))


def _values(columns: Columns, names: Sequence[str], name: str, report: Report) -> Iterator[dict]:
    done = 0
    if not names:
        return
    for batch in columns.batches(names):
        report(done / len(columns), _("Reading {name}").format(name=name))
        told = [values_of(batch[each]) for each in names]
        yield from (dict(zip(names, row, strict=True)) for row in zip(*told, strict=True))
        done += len(batch)
