"""Which collections there are and who sees them: bundled, shared on this server, or of one session.

A session's collections are called `my-…`, others never are, so a link says by itself whose a collection is. What is
deleted can be had back for a day.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from clipexplore.errors import InputError, NoRoomError, no_room
from clipexplore.language import _
from clipexplore.models import catalog
from clipexplore.paths import bytes_of
from clipexplore.settings import first_there, settings
from clipexplore.store.bin import clear_out, place_of, thrown_away
from clipexplore.store.database import FILE, facts_of
from clipexplore.store.published import MANIFEST, parsed
from clipexplore.store.repair import adopt
from clipexplore.store.stored import Stored

WORLD = "emoji-world"  # the bundled collection that all examples are of
BANKS = ("words", "background")  # bundled texts that serve all others and are not explored themselves
NOTE = "import.json"  # in the folder of a collection whose import is not done
OWN = "my-"  # before the name of a session's collection
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
        Whether an import was stopped.
    bare
        Whether of its pictures there are only vectors.
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
    unfinished: bool
    bare: bool = False


def folders(owner: str | None = None) -> dict[str, Path]:
    """The folder of each collection there is for everybody, and for one session, by the name that links use."""
    roots = [settings().assets / "collections", shared_folder(), *([session_folder(owner)] if owner else [])]
    return {folder.name: folder for root in roots for folder in sorted(root.glob("*")) if exists(folder)}


def explorable(there: Mapping[str, Path]) -> dict[str, str]:
    """What each of some `folders` that can be explored is, by name, the default first: all but word bank and
    background.
    """
    manifests = {
        name: manifest
        for name, folder in there.items()
        if name not in BANKS and (manifest := manifest_of(folder)) and manifest.get("counts", {}).get("items", 1)
    }
    names = sorted(manifests, key=lambda name: (name != WORLD, name))
    return {name: manifests[name].get("description") or manifests[name]["title"] for name in names}


def brings_unnamed(there: Mapping[str, Path]) -> bool:
    """Whether one of some `folders` has vectors of a model that the catalogue does not name."""
    manifests = map(manifest_of, there.values())
    return any({*(each or {}).get("models", ())} - {*catalog.models()} for each in manifests)


def shelf(owner: str | None = None) -> list[Shelved]:
    """The collections that can be explored, bundled ones first, each kind by title, without damaged manifests."""
    found = [_shelved(name, folder) for name, folder in folders(owner).items() if name not in BANKS]
    order = ("bundled", "shared", "own")
    return sorted(filter(None, found), key=lambda each: (order.index(each.of), each.title.lower(), each.name))


def shared_folder() -> Path:
    return settings().home / "collections"


def session_folder(owner: str) -> Path:
    """Where a session keeps its collections.

    Raises
    ------
    InputError
        For what is no session's name, which is never taken for a path.
    """
    if not _OWNER.fullmatch(owner):
        raise InputError(_("This session has no name of its own; reload the page."))
    return settings().home / "sessions" / owner


def new_folder(title: str, owner: str | None = None) -> Path:
    """An empty folder for a new collection, shared or of a session; its name is made of the title.

    It is made here, so that no other thread or process gets it too.

    Raises
    ------
    InputError
        For a title without a letter or digit.
    NoRoomError
        If the disk refuses.
    """
    stem = OWN + plain_name(title) if owner else plain_name(title)
    root, taken = session_folder(owner) if owner else shared_folder(), {*folders(owner), *BANKS}
    name, number = stem, 1
    while name in taken or not _is_made(root / name):
        number += 1
        name = f"{stem}-{number}"
    return root / name


def _is_made(folder: Path) -> bool:
    """Makes a folder; whether it was not there."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    except OSError as error:
        raise no_room(folder.parent, error) from error
    return True


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
        message = _("The name {title!r} has no letter from a to z and no digit; choose another.")
        raise InputError(message.format(title=title))
    return plain


def rename(folder: Path, title: str) -> None:
    """Gives a collection another title; its name stays, and with it all links."""
    if not title.strip():
        raise InputError(_("A collection needs a name; type one."))
    adopt(folder)
    with closing(Stored.open(folder)) as store:
        store.say(title=title.strip()[:80])


def share(folder: Path) -> Path:
    """Moves a session's collection to those that everybody on this server sees; gives its new folder."""
    adopt(folder)
    with closing(Stored.open(folder)) as store:
        place = new_folder(store.facts["title"])
        store.say(name=place.name)
    if os.name != "posix":  # where nothing takes the place even of an empty folder
        place.rmdir()
    folder.rename(place)
    return place


def deleted(owner: str | None = None) -> dict[str, Path]:
    """What was deleted and can be had back for a day, by its name: the shared ones, and those of a session."""
    roots = [shared_folder(), *([session_folder(owner)] if owner else [])]
    return {place_of(waiting).name: waiting for root in roots for waiting in thrown_away(root)}


def binned(owner: str, shared: Collection[str] = ()) -> int:
    """The bytes of what a session deleted and can have back: its own, and the shared collections of these names."""
    theirs = (waiting for waiting in thrown_away(shared_folder()) if place_of(waiting).name in shared)
    return sum(map(bytes_of, [*thrown_away(session_folder(owner)), *theirs]))


def check_free(more: int) -> None:
    """Raises a NoRoomError where, with so many bytes more, a visitor would fill the server's disk."""
    if shutil.disk_usage(first_there(settings().home)).free < settings().free_megabytes * 10**6 + more:
        message = _("The server's disk is nearly full, so it takes no more files; tell who runs the server.")
        raise NoRoomError(message)


def discard_empty(folder: Path) -> None:
    """Removes the folder of a collection into which nothing came, with everything that was put beside it."""
    if (folder / FILE).exists():
        with closing(Stored.open(folder)) as store:
            if store.rows():
                return
    shutil.rmtree(folder, ignore_errors=True)


def forget_sessions(present: Collection[str] = ()) -> int:
    """Bins what sessions made that nobody has used for a day, and counts them; a day later it is gone for good.

    Nobody could come back to it, those who are `present` apart.
    """
    root = settings().home / "sessions"
    sessions = (each for each in root.glob("*") if _OWNER.fullmatch(each.name) and each.name not in present)
    return clear_out(root, sessions, days=1)


def exists(folder: Path) -> bool:
    """Whether a folder holds a collection."""
    return (folder / FILE).exists() or (folder / MANIFEST).exists()


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """What is said of a collection, whole or not; None where it cannot be read at all."""
    for path in (folder / FILE, folder / MANIFEST):
        with suppress(OSError):
            about = path.stat()
            return _manifest(path, about.st_mtime_ns, about.st_size)
    return None


def version_of(folder: Path) -> str:
    """A text that is another one whenever what a collection shows has changed."""
    if (folder / FILE).exists():
        facts = manifest_of(folder) or {}
        return f"{facts.get('version')} {facts.get('title')} {facts.get('models')}"
    return str((folder / MANIFEST).stat().st_mtime_ns)


def _shelved(name: str, folder: Path) -> Shelved | None:
    bundled, shared = folder.is_relative_to(settings().assets), folder.parent == shared_folder()
    facts = manifest_of(folder) or {}
    try:
        counts = facts["counts"]
        waiting = sum(facts.get("parts", {}).values()) > counts["items"] or bool(facts.get("pending"))
        return Shelved(
            name,
            facts["title"],
            facts.get("description", ""),
            "bundled" if bundled else "shared" if shared else "own",
            folder,
            counts["items"],
            counts["pictures"],
            bytes_of(folder),
            tuple(key for key, each in facts["models"].items() if each.get("digests", True)),
            waiting or (folder / NOTE).exists(),
            bool(facts.get("bare")),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


@lru_cache(maxsize=512)
def _manifest(path: Path, modified: int, size: int) -> dict[str, Any] | None:
    """What was said at that time."""
    found = facts_of(path.parent) if path.name == FILE else parsed(path)
    return found if found and isinstance(found.get("title"), str) else None
