"""Results that another part of a page or another visitor asks for again: the last few of a function, by content."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, TypeVar

from clipexplore.space import Space

T = TypeVar("T")


def remembered(size: int) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Keeps the last `size` results of `function(space, *arguments)`; whoever gets one only reads it.

    A result is known by the revision of the model, the collection's content and the positional, hashable arguments.
    Keyword arguments, such as `report`, change no result; the visitor's names and uploads must not be read.
    """

    def decorate(function: Callable[..., T]) -> Callable[..., T]:
        kept: OrderedDict[Hashable, T] = OrderedDict()
        lock = threading.Lock()

        @wraps(function)
        def recall(space: Space, *arguments: Hashable, **others: Any) -> T:
            key = (space.model.key, space.revision, space.collection.name, space.collection.version, *arguments)
            with lock:
                if key in kept:
                    kept.move_to_end(key)
                    return kept[key]
            made = function(space, *arguments, **others)  # without the lock: nobody waits for somebody else's result
            with lock:
                kept[key] = made
                while len(kept) > size:
                    kept.popitem(last=False)
            return made

        return recall

    return decorate
