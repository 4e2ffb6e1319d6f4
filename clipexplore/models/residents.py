"""Loading models: by one thread at a time, what is damaged told in one sentence, and one copy of each for all
visitors, of which the least recently used is unloaded before memory runs out.
"""

from __future__ import annotations

import importlib
import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

from clipexplore.errors import DamagedError, OutOfMemoryError, in_words
from clipexplore.language import _
from clipexplore.models.devices import (
    default_device,
    default_dtype,
    free_memory,
    give_back_memory,
    if_memory_suffices,
    is_out_of_memory,
)
from clipexplore.models.revisions import header_of

log = logging.getLogger(__name__)
T = TypeVar("T")
Load = TypeVar("Load", bound=Callable)
SPARE = 0.3  # of what a model needs is kept free beside it, for what it computes
_turn = threading.RLock()


def one_at_a_time(*names: str) -> Callable[[Load], Load]:
    """For a function that loads a model by some libraries, which are imported first.

    They were not written for two threads. `transformers` and `diffusers` put another object in their own place in
    `sys.modules` when their import ends: a thread that imports from them meanwhile waits, and then looks for its names
    in the object before. And while `diffusers` makes a model, what any other thread makes has no numbers.
    """

    def alone(load: Load) -> Load:
        @wraps(load)
        def loaded(*args, **kwargs):  # type: ignore[no-untyped-def]
            with _turn:
                for name in names:
                    importlib.import_module(name)
                return load(*args, **kwargs)

        return loaded  # type: ignore[return-value]

    return alone


#: `in_words` around what reads a model; memory that runs out says nothing of its files.
or_damaged = partial(in_words, kind=DamagedError, but=is_out_of_memory)


class Residents:
    """Loaded things by key; any thread may ask. Two that ask for the same wait for one load.

    Parameters
    ----------
    free
        The bytes that can still be taken; by default on the device that models run on.
    """

    def __init__(self, free: Callable[[], int] | None = None):
        self._free = free or (lambda: free_memory(default_device()))
        self._held: OrderedDict[Hashable, Any] = OrderedDict()  # the last used at the end
        self._lock, self._loading = threading.Lock(), threading.RLock()

    def get(self, key: Hashable, load: Callable[[], T], needs: Callable[[], int] = int) -> T:
        """The thing under that key, loaded by `load` if it is not in memory.

        Parameters
        ----------
        needs
            Gives the bytes it will take; called only when it is loaded.

        Raises
        ------
        OutOfMemoryError
            If there is no room even with everything else unloaded; and whatever `load` raises.
        """
        held: T | None
        if (held := self.find(key)) is not None:
            return held
        with self._loading:
            if (held := self.find(key)) is not None:
                return held
            self._make_room(needs())
            made = if_memory_suffices(load)
            if made is None:  # other programs take some too meanwhile
                raise OutOfMemoryError(
                    _("There is too little memory to load this model; close other programs or choose a smaller model.")
                )
            with self._lock:
                self._held[key] = made
            return made

    def find(self, key: Hashable) -> Any:
        """The thing loaded under that key, which counts as used now; None if there is none."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def keys(self) -> list[Hashable]:
        """What is loaded, the least recently used first."""
        with self._lock:
            return list(self._held)

    def drop(self, key: Hashable) -> None:
        """Unloads one; whoever is using it keeps it until done."""
        with self._lock:
            self._held.pop(key, None)
        give_back_memory()

    def _make_room(self, needs: int) -> None:
        wanted = needs * (1 + SPARE)
        while wanted and self._free() < wanted:
            with self._lock:
                oldest = next(iter(self._held), None)
            if oldest is None:
                raise OutOfMemoryError(
                    _(
                        "This model needs about {needs:.1f} GB of memory and {free:.1f} GB are free; close other "
                        "programs or choose a smaller model."
                    ).format(needs=wanted / 1e9, free=self._free() / 1e9)
                )
            log.info("unloading %s to make room for %.1f GB", oldest, wanted / 1e9)
            self.drop(oldest)


def size_of(folder: Path) -> int:
    """The bytes that the weights in a folder take when loaded: as many numbers as its files name, each as wide as this
    machine computes, whatever the files hold.
    """
    files = [*folder.glob("*.safetensors"), *folder.glob("*/*.safetensors")]
    wide = default_dtype(default_device(), sum(path.stat().st_size for path in files)).itemsize
    return wide * sum(map(_count_numbers, files))


def _count_numbers(path: Path) -> int:
    """How many numbers a file of safetensors holds, by its header; none where that is damaged, which loading tells."""
    try:
        header, _start = header_of(path)
        return sum(math.prod(about["shape"]) for name, about in header.items() if name != "__metadata__")
    except (ValueError, TypeError, LookupError, AttributeError):
        return 0


residents = Residents()
