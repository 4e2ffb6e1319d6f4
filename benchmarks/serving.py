"""The app, or a page that is no part of it, on a free port of this machine for as long as a benchmark needs it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """One that nobody uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def server(
    script: Path,
    *options: str,
    ready: str = "/_stcore/health",
    log: Path | None = None,
    port: int | None = None,
    **environ: str,
) -> Iterator[tuple[str, psutil.Process]]:
    """The host and port of a script's server and its process, once the path `ready` answers. What it says goes to
    `log`.
    """
    port = port or free_port()
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port), *options]
    with open(log or os.devnull, "wb") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environ}, stdout=said, stderr=said
        )
    try:
        _wait_until_ready(f"http://{address}{ready}")
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(url: str, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"{url} was not ready after {seconds:.0f} s")
