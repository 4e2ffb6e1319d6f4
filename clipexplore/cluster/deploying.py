"""Models as deployments of Ray Serve: as many copies as the questions need and the cluster has room for.

They are shared by every app server that uses the cluster, and stay when those end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from time import monotonic
from typing import Any, TypeVar

import clipexplore
from clipexplore.cluster.driver import MODEL, connected, nodes, once, shared
from clipexplore.errors import InputError, NetworkError, OutOfMemoryError
from clipexplore.language import _

T = TypeVar("T")
MOST = 300  # characters of a reason
AT_ONCE = 4  # questions under way that a copy is meant to have; more bring further copies
# Seconds until there are more copies, fewer, or none: a model that waits for room has it before its askers give up.
DELAYS = {"upscale_delay_s": 5.0, "downscale_delay_s": 60.0, "downscale_to_zero_delay_s": 240.0}
SELDOM, PATIENCE = 5.0, 60.0  # seconds between looks at what does not start, until whoever waits for it is told
LOADING = 600  # seconds that a node may take to import what a model needs


def once_loaded(load: Callable[[], T]) -> Callable[[], T]:
    """Gives what `load` gives, loaded by whoever first asks while others wait; what it raises, each of them is told."""
    lock, held = threading.Lock(), list[T]()

    def loaded() -> T:
        with lock:
            if not held:
                held.append(load())
            return held[0]

    return loaded


def deployed(model: type, *arguments: Any, most: int = 2 * AT_ONCE) -> Any:
    """The handle of what serves `model(*arguments)`, started where no app server has done so.

    Parameters
    ----------
    most
        Questions that a copy takes at once; whoever asks beyond them tries again, after up to a second.

    """
    connected()
    name = f"{model.__name__}-{blake2b(repr((clipexplore.__version__, arguments)).encode(), digest_size=6).hexdigest()}"
    return once((MODEL, name), lambda: _run(name, model, arguments, most))


def _run(name: str, model: type, arguments: tuple, at_most: int) -> Any:
    from ray import serve

    there = serve.status().applications.get(name)
    if there and there.status != "DEPLOY_FAILED":
        return serve.get_app_handle(name)
    serve.start(proxy_location="Disabled")  # only handles ask; no port is opened
    options, most = shared()
    scaling = {"min_replicas": 0, "initial_replicas": 1, "max_replicas": most, "target_ongoing_requests": AT_ONCE}
    kind = serve.deployment(
        model,
        ray_actor_options=options,
        autoscaling_config=scaling | DELAYS,
        max_ongoing_requests=at_most,
        health_check_timeout_s=LOADING,
    )
    target = serve.RunTarget(kind.bind(*arguments), name=name, route_prefix=None)
    return serve.run_many([target], wait_for_applications_running=False)[0]


@dataclass(frozen=True)
class Deployed:
    """A model on the cluster: copies at work, and where none can be started, whether that is for want of memory, and
    else why.
    """

    name: str
    copies: int
    fails: bool
    for_memory: bool
    reason: str

    def error(self) -> InputError:
        """That it cannot be started, for the caller to raise."""
        if self.for_memory:
            message = _("The memory of a node does not suffice for this; add one with more, or choose a smaller model.")
            return OutOfMemoryError(message)
        message = _("{name} cannot start on the cluster ({reason}); tell who runs the server.")
        return NetworkError(message.format(name=self.name, reason=self.reason))


def models() -> list[Deployed]:
    """The models that are deployed."""
    connected()
    from ray import serve

    return [_as_deployed(name, about) for name, about in serve.status().applications.items()]


def _as_deployed(name: str, about: Any) -> Deployed:
    parts = about.deployments.values()
    copies = sum(part.replica_states.get("RUNNING", 0) for part in parts)
    fails = not copies and about.status in ("UNHEALTHY", "DEPLOY_FAILED")
    said = "\n".join(part.message for part in parts) if fails else ""
    return Deployed(name, copies, fails, "low on memory" in said, _reason(said))


def _reason(said: str) -> str:
    """What Serve says in the end of why a copy does not start; of what ended a process Ray says more in the line
    before.
    """
    lines = [line.strip() for line in said.splitlines()]
    return next((line[:MOST] for line in reversed(lines) if line and not line.startswith("The actor never ran")), "")


@dataclass(frozen=True)
class _Failure:
    """A model that does not start: since when it has not on the nodes that there are."""

    model: Deployed
    there: set[str]
    since: float


_looked: dict[str, float] = {}  # when a model was last looked at
_failures: dict[str, _Failure] = {}  # by the name of the model


def check_starts(name: str) -> None:
    """Tells whoever waits for a model why it does not start. It is tried on, and since a node that comes or goes may
    help, it is then waited for anew.

    Raises
    ------
    InputError
        Where none of its copies has started for a while.
    """
    now = monotonic()
    if now - _looked.get(name, 0.0) > SELDOM:
        _looked[name] = now
        there, before = {node.name for node in nodes() if node.alive}, _failures.pop(name, None)
        if failing := [each for each in models() if each.name == name and each.fails]:
            same = before is not None and before.there == there
            _failures[name] = _Failure(failing[0], there, before.since if before and same else now)
    if (failure := _failures.get(name)) and now - failure.since > PATIENCE:
        raise failure.model.error()
