"""What is on screen; that a place in a queue is kept for a browser that is connected is seen on the real server, in server/test_many_sessions.py."""

import pytest
from streamlit import runtime

from clipexplore.ui import screen
from clipexplore.ui.screen import Screen


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, in a list of one; it stands still."""
    now = [1000.0]
    monkeypatch.setattr(screen, "monotonic", lambda: now[0])
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
