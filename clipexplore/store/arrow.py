"""Columns of Arrow files, which `datasets` writes to the disk: a stream of batches, mapped and not read.

A compressed batch would unpack to whatever it says as a whole, so it is refused by its header. Source:
arrow.apache.org/docs/format/Columnar.html, "IPC Streaming Format" and "Compression" (Message.fbs: RecordBatch).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.store.captions import check_columns

if TYPE_CHECKING:
    import pyarrow as pa

_RANDOM_ACCESS, _CONTINUED = b"ARROW1\0\0", b"\xff\xff\xff\xff"
# Fields by their number: the header of a message, the data of a dictionary, the compression of a batch.
_HEADER, _DATA, _COMPRESSION = 2, 1, 3


def is_arrow(file: IO[bytes], *beginnings: bytes) -> bool:
    """Whether a file begins as a stream of Arrow does, or as an Arrow file, which has one inside."""
    file.seek(0)
    head = file.read(8)
    file.seek(0)
    return head.startswith(beginnings or (_RANDOM_ACCESS, _CONTINUED))


class ArrowColumns:
    """The columns of an Arrow file, as `parquet.Columns`.

    Attributes
    ----------
    plain
        The names of those of single values, without binary ones.
    """

    def __init__(self, file: IO[bytes], name: str):
        import pyarrow as pa
        import pyarrow.types as types

        self._name, arrow = name, is_arrow(file, _RANDOM_ACCESS)
        # A file of its own is mapped; what lies in an archive was read, as a whole and not large.
        mapped = isinstance(file, io.BufferedReader)
        buffer = pa.memory_map(file.name).read_buffer() if mapped else pa.py_buffer(file.read())
        self._buffer = buffer.slice(len(_RANDOM_ACCESS)) if arrow else buffer
        for message in pa.ipc.MessageReader.open_stream(self._buffer):
            if message.type != "schema" and _is_compressed(message.metadata.to_pybytes(), message.type):
                message = _("{name!r} is compressed Arrow; write it without compression, or as Parquet.")
                raise InputError(message.format(name=name))
        self.schema: pa.Schema = pa.ipc.open_stream(self._buffer).schema
        check_columns(self.schema.names)
        others = (types.is_nested, types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
        self.plain = [each.name for each in self.schema if not any(is_one(each.type) for is_one in others)]
        self._count = sum(batch.num_rows for batch in pa.ipc.open_stream(self._buffer))

    def __len__(self) -> int:
        return self._count

    def dim(self, name: str) -> int:
        """The length of the first list of a column; 0 where there is none."""
        for batch in self.batches([name], 1):
            first = batch[name][0]
            return len(first) if first.is_valid else 0
        return 0

    def batches(self, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Columns, so many rows at a time."""
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
