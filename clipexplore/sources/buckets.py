"""Files behind an address, such as `s3://bucket/photos`: whatever fsspec reads, object stores and web servers too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from clipexplore.errors import InputError, MissingError, NetworkError
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.sources.files import MAX_FILE, Caps, Tree, is_ignored, within


class Bucket(Tree):
    """The files below an address, without hidden ones; or the one that it names.

    Attributes
    ----------
    alone
        Whether it names a file.

    Raises
    ------
    InputError
        If nothing is there, it cannot be read, or there are more files than `caps` allow.
    """

    def __init__(self, address: str, caps: Caps, report: Report = silent):
        from fsspec.core import url_to_fs

        report(0.0, _("Looking through {name}").format(name=address))
        with _in_words(address):
            self._files, root = url_to_fs(address)
            self._files.invalidate_cache()  # what was there the last time
            found = self._files.find(root)
        self.alone = found == [root]
        self._root, _slash, name = root.rpartition("/") if self.alone else (root.rstrip("/"), "", "")
        names = (path.removeprefix(self._root).lstrip("/") for path in found)
        shown = sorted(name for name in names if name and not any(map(is_ignored, PurePosixPath(name).parts)))
        self.names = [name] if self.alone else shown
        if not found:
            raise MissingError(_("There is nothing at {address!r}; check the address.").format(address=address))
        if len(self.names) > caps.entries:
            message = _("{archive!r} holds more than {most:,} files, the most that are read; split it.")
            raise InputError(message.format(archive=address, most=caps.entries))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "names": []}  # a file is read by its name alone

    def beside(self, caps: Caps, report: Report = silent) -> Bucket:
        """All files of the folder in which the one lies."""
        return Bucket(self._files.unstrip_protocol(self._root), caps, report)

    def read(self, name: str) -> bytes:
        with _in_words(name):
            return within(self._files.cat_file(self._path(name), end=MAX_FILE + 1), name)

    def open(self, name: str) -> IO[bytes]:
        with _in_words(name):
            return self._files.open(self._path(name), "rb")

    def part(self, name: str, start: int, size: int) -> bytes:
        with _in_words(name):
            return self._files.cat_file(self._path(name), start=start, end=start + size)

    def copy(self, name: str, path: Path) -> None:
        with _in_words(name):
            self._files.get_file(self._path(name), str(path))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


@contextmanager
def _in_words(name: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except ImportError as error:
        message = _("{address!r} is read by a package that is not installed ({reason}); install it.")
        raise InputError(message.format(address=name, reason=error)) from error
    except FileNotFoundError as error:
        raise MissingError(_("There is nothing at {address!r}; check the address.").format(address=name)) from error
    except Exception as error:  # noqa: BLE001 – each store has errors of its own
        message = _("{address!r} cannot be read ({reason}); check the address and who may read there.")
        raise NetworkError(message.format(address=name, reason=str(error) or type(error).__name__)) from error
