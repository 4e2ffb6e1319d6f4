"""Which source a path is, and how pictures, captions, labels and columns are put together."""

import zipfile

import numpy as np
import pytest
from fixtures_imports import fill, jpeg

from clipexplore.errors import InputError
from clipexplore.sources.entries import Entry, Rejected
from clipexplore.sources.files import Caps
from clipexplore.sources.recognise import open_source


def told(path):
    source = open_source(path)
    entries = list(source)
    assert source.count == len(entries) and [type(each) for each in source] == [type(each) for each in entries]
    return source, entries


def test_a_folder_with_captions_beside(tmp_path):
    fill(tmp_path, 4)
    source, entries = told(tmp_path)
    assert (source.kind, source.dim) == ("pictures", None)
    assert [(each.name, each.caption) for each in entries] == [
        ("p0000.jpg", ""),
        ("p0001.jpg", "picture number 1"),
        ("p0002.jpg", "picture number 2"),
        ("p0003.jpg", ""),
    ]
    assert entries[0].read() == jpeg(0) and entries[0].fields == {}


def test_subfolders_are_labels(tmp_path):
    fill(tmp_path / "cats", 2), fill(tmp_path / "dogs" / "small", 1)
    (tmp_path / "alone.png").write_bytes(b"")
    _, entries = told(tmp_path)
    assert [each.fields.get("label") for each in entries] == [None, "cats", "cats", "small"]


def test_a_table_with_files_captions_them_and_keeps_its_columns(tmp_path):
    fill(tmp_path / "img", 3)
    (tmp_path / "all.csv").write_text(
        "file,caption,id,year\nimg/p0001.jpg,one,first,1999\np0000.jpg,zero,,2001\nimg/p0001.jpg,again,,\ngone.jpg,x,,\n"
    )
    for path in (tmp_path, tmp_path / "all.csv"):
        source, entries = told(path)
        assert [each.name for each in entries] == [
            "img/p0001.jpg",
            "img/p0000.jpg",
            "img/p0001.jpg",
            "gone.jpg",
            "img/p0002.jpg",
        ]
        assert [each.caption for each in entries[:3]] == ["one", "zero", "again"] and (
            entries[0].id,
            entries[0].fields,
        ) == ("first", {"year": "1999"})
        assert isinstance(entries[3], Rejected) and "row 4" in entries[3].reason
        assert entries[4].reason == "all.csv names it nowhere."


def test_a_zip_is_read_like_a_folder(tmp_path):
    fill(tmp_path / "in" / "cats", 3)
    with zipfile.ZipFile(tmp_path / "it.zip", "w") as archive:
        for path in sorted((tmp_path / "in").rglob("*.*")):
            archive.write(path, path.relative_to(tmp_path / "in").as_posix())
        archive.writestr("more.zip", b"PK")
    _, entries = told(tmp_path / "it.zip")
    assert [each.name for each in entries] == ["cats/p0000.jpg", "cats/p0001.jpg", "cats/p0002.jpg", "more.zip"]
    assert (
        entries[1].caption == "picture number 1" and entries[1].read() == jpeg(1) and isinstance(entries[3], Rejected)
    )
    with pytest.raises(InputError, match="at most 2"):
        open_source(tmp_path / "it.zip", Caps(entries=2))


def test_captions_alone(tmp_path):
    (tmp_path / "c.txt").write_text("a cat\n\na dog\n")
    source, entries = told(tmp_path / "c.txt")
    assert source.kind == "captions" and [(each.name, each.caption, each.read) for each in entries] == [
        ("c-00001", "a cat", None),
        ("c-00003", "a dog", None),
    ]


def test_vectors_are_recognised(tmp_path):
    np.save(tmp_path / "v.npy", np.ones((2, 3), np.float32))
    source, entries = told(tmp_path / "v.npy")
    assert (source.kind, source.dim) == ("captions", 3) and all(isinstance(each, Entry) for each in entries)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", "does not exist"),
        ("a.pdf", "is none of"),
        ("empty.txt", "holds no captions"),
        ("folder", "no pictures in"),
    ],
)
def test_what_is_no_source_is_told(tmp_path, name, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.pdf").write_bytes(b""), (tmp_path / "empty.txt").write_bytes(b"")
    with pytest.raises(InputError, match=message):
        open_source(tmp_path / name)


def test_a_folder_with_a_table_of_captions_alone_says_how_to_use_it(tmp_path):
    (tmp_path / "c.csv").write_text("caption\na cat\n")
    with pytest.raises(InputError, match="for captions alone give 'c.csv' itself"):
        open_source(tmp_path)
