"""Threads that end before their process does: those of lanes and batchers."""

import atexit
import weakref
from time import monotonic
from typing import Any

_PATIENCE = 30.0  # seconds for threads to end in: what runs may be loading a model
#: What `close_all` closes, by its method `close(timeout)`.
closed_with_process: "weakref.WeakSet[Any]" = weakref.WeakSet()


@atexit.register  # a thread that the interpreter ends by force while it is inside torch aborts the process
def close_all() -> None:
    """Cancel everything on every lane and end all threads, before the process ends; takes at most half a minute."""
    ending = [*closed_with_process]
    for one in ending:
        one.close(0)
    end = monotonic() + _PATIENCE
    for one in ending:
        one.close(max(0.0, end - monotonic()))
