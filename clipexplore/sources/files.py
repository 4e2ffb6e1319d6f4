"""Named files to read pictures and captions from, and the files of a folder."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.reports import Report, silent

MAX_FILE = 20_000_000  # bytes; a picture may not be larger anyway
_POINTER = b"version https://git-lfs."
_IGNORED = ("__MACOSX", ".", "Thumbs.db", "desktop.ini")  # what systems leave in folders
MULTIPLE, _BELIEVED = 4, 64_000_000  # of its size that a file of vectors unpacks to; bytes that any may unpack to
LOOK = 256  # files between two looks at whether to go on


@dataclass(frozen=True)
class Caps:
    """What a ZIP may hold: entries, bytes in all once unpacked, and how many times larger that may be than the file."""

    entries: int = 2_000
    total: int = 500_000_000
    ratio: int = 200


OPERATOR = Caps(entries=1_000_000, total=1_000_000_000_000)  # for a ZIP that lies on the server already


class Tree:
    """Files by name: a relative path with slashes, in sorted order."""

    names: list[str]

    def read(self, name: str) -> bytes:
        """The content of a file; InputError if it is too large or cannot be read."""
        raise NotImplementedError

    def open(self, name: str) -> IO[bytes]:
        """A file from its beginning, of any size where it lies by itself; else as `read`."""
        return io.BytesIO(self.read(name))

    def part(self, name: str, start: int, size: int) -> bytes:
        """Some bytes of a file."""
        with self.open(name) as file:
            file.seek(start)
            return file.read(size)

    def copy(self, name: str, path: Path) -> None:
        """Puts a file elsewhere, on this machine."""
        path.write_bytes(self.read(name))

    def reader(self, name: str) -> Callable[[], bytes]:
        """What reads a file; pickled, in another process too, unless that would have to open an archive anew."""
        return partial(self.read, name)


class Alone(Tree):
    """One file, by its own name."""

    def __init__(self, path: Path):
        self._path, self.names = path, [path.name]

    def open(self, name: str) -> IO[bytes]:
        return open(self._path, "rb")

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return within(file.read(MAX_FILE + 1), name)


class Folder(Tree):
    """The files of a folder and its subfolders; without hidden ones and links that lead out of it.

    Parameters
    ----------
    report
        Called while the folder is looked through.

    Raises
    ------
    InputError
        If there is no such folder, or it cannot be read.
    """

    def __init__(self, root: Path, report: Report = silent):
        if not root.is_dir():
            raise InputError(_("The folder {name!r} does not exist; check its path.").format(name=str(root)))
        self._root = root.resolve()
        self.names = []
        for name in self._walk():
            if len(self.names) % LOOK == 0:
                report(0.0, _("Looking through the folder: {count:,} files").format(count=len(self.names)))
            self.names.append(name)
        self.names.sort()

    def _walk(self) -> Iterator[str]:
        for folder, below, files in os.walk(self._root):
            below[:] = [name for name in below if not is_ignored(name)]
            inside = PurePosixPath(Path(folder).relative_to(self._root).as_posix())
            yield from (str(inside / name) for name in files if not is_ignored(name))

    def path(self, name: str) -> Path:
        """Where a file lies.

        Raises
        ------
        InputError
            If that is outside of the folder, or it is no file.
        """
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root):
            raise InputError(_("{name!r} lies outside of the folder; copy it there.").format(name=name))
        try:
            check_regular(path, name)
        except OSError as error:
            raise _unreadable(name, error) from error
        return path

    def open(self, name: str) -> IO[bytes]:
        try:
            return open(self.path(name), "rb")
        except OSError as error:
            raise _unreadable(name, error) from error

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return within(file.read(MAX_FILE + 1), name)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "names": []}  # a file is read by its name alone


def opened(path: Path) -> Callable[[], IO[bytes]]:
    """What opens a file from its beginning; whoever asks closes it."""
    return lambda: open(path, "rb")


def check_here(open: Callable[[], IO[bytes]], name: str) -> None:
    """Raises an InputError for what stands in the place of a file where Git has not fetched it yet."""
    with open() as file:
        _check_head(file.read(len(_POINTER)), name)


def _check_head(data: bytes, name: str) -> None:
    if data.startswith(_POINTER):
        raise InputError(_("{name!r} stands for a file that was not fetched; call: git lfs pull").format(name=name))


def within(data: bytes, name: str) -> bytes:
    """The content of a file, unless it is larger than any may be, or not here."""
    _check_head(data, name)
    if len(data) > MAX_FILE:
        message = _("{name!r} is larger than {most} MB, the most that can be opened; make it smaller.")
        raise InputError(message.format(name=name, most=MAX_FILE // 10**6))
    return data


def check_regular(path: Path, name: str) -> None:
    """Raises an InputError for what is there and no file: reading a pipe, a socket or a device may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        message = _("{name!r} is no file but a pipe, a socket, a device or a folder; leave it out.")
        raise InputError(message.format(name=name))


def check_unpacked(name: str, unpacked: int, packed: int) -> None:
    """Refuses what says that it unpacks to more than a multiple of its size, before it is read."""
    if unpacked > max(MULTIPLE * packed, _BELIEVED):
        message = _(
            "{name!r} unpacks to {unpacked:,} MB, and at most {multiple} times its size are read; save it again."
        )
        raise InputError(message.format(name=name, unpacked=unpacked // 10**6, multiple=MULTIPLE))


def is_ignored(part: str) -> bool:
    return part.startswith(_IGNORED)


def _unreadable(name: str, error: OSError) -> InputError:
    message = _("{name!r} cannot be read ({reason}); check its permissions.")
    return InputError(message.format(name=name, reason=error.strerror))
