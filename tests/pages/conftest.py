"""The pages run here without a browser, without the warm-up, and with a data directory of their own."""

import pytest
from streamlit.runtime.pages_manager import PagesManager

from clipexplore.ui import session


@pytest.fixture(autouse=True)
def as_a_server_does(home, monkeypatch):
    """Every run goes through app.py. AppTest forgets after each that `st.navigation` was called, and would run a page of pages/ alone."""
    began = PagesManager.__init__

    def begin(self, *args, **kwargs):
        began(self, *args, **kwargs)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", begin)
    monkeypatch.setattr(session, "_load_all", lambda: None)
