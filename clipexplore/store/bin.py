"""What is thrown away waits for a day in a bin beside where it lay, and can be put back until then."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.paths import delete
from clipexplore.store.calendar import DAY, calendar

_BIN, _OLD_BIN = ".deleted", "bin"  # the latter in earlier versions, of what nobody had used


def throw_away(path: Path) -> Path:
    """Moves a file or folder to the bin beside it; gives where it waits.

    Raises
    ------
    OSError
        Where the disk refuses.
    """
    when = int(calendar().now())
    while (waiting := path.parent / _BIN / f"{when}-{path.name}").exists():
        when += 1
    waiting.parent.mkdir(exist_ok=True)
    return path.rename(waiting)


def put_back(waiting: Path) -> Path:
    """Puts a collection from the bin back where it lay, and gives that place.

    Raises
    ------
    InputError
        If another has its name by now, or its day is over.
    """
    place = place_of(waiting)
    if place.exists():
        message = _("There is another collection {name!r} by now; delete or rename it first.")
        raise InputError(message.format(name=place.name))
    if not waiting.is_dir():
        raise InputError(_("The day in which it could be had back is over."))
    return waiting.rename(place)


def place_of(waiting: Path) -> Path:
    """Where something in a bin lay before."""
    return waiting.parent.parent / waiting.name.partition("-")[2]


def thrown_away(folder: Path) -> list[Path]:
    """What waits in the bin of a folder, the oldest first; what has had its day there goes for good."""
    waiting = [path for path in sorted((folder / _BIN).glob("*-*")) if path.name.partition("-")[0].isdecimal()]
    for path in waiting:
        if calendar().now() - int(path.name.partition("-")[0]) > DAY:
            delete(path)
    return [path for path in waiting if path.exists()]


def clear_out(folder: Path, things: Iterable[Path], days: float) -> int:
    """Throws away those things in a folder that nobody has used for so many days, 0 for ever, and counts them.

    Raises
    ------
    OSError
        Where the disk refuses.
    """
    thrown_away(folder)
    old, moved = [path for path in things if days and calendar().age(path) > days * DAY], 0
    for path in [*folder.glob(_OLD_BIN), *old]:
        with suppress(FileNotFoundError):  # another process of this home did
            throw_away(path)
            moved += path in old
    return moved
