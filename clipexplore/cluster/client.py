"""Asking a cluster that this machine is no part of, at an address `ray://…`: Ray Client knows neither streams nor
Serve's routing, so an actor there is what the driver is elsewhere, and this process passes on what it is asked.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from functools import cache
from typing import Any

from clipexplore.cluster import driver
from clipexplore.cluster.connection import LostError
from clipexplore.settings import settings

AT_ONCE = 128  # calls that the actor answers at the same time: those that wait for a drawing among them


class Far:
    """The actor on the cluster."""

    def __init__(self, address: str):
        os.environ["CLIPEXPLORE_CLUSTER"] = address
        settings.cache_clear()
        self._works: dict[str, driver.Work] = {}

    def call(self, *asked: Any) -> tuple[Any, Exception | None]:
        return driver.Desk().call(*asked)

    def begin(self, key: str, *asked: Any) -> tuple[Any, Exception | None]:
        self._works[key] = driver.Work(*asked)
        return None, None

    def next(self, key: str) -> tuple[Any, Exception | None]:
        return self._works[key].next()

    def close(self, key: str) -> tuple[Any, Exception | None]:
        self._works.pop(key).close()
        return None, None


class Desk:
    """As `driver.Desk`."""

    def call(self, spoken: str, function: Callable, *arguments: Any) -> tuple[Any, Exception | None]:
        return _asked("call", spoken, function, *arguments)


class Work:
    """As `driver.Work`."""

    def __init__(self, spoken: str, begin: Callable, *arguments: Any):
        self._key = uuid.uuid4().hex
        _result, self._error = _asked("begin", self._key, spoken, begin, *arguments)

    def next(self) -> tuple[Any, Exception | None]:
        return (None, self._error) if self._error else _asked("next", self._key)

    def close(self) -> None:
        if self._error is None:
            _asked("close", self._key)


def _asked(method: str, *arguments: Any) -> tuple[Any, Exception | None]:
    from ray.exceptions import RayError

    try:
        ray = driver.connected()
        return ray.get(getattr(_far(), method).remote(*arguments))
    except LostError as error:
        return None, error
    except (ConnectionError, RayError) as error:
        return None, LostError(type(error).__name__)


@cache
def _far() -> Any:
    far = driver.connected().remote(Far)
    return far.options(num_cpus=0, max_concurrency=AT_ONCE).remote(settings().cluster)
