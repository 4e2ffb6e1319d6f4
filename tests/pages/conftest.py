"""The pages run here without a browser, without the warm-up, and with a data directory of their own."""

from functools import cache

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.pages_manager import PagesManager

from clipexplore import Space
from clipexplore.access import Caller
from clipexplore.explore.search import presence
from clipexplore.ui import serving, session

# Every AppTest would read the metadata of all installed packages anew, three quarters of what a page's test takes.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)
HERE = Caller("127.0.0.1", {"host": "localhost:8501"})


@pytest.fixture(autouse=True)
def as_a_server_does(home, monkeypatch):
    """Every run goes through app.py.

    AppTest forgets after each that `st.navigation` was called, and would run a page of pages/ alone.
    """
    began = PagesManager.__init__

    def begin(self, *args, **kwargs):
        began(self, *args, **kwargs)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", begin)
    monkeypatch.setattr(serving, "_load_all", lambda: None)
    monkeypatch.setattr(session, "caller", lambda: HERE)  # AppTest has no connection whose other end could be known


@pytest.fixture(scope="session", autouse=True)
def what_matches_is_learned():
    """Of the bundled world, so that no page of a test is caught while that is going on."""
    presence(Space.open())
