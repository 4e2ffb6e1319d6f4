"""Nothing leaves this machine, in any mode in which the server is started: no connection, and no look-up of a name."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from fixtures_async import run
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks.load import Visitor
from benchmarks.serving import ROOT, free_port
from clipexplore.server.door import COOKIE, Door

GUARD = ROOT / "tests/browser/guard.py"
PASSCODE = "271828"
MODES = {
    "app.py": ["run", "app.py"],
    "app.py open to a network": ["run", "app.py", "--server.address", "0.0.0.0"],
    "serve": ["serve"],
    "serve --class": ["serve", "--class", "--passcode", PASSCODE],
}


class Guest(Visitor):
    """A session that has said the passcode."""

    def _connected(self, origin: str | None = None):
        headers = {"Cookie": f"{COOKIE}={Door(None, PASSCODE).ticket}"} | ({"Origin": origin} if origin else {})
        address = f"ws://{self.address}/_stcore/stream"
        return connect(address, subprotocols=["streamlit"], max_size=None, additional_headers=headers)

    async def come_from(self, origin: str) -> None:
        with suppress(WebSocketException):
            async with self._connected(origin):
                pass

    async def look_around(self) -> None:
        async with self._connected() as self.socket:
            for page in ("search", "collections", "status"):
                await self._run(page)


@contextmanager
def guarded(folder: Path, arguments: list[str]):
    """A server started so, and the file in which its attempts to reach somebody stand."""
    port = free_port()
    port_option = ["--port", str(port)] if arguments[0] == "serve" else ["--server.port", str(port)]
    command = [sys.executable, str(GUARD), str(folder / "attempts"), *arguments, *port_option]
    environ = {
        "CLIPEXPLORE_HOME": str(folder / "home"),
        "PATH": "/usr/bin:/bin",
        "OMP_NUM_THREADS": "1",
        "HOME": str(folder),
    }
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log) as process,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health", process, folder / "log")
            yield f"127.0.0.1:{port}", folder / "attempts"
        finally:
            with suppress(psutil.NoSuchProcess):  # it ended by itself
                for each in [*psutil.Process(process.pid).children(recursive=True), process]:  # `serve` has a child
                    each.terminate()


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    for _attempt in range(1200):
        assert process.poll() is None, log.read_text()
        with suppress(OSError):
            try:
                return urllib.request.urlopen(url, timeout=5).close()
            except urllib.error.HTTPError:
                return None  # it is up, and asks for the passcode
        time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


@pytest.mark.parametrize("mode", MODES)
def test_nothing_leaves(tmp_path, mode):
    with guarded(tmp_path, MODES[mode]) as (address, attempts):
        guest = Guest(address)
        run(guest.look_around())
        run(guest.come_from("http://evil.example"))  # a page of another site that opens a session here
        assert not guest.errors and not attempts.exists(), attempts.read_text()
