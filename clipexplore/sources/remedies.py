"""What to do with files of kinds that are not read."""

from __future__ import annotations

from pathlib import PurePosixPath

from clipexplore.images import suffixes
from clipexplore.language import _

_PROGRAMS = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib", ".kv")
_ARRAYS = (".h5", ".hdf5", ".mat", ".vec", ".tfrecord")
_TABLES = (".xlsx", ".xls", ".ods", ".feather", ".orc", ".avro", ".lance", ".duckdb", ".db", ".sqlite", ".sqlite3")
_PACKED = (".7z", ".rar", ".gz", ".tgz", ".bz2", ".xz", ".zst")


def remedy(name: str) -> str:
    """What to do with a file that is not read, by its ending; "" where nothing is known of it."""
    name = PurePosixPath(name).name
    for kinds, message in (
        (
            _PROGRAMS,
            _("{name!r} may run programs, so it is not opened; save its vectors as .safetensors or .npz."),
        ),
        (_ARRAYS, _("{name!r} is not read; save its vectors as .npz, with the arrays vectors, id and caption.")),
        (_TABLES, _("{name!r} is not read; write its rows as Parquet or CSV.")),
        (_PACKED, _("{name!r} is compressed in a way that is not read; unpack it, or make a ZIP of it.")),
        (suffixes(), _("{name!r} is one picture; give the folder that it lies in.")),
        ((".heic", ".heif"), _("{name!r} is read after: pip install pillow-heif")),
    ):
        if name.lower().endswith(kinds):
            return message.format(name=name)
    return ""
