"""Results that another part of a page or another visitor asks for again: the last few of a function, by content."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import update_wrapper
from typing import Any, Generic, TypeVar

from clipexplore.space import Space

T = TypeVar("T")


class Remembered(Generic[T]):
    """A `function(space, *arguments)` that keeps its last `size` results; whoever gets one only reads it.

    A result is known by the revision of the model, the collection's content and the positional, hashable arguments.
    Keyword arguments, such as `report`, change no result; the visitor's names and uploads must not be read.
    """

    def __init__(self, function: Callable[..., T], size: int):
        update_wrapper(self, function)
        self._function, self._size = function, size
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, space: Space, *arguments: Hashable, **others: Any) -> T:
        key = _key(space, arguments)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = self._function(space, *arguments, **others)  # without the lock: nobody waits for another's result
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return made

    def known(self, space: Space, *arguments: Hashable) -> bool:
        """Whether a result is kept, so that it is there at once."""
        with self._lock:
            return _key(space, arguments) in self._kept


def remembered(size: int) -> Callable[[Callable[..., T]], Remembered[T]]:
    """Keeps the last `size` results of a function, see `Remembered`."""
    return lambda function: Remembered(function, size)


def _key(space: Space, arguments: tuple[Hashable, ...]) -> Hashable:
    return space.model.key, space.revision, space.collection.name, space.collection.version, *arguments
