"""Tars of pictures: WebDataset's samples, and everything that a tar can say and must not be believed."""

import io
import json
import tarfile

import pytest
from fixtures_imports import jpeg, take

from clipexplore.errors import InputError
from clipexplore.store.files import Caps
from clipexplore.store.recognise import open_source
from clipexplore.store.sources import Entry, Rejected


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


def test_sizes_are_compared_with_what_is_there(tmp_path):
    path = tar(tmp_path / "a.tar", [("a.jpg", bytes(50_000))])
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(InputError, match="ends before its file 'a.jpg' does"):
        open_source(path)
    header = tarfile.TarInfo("a.jpg")
    header.size = 10**13
    path.write_bytes(header.tobuf() + bytes(1024))
    with pytest.raises(InputError, match="ends before its file 'a.jpg' does"):
        open_source(path)


def test_a_long_header_is_not_read(tmp_path):
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 40_000_000
    (tmp_path / "a.tar").write_bytes(header.tobuf() + bytes(40_000_000))
    with pytest.raises(InputError, match="no tar that can be read"):
        open_source(tmp_path / "a.tar")


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_compressed_tar_is_refused(tmp_path, mode):
    with pytest.raises(InputError, match="damaged or compressed; unpack it first"):
        open_source(tar(tmp_path / "a.tar", [("a.jpg", jpeg(1))], mode))
