"""Folders as named files: nothing outside of one is read."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipexplore.errors import InputError
from clipexplore.sources import files
from clipexplore.sources.files import Folder


def test_a_folder_is_its_files_in_order_without_hidden_ones(tmp_path):
    for name in ("b/2.jpg", "a.jpg", "b/1.jpg", ".hidden/x.jpg", "b/.DS_Store", "__MACOSX/a.jpg", "Thumbs.db"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    tree = Folder(tmp_path)
    assert tree.names == ["a.jpg", "b/1.jpg", "b/2.jpg"] and tree.read("b/1.jpg") == b"b/1.jpg"


def test_a_link_out_of_a_folder_is_refused(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "in" / "loop").symlink_to(tmp_path)
    tree = Folder(tmp_path / "in")
    assert tree.names == ["a.jpg"]
    with pytest.raises(InputError, match="outside of the folder"):
        tree.read("a.jpg")


@settings(max_examples=5000, deadline=None)
@given(st.text(alphabet=st.sampled_from("./\\a"), max_size=12))
def test_no_name_reads_outside_of_a_folder(name):
    root = Path("/tmp").resolve()
    try:
        inside = (root / name).resolve().is_relative_to(root)
    except (OSError, ValueError):
        return
    if not inside:
        with pytest.raises(InputError):
            files.Folder.path(type("Rooted", (), {"_root": root})(), name)


def test_what_is_no_folder_or_cannot_be_read_is_told(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="does not exist"):
        Folder(tmp_path / "no")
    (tmp_path / "a.jpg").write_bytes(b"x" * 11)
    tree = Folder(tmp_path)
    monkeypatch.setattr(files, "MAX_FILE", 10)
    with pytest.raises(InputError, match="larger than"):
        tree.read("a.jpg")
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(InputError, match=r"'a.jpg' cannot be read \(No such file"):
        tree.read("a.jpg")
