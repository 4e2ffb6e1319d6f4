"""What is asked of Streamlit beyond what it documents does what it is asked for, by the version that is installed."""

import pytest
import streamlit
from streamlit import runtime as streamlit_runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.runtime import Runtime
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from clipexplore.ui import serving, session


def test_the_version_is_the_one_that_this_was_checked_with():
    installed = ".".join(streamlit.__version__.split(".")[:2])
    assert installed == session.STREAMLIT, (
        "read ui/session.py and ui/serving.py against the new version, run the browser tests, and change STREAMLIT"
    )


def test_what_is_asked_for_is_there():
    assert all(callable(getattr(Runtime, name)) for name in ("is_active_session", "get_client"))
    assert isinstance(Runtime.uploaded_file_mgr, property)


def test_uploads_are_counted_by_session_and_in_all(monkeypatch):
    manager = MemoryUploadedFileManager("/upload")
    for owner, name, size in [("ann", "a", 3), ("ann", "b", 4), ("bob", "a", 5)]:
        manager.add_file(owner, UploadedFileRec(name, f"{name}.jpg", "image/jpeg", bytes(size)))
    monkeypatch.setattr(streamlit_runtime, "get_instance", lambda: type("R", (), {"uploaded_file_mgr": manager})())
    assert serving.held_uploads("ann") == (7, 12) and serving.held_uploads("cleo") == (0, 12)
    manager.remove_session_files("ann")
    assert serving.held_uploads("ann") == (0, 5)


@pytest.mark.parametrize("exists", [True, False])
def test_a_session_that_nobody_knows_is_not_connected(monkeypatch, exists):
    monkeypatch.setattr(streamlit_runtime, "exists", lambda: exists)
    monkeypatch.setattr(
        streamlit_runtime, "get_instance", lambda: type("R", (), {"is_active_session": lambda self, id: False})()
    )
    assert not session.Screen("ann").is_shown
