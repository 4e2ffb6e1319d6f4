"""Models are loaded by one thread at a time: the libraries they are made of were not written for two."""

import importlib
import threading
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

_TURN = threading.RLock()
Load = TypeVar("Load", bound=Callable)


def one_at_a_time(*names: str) -> Callable[[Load], Load]:
    """For a function that loads a model by some libraries, which are imported first.

    `transformers` and `diffusers` put another object in their own place in `sys.modules` when their import ends: a
    thread that imports from them meanwhile waits, and then looks for its names in the object before. And while
    `diffusers` makes a model, what any other thread makes has no numbers.
    """

    def alone(load: Load) -> Load:
        @wraps(load)
        def loaded(*args, **kwargs):  # type: ignore[no-untyped-def]
            with _TURN:
                for name in names:
                    importlib.import_module(name)
                return load(*args, **kwargs)

        return loaded  # type: ignore[return-value]

    return alone
