"""The log: whom and what a line is about, and nothing that a visitor typed at INFO."""

import logging
import re
from types import SimpleNamespace

import pytest
from helpers import open_page

from clipexplore import worker
from clipexplore.ui import logs

SECRET = "xyzzy plugh"


@pytest.fixture
def log_from(monkeypatch):
    """Starts the log at a level, now and whenever the app starts it."""
    logger = logging.getLogger("clipexplore")
    before = logger.handlers[:], logger.level

    def start(level: str) -> None:
        monkeypatch.setattr(logs, "settings", lambda: SimpleNamespace(log_level=level))
        logs.start_log()

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
            assert re.search(r" DEBUG +clipexplore\.ui\.logs \[[0-9a-f]{8} search\] ", lines)


def test_jobs_are_logged_without_what_they_are_about(log_from, capsys):
    log_from("INFO")
    lane = worker.Lane("test")
    assert lane.submit(lambda job: 1, key=SECRET).wait(10)
    lane.close()
    lines = capsys.readouterr().err
    assert re.search(r" INFO +clipexplore\.worker \[-\] test-1 done after 0\.\d s\n", lines) and SECRET not in lines
