"""How this process asks the cluster that the setting `cluster` names.

Ray ends the process that it is in where the node beside it goes, or a head starts anew while it is asked something. So
it is in a process of its own, the driver, which is started with the first question and anew after it has ended. Nobody
pays for it who has no cluster; where none answers, that is one sentence, and nothing is computed here instead.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any, TypeVar

import clipexplore
from clipexplore.access import is_loopback
from clipexplore.errors import InputError, NetworkError
from clipexplore.language import _, language
from clipexplore.settings import settings

T = TypeVar("T")

CLIENT = "ray://"  # how an address begins at which Ray Client is answered
ENDING = 2.0  # seconds for a driver to end
PATIENCE = 3.0  # seconds until a port that does not answer counts as closed
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # to whatever cluster was on this machine last
    "RAY_SERVE_LOG_TO_STDERR": "0",
    "RAY_SERVE_QUEUE_LENGTH_RESPONSE_DEADLINE_S": "5",  # of a busy node; by default it counts as lost after 0.1
    "RAY_task_oom_retries": "3",  # by default what takes more memory than there is would be begun for ever
}
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # on any system, what keeps all of a node's ports on 127.0.0.1


class LostError(NetworkError):
    """The cluster cannot be reached, or is no longer the one that was."""

    def __init__(self, reason: str):
        message = _("The cluster at {address} cannot be reached ({reason}); start it, or tell who runs the server.")
        super().__init__(message.format(address=settings().cluster, reason=reason))
        self.reason = reason

    def __reduce__(self) -> tuple:
        return LostError, (self.reason,)


class Line(BaseManager):
    """What this process and the driver speak through: `Desk` and `Work` of `clipexplore.cluster.driver`."""


Line.register("Desk", exposed=("call",))
Line.register("Work", exposed=("next", "close"))


@dataclass(frozen=True, eq=False)
class _Driver:
    """The driver of one cluster."""

    address: str
    process: subprocess.Popen
    line: Any
    desk: Any


_lock = threading.RLock()
_at_work: list[_Driver] = []  # the one there is, if any


def is_set() -> bool:
    """Whether there is a cluster to ask."""
    return bool(settings().cluster)


def ask(function: Callable[..., T], *arguments: Any) -> T:
    """What a function gives that the driver calls.

    Raises
    ------
    InputError
        If the package is not installed.
    LostError
        If nothing answers there, or it refuses the token.
    Exception
        Whatever the function raises.
    """
    driver = _driver()
    return _answer(driver, lambda: driver.desk.call(language.get(), function, *arguments))


class Work:
    """An iterator that the driver has begun, whose results are asked for one after the other. Raises as `ask`."""

    def __init__(self, begin: Callable[..., Iterator], *arguments: Any):
        self._driver = driver = _driver()
        self._work = _answer(driver, lambda: (driver.line.Work(language.get(), begin, *arguments), None))

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        return _answer(self._driver, self._work.next)

    def close(self) -> None:
        """Lets go of it."""
        with suppress(EOFError, OSError):
            self._work.close()


def disconnect() -> None:
    """Ends the driver; whoever waits for it is told, and whoever asks next gets another."""
    with _lock:
        while _at_work:
            process = _at_work.pop().process
            assert process.stdin  # noqa: S101 – for mypy
            process.stdin.close()
            try:
                process.wait(ENDING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def is_far() -> bool:
    """Whether this machine is no part of the cluster."""
    return settings().cluster.startswith(CLIENT)


def place() -> tuple[str, int]:
    """Host and port that are asked."""
    host, _colon, port = settings().cluster.removeprefix(CLIENT).rpartition(":")
    return host, int(port)


def check_reachable() -> None:
    """Raises a LostError where nobody listens at the head's port."""
    host, port = place()
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except OSError as error:
        raise LostError(error.strerror or str(error)) from error


def environment() -> dict[str, str]:
    """The variables for a process that Ray is in: those of this one, where the operator has set no others."""
    places = [str(Path(clipexplore.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**ENVIRONMENT, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}


def _driver() -> _Driver:
    """The driver, started if there is none; ended if its cluster is not there."""
    try:
        check_reachable()
    except LostError:
        disconnect()
        raise
    with _lock:
        if any(each.address != settings().cluster or each.process.poll() is not None for each in _at_work):
            disconnect()
        if not _at_work:
            _at_work.append(_started())
        return _at_work[0]


def _answer(driver: _Driver, call: Callable[[], tuple[Any, Exception | None]]) -> Any:
    """What the driver answers, or raises; it is ended where it has lost its cluster."""
    try:
        result, error = call()
    except (EOFError, OSError):
        result, error = None, LostError(_("the connection has ended"))
    if isinstance(error, LostError):
        with _lock:
            if driver in _at_work:
                disconnect()
    if error is not None:
        raise error
    return result


def _started() -> _Driver:
    if not find_spec("ray"):
        raise InputError(
            _("The cluster needs a package that is not installed; run pip install 'clip-explorer[cluster]'.")
        )
    local = is_loopback(place()[0])
    process = subprocess.Popen(
        [sys.executable, "-m", "clipexplore.cluster"],
        stdin=subprocess.PIPE,  # ends with this process, and the driver with it
        stdout=subprocess.PIPE,
        env={**(LOOPBACK if local else {}), **environment()},
        start_new_session=True,
    )
    assert process.stdin and process.stdout  # noqa: S101 – for mypy
    key = secrets.token_bytes(32)
    process.stdin.write(key.hex().encode() + b"\n")
    process.stdin.flush()
    line: Any = Line(process.stdout.readline().decode().strip(), authkey=key)
    with suppress(ValueError):  # of an empty address
        line.connect()
        return _Driver(settings().cluster, process, line, line.Desk())
    raise LostError(_("the connection has ended"))
