"""What lies behind an address is taken as a folder is: the same items, captions and refusals."""

import io
import shutil
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import fsspec
import numpy as np
import pytest
from fixtures_imports import contents, fill, take

from clipexplore.__main__ import main
from clipexplore.errors import InputError, MissingError, NetworkError
from clipexplore.paths import is_address
from clipexplore.sources import buckets, files
from clipexplore.sources.preview import as_text, look
from clipexplore.sources.recognise import open_source


@pytest.fixture
def photos(tmp_path):
    fill(tmp_path / "photos", 7)
    (tmp_path / "photos/broken.jpg").write_bytes(b"no picture")
    (tmp_path / "photos/.hidden").write_bytes(b"")
    fill(tmp_path / "photos/more", 3, start=100)
    return tmp_path / "photos"


@pytest.fixture
def store(photos):
    """The same in a store of objects, which knows no folders."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    for path in photos.rglob("*"):
        if path.is_file():
            memory.pipe_file(f"/bucket/photos/{path.relative_to(photos).as_posix()}", path.read_bytes())
    yield "memory://bucket/photos"
    memory.store.clear()


def same(tmp_path, photos, address) -> None:
    take(tmp_path / "by-path", photos)
    take(tmp_path / "by-address", address)
    assert contents(tmp_path / "by-address") == contents(tmp_path / "by-path")


def test_objects_are_imported_as_files_are(tmp_path, photos, store):
    same(tmp_path, photos, store)
    assert take(tmp_path / "by-address", store).known == 10


def test_a_folder_by_its_address_is_that_folder(tmp_path, photos):
    same(tmp_path, photos, photos.as_uri())


@pytest.mark.skipif(not find_spec("aiohttp"), reason="fsspec reads web servers by aiohttp")
def test_a_web_server_is_read(tmp_path, photos):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=photos.parent)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        same(tmp_path, photos, f"http://127.0.0.1:{server.server_port}/photos/")
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass


def test_a_tar_in_a_store_is_read_where_it_lies(tmp_path, photos):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for path in sorted(photos.rglob("*")):
            tar.add(path, path.relative_to(photos).as_posix(), recursive=False)
    fsspec.filesystem("memory").pipe_file("/bucket/photos.tar", held.getvalue())
    same(tmp_path, photos, "tar://::memory://bucket/photos.tar")


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_an_archive_at_an_address_is_read(tmp_path, photos, store, form):
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), form, photos))
    fsspec.filesystem("memory").pipe_file(f"/bucket/photos.{form}", archive.read_bytes())
    same(tmp_path, archive, f"memory://bucket/photos.{form}")


def test_a_table_at_an_address_names_what_is_beside_it(tmp_path, photos, store):
    table = "file,caption\np0001.jpg,a hat\nmore/p0100.jpg,a cat\ngone.jpg,nothing\n"
    (photos / "table.csv").write_text(table)
    fsspec.filesystem("memory").pipe_file("/bucket/photos/table.csv", table.encode())
    same(tmp_path, photos / "table.csv", f"{store}/table.csv")


def test_vectors_at_an_address_are_copied_whatever_their_size(tmp_path, store, monkeypatch):
    monkeypatch.setattr(files, "MAX_FILE", 1_000)
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(50, 16)).astype(np.float32))
    fsspec.filesystem("memory").pipe_file("/bucket/vectors/v.npy", (tmp_path / "v.npy").read_bytes())
    expected = [each.vectors["captions"] for each in open_source(tmp_path / "v.npy")]
    for address in ("memory://bucket/vectors", "memory://bucket/vectors/v.npy"):
        np.testing.assert_array_equal([each.vectors["captions"] for each in open_source(address)], expected)


def test_a_look_at_it_shows_what_one_at_the_folder_does(photos, store):
    assert as_text(look(open_source(store))) == as_text(look(open_source(photos)))


def test_the_command_takes_an_address(store, home, capsys):
    assert main(["index", store, "--name", "far"]) == 0
    said = capsys.readouterr().out
    assert "10 added" in said and "broken.jpg: This picture cannot be read" in said


def test_what_is_too_large_is_refused_unread(tmp_path, store, monkeypatch):
    monkeypatch.setattr(buckets, "MAX_FILE", 2_000_000)
    monkeypatch.setattr(files, "MAX_FILE", 2_000_000)
    fsspec.filesystem("memory").pipe_file("/bucket/photos/large.jpg", bytes(2_000_001))
    refused = {each.name: each.reason for each in take(tmp_path / "it", store).rejected}
    assert refused["large.jpg"].startswith("'large.jpg' is larger than 2 MB")


@pytest.mark.parametrize(
    ("address", "kind", "said"),
    [
        ("memory://nowhere", MissingError, "There is nothing at 'memory://nowhere'; check the address."),
        ("nosuch://bucket", NetworkError, r"'nosuch://bucket' cannot be read \(.*nosuch.*\); check the address"),
        ("file:///etc/hostname", InputError, "'hostname' is none of: a folder, .zip, .tar"),
    ],
)
def test_what_cannot_be_read_is_told(address, kind, said):
    with pytest.raises(kind, match=said):
        open_source(address)


@pytest.mark.skipif(bool(find_spec("s3fs")), reason="s3fs is installed")
def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(InputError, match=r"'s3://bucket' is read by a package that is not installed \(.*s3fs.*\)"):
        open_source("s3://bucket")


def test_a_path_is_no_address():
    assert not is_address(Path("/data/photos")) and is_address("s3://bucket/photos")
