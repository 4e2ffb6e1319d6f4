"""The driver's side: what it does for the app, connected to the cluster. All of this runs in its own process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from clipexplore.cluster.connection import LostError, check_reachable
from clipexplore.errors import NetworkError, OutOfMemoryError
from clipexplore.language import _, language
from clipexplore.settings import settings

T = TypeVar("T")

COPY = 0.2  # of a processor that a copy of a model is given: one at rest is not to keep those of other models out
NAMESPACE = "clipexplore"
ATTEMPTS = 3  # at a piece of work whose node or process ends
PAUSE = 1.0  # seconds between two of them
MODEL = "model"  # kind of what is made once, as which deployments are
LOOK = 2.0  # seconds between two looks at whether there still is a cluster to wait for

_lock = threading.RLock()
_made: dict[tuple[str, str], Any] = {}  # what has been asked of the cluster: handles of deployments, shards
_repeats: list[bool] = []  # of each piece of work that was begun again, whether its process was killed for memory


class EndedError(NetworkError):
    """What was to do a piece of work ended each time."""

    def __init__(self) -> None:
        message = _("What was at work on this has ended {n} times; try again, or tell who runs the server.")
        super().__init__(message.format(n=ATTEMPTS))

    def __reduce__(self) -> tuple:
        return EndedError, ()


class Desk:
    """What the app asks the driver; an error is part of the answer."""

    def call(self, spoken: str, function: Callable, *arguments: Any) -> tuple[Any, Exception | None]:
        return _answer(spoken, function, *arguments)


class Work:
    """What the app has the driver begin, and asks for its results one after the other."""

    def __init__(self, spoken: str, begin: Callable[..., Iterator], *arguments: Any):
        self._spoken, (self._results, self._error) = spoken, _answer(spoken, begin, *arguments)

    def next(self) -> tuple[Any, Exception | None]:
        return (None, self._error) if self._error else _answer(self._spoken, next, self._results)

    def close(self) -> None:
        if close := getattr(self._results, "close", None):
            close()


def _answer(spoken: str, function: Callable, *arguments: Any) -> tuple[Any, Exception | None]:
    language.set(spoken)
    try:
        with errors_in_words():
            return function(*arguments), None
    except Exception as error:  # noqa: BLE001 – raised where the answer is waited for
        return None, error


@dataclass(frozen=True)
class Node:
    """A machine of the cluster: its address, whether it is there, and the shares of processors and GPUs it lends."""

    name: str
    alive: bool
    cpus: float
    gpus: float


@dataclass(frozen=True)
class Repeats:
    """Pieces of work that were begun again since what did them had ended, and how many of these had no memory left."""

    all: int
    for_memory: int


def connected() -> Any:
    """Ray, connected to the cluster.

    Raises
    ------
    LostError
        If nothing answers there, or it refuses the token.
    """
    import ray

    with _lock:
        if not ray.is_initialized():
            try:
                _connect(ray)
            except (ConnectionError, RuntimeError, TimeoutError, ValueError, ray.exceptions.RayError) as error:
                traced = isinstance(error, ConnectionAbortedError)  # says what went wrong in its last line
                raise LostError(str(error).strip().split("\n")[-1 if traced else 0]) from error
        return ray


def _connect(ray: Any, attempts: int = ATTEMPTS) -> None:
    """Connects Ray; again where a server of Ray Client says no, whose fork of a process for each client may fail."""
    try:
        ray.init(address=settings().cluster, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
    except ConnectionAbortedError:
        if attempts == 1:
            raise
        time.sleep(PAUSE)
        _connect(ray, attempts - 1)


def once(key: tuple[str, str], make: Callable[[], T]) -> T:
    """What `make` gives, made once."""
    with _lock:
        if key not in _made:
            _made[key] = make()
        return _made[key]


def forget(key: tuple[str, str]) -> None:
    """Has it made anew when it is next asked for."""
    with _lock:
        _made.pop(key, None)


def forget_all(kind: str) -> None:
    """Has all of that kind made anew, the first of a key."""
    with _lock:
        for key in [key for key in _made if key[0] == kind]:
            del _made[key]


def nodes() -> list[Node]:
    """The machines of the cluster by name, each as it is now; those that are gone stay."""
    found: dict[str, Node] = {}
    for each in connected().nodes():
        name, lent = each["NodeName"], each["Resources"]
        if each["Alive"] or not (name in found and found[name].alive):
            found[name] = Node(name, each["Alive"], lent.get("CPU", 0.0), lent.get("GPU", 0.0))
    return [found[name] for name in sorted(found)]


def repeats() -> Repeats:
    """Of all that this driver has seen."""
    return Repeats(len(_repeats), sum(_repeats))


def shared() -> tuple[dict[str, float], int]:
    """What a copy of a model takes, and how many the cluster has room for: half a GPU, so that a CLIP and a decoder
    share a card, or of processors where there are none.
    """
    there = connected().cluster_resources()
    kind, share = ("GPU", "num_gpus") if there.get("GPU") else ("CPU", "num_cpus")
    options = {share: COPY} if kind == "CPU" else {share: 0.5, "num_cpus": 0.1}
    return options, max(1, int(there.get(kind, 1)))


@contextmanager
def errors_in_words() -> Iterator[None]:
    """What goes wrong on the cluster as what it would be here: an error of the work itself, or what became of it."""
    from ray import exceptions
    from ray.serve.exceptions import RayServeException

    try:
        yield
    except exceptions.RayTaskError as error:
        raise (error.cause if isinstance(error.cause, Exception) else error) from None
    except TimeoutError as error:
        raise NetworkError(_("The cluster does not answer in time; add a node, or try again later.")) from error
    except (exceptions.RayActorError, exceptions.WorkerCrashedError, exceptions.OutOfMemoryError) as error:
        check_reachable()
        if isinstance(error, exceptions.OutOfMemoryError):
            message = _("The memory of a node does not suffice for this; add one with more, or choose a smaller model.")
            raise OutOfMemoryError(message) from error
        raise EndedError() from error
    except RayServeException as error:
        message = _("The cluster cannot start what is to do this; the page Status says why.")
        raise NetworkError(message) from error
    except exceptions.RayError as error:
        raise LostError(type(error).__name__) from error


def again(work: Callable[[], T]) -> T:
    """The result of work on the cluster, begun again where the node or the process ends that is at it."""
    from ray.exceptions import OutOfMemoryError, RayActorError
    from ray.serve.exceptions import DeploymentUnavailableError

    for _attempt in range(ATTEMPTS - 1):
        try:
            return work()
        except (RayActorError, OutOfMemoryError, DeploymentUnavailableError) as error:
            check_reachable()
            _repeats.append(isinstance(error, OutOfMemoryError))
            if isinstance(error, DeploymentUnavailableError):
                forget_all(MODEL)
            time.sleep(PAUSE)
    return work()


def awaited(get: Callable[[float], T], longest: float, check: Callable[[], object] = lambda: None) -> T:
    """What `get` gives, asked for a moment at a time, so that whoever waits is told when the cluster is gone.

    Parameters
    ----------
    check
        Called every moment; raises where there is nothing to wait for.

    Raises
    ------
    TimeoutError
        After `longest` seconds.
    LostError
        If nobody is at the head's port any more.
    """
    end = time.monotonic() + longest
    while True:
        try:
            return get(LOOK)
        except TimeoutError:
            if time.monotonic() > end:
                raise
        check_reachable()
        check()


def watched(stream: Iterable[T]) -> Iterator[T | None]:
    """What a stream brings, and None whenever nothing has come for a moment. Raises as `awaited`."""
    news, closed = SimpleQueue[tuple[bool, Any]](), threading.Event()

    def pass_on() -> None:  # since waiting for a stream cannot be broken off
        try:
            for each in stream:
                news.put((True, each))
                if closed.is_set():
                    return
            news.put((False, None))
        except Exception as error:  # noqa: BLE001 – raised where it is waited for
            news.put((False, error))

    threading.Thread(target=pass_on, name="stream", daemon=True).start()
    try:
        while True:
            try:
                goes_on, each = news.get(timeout=LOOK)
            except Empty:
                check_reachable()
                yield None
                continue
            if goes_on:
                yield each
            elif each:
                raise each
            else:
                return
    finally:
        closed.set()
