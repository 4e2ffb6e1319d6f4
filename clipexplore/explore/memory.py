"""What another part of a page or another visitor asks for again: the last things used, and results by content."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import update_wrapper
from inspect import signature
from typing import Any, Generic, TypeVar

from clipexplore.space import Space

T = TypeVar("T")


class Recent(Generic[T]):
    """Things by key, of which the longest unused go first; any thread may ask.

    Parameters
    ----------
    most
        How large all may be together; the last one stays however large it is.
    size
        How large one is; by default they are counted.
    """

    def __init__(self, most: int, size: Callable[[T], int] = lambda thing: 1):
        self._most, self._size, self._lock = most, size, threading.Lock()
        self._held: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """What is held under a key, which counts as used now."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: Hashable, thing: T) -> None:
        with self._lock:
            self._held[key] = thing
            while len(self._held) > 1 and sum(map(self._size, self._held.values())) > self._most:
                self._held.popitem(last=False)

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._held


class Remembered(Generic[T]):
    """A `function(space, *arguments)` that keeps its last `size` results; whoever gets one only reads it.

    A result is known by the revision of the model, the collection's content and the other, hashable arguments but
    `report`, which changes none; the visitor's names and uploads must not be read.
    """

    def __init__(self, function: Callable[..., T], size: int):
        update_wrapper(self, function)
        self._function, self._signature = function, signature(function)
        self._results = Recent[tuple[T]](size)  # in a tuple, since a result may be None

    def __call__(self, *arguments: Any, **others: Any) -> T:
        key = self._key(*arguments, **others)
        if (kept := self._results.get(key)) is None:
            kept = (self._function(*arguments, **others),)  # without a lock: nobody waits for another's result
            self._results.put(key, kept)
        return kept[0]

    def known(self, *arguments: Any, **others: Any) -> bool:
        """Whether a result is kept, so that it is there at once."""
        return self._key(*arguments, **others) in self._results

    def _key(self, *arguments: Any, **others: Any) -> Hashable:
        given = self._signature.bind(*arguments, **others)
        given.apply_defaults()
        space: Space = given.arguments["space"]
        rest = (value for name, value in given.arguments.items() if name not in ("space", "report"))
        return space.model.key, space.revision, space.collection.name, space.collection.version, *rest


def remembered(size: int) -> Callable[[Callable[..., T]], Remembered[T]]:
    """Keeps the last `size` results of a function, see `Remembered`."""
    return lambda function: Remembered(function, size)
