"""What a source holds, read on the nodes as jobs of Ray Data, in the order of the source."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Generic, TypeVar

from clipexplore.cluster.connection import LostError, Work, ask
from clipexplore.cluster.driver import ATTEMPTS, connected, forget, once, watched

T = TypeVar("T")
R = TypeVar("R")

JOB = 2_048  # entries of a job
TASK = 32  # entries of a task
FUNCTION = "function"  # kind of what the driver makes once
SHARE = 0.05  # of a processor that a task is given: it is to find room beside models that nobody uses just now


@dataclass(frozen=True)
class Part:
    """Some entries, or what they become: one thing for Ray Data, which looks into lists."""

    things: Sequence[Any]


class Reader(Generic[T, R]):
    """Reads entries on the nodes by a function, which is sent there once."""

    def __init__(self, function: Callable[[T], R]):
        self._key, self._function, self._sent = uuid.uuid4().hex, function, False

    def read(self, entries: Sequence[T]) -> Iterator[list[tuple[T, R]]] | None:
        """Entries with what they become, some at a time, and none whenever nothing has come for a moment; None where
        entries cannot be sent, such as those of a ZIP.
        """
        if not self._sent:
            ask(_hold, self._key, self._function)
            self._sent = True
        parts = [Part(entries[start : start + TASK]) for start in range(0, len(entries), TASK)]
        try:
            return self._of(parts, Work(_results, self._key, parts))
        except (TypeError, AttributeError):  # from pickling them
            return None

    def close(self) -> None:
        if self._sent:
            with suppress(LostError):
                ask(forget, (FUNCTION, self._key))

    def _of(self, parts: Iterable[Part], work: Work) -> Iterator[list[tuple[T, R]]]:
        waiting = iter(parts)
        try:
            for found in work:
                yield [*zip(next(waiting).things, found.things, strict=True)] if found else []
        finally:
            work.close()


# What follows is the driver's, and the nodes'.


def _hold(key: str, function: Callable) -> None:
    held = connected().put(function)
    once((FUNCTION, key), lambda: held)


def _results(key: str, parts: list[Part]) -> Iterator[Part | None]:
    """The results of each part, and None whenever there were none for a moment."""
    ray = connected()
    from ray import data

    logging.getLogger("ray.data").setLevel(logging.WARNING)
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
    read = partial(_read, held=[once((FUNCTION, key), _nothing)])
    source = data.from_items([{"part": part} for part in parts], override_num_blocks=len(parts))
    pool = data.TaskPoolStrategy(size=cores)
    done = source.map(read, compute=pool, num_cpus=SHARE, max_retries=ATTEMPTS - 1)
    return (row and row["results"] for row in watched(done.iter_rows()))


def _nothing() -> Any:
    raise RuntimeError("it was not sent")


def _read(row: dict[str, Part], held: list) -> dict[str, Part]:
    function = _function(held[0])
    return {"results": Part([function(entry) for entry in row["part"].things])}


@lru_cache(maxsize=1)
def _function(held: Any) -> Callable:
    import ray

    return ray.get(held)
