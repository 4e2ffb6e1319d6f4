"""A session: what its log says and does not, and until when something is on its screen (on the real server:
server/test_many_sessions.py).
"""

import logging
import re
from types import SimpleNamespace

import pytest
from helpers import open_page
from streamlit import runtime

from clipexplore import jobs
from clipexplore.ui import serving, session
from clipexplore.ui.session import Screen

SECRET = "xyzzy plugh"


@pytest.fixture
def log_from(monkeypatch):
    """Starts the log at a level, now and whenever the app starts it."""
    logger = logging.getLogger("clipexplore")
    before = logger.handlers[:], logger.level

    def start(level: str) -> None:
        monkeypatch.setattr(serving, "settings", lambda: SimpleNamespace(log_level=level))
        serving.start_log()

    yield start
    logger.handlers[:], logger.level = before


def test_nothing_typed_is_logged_at_info_and_debug_says_who_and_where(log_from, capsys):
    for level in ("DEBUG", "INFO"):
        log_from(level)
        open_page("search", {"q": f'"{SECRET}"'})
        open_page("search", {"q": f"{SECRET} - "})  # an error of the visitor's
        lines = capsys.readouterr().err
        assert (SECRET in lines) == (level == "DEBUG"), lines
        if level == "DEBUG":
            assert re.search(r" DEBUG +clipexplore\.ui\.page \[[0-9a-f]{8} search\] ", lines)


def test_jobs_are_logged_without_what_they_are_about(log_from, capsys):
    log_from("INFO")
    lane = jobs.Lane("test")
    assert lane.submit(lambda job: 1, key=SECRET).wait(10)
    lane.close()
    lines = capsys.readouterr().err
    assert re.search(r" INFO +clipexplore\.jobs \[-\] test-1 done after 0\.\d s\n", lines) and SECRET not in lines


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, in a list of one; it stands still."""
    now = [1000.0]
    monkeypatch.setattr(session, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def connected(monkeypatch):
    """The sessions whose browsers are connected."""

    class Runtime:
        sessions = {"ann"}

        def is_active_session(self, session: str) -> bool:
            return session in self.sessions

    monkeypatch.setattr(runtime, "exists", lambda: True)
    monkeypatch.setattr(runtime, "get_instance", Runtime)
    return Runtime.sessions


def test_what_is_on_screen_is_seen_now(clock, connected):
    shown = Screen("ann")
    clock[0] += 50
    assert shown.last_seen() == 1050


def test_a_browser_that_has_gone_was_last_seen_when_it_was_there(clock, connected):
    shown = Screen("ann")
    clock[0] += 50
    assert shown.last_seen() == 1050
    connected.clear()
    clock[0] += 50
    assert shown.last_seen() == 1050
    connected.add("ann")  # and is back
    assert shown.last_seen() == 1100


def test_what_was_replaced_was_seen_until_then(clock, connected):
    shown = Screen("ann")
    clock[0] += 50
    shown.end()
    clock[0] += 50
    assert shown.last_seen() == 1050


def test_without_a_server_it_is_seen_once(clock):
    shown = Screen("ann")
    clock[0] += 50
    assert shown.last_seen() == 1000


def test_who_is_connected_is_present_and_a_day_later_forgotten(clock, connected):
    seen = session._present()
    seen.clear()
    connected.add("bob")
    seen |= {"a": Screen("ann"), "b": Screen("bob"), "c": Screen(None)}
    assert session.present() == {"a", "b"}
    connected.discard("ann")
    clock[0] += 3600
    assert session.present() == {"b"} and set(seen) == {"a", "b", "c"}
    clock[0] += 25 * 3600
    assert session.present() == {"b"} and set(seen) == {"b"}
