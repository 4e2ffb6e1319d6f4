"""Nodes of Ray on this machine, started as on machines of their own, and a process that is connected to them."""

import socket
from importlib.util import find_spec

import pytest
from fixtures_cluster import end, runs, until

from clipexplore.cluster import driver, local
from clipexplore.cluster.connection import ask, disconnect
from clipexplore.draw.drawer import Drawer
from clipexplore.models.weights import Weights
from clipexplore.settings import settings


class Nodes:
    """A head without processors, which nothing runs on, and two nodes with two each, either of which may be killed."""

    def __init__(self):
        self.port, self.client = free_port(), free_port()
        local.make_token()
        self.start()

    def start(self) -> None:
        """Starts the head."""
        self._head, self._workers = local.start_head(self.port, cpus=0, client=self.client), {}  # the nodes by name

    def complete(self) -> None:
        """Waits for the head and two nodes; starts those that were killed, and one that a busy machine was too slow
        for once more.
        """
        for _attempt in range(5):
            for name in self._gone():
                until(lambda: not self.is_there(name))  # noqa: B023 – the head notices only after a while
                self._workers[name] = local.start_node(self.port, name, cpus=2)
                until(lambda: self.is_there(name) or name in self._gone())  # noqa: B023
            until(lambda: self.alive == 3 or self._gone())  # a node that was killed is there until the head notices
            if not self._gone():
                return
        pytest.fail("the nodes do not start")

    def _gone(self) -> list[str]:
        """The nodes that are to be started."""
        return [
            name for name in ("node 2", "node 3") if name not in self._workers or self._workers[name].poll() is not None
        ]

    def kill_that_runs(self, actor: str) -> str:
        """Kills the node on which an actor of that name is, as a machine fails; gives the node's name."""
        until(lambda: any(runs(each, actor) for each in self._workers.values()))
        name = next(name for name, each in self._workers.items() if runs(each, actor))
        end(self._workers.pop(name))
        return name

    def is_there(self, name: str) -> bool:
        return any(node.name == name and node.alive for node in ask(driver.nodes))

    @property
    def alive(self) -> int:
        return sum(node.alive for node in ask(driver.nodes))

    def kill(self) -> None:
        """Kills all nodes but the head."""
        while self._workers:
            end(self._workers.popitem()[1])

    def stop(self) -> None:
        self.kill()
        end(self._head)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def _nodes():
    if not find_spec("ray"):
        pytest.skip("the extra clip-explorer[cluster] is not installed")
    found = Nodes()
    yield found
    disconnect()
    found.stop()


def on_cluster(address: str, monkeypatch) -> None:
    monkeypatch.setenv("CLIPEXPLORE_CLUSTER", address)
    settings.cache_clear()


@pytest.fixture
def nodes(_nodes, monkeypatch):
    """The nodes, all of them there, named by the setting."""
    on_cluster(f"127.0.0.1:{_nodes.port}", monkeypatch)
    _nodes.complete()
    yield _nodes
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def client(nodes, monkeypatch):
    """The same nodes, as a machine asks them that is no part of the cluster."""
    on_cluster(f"ray://127.0.0.1:{nodes.client}", monkeypatch)
    return nodes


@pytest.fixture(params=["process", "cluster"])
def where(request):
    """Here, and on the cluster: what is asked is answered alike."""
    if request.param == "cluster":
        request.getfixturevalue("nodes")
    return request.param


@pytest.fixture(scope="session")
def unclip(tiny_unclip, tiny_clip):
    """The loaded `tiny_unclip`, in the data type and on the one thread that copies on nodes like this machine draw."""
    import torch

    from clipexplore.draw.renderer import Renderer

    torch.set_num_threads(1)
    return Renderer.load(tiny_unclip, tiny_clip)


@pytest.fixture
def drawer(tiny_unclip, tiny_clip):
    return Drawer(Weights("pipeline", "none", path=tiny_unclip), Weights("clip", "none", path=tiny_clip))
