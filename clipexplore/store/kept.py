"""Pictures that visitors keep on this server, so that a link with their ids works for others.

One whose link nobody has opened for as many days as the settings say goes to a bin, and a day later for good. Until
then the operator can put it back.
"""

import logging
import re
from pathlib import Path

from clipexplore.errors import NoRoomError
from clipexplore.language import _
from clipexplore.paths import write_whole
from clipexplore.settings import settings
from clipexplore.store.calendar import DAY, calendar

_ID = re.compile(r"up-[0-9a-z]{1,64}")
log = logging.getLogger(__name__)


def kept_folder() -> Path:
    """Where they lie."""
    return settings().home / "uploads"


def keep(id: str, picture: bytes) -> None:
    """Writes an encoded picture; it is on the disk when this returns.

    Raises
    ------
    NoRoomError
        When the disk refuses.
    """
    path = kept_folder() / f"{id}.webp"
    try:
        write_whole(path, picture, lasting=True)
    except OSError as error:
        message = _(
            "The picture @{id} was not kept: the server's disk refused it ({reason}); tell who runs the server."
        )
        raise NoRoomError(message.format(id=id, reason=error.strerror)) from error
    calendar().use(path)


def load(id: str) -> bytes | None:
    """The encoded picture of an id, whose days begin again; None where none is kept."""
    if not _ID.fullmatch(id):
        return None
    forget()
    path = kept_folder() / f"{id}.webp"
    try:
        picture = path.read_bytes()
    except OSError:
        return None
    calendar().use(path)
    return picture


def forget() -> int:
    """Moves what nobody has asked for in time to the bin, and counts it; where the disk refuses, all stays."""
    days, folder = settings().kept_days, kept_folder()
    old = [path for path in folder.glob("*.webp") if days and calendar().age(path) > days * DAY]
    try:
        return calendar().put_away(old, folder / "bin")
    except OSError as error:
        log.warning("old kept pictures stay, because the disk refuses (%s)", error.strerror)
        return 0
