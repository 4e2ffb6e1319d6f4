"""Which collections there are and who sees them: the bundled ones, those shared on this server, and those of one session.

Separate because it decides what a visitor may see and change, and looks into no collection for it. A session's collections are
called `my-…`, others never are, so a link says by itself whose a collection is. What is deleted can be had back for a day.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from clipexplore.collections.storage import MANIFEST, Store
from clipexplore.errors import InputError
from clipexplore.settings import settings

BANKS = ("words", "background")  # bundled texts that serve all others and are not explored themselves
OWN = "my-"  # before the name of a session's collection
UNDO_SECONDS = 24 * 3600
SESSION_SECONDS = 24 * 3600  # after which nobody can come back to what a session made
_OWNER = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Shelved:
    """One collection as the shelf shows it.

    Attributes
    ----------
    name
        That of links; unique among all that one visitor sees.
    of
        "bundled", "shared" or "own".
    items, pictures, bytes
        Counts, and the size of all its files.
    models
        Those that have embedded it.
    unfinished
        Rows that were imported and are not in use yet: an import was stopped.
    """

    name: str
    title: str
    description: str
    of: str
    folder: Path
    items: int
    pictures: int
    bytes: int
    models: tuple[str, ...]
    unfinished: int


def folders(owner: str | None = None) -> dict[str, Path]:
    """The folder of each collection there is for everybody, and for one session, by the name that links use."""
    roots = [settings().assets / "collections", shared_folder(), *([own_folder(owner)] if owner else [])]
    return {path.parent.name: path.parent for root in roots for path in sorted(root.glob(f"*/{MANIFEST}"))}


def shelf(owner: str | None = None) -> list[Shelved]:
    """The collections that can be explored, the bundled ones first, each kind in the order of their titles; damaged manifests are left out."""
    found = [_shelved(name, folder) for name, folder in folders(owner).items() if name not in BANKS]
    order = ("bundled", "shared", "own")
    return sorted(filter(None, found), key=lambda each: (order.index(each.of), each.title.lower(), each.name))


def shared_folder() -> Path:
    return settings().home / "collections"


def own_folder(owner: str) -> Path:
    """Where a session keeps its collections.

    Raises
    ------
    InputError
        For what is no session's name, which is never taken for a path.
    """
    if not _OWNER.fullmatch(owner):
        raise InputError("This session has no name of its own; reload the page.")
    return settings().home / "sessions" / owner


def new_folder(title: str, owner: str | None = None) -> Path:
    """The folder for a new collection, shared or of a session; its name, made of the title, is one that nobody has.

    Raises
    ------
    InputError
        For a title without a letter or digit.
    """
    stem = OWN + plain_name(title) if owner else plain_name(title)
    root, taken = own_folder(owner) if owner else shared_folder(), {*folders(owner), *BANKS}
    name = next(name for name in [stem, *(f"{stem}-{number}" for number in range(2, 10_000))] if name not in taken and not (root / name).exists())
    return root / name


def plain_name(title: str) -> str:
    """The name that a shared collection of that title has in links, if nobody has it yet.

    Raises
    ------
    InputError
        For a title without a letter or digit.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:50]
    while plain.startswith(OWN):
        plain = plain.removeprefix(OWN)
    if not plain:
        raise InputError(f"The name {title!r} has no letter from a to z and no digit; choose another.")
    return plain


def rename(folder: Path, title: str) -> None:
    """Gives a collection another title; its name stays, and with it all links."""
    if not title.strip():
        raise InputError("A collection needs a name; type one.")
    store = Store.open(folder)
    store.commit({**store.manifest, "title": title.strip()[:80]}, {})


def share(folder: Path) -> Path:
    """Moves a session's collection to those that everybody on this server sees; gives its new folder."""
    store = Store.open(folder)
    place = new_folder(store.manifest["title"])
    place.parent.mkdir(parents=True, exist_ok=True)
    store.commit({**store.manifest, "name": place.name}, {})
    folder.rename(place)
    return place


def delete(folder: Path) -> Path:
    """Takes a collection from the shelf; for a day `undelete` brings it back. Gives where it waits."""
    waiting = folder.parent / ".deleted" / f"{int(time.time())}-{folder.name}"
    waiting.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(waiting)
    return waiting


def deleted(owner: str | None = None) -> dict[str, Path]:
    """What can be had back, by its name: the shared ones, and those of a session. What has waited longer than a day is gone."""
    found = {}
    for root in [shared_folder(), *([own_folder(owner)] if owner else [])]:
        for path in sorted((root / ".deleted").glob("*")):
            when, _, name = path.name.partition("-")
            if when.isdigit() and time.time() - int(when) > UNDO_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
            elif when.isdigit():
                found[name] = path
    return found


def undelete(waiting: Path) -> Path:
    """Puts a deleted collection back on its shelf.

    Raises
    ------
    InputError
        If another has its name by now, or its day is over.
    """
    place = waiting.parent.parent / waiting.name.partition("-")[2]
    if place.exists():
        raise InputError(f"There is another collection {place.name!r} by now; delete or rename it first.")
    if not waiting.is_dir():
        raise InputError("The day in which it could be had back is over.")
    waiting.rename(place)
    return place


def forget_sessions() -> int:
    """Deletes what sessions made that nobody has touched for a day, and counts them; nobody could come back to them."""
    old = [path for path in (settings().home / "sessions").glob("*") if time.time() - _touched(path) > SESSION_SECONDS]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return len(old)


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def manifest_of(folder: Path) -> dict | None:
    """What the manifest of a collection says, whole or not; None where it cannot be read at all."""
    try:
        found = _manifest(folder / MANIFEST, os.stat(folder / MANIFEST).st_mtime_ns)
        return found if isinstance(found.get("title"), str) else None
    except (OSError, ValueError, AttributeError):
        return None


def _touched(folder: Path) -> float:
    return max((path.stat().st_mtime for path in (folder, *folder.glob("*"), *folder.glob(f"*/{MANIFEST}"))), default=0.0)


def _shelved(name: str, folder: Path) -> Shelved | None:
    try:
        manifest = manifest_of(folder)
        total = sum(entry["size"] for entry in manifest["files"].values())
        counts, waiting = manifest["counts"], sum(manifest.get("parts", {}).values())
        unfinished = max(0, waiting - counts["items"]) or int((folder / "import.json").exists())
        of = "bundled" if folder.is_relative_to(settings().assets) else "shared" if folder.parent == shared_folder() else "own"
        return Shelved(name, manifest["title"], manifest.get("description", ""), of, folder, counts["items"], counts["pictures"], total, tuple(manifest["models"]), unfinished)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


@lru_cache(maxsize=512)
def _manifest(path: Path, modified: int) -> dict:
    """A manifest as it was at that time."""
    return json.loads(path.read_bytes())
