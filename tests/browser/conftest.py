"""The real server in a process of its own, and Chromium in front of it. Skipped where Playwright or Chromium is
missing.

Every page that a test opens is watched: a request to any other host, an error of a script, or one on the console fails
the test. So is every server: it speaks to nobody outside of this machine.
"""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.serving import ROOT, free_port

GUARD = Path(__file__).with_name("guard.py")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1280, "height": 900}
PATIENCE = 60_000  # milliseconds, on a busy machine
# Streamlit's frontend looks for its server below the address of the page first.
KNOWN = ("/_stcore/health", "/_stcore/host-config")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.browser)


class Server:
    """`streamlit run app.py` on a port of its own, which it keeps when it is started again."""

    def __init__(self, home: Path, script: str = "app.py", **environ: str):
        self.port = free_port()
        self.url, self.log, self.connections = (
            f"http://127.0.0.1:{self.port}",
            home / "server.log",
            home / "connections",
        )
        self.environ = {
            **os.environ,
            "CLIPEXPLORE_HOME": str(home),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "CLIPEXPLORE_ASK_SECONDS": "1000000",  # however busy the machine is
            **environ,
        }
        self.script, self.process = script, None

    def start(self) -> None:
        command = [
            sys.executable,
            str(GUARD),
            str(self.connections),
            "run",
            self.script,
            "--server.port",
            str(self.port),
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=log, stderr=log)
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                return urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5).close()
            except urllib.error.HTTPError:
                return None  # it is up, and asks for the passcode
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def assert_spoke_to_nobody(self) -> None:
        assert not self.connections.exists(), self.connections.read_text()


@pytest.fixture(scope="session")
def new_server(tmp_path_factory):
    """Makes servers that have not answered anybody yet."""
    made = []

    def make(*script: str, **environ: str) -> Server:
        made.append(Server(tmp_path_factory.mktemp("server"), *script, **environ))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.kill()
    for server in made:
        server.assert_spoke_to_nobody()


@pytest.fixture(scope="session")
def server(new_server) -> Server:
    """The one that most tests share."""
    return new_server()


@pytest.fixture(scope="session")
def chromium():
    """One running Chromium; each visitor gets a profile of their own."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(_executable()).exists():
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_executable(), args=FLAGS)
        yield browser
        browser.close()


def _executable() -> str:
    return shutil.which("chromium") or "/usr/bin/chromium"


class Watched:
    """What went wrong on the pages of a test, seen from the browser."""

    def __init__(self):
        self.requests, self.problems, self.forgiven = [], [], ()

    def follow(self, page) -> None:
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", lambda message: self._note(message) if message.type == "error" else None)

    def _note(self, message) -> None:
        where = urlsplit(message.location["url"]).path
        # A picture of the run before may be asked for after the next run has replaced it; `views.shown` sees to it that
        # none on screen is missing.
        if not where.endswith(KNOWN) and not where.startswith("/media/") and "/media/" not in message.text:
            self.problems.append(f"console: {message.text} ({where})")

    def assert_clean(self) -> None:
        hosts = {
            urlsplit(url).hostname for url in self.requests if urlsplit(url).scheme in ("http", "https", "ws", "wss")
        }
        assert hosts <= {"127.0.0.1"}, f"a page asked another host: {hosts}"
        assert not [each for each in self.problems if not any(excuse in each for excuse in self.forgiven)], (
            self.problems
        )


@pytest.fixture
def watched():
    seen = Watched()
    yield seen
    seen.assert_clean()


@pytest.fixture(scope="session")
def profile(chromium):
    """One profile for all tests, so that Streamlit's scripts are fetched once.

    Every window is a session of its own all the same.
    """
    with _profile(chromium) as context:
        yield context


@contextmanager
def _profile(chromium):
    context = chromium.new_context(viewport=DESKTOP, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def visitor(profile, watched):
    """Opens windows."""
    opened = []

    def visit():
        opened.append(profile.new_page())
        watched.follow(opened[-1])
        return opened[-1]

    yield visit
    for window in opened:
        window.close()


@pytest.fixture
def stranger(chromium, watched):
    """A window in a browser that has never been here."""
    with _profile(chromium) as context:
        window = context.new_page()
        watched.follow(window)
        yield window


@pytest.fixture
def carded(chromium, watched):
    """A window of a Chromium whose software driver passes for a graphics card, since it does not say what it is."""
    flags = [
        *(flag for flag in FLAGS if flag != "--disable-gpu"),
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--ignore-gpu-blocklist",
    ]
    browser = chromium.browser_type.launch(executable_path=_executable(), args=flags)
    with _profile(browser) as context:
        window = context.new_page()
        window.add_init_script("""const ask = WebGLRenderingContext.prototype.getExtension;
            WebGLRenderingContext.prototype.getExtension = function (name) {
              return name === "WEBGL_debug_renderer_info" ? null : ask.call(this, name);
            };""")
        watched.follow(window)
        yield window
    browser.close()
