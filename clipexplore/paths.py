"""Files: where those are that ship with the library (`app.py`, `pages/`, `assets/`, `locale/` and `.streamlit/`), and
how one is written that is whole at every moment.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from threading import get_ident

_INSTALLED = Path(__file__).parent / "bundle"

#: The folder that holds them: the checkout, or `clipexplore/bundle` where installed (see pyproject.toml).
BUNDLE = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[1]


def is_address(path: object) -> bool:
    """Whether it names a place that fsspec reads, such as `s3://bucket/photos`, and no path of this machine."""
    return "://" in str(path)


def write_whole(path: Path, data: bytes, lasting: bool = False) -> None:
    """Writes a file, which is the one before until it is this one, whatever happens and whoever else writes it.

    Parameters
    ----------
    lasting
        Whether it is on the disk when this returns, and not only in its cache.

    Raises
    ------
    OSError
        Where the disk refuses; then nothing has changed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if lasting:
        sync(path.parent)


def delete(path: Path) -> None:
    """Deletes a file, or a folder with all that is in it; what the disk refuses to delete stays."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def bytes_of(folder: Path) -> int:
    """Those of all files below a folder, 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def sync(folder: Path) -> None:
    """Makes a new name in a folder outlast a power failure."""
    if os.name == "posix":  # elsewhere a folder cannot be opened, nor needs to be
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
