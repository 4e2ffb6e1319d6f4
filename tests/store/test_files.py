"""Folders and ZIPs as named files: what a hostile one could try, and that it ends in a sentence and writes nothing."""

import os
import stat
import struct
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipexplore.errors import InputError
from clipexplore.store import files
from clipexplore.store.files import Archive, Caps, Folder


def zipped(path: Path, entries: dict[str, bytes], **options) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


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


def test_a_zip_is_read_without_being_unpacked(tmp_path):
    tree = Archive(zipped(tmp_path / "a.zip", {"x/1.jpg": b"one", "x/": b"", "__MACOSX/x/1.jpg": b"", "ü.txt": b"two"}))
    assert (
        tree.names == ["x/1.jpg", "ü.txt"]
        and tree.read("ü.txt") == b"two"
        and list(tmp_path.iterdir()) == [tmp_path / "a.zip"]
    )


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/etc/passwd", "a/../../b", "C:/x", "..\\..\\x", "\\\\server\\x", "a\\..\\b"]
)
def test_names_that_lead_out_of_a_zip_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="leads out of it"):
        Archive(zipped(tmp_path / "a.zip", {"fine.jpg": b"", name: b"x"}))
    assert list(tmp_path.iterdir()) == [tmp_path / "a.zip"]


@given(st.lists(st.sampled_from(["..", ".", "a", "b c", "", "C:", "\\", "...", "x\\..\\y"]), max_size=6))
def test_a_name_leads_out_exactly_if_some_system_would_leave_the_folder(parts):
    name = "/".join(parts)
    drive = name.replace("\\", "/").split("/")[0]
    leaves = ":" in drive or os.path.normpath(name.replace("\\", "/")).split("/")[0] in ("..", "")
    assert files.leads_out(name) or not leaves


def test_a_link_in_a_zip_is_refused(tmp_path):
    entry = zipfile.ZipInfo("a.jpg")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(InputError, match="leads out of it"):
        Archive(tmp_path / "a.zip")


def test_an_encrypted_zip_is_refused(tmp_path):
    data = bytearray(zipped(tmp_path / "a.zip", {"a.jpg": b"data"}).read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.index(signature) + offset
        data[place : place + 2] = struct.pack("<H", 1)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InputError, match="encrypted"):
        Archive(tmp_path / "a.zip")


def test_a_bomb_is_refused_by_what_it_says_of_itself(tmp_path):
    zipped(tmp_path / "a.zip", {"a.bmp": bytes(50_000_000)}, compression=zipfile.ZIP_DEFLATED)
    begun = time.process_time()
    with pytest.raises(InputError, match="times its size"):
        Archive(tmp_path / "a.zip")
    assert time.process_time() - begun < 5


def test_a_bomb_that_lies_about_its_size_is_cut_off(tmp_path):
    data = bytearray(
        zipped(tmp_path / "a.zip", {"a.bmp": bytes(30_000_000)}, compression=zipfile.ZIP_DEFLATED).read_bytes()
    )
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        place = data.index(signature) + offset
        data[place : place + 4] = struct.pack("<I", 100)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InputError, match="cannot be unpacked|larger than"):
        Archive(tmp_path / "a.zip").read("a.bmp")


def test_many_entries_and_much_in_all_are_refused(tmp_path):
    zipped(tmp_path / "many.zip", {f"{number}.jpg": b"" for number in range(2_001)})
    with pytest.raises(InputError, match="2,001 files, and at most 2,000"):
        Archive(tmp_path / "many.zip")
    zipped(tmp_path / "much.zip", {f"{number}.jpg": os.urandom(1000) for number in range(30)})
    with pytest.raises(InputError, match="unpacks to more than 0 MB"):
        Archive(tmp_path / "much.zip", Caps(total=20_000))


@pytest.mark.long
def test_a_hundred_thousand_entries_are_refused(tmp_path):
    zipped(tmp_path / "many.zip", {f"{number}": b"" for number in range(100_000)})
    with pytest.raises(InputError, match="holds very many files, and at most 2,000 are read; split it"):
        Archive(tmp_path / "many.zip")


def test_what_is_read_is_counted_however_often(tmp_path):
    tree = Archive(zipped(tmp_path / "a.zip", {"a.jpg": os.urandom(9_000)}), Caps(total=10_000))
    tree.read("a.jpg"), tree.read("a.jpg")
    with pytest.raises(InputError, match="unpacks to more"):
        tree.read("a.jpg")


def test_an_archive_inside_is_not_opened(tmp_path):
    inner = zipped(tmp_path / "inner.zip", {"a.jpg": b"x"}).read_bytes()
    with pytest.raises(InputError, match="archive inside an archive"):
        Archive(zipped(tmp_path / "a.zip", {"inner.zip": inner})).read("inner.zip")


@pytest.mark.parametrize("harm", range(40))
def test_a_damaged_zip_is_told_or_read_and_never_more(tmp_path, harm):
    data = bytearray(
        zipped(
            tmp_path / "a.zip", {"a.jpg": b"abc" * 50, "b.jpg": os.urandom(99)}, compression=zipfile.ZIP_DEFLATED
        ).read_bytes()
    )
    data[harm * len(data) // 40] ^= 0x55
    (tmp_path / "a.zip").write_bytes(data[: len(data) - harm % 5])
    try:
        tree = Archive(tmp_path / "a.zip")
        for name in tree.names:
            tree.read(name)
    except InputError as error:
        assert str(error).endswith(".")


def test_what_is_no_zip_is_told(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(InputError, match="cannot be unpacked"):
        Archive(tmp_path / "a.zip")
