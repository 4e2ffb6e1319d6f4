"""ZIPs and tars as named files: what a hostile one tries ends in a sentence, and writes nothing."""

import io
import json
import os
import stat
import struct
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from fixtures_imports import jpeg, take
from hypothesis import given
from hypothesis import strategies as st

from clipexplore.errors import InputError
from clipexplore.sources import archives
from clipexplore.sources.archives import Zip
from clipexplore.sources.entries import Entry, Rejected
from clipexplore.sources.files import Caps
from clipexplore.sources.recognise import open_source


def zipped(path: Path, entries: dict[str, bytes], **options) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_a_zip_is_read_without_being_unpacked(tmp_path):
    tree = Zip(zipped(tmp_path / "a.zip", {"x/1.jpg": b"one", "x/": b"", "__MACOSX/x/1.jpg": b"", "ü.txt": b"two"}))
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
        Zip(zipped(tmp_path / "a.zip", {"fine.jpg": b"", name: b"x"}))
    assert list(tmp_path.iterdir()) == [tmp_path / "a.zip"]


@given(st.lists(st.sampled_from(["..", ".", "a", "b c", "", "C:", "\\", "...", "x\\..\\y"]), max_size=6))
def test_a_name_leads_out_exactly_if_some_system_would_leave_the_folder(parts):
    name = "/".join(parts)
    drive = name.replace("\\", "/").split("/")[0]
    leaves = ":" in drive or os.path.normpath(name.replace("\\", "/")).split("/")[0] in ("..", "")
    assert archives.leads_out(name) or not leaves


def test_a_link_in_a_zip_is_refused(tmp_path):
    entry = zipfile.ZipInfo("a.jpg")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(InputError, match="leads out of it"):
        Zip(tmp_path / "a.zip")


def test_an_encrypted_zip_is_refused(tmp_path):
    data = bytearray(zipped(tmp_path / "a.zip", {"a.jpg": b"data"}).read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.index(signature) + offset
        data[place : place + 2] = struct.pack("<H", 1)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InputError, match="encrypted"):
        Zip(tmp_path / "a.zip")


def test_a_bomb_is_refused_by_what_it_says_of_itself(tmp_path):
    zipped(tmp_path / "a.zip", {"a.bmp": bytes(50_000_000)}, compression=zipfile.ZIP_DEFLATED)
    begun = time.process_time()
    with pytest.raises(InputError, match="times its size"):
        Zip(tmp_path / "a.zip")
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
        Zip(tmp_path / "a.zip").read("a.bmp")


def test_many_entries_and_much_in_all_are_refused(tmp_path):
    zipped(tmp_path / "many.zip", {f"{number}.jpg": b"" for number in range(2_001)})
    with pytest.raises(InputError, match="2,001 files, and at most 2,000"):
        Zip(tmp_path / "many.zip")
    zipped(tmp_path / "much.zip", {f"{number}.jpg": os.urandom(1000) for number in range(30)})
    with pytest.raises(InputError, match="unpacks to more than 0 MB"):
        Zip(tmp_path / "much.zip", Caps(total=20_000))


@pytest.mark.long
def test_a_hundred_thousand_entries_are_refused(tmp_path):
    zipped(tmp_path / "many.zip", {f"{number}": b"" for number in range(100_000)})
    with pytest.raises(InputError, match="holds very many files, and at most 2,000 are read; split it"):
        Zip(tmp_path / "many.zip")


def test_what_is_read_is_counted_however_often(tmp_path):
    tree = Zip(zipped(tmp_path / "a.zip", {"a.jpg": os.urandom(9_000)}), Caps(total=10_000))
    tree.read("a.jpg"), tree.read("a.jpg")
    with pytest.raises(InputError, match="unpacks to more"):
        tree.read("a.jpg")


def test_an_archive_inside_is_not_opened(tmp_path):
    inner = zipped(tmp_path / "inner.zip", {"a.jpg": b"x"}).read_bytes()
    with pytest.raises(InputError, match="archive inside an archive"):
        Zip(zipped(tmp_path / "a.zip", {"inner.zip": inner})).read("inner.zip")


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
        tree = Zip(tmp_path / "a.zip")
        for name in tree.names:
            tree.read(name)
    except InputError as error:
        assert str(error).endswith(".")


def test_what_is_no_zip_is_told(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(InputError, match="cannot be unpacked"):
        Zip(tmp_path / "a.zip")


# Tars: WebDataset's samples, and everything that one can say and must not be believed


def tar(path, files, mode="w", **about):
    with tarfile.open(path, mode, **about) as archive:
        for name, data in files:
            entry = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            content = b"" if isinstance(data, tarfile.TarInfo) else data
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def link(kind):
    entry = tarfile.TarInfo("a.jpg")
    entry.type, entry.linkname = kind, "/etc/hostname"
    return entry


def test_files_of_a_key_are_one_item_wherever_they_stand(tmp_path):
    said = json.dumps({"caption": "of the JSON", "year": 1999, "status": "success"}).encode()
    path = tar(
        tmp_path / "a.tar",
        [
            ("./one.jpg", jpeg(1)),
            ("two.b.jpg", jpeg(2)),
            ("one.txt", b"first"),
            ("two.txt", b"second"),
            ("one.cls", b"7"),
            ("three.JPG", jpeg(3)),
            ("three.json", said),
            ("noext", b""),
        ],
    )
    source = open_source(path)
    entries = list(source)
    assert source.count == len(entries) and "WebDataset" in open_source(tmp_path).recognised
    assert {each.name: (each.caption, each.fields) for each in entries if isinstance(each, Entry)} == {
        "one.jpg": ("first", {"label": "7"}),
        "two.b.jpg": ("second", {}),
        "three.JPG": ("of the JSON", {"year": 1999}),
    }
    assert [each.name for each in entries if isinstance(each, Rejected)] == ["noext"]
    assert next(each for each in entries if each.name == "one.jpg").read() == jpeg(1)


def test_shards_in_a_folder_are_one_collection_and_no_labels(tmp_path):
    for shard in range(3):
        tar(tmp_path / f"{shard:05}.tar", [("0.jpg", jpeg(shard)), ("0.txt", b"shard %d" % shard)])
    entries = list(open_source(tmp_path))
    assert [(each.name, each.caption, each.fields) for each in entries] == [
        (f"{shard:05}.tar/0.jpg", f"shard {shard}", {}) for shard in range(3)
    ]
    assert take(tmp_path / "it", tmp_path).added == 3


def test_members_are_not_held(tmp_path):
    path = tar(tmp_path / "a.tar", [(f"{number}.jpg", b"") for number in range(300)])
    assert len(open_source(path).stream and list(open_source(path))) == 300


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("../a.jpg", b"")], "no plain file inside it"),
        ([("/etc/a.jpg", b"")], "no plain file inside it"),
        ([("", link(tarfile.SYMTYPE))], "no plain file inside it"),
        ([("", link(tarfile.LNKTYPE))], "no plain file inside it"),
        ([("", link(tarfile.CHRTYPE))], "no plain file inside it"),
        ([("", link(tarfile.FIFOTYPE))], "no plain file inside it"),
        ([("a.jpg", b"1"), ("a.jpg", b"2")], "holds 'a.jpg' twice"),
        ([(f"{number}.jpg", b"") for number in range(9)], "more than 8 files"),
    ],
)
def test_what_a_tar_must_not_hold_is_told(tmp_path, files, message):
    with pytest.raises(InputError, match=message):
        open_source(tar(tmp_path / "a.tar", files), Caps(entries=8))


def test_sizes_in_a_tar_are_compared_with_what_is_there(tmp_path):
    path = tar(tmp_path / "a.tar", [("a.jpg", bytes(50_000))])
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(InputError, match="ends before its file 'a.jpg' does"):
        open_source(path)
    header = tarfile.TarInfo("a.jpg")
    header.size = 10**13
    path.write_bytes(header.tobuf() + bytes(1024))
    with pytest.raises(InputError, match="ends before its file 'a.jpg' does"):
        open_source(path)


def test_a_long_header_of_a_tar_is_not_read(tmp_path):
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 40_000_000
    (tmp_path / "a.tar").write_bytes(header.tobuf() + bytes(40_000_000))
    with pytest.raises(InputError, match="no tar that can be read"):
        open_source(tmp_path / "a.tar")


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_compressed_tar_is_refused(tmp_path, mode):
    with pytest.raises(InputError, match="damaged or compressed; unpack it first"):
        open_source(tar(tmp_path / "a.tar", [("a.jpg", jpeg(1))], mode))
