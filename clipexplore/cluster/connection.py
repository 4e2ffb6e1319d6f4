"""The one connection of this process to the cluster that the setting `cluster` names.

Ray is imported when it is first used, so that nobody pays for it who has no cluster. What does not answer is one
sentence, and nothing is computed here instead.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from clipexplore.access import is_loopback
from clipexplore.errors import InputError, NetworkError
from clipexplore.language import _
from clipexplore.settings import settings

T = TypeVar("T")

COPY = 0.45  # of a processor that a copy of a model takes: two of them leave room for shards of a search on it
NAMESPACE = "clipexplore"
PATIENCE = 3.0  # seconds until a port that does not answer counts as closed
ATTEMPTS = 3  # at a piece of work whose node dies
PAUSE = 1.0  # seconds between two of them
LOOK = 2.0  # seconds between two looks at whether there still is a cluster to wait for
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_AUTH_MODE": "token",
    # Where the head is gone the app says so and goes on; by default Ray ends the whole process after a minute.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "1000000",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # to whatever cluster was on this machine last
    "RAY_SERVE_LOG_TO_STDERR": "0",
    "RAY_SERVE_QUEUE_LENGTH_RESPONSE_DEADLINE_S": "5",  # of a busy node; by default it counts as lost after 0.1
}
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # on any system, what keeps all of a node's ports on 127.0.0.1

_lock = threading.RLock()
_made: dict[Any, Any] = {}  # what this connection has asked the cluster for: handles of deployments, shards
_lost = threading.Event()  # the connection is no longer what it was, and is made anew


@dataclass(frozen=True)
class Node:
    """A machine of the cluster: its address, whether it is there, and the shares of processors and GPUs it lends."""

    name: str
    alive: bool
    cpus: float
    gpus: float


def is_set() -> bool:
    """Whether there is a cluster to ask."""
    return bool(settings().cluster)


def connected() -> Any:
    """Ray, connected to the cluster.

    Raises
    ------
    InputError
        If the package is not installed.
    NetworkError
        If nothing answers there, or it refuses the token.
    """
    _check_reachable()
    with _lock:
        ray = _ray()
        if _lost.is_set():
            disconnect()
        if not ray.is_initialized():
            try:
                ray.init(address=settings().cluster, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
            except (ConnectionError, RuntimeError, TimeoutError, ValueError, ray.exceptions.RayError) as error:
                raise _unreachable(str(error).split("\n")[0]) from error
        return ray


def disconnect() -> None:
    """Lets go of the cluster; whoever asks next is connected anew."""
    with _lock:
        _made.clear()
        _lost.clear()
        _ray().shutdown()
        if context := sys.modules.get("ray.serve.context"):
            context._set_global_client(None)  # else Serve would go on asking the cluster that was
            logging.getLogger("ray.serve").setLevel(logging.CRITICAL)  # or complain for ever that it cannot


def once(key: Any, make: Callable[[], T]) -> T:
    """What `make` gives, made once in a connection."""
    with _lock:
        if key not in _made:
            _made[key] = make()
        return _made[key]


def forget(key: Any) -> None:
    """Has it made anew when it is next asked for."""
    with _lock:
        _made.pop(key, None)


def environment() -> dict[str, str]:
    """The variables that Ray goes by in this process and in the nodes it starts, where the operator sets no others."""
    local = is_loopback(settings().cluster.rpartition(":")[0])
    return {**ENVIRONMENT, **(LOOPBACK if local else {})}


def _ray() -> Any:
    for name, value in environment().items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        message = _("The cluster needs a package that is not installed; run pip install 'clip-explorer[cluster]'.")
        raise InputError(message) from error
    return ray


def _check_reachable() -> None:
    host, _colon, port = settings().cluster.rpartition(":")
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except OSError as error:
        _lost.set()
        raise _unreachable(error.strerror or str(error)) from error


def _unreachable(reason: str) -> NetworkError:
    message = _("The cluster at {address} cannot be reached ({reason}); start it, or tell who runs the server.")
    return NetworkError(message.format(address=settings().cluster, reason=reason))


def nodes() -> list[Node]:
    """The machines of the cluster by name, each as it is now; those that are gone stay. Raises as `connected`."""
    found: dict[str, Node] = {}
    for each in connected().nodes():
        name, lent = each["NodeName"], each["Resources"]
        if each["Alive"] or not (name in found and found[name].alive):
            found[name] = Node(name, each["Alive"], lent.get("CPU", 0.0), lent.get("GPU", 0.0))
    return [found[name] for name in sorted(found)]


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
    """What goes wrong on the cluster as what it would be here: an error of the work itself, or that nobody answers."""
    ray = _ray()
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        raise (error.cause if isinstance(error.cause, Exception) else error) from None
    except TimeoutError as error:
        raise _unreachable(_("it does not answer in time")) from error
    except ray.exceptions.RayError as error:
        _lost.set()
        raise _unreachable(type(error).__name__) from error


def again(work: Callable[[], T]) -> T:
    """The result of work on the cluster, begun again where the node dies that is at it. Raises as `errors_in_words`."""
    with errors_in_words():
        for _attempt in range(ATTEMPTS - 1):
            try:
                return work()
            except connected().exceptions.RayActorError:
                time.sleep(PAUSE)
        return work()


def awaited(get: Callable[[float], T], longest: float) -> T:
    """What `get` gives, asked for a moment at a time, so that whoever waits is told when the cluster is gone.

    Raises
    ------
    TimeoutError
        After `longest` seconds.
    NetworkError
        As `connected`.
    """
    end = time.monotonic() + longest
    while True:
        try:
            return get(LOOK)
        except TimeoutError:
            if time.monotonic() > end:
                raise
        connected()
