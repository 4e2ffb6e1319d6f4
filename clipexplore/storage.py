"""A folder of files that is whole at every moment, whatever is killed or however full the disk.

Separate because the promise has nothing to do with what the files hold. Files are never changed in place: a new one is
written beside the old one, flushed, and takes its name; last of all the manifest does, which lists every file that
counts with its size and checksum. What the manifest does not list does not exist.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from clipexplore.errors import InputError

MANIFEST = "manifest.json"
SCHEMA = 1


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
    def create(cls, folder: Path, manifest: dict, files: Mapping[str, bytes]) -> Store:
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

    def commit(self, manifest: dict, files: Mapping[str, bytes]) -> None:
        """Replaces the manifest, and with it adds `files` and drops the files that `manifest["files"]` leaves out.

        A file that is replaced is first withdrawn, so that a kill at any moment leaves the old content, none or the
        new one, and never a file under the other one's description.

        Raises
        ------
        InputError
            If the disk refuses; what the store lists is still whole.
        """
        kept = {name: entry for name, entry in manifest["files"].items() if name not in files}
        listed = {**kept, **{name: _entry(data) for name, data in files.items()}}
        before = self.manifest["files"]
        try:
            staged = {name: _stage(self.folder / name, data) for name, data in files.items()}
            if before.keys() & files.keys():
                self._publish({**manifest, "files": kept})
            for name, path in staged.items():
                _put(path, self.folder / name)
            self._publish({**manifest, "files": listed})
            for name in before.keys() - listed.keys():
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            reason = error.strerror or error
            remedy = "make room or choose another folder; what was stored there before is whole"
            raise InputError(f"Cannot write to {self.folder}: {reason}; {remedy}.") from error
        finally:
            for name in (*files, MANIFEST):
                _staged(self.folder / name).unlink(missing_ok=True)

    def damage(self, what: str) -> InputError:
        """The error that says what is wrong with these files, for the caller to raise."""
        return InputError(f"The files in {self.folder} are damaged: {what}; restore the folder or make it again.")

    def _publish(self, manifest: dict) -> None:
        path = self.folder / MANIFEST
        text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
        _put(_stage(path, text.encode()), path)
        self.manifest = manifest


def _read_manifest(folder: Path) -> dict:
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"There is nothing to open in {folder}: it has no {MANIFEST}; check the path.")
    try:
        manifest = json.loads(path.read_bytes())
        whole = all(entry.keys() == {"size", "blake2b"} for entry in manifest["files"].values())
        schema = manifest["schema"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        whole, schema = False, SCHEMA
    if schema != SCHEMA:
        raise InputError(f"{path} is of schema {schema}, and this version reads {SCHEMA}; update the program.")
    if not whole:
        raise Store(folder, {}).damage(f"{MANIFEST} cannot be understood")
    return manifest


def _entry(data: bytes) -> dict:
    return {"size": len(data), "blake2b": hashlib.blake2b(data, digest_size=16).hexdigest()}


def _staged(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def _stage(path: Path, data: bytes) -> Path:
    """A complete copy of the data beside `path`, on the disk and not only in its cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(_staged(path), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return _staged(path)


def _put(staged: Path, path: Path) -> None:
    """Gives the staged file its name, for good."""
    os.replace(staged, path)
    if os.name == "posix":  # elsewhere a folder cannot be opened, nor needs to be
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
