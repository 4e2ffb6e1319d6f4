"""Tar archives, such as the shards of WebDataset: read where they lie, never unpacked.

The names in one are only names, and what it says of sizes is compared with what is there before any of it is read.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.store.files import MAX_FILE, Caps, Folder, Guarded, Tree, is_ignored, leads_out

_MOST_HEADER = 1_000_000  # bytes, of a long name or a comment
_LOOK = 256  # files between two looks at whether to go on


class Tar:
    """The files of a tar that is not compressed.

    Raises
    ------
    InputError
        If it is damaged, compressed, or has more files than `caps` allow, two files of one name, or a name that leads
        out of it.
    """

    def __init__(self, path: Path, caps: Caps, report: Report = silent):
        self._path, self._places = path, dict[str, tuple[int, int]]()
        size = path.stat().st_size
        with Guarded(path) as file:
            file.most = _MOST_HEADER
            try:
                archive = tarfile.TarFile(fileobj=file)
                while (entry := archive.next()) is not None:
                    archive.members = []  # type: ignore[attr-defined] # they would be kept, a kilobyte each
                    self._note(entry, size, caps)
                    if len(self._places) % _LOOK == 0:
                        message = _("Looking through {name}: {count:,} files")
                        report(archive.offset / size, message.format(name=path.name, count=len(self._places)))
            except (tarfile.TarError, OverflowError, ValueError, OSError) as error:
                if isinstance(error, InputError):
                    raise
                message = _("{name!r} is no tar that can be read: it is damaged or compressed; unpack it first.")
                raise InputError(message.format(name=path.name)) from error
        self.names = sorted(self._places)

    def _note(self, entry: tarfile.TarInfo, size: int, caps: Caps) -> None:
        """Takes a file into the list."""
        name, archive = entry.name.removeprefix("./"), self._path.name
        if leads_out(name) or not (entry.isreg() or entry.isdir()) or entry.issparse():
            message = _("{archive!r} holds {name!r}, which is no plain file inside it; make it again.")
            raise InputError(message.format(archive=archive, name=name[:80]))
        if entry.isdir() or any(map(is_ignored, PurePosixPath(name).parts)):
            return
        if name in self._places:
            message = _("{archive!r} holds {name!r} twice, so it is not clear what belongs together; make it again.")
            raise InputError(message.format(archive=archive, name=name[:80]))
        if entry.offset_data + entry.size > size:
            message = _("{archive!r} ends before its file {name!r} does; copy it again.")
            raise InputError(message.format(archive=archive, name=name[:80]))
        if len(self._places) >= caps.entries:
            message = _("{archive!r} holds more than {most:,} files, the most that are read; split it.")
            raise InputError(message.format(archive=archive, most=caps.entries))
        self._places[name] = entry.offset_data, entry.size

    def read(self, name: str) -> bytes:
        start, size = self._places[name]
        if size > MAX_FILE:
            message = _("{name!r} is larger than {most} MB, the most that can be opened; make it smaller.")
            raise InputError(message.format(name=name, most=MAX_FILE // 10**6))
        with open(self._path, "rb") as file:
            file.seek(start)
            return file.read(size)

    def open(self, name: str) -> IO[bytes]:
        return io.BytesIO(self.read(name))


class Shards:
    """A folder whose tars are read as folders of the same name."""

    def __init__(self, folder: Folder, caps: Caps, report: Report = silent):
        self._trees: dict[str, tuple[Tree, str]] = {}
        for name in folder.names:
            if name.lower().endswith(".tar"):
                shard = Tar(folder.path(name), caps, report)
                self._trees |= {f"{name}/{inside}": (shard, inside) for inside in shard.names}
            else:
                self._trees[name] = folder, name
        self.names = sorted(self._trees)

    def read(self, name: str) -> bytes:
        tree, inside = self._trees[name]
        return tree.read(inside)

    def open(self, name: str) -> IO[bytes]:
        tree, inside = self._trees[name]
        return tree.open(inside)
