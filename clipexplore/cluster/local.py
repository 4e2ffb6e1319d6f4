"""`clipexplore cluster`: a cluster of some nodes on this machine alone, to try what a cluster does.

Each node is what `ray start` starts on a machine of its own; all its ports stay on the loopback interface.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

from clipexplore.cluster.connection import LOOPBACK, environment
from clipexplore.errors import NetworkError
from clipexplore.language import _

STARTING = 180.0  # seconds within which the head opens its port
ENDING = 5.0  # seconds for what runs on a node to end by itself
MEMORY = 300_000_000  # bytes on each node for what is passed around
ALONE = {"RAY_worker_niceness": "0"}  # by default whatever else a machine does comes first
RAY = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The subcommand, for `__main__`."""
    parser = commands.add_parser(
        "cluster", help="start a cluster on this machine", description="Start a Ray cluster on this machine alone."
    )
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--port", type=int, default=6379, help="of the head")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the nodes until it is stopped.

    Raises
    ------
    NetworkError
        If the head does not start.
    """
    make_token()
    nodes = [start_head(options.port)]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        nodes += [start_node(options.port, f"node {number}") for number in range(2, options.nodes + 1)]
        print(_("The cluster is there. Start the app on it, in another window:"))
        print(f"  CLIPEXPLORE_CLUSTER=127.0.0.1:{options.port} clipexplore serve", flush=True)
        nodes[0].wait()
    except KeyboardInterrupt:
        pass
    finally:
        for node in nodes:
            stop(node)
    return 0


def make_token() -> None:
    """Makes the token by which nodes and apps of this user know each other, if there is none."""
    if "RAY_AUTH_TOKEN" not in os.environ:
        subprocess.run([*RAY, "get-auth-token", "--generate"], env=environment(), check=True, capture_output=True)


def start_head(port: int, cpus: int | None = None, client: int = 10001) -> subprocess.Popen:
    """Starts the node that the others and the app connect to, the app by Ray Client too.

    Raises
    ------
    NetworkError
        If it does not open its port.
    """
    ports = "--port", str(port), "--ray-client-server-port", str(client)
    head = _start(cpus, "head", "--head", *ports, "--include-dashboard", "false", environ=LOOPBACK)
    end = time.monotonic() + STARTING
    while time.monotonic() < end and head.poll() is None:
        if all(map(_is_open, (port, client))):
            return head
        time.sleep(0.2)
    stop(head)
    raise NetworkError(_("The head of the cluster did not open port {port}; take another one.").format(port=port))


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return not probe.connect_ex(("127.0.0.1", port))


def start_node(port: int, name: str, cpus: int | None = None, gpus: int = 0) -> subprocess.Popen:
    """Starts a node that belongs to the head of that port; the GPUs of this machine are the head's."""
    # In small letters Ray takes it for the name of the machine's own network address, which others can reach.
    address = "--address", f"LOCALHOST:{port}"
    return _start(cpus, name, *address, "--num-gpus", str(gpus), environ=dict.fromkeys(LOOPBACK, "1"))


def stop(node: subprocess.Popen) -> None:
    """Ends a node with all that runs on it."""
    import psutil

    running = [psutil.Process(node.pid), *psutil.Process(node.pid).children(recursive=True)]
    for process in running:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(running, ENDING)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    node.wait()


def _start(cpus: int | None, name: str, *arguments: str, environ: dict[str, str]) -> subprocess.Popen:
    command = [*RAY, "start", "--block", "--disable-usage-stats", "--object-store-memory", str(MEMORY), *arguments]
    cpus = max(1, (os.cpu_count() or 1) // 2) if cpus is None else cpus
    command += ["--node-name", name, "--num-cpus", str(cpus)]
    return subprocess.Popen(
        command, env={**ALONE, **environment(), **environ}, start_new_session=True, stdout=subprocess.DEVNULL
    )
