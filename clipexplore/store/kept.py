"""The pictures that visitors bring: named by content, held by their session, kept on this server only on request.

`@up-3fa9…` in an expression is such a picture; in another session the same link finds it only if it was kept. One whose
link nobody has opened for as many days as the settings say goes to a bin, and a day later for good. Until then the
operator can put it back.
"""

import logging
import re
from pathlib import Path

from clipexplore.errors import NoRoomError
from clipexplore.images import open_picture, picture_id, small_copy
from clipexplore.language import _
from clipexplore.paths import write_whole
from clipexplore.settings import settings
from clipexplore.store.bin import clear_out
from clipexplore.store.calendar import calendar

_ID = re.compile(r"up-[0-9a-z]{1,64}")
log = logging.getLogger(__name__)


class Uploads(dict[str, bytes]):
    """A session's pictures by id, encoded; one that was kept is looked for on the server when it is not among them."""

    def __contains__(self, id: object) -> bool:
        if not super().__contains__(id) and isinstance(id, str) and (small := load(id)) is not None:
            open_picture(small)  # a damaged one is told
            self[id] = small
        return super().__contains__(id)

    def add(self, data: bytes, most: float) -> str:
        """Takes in a picture and gives its id; the same content twice is one picture.

        Raises
        ------
        InputError
            For what is no picture, and where there are as many as there may be at `most`.
        """
        id = picture_id(data)
        if not super().__contains__(id):
            if len(self) >= most:
                message = _(
                    "This session holds {most} uploaded pictures, the most it may; reload the page to start again."
                )
                raise NoRoomError(message.format(most=most))
            self[id] = small_copy(data)  # what could be kept, so that a link shows others the same numbers
        return id


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
    folder = kept_folder()
    try:
        return clear_out(folder, folder.glob("*.webp"), settings().kept_days)
    except OSError as error:
        log.warning("old kept pictures stay, because the disk refuses (%s)", error.strerror)
        return 0
