"""A folder of files that is whole at every moment, whatever is killed or however full the disk.

Separate because the promise has nothing to do with what the files hold. Files are never changed in place: a new one is
written beside the old one, flushed, and takes its name; last of all the manifest does, which lists every file that
counts with its size and checksum. What the manifest does not list does not exist. A copy of the manifest stands beside
it, so that what is left of a damaged folder can be found again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from clipexplore.errors import InputError

MANIFEST, COPY, ASIDE, LOCK = "manifest.json", "manifest.copy.json", "damaged", ".lock"
SCHEMA = 1
_CHUNK = 1 << 22  # bytes that are hashed at a time

Content = bytes | Iterable[bytes]  # of a file: in one piece, or in several that need not be in memory together


class Store:
    """A folder and its manifest. Any number of threads may read; one at a time may write.

    Attributes
    ----------
    folder
        Where it is.
    manifest
        What `manifest.json` says: `schema`, `files` ({name: {"size": bytes, "blake2b": hex}}) and what the owner adds.
    """

    def __init__(self, folder: Path, manifest: dict):
        self.folder, self.manifest = folder, manifest
        self._checked: dict[str, str] = {}  # the checksum that a file was found to have

    @classmethod
    def open(cls, folder: Path) -> Store:
        """The store in a folder; every listed file is there and of its size.

        Raises
        ------
        InputError
            If there is none, if it is of another schema, or damaged.
        """
        store = cls(folder, _read_manifest(folder))
        for name, entry in store.manifest["files"].items():
            path = folder / name
            if not path.is_file():
                raise store.damage(f"{name} is missing")
            if path.stat().st_size != entry["size"]:
                raise store.damage(f"{name} has {path.stat().st_size} bytes instead of {entry['size']}")
        return store

    @classmethod
    def create(cls, folder: Path, manifest: dict, files: Mapping[str, Content]) -> Store:
        """A new store with these files.

        Raises
        ------
        InputError
            If the folder holds a store, or the disk refuses.
        """
        if (folder / MANIFEST).exists():
            raise InputError(f"There is something in {folder} already; choose another folder or delete it first.")
        store = cls(folder, {"schema": SCHEMA, **manifest, "files": {}})
        store.commit(store.manifest, files)
        return store

    @classmethod
    def salvage(cls, folder: Path) -> tuple[Store, list[str]]:
        """What is whole in a folder, as a store, and the names of the files that were damaged or gone.

        Damaged files are moved to `damaged/` in the folder; nothing is thrown away.

        Raises
        ------
        InputError
            If neither the manifest nor its copy can be understood, or the disk refuses.
        """
        try:
            store, lost = cls(folder, _read_manifest(folder)), []
        except InputError:
            store, lost = cls(folder, _read_manifest(folder, COPY)), [MANIFEST]
        lost += [name for name in store.manifest["files"] if not store.is_whole(name)]
        if lost:
            for name in lost:
                _set_aside(folder, name)
            whole = {name: entry for name, entry in store.manifest["files"].items() if name not in lost}
            store.commit({**store.manifest, "files": whole}, {})
        return store, lost

    def read(self, name: str) -> bytes:
        """The content of a listed file, which is that of the checksum.

        Raises
        ------
        InputError
            If the file is not what the manifest says.
        """
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise self.damage(f"{name} cannot be read ({error.strerror})") from error
        if _entry(data) != self.manifest["files"][name]:
            raise self.damage(f"{name} is not what was stored")
        return data

    def path(self, name: str) -> Path:
        """Where a listed file is, to be mapped instead of read; its checksum is compared the first time.

        Raises
        ------
        InputError
            If the file is not what the manifest says.
        """
        checksum = self.manifest["files"][name]["blake2b"]
        if self._checked.get(name) != checksum:
            if not self.is_whole(name):
                raise self.damage(f"{name} is not what was stored")
            self._checked[name] = checksum
        return self.folder / name

    def is_whole(self, name: str) -> bool:
        """Whether a listed file is there and has its checksum; reads it to its end."""
        try:
            with open(self.folder / name, "rb") as file:
                found = _hash(iter(lambda: file.read(_CHUNK), b""))
        except OSError:
            return False
        return found == self.manifest["files"][name]

    def commit(self, manifest: dict, files: Mapping[str, Content]) -> None:
        """Replaces the manifest, and with it adds `files` and drops the files that `manifest["files"]` leaves out.

        A file that is replaced is first withdrawn, so that a kill at any moment leaves the old content, none or the
        new one, and never a file under the other one's description.

        Raises
        ------
        InputError
            If the disk refuses; what the store lists is still whole. If somebody else has written since this was opened.
        """
        self._check_unchanged()
        kept = {name: entry for name, entry in manifest["files"].items() if name not in files}
        before = self.manifest["files"]
        try:
            listed = {**kept, **{name: _stage(self.folder / name, content) for name, content in files.items()}}
            if before.keys() & files.keys():
                self._publish({**manifest, "files": kept})
            for name in files:
                _put(self.folder / name)
            self._publish({**manifest, "files": listed})
            for name in before.keys() - listed.keys():
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            reason = error.strerror or error
            remedy = "make room or choose another folder; what was stored there before is whole"
            raise InputError(f"Cannot write to {self.folder}: {reason}; {remedy}.") from error
        finally:
            for name in (*files, MANIFEST, COPY):
                _staged(self.folder / name).unlink(missing_ok=True)
            with suppress(InputError):
                self.manifest = _read_manifest(self.folder)

    def _check_unchanged(self) -> None:
        """Refuses to write what would undo another writer's work."""
        current = self.manifest
        with suppress(InputError):  # a damaged manifest is replaced
            current = _read_manifest(self.folder)
        if current != self.manifest:
            raise InputError(f"What is in {self.folder} has changed meanwhile; open it again.")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keeps other processes from writing meanwhile.

        Raises
        ------
        InputError
            If one does already.
        """
        try:
            import fcntl
        except ImportError:  # Windows, where nothing of the kind outlives a killed process as surely
            yield
            return
        with open(self.folder / LOCK, "wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise InputError(f"{self.folder} is being written by another process; wait until it is done.") from error
            yield

    def damage(self, what: str) -> InputError:
        """The error that says what is wrong with these files, for the caller to raise."""
        return Damage(f"The files in {self.folder} are damaged: {what}; restore the folder or make it again.")

    def _publish(self, manifest: dict) -> None:
        text = json.dumps({**manifest, "check": _check(manifest)}, indent=1, ensure_ascii=False) + "\n"
        for name in (MANIFEST, COPY):
            _stage(self.folder / name, text.encode())
            _put(self.folder / name)
            self.manifest = manifest


class Damage(InputError):
    """Files are not what was stored; `Store.salvage` finds what is whole."""


def _read_manifest(folder: Path, name: str = MANIFEST) -> dict:
    path = folder / name
    if not path.is_file():
        raise InputError(f"There is nothing to open in {folder}: it has no {name}; check the path.")
    try:
        manifest = json.loads(path.read_bytes())
        whole = all(entry.keys() == {"size", "blake2b"} for entry in manifest["files"].values())
        schema, check = manifest["schema"], manifest.pop("check", None)
        whole = whole and check in (None, _check(manifest))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        whole, schema = False, SCHEMA
    if schema != SCHEMA:
        raise InputError(f"{path} is of schema {schema}, and this version reads {SCHEMA}; update the program.")
    if not whole:
        raise Store(folder, {}).damage(f"{name} cannot be understood")
    return manifest


def _check(manifest: dict) -> str:
    """The checksum of all that a manifest says."""
    return _entry(json.dumps(manifest, sort_keys=True).encode())["blake2b"]


def _set_aside(folder: Path, name: str) -> None:
    """Moves a file into `damaged/`, beside what is there under its name already."""
    if not (folder / name).is_file():
        return
    place, number = folder / ASIDE / name, 1
    while place.exists():
        place, number = folder / ASIDE / f"{name}.{number}", number + 1
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(folder / name, place)


def _entry(data: bytes) -> dict:
    return _hash([data])


def _hash(chunks: Iterable[bytes]) -> dict:
    """Size and checksum of what the chunks make together."""
    checksum, size = hashlib.blake2b(digest_size=16), 0
    for chunk in chunks:
        checksum.update(chunk)
        size += len(chunk)
    return {"size": size, "blake2b": checksum.hexdigest()}


def _staged(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def _stage(path: Path, content: Content) -> dict:
    """Writes a complete copy beside `path`, on the disk and not only in its cache; gives its size and checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(_staged(path), "wb") as file:
        entry = _hash(_written(file, [content] if isinstance(content, bytes) else content))
        file.flush()
        os.fsync(file.fileno())
    return entry


def _written(file, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        file.write(chunk)
        yield chunk


def _put(path: Path) -> None:
    """Gives the staged file its name, for good."""
    os.replace(_staged(path), path)
    if os.name == "posix":  # elsewhere a folder cannot be opened, nor needs to be
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
