"""Whatever lies in a bucket of S3 is imported as what lies in a folder is: over HTTP, by s3fs, from a server."""

import shutil
from pathlib import Path

import fsspec
import pytest
from fixtures_imports import contents, fill, jpeg, take
from fixtures_s3 import bucket, put

from clipexplore.errors import MissingError, NetworkError
from clipexplore.sources.preview import as_text, look
from clipexplore.sources.recognise import open_source


@pytest.fixture(scope="module")
def s3():
    with bucket() as address:
        yield address


@pytest.fixture
def photos(tmp_path):
    fill(tmp_path / "photos", 7)
    (tmp_path / "photos/broken.jpg").write_bytes(b"no picture")
    fill(tmp_path / "photos/more", 3, start=100)
    return tmp_path / "photos"


def same(tmp_path, path, address) -> None:
    take(tmp_path / "by-path", path)
    take(tmp_path / "by-address", address)
    assert contents(tmp_path / "by-address") == contents(tmp_path / "by-path")
    assert as_text(look(open_source(address))) == as_text(look(open_source(path)))


def test_a_folder_and_what_was_added_since(tmp_path, photos, s3):
    same(tmp_path, photos, put(photos, f"{s3}/photos"))
    (photos / "new.jpg").write_bytes(jpeg(500))
    put(photos / "new.jpg", f"{s3}/photos/new.jpg")
    again = take(tmp_path / "by-address", f"{s3}/photos")
    assert (again.added, again.known, again.refused) == (1, 10, 1)


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_an_archive(tmp_path, photos, s3, form):
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), form, photos))
    same(tmp_path, archive, put(archive, f"{s3}/archive.{form}"))


def test_shards_of_a_webdataset(tmp_path, s3):
    for shard in range(3):
        fill(tmp_path / f"shard {shard}", 5, start=10 * shard)
        shutil.make_archive(str(tmp_path / f"shards/0000{shard}"), "tar", tmp_path / f"shard {shard}")
    same(tmp_path, tmp_path / "shards", put(tmp_path / "shards", f"{s3}/shards"))


@pytest.mark.parametrize("named", ["", "/table.csv"])
def test_a_table_of_captions(tmp_path, photos, s3, named):
    (photos / "table.csv").write_text("file,caption\np0001.jpg,a hat\nmore/p0100.jpg,a cat\ngone.jpg,nothing\n")
    put(photos, f"{s3}/captioned")
    take(tmp_path / "by-path", f"{photos}{named}")
    take(tmp_path / "by-address", f"{s3}/captioned{named}")
    assert contents(tmp_path / "by-address") == contents(tmp_path / "by-path")


def test_what_is_not_there(s3):
    for address in (f"{s3}/nothing", "s3://another-bucket"):
        with pytest.raises(MissingError, match=f"There is nothing at '{address}'; check the address"):
            open_source(address)


def test_a_server_that_does_not_answer(s3, monkeypatch):
    nobody = {"endpoint_url": "http://127.0.0.1:9", "key": "somebody", "secret": "unknown"}
    monkeypatch.setitem(fsspec.config.conf, "s3", nobody)
    with pytest.raises(NetworkError, match=r"cannot be read \(.*127\.0\.0\.1:9"):
        open_source(f"{s3}/photos")
