"""Named files to read pictures and captions from: a folder, or a ZIP that is never unpacked.

Separate because a ZIP is, after a picture, the most dangerous thing a visitor can hand over: its caps stand here, a name
in it is never a path on this machine, and what is read of it is counted while it is read.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from clipexplore.errors import InputError

MAX_FILE = 20_000_000  # bytes; a picture may not be larger anyway
_IGNORED = ("__MACOSX", ".", "Thumbs.db", "desktop.ini")  # what systems leave in folders
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True)
class Caps:
    """What a ZIP may hold: entries, bytes in all once unpacked, and how many times larger that may be than the file."""

    entries: int = 2_000
    total: int = 500_000_000
    ratio: int = 200


OPERATOR = Caps(entries=1_000_000, total=1_000_000_000_000)  # for a ZIP that lies on the server already


class Tree(Protocol):
    """Files by name: a relative path with slashes, in sorted order."""

    names: list[str]

    def read(self, name: str) -> bytes:
        """The content of a file; InputError if it is too large or cannot be read."""


class Folder:
    """The files of a folder and its subfolders; hidden ones are left out, and links that lead out of it are not followed.

    Raises
    ------
    InputError
        If there is no such folder, or it cannot be read.
    """

    def __init__(self, root: Path):
        if not root.is_dir():
            raise InputError(f"The folder {str(root)!r} does not exist; check its path.")
        self._root = root.resolve()
        self.names = sorted(self._walk())

    def _walk(self) -> Iterator[str]:
        for folder, below, files in os.walk(self._root):
            below[:] = [name for name in below if not _is_ignored(name)]
            inside = PurePosixPath(Path(folder).relative_to(self._root).as_posix())
            yield from (str(inside / name) for name in files if not _is_ignored(name))

    def read(self, name: str) -> bytes:
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root):
            raise InputError(f"{name!r} lies outside of the folder; copy it there.")
        try:
            with open(path, "rb") as file:
                data = file.read(MAX_FILE + 1)
        except OSError as error:
            raise InputError(f"{name!r} cannot be read ({error.strerror}); check its permissions.") from error
        return _within(data, name)


class Archive:
    """The files of a ZIP; its names are only names.

    Raises
    ------
    InputError
        If it is damaged, encrypted, holds more than `caps` allow, or a name that is absolute, leads upwards or is a link.
    """

    def __init__(self, file: Path, caps: Caps | None = None):
        self._caps, self._unpacked = caps or Caps(), 0
        with _as_input_errors(file.name):
            self._zip = zipfile.ZipFile(file)
            entries = self._zip.infolist()
        self._check(file, entries)
        found = (entry for entry in entries if not entry.is_dir() and not any(map(_is_ignored, PurePosixPath(entry.filename).parts)))
        self._entries = {entry.filename: entry for entry in found}
        self.names = sorted(self._entries)

    def _check(self, file: Path, entries: list[zipfile.ZipInfo]) -> None:
        caps, name = self._caps, f"The archive {file.name!r}"
        if len(entries) > caps.entries:
            raise InputError(f"{name} holds {len(entries):,} files, and at most {caps.entries:,} are read; split it.")
        for entry in entries:
            if entry.flag_bits & 1:
                raise InputError(f"{name} is encrypted; make it again without a password.")
            if _leads_out(entry.filename) or stat.S_ISLNK(entry.external_attr >> 16):
                raise InputError(f"{name} holds {entry.filename[:80]!r}, which leads out of it; make it again with plain files only.")
        self._check_total(sum(entry.file_size for entry in entries), max(file.stat().st_size, 1), name)

    def _check_total(self, total: int, packed: int, name: str) -> None:
        if total > self._caps.total:
            raise InputError(f"{name} unpacks to more than {self._caps.total // 10**6:,} MB, the most that is read; split it.")
        if total > self._caps.ratio * packed:
            raise InputError(f"{name} unpacks to {total // packed:,} times its size, and at most {self._caps.ratio} are believed; make it again.")

    def read(self, name: str) -> bytes:
        if name.lower().endswith(_ARCHIVES):
            raise InputError(f"{name!r} is an archive inside an archive, which is not opened; unpack it first.")
        with _as_input_errors(name), self._zip.open(self._entries[name]) as file:
            data = file.read(MAX_FILE + 1)  # whatever the entry says of its size
        self._unpacked += len(data)
        if self._unpacked > 2 * self._caps.total:  # each file is read at most twice
            raise InputError(f"The archive unpacks to more than {self._caps.total // 10**6:,} MB, the most that is read; split it.")
        return _within(data, name)


@contextmanager
def _as_input_errors(name: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 – a damaged archive raises anything, from BadZipFile to zlib.error and struct.error
        raise InputError(f"{name!r} cannot be unpacked: it is damaged or of an unknown kind; make it again.") from error


def _within(data: bytes, name: str) -> bytes:
    if len(data) > MAX_FILE:
        raise InputError(f"{name!r} is larger than {MAX_FILE // 10**6} MB, the most that can be opened; make it smaller.")
    return data


def _is_ignored(part: str) -> bool:
    return part.startswith(_IGNORED)


def _leads_out(name: str) -> bool:
    """Whether a name would be a path to elsewhere on any system, unpacked by somebody less careful."""
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name
