"""Time by which things grow old: it only goes forward, and never far at once, whatever the machine's clock says.

What nobody uses is deleted after days. A clock that is set wrong must not make them pass: while the program runs,
they are counted by the monotonic clock, and between two runs at most a day passes.
"""

import math
import os
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from clipexplore.paths import write_whole
from clipexplore.settings import settings

DAY = 24 * 3600.0
_EVERY = 60.0  # seconds between two notes


class Calendar:
    """Seconds since 1970 as they have been lived through; any thread may ask.

    Parameters
    ----------
    path
        Where the time is noted, so that the next run goes on from it.
    """

    def __init__(self, path: Path):
        self._path, self._lock = path, threading.Lock()
        noted = self._read()
        begin = time.time() if noted is None else min(max(time.time(), noted), noted + DAY)
        self._offset = begin - time.monotonic()
        self._noted = -_EVERY

    def now(self) -> float:
        """The time, in seconds since 1970 if the clock was never set wrong."""
        with self._lock:
            uptime = time.monotonic()
            if uptime - self._noted >= _EVERY:
                self._noted = uptime
                self._write(self._offset + uptime)
            return self._offset + uptime

    def age(self, path: Path) -> float:
        """Seconds since a file or folder was last `used`, or written; 0 for one that is not there any more."""
        try:
            return max(0.0, self.now() - path.stat().st_mtime)
        except OSError:
            return 0.0

    def use(self, path: Path) -> None:
        """Notes that a file or folder is used now."""
        try:
            os.utime(path, (self.now(), self.now()))
        except OSError:  # it is gone, or the disk is read-only and nothing is ever deleted
            return

    def _read(self) -> float | None:
        try:
            seconds = float(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return seconds if math.isfinite(seconds) else None

    def _write(self, seconds: float) -> None:
        with suppress(OSError):
            write_whole(self._path, f"{seconds:.0f}".encode())


def calendar() -> Calendar:
    """That of the data directory."""
    return _calendar(settings().home / "calendar")


_calendar = cache(Calendar)
