"""ZIPs and tars, such as the shards of WebDataset: read where they lie, never unpacked.

An archive is, after a picture, the most dangerous thing a visitor can hand over: a name in it is never a path on this
machine, what it says of sizes is compared with what is there, and what is read of a ZIP is counted while it is read.
"""

from __future__ import annotations

import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from clipexplore.errors import InputError, in_words
from clipexplore.language import _, numeral
from clipexplore.reports import Report, silent
from clipexplore.sources.files import LOOK, MAX_FILE, Caps, Tree, is_ignored, within

_LISTED = 1_024  # bytes of a ZIP's list of files for each that it may hold; a name of 200 characters takes half of it
_MOST_HEADER = 1_000_000  # bytes, of a long name or a comment in a tar
_JAPANESE = re.compile("[\u3040-\u30ff]|[\u4e00-\u9fff]{2}")
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")


class Zip(Tree):
    """The files of a ZIP; its names are only names.

    Raises
    ------
    InputError
        If it is damaged, encrypted, larger than `caps`, or has a name that is absolute, leads upwards or is a link.
    """

    def __init__(self, file: Path, caps: Caps | None = None):
        self._caps, self._unpacked = caps or Caps(), 0
        with _unpacking(file.name):
            self._zip = open_zip(file, self._caps.entries)
            entries = self._zip.infolist()
        self._check(file, entries)
        files = (entry for entry in entries if not entry.is_dir())
        named = ((_name_of(entry).replace("\\", "/"), entry) for entry in files)  # as some programs for Windows write
        self._entries = {name: entry for name, entry in named if not any(map(is_ignored, PurePosixPath(name).parts))}
        self.names = sorted(self._entries)

    def _check(self, file: Path, entries: list[zipfile.ZipInfo]) -> None:
        name = _("The archive {name!r}").format(name=file.name)
        for entry in entries:
            if entry.flag_bits & 1:
                raise InputError(_("{name} is encrypted; make it again without a password.").format(name=name))
            if leads_out(entry.filename) or leads_out(_name_of(entry)) or stat.S_ISLNK(entry.external_attr >> 16):
                message = _("{name} holds {file!r}, which leads out of it; make it again with plain files only.")
                raise InputError(message.format(name=name, file=entry.filename[:80]))
        self._check_total(sum(entry.file_size for entry in entries), max(file.stat().st_size, 1), name)

    def _check_total(self, total: int, packed: int, name: str) -> None:
        if total > self._caps.total:
            raise self._too_large(name)
        if total > self._caps.ratio * packed:
            message = _("{name} unpacks to {times:,} times its size, and at most {most} are believed; make it again.")
            raise InputError(message.format(name=name, times=total // packed, most=self._caps.ratio))

    def read(self, name: str) -> bytes:
        if name.lower().endswith(_ARCHIVES):
            message = _("{name!r} is an archive inside an archive, which is not opened; unpack it first.")
            raise InputError(message.format(name=name))
        with _unpacking(name), self._zip.open(self._entries[name]) as file:
            data = file.read(MAX_FILE + 1)  # whatever the entry says of its size
        self._unpacked += len(data)
        if self._unpacked > 2 * self._caps.total:  # a picture is read at most twice, a table some times
            raise self._too_large(_("The archive"))
        return within(data, name)

    def _too_large(self, name: str) -> InputError:
        message = _("{name} unpacks to more than {most:,} MB, the most that is read; split it.")
        return InputError(message.format(name=name, most=self._caps.total // 10**6))


class Tar(Tree):
    """The files of a tar that is not compressed, which is itself a file of a tree.

    Raises
    ------
    InputError
        If it is damaged, compressed, or has more files than `caps` allow, two files of one name, or a name that leads
        out of it.
    """

    def __init__(self, tree: Tree, name: str, caps: Caps, report: Report = silent):
        self._tree, self._name, self._places = tree, name, dict[str, tuple[int, int]]()
        title = PurePosixPath(name).name
        with tree.open(name) as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            try:
                archive = tarfile.TarFile(fileobj=Guarded(file, _MOST_HEADER))
                while (entry := archive.next()) is not None:
                    archive.members = []  # type: ignore[attr-defined] # they would be kept, a kilobyte each
                    self._note(entry, size, caps)
                    if len(self._places) % LOOK == 0:
                        message = _("Looking through {name}: {count:,} files")
                        report(archive.offset / size, message.format(name=title, count=len(self._places)))
            except (tarfile.TarError, OverflowError, ValueError, OSError) as error:
                if isinstance(error, InputError):
                    raise
                message = _("{name!r} is no tar that can be read: it is damaged or compressed; unpack it first.")
                raise InputError(message.format(name=title)) from error
        self.names = sorted(self._places)

    def _note(self, entry: tarfile.TarInfo, size: int, caps: Caps) -> None:
        """Takes a file into the list."""
        name, archive = entry.name.removeprefix("./"), PurePosixPath(self._name).name
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
        return self.reader(name)()

    def reader(self, name: str) -> Callable[[], bytes]:
        return partial(_part, self._tree, self._name, name, *self._places[name])


class FolderOfTars(Tree):
    """A folder whose tars are read as folders of the same name."""

    def __init__(self, folder: Tree, caps: Caps, report: Report = silent):
        self._trees: dict[str, tuple[Tree, str]] = {}
        for name in folder.names:
            if name.lower().endswith(".tar"):
                tar = Tar(folder, name, caps, report)
                self._trees |= {f"{name}/{inside}": (tar, inside) for inside in tar.names}
            else:
                self._trees[name] = folder, name
        self.names = sorted(self._trees)

    def read(self, name: str) -> bytes:
        tree, inside = self._trees[name]
        return tree.read(inside)

    def open(self, name: str) -> IO[bytes]:
        tree, inside = self._trees[name]
        return tree.open(inside)

    def reader(self, name: str) -> Callable[[], bytes]:
        tree, inside = self._trees[name]
        return tree.reader(inside)


class Guarded:
    """A file whose reading is refused where more than `most` bytes are asked for at once, until that is None."""

    most: int | None

    def __init__(self, file: IO[bytes], most: int):
        self._file, self.most = file, most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        if self.most is not None and size > self.most:
            raise OverflowError
        return self._file.read(size)


def open_zip(path: Path, most: int) -> zipfile.ZipFile:
    """A ZIP of at most so many files; a longer list of them is not even read.

    Raises
    ------
    InputError
        If it holds more.
    """
    file: Any = Guarded(open(path, "rb"), most * _LISTED)  # noqa: SIM115 – as long as the archive
    try:
        archive = zipfile.ZipFile(file)  # which reads the list first of all, as a whole
    except OverflowError:
        archive = None
    file.most = None
    if archive is None or len(archive.infolist()) > most:
        count = numeral(len(archive.infolist()), ",") if archive else _("very many")
        message = _("The archive {name!r} holds {count} files, and at most {most:,} are read; split it.")
        raise InputError(message.format(name=path.name, count=count, most=most))
    return archive


def _name_of(entry: zipfile.ZipInfo) -> str:
    """The name of a file in a ZIP; where its encoding is not said, UTF-8 or Japanese if it reads so."""
    if entry.flag_bits & 0x800 or entry.filename.isascii():
        return entry.filename
    raw = entry.filename.encode("cp437")  # which zipfile has taken it for
    with suppress(UnicodeDecodeError):
        return raw.decode()
    with suppress(UnicodeDecodeError):
        if _JAPANESE.search(name := raw.decode("cp932")):
            return name
    return entry.filename


def _unpacking(name: str) -> AbstractContextManager[None]:
    return in_words(_("{name!r} cannot be unpacked: it is damaged or of an unknown kind; make it again."), name=name)


def _part(tree: Tree, archive: str, name: str, start: int, size: int) -> bytes:
    """A file that is a part of another."""
    return within(tree.part(archive, start, min(size, MAX_FILE + 1)), name)


def leads_out(name: str) -> bool:
    """Whether a name would be a path to elsewhere on any system, unpacked by somebody less careful."""
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name
