"""A store on top of another: reads from both, writes on top only, and survives damage there."""

import json

import pytest

from clipexplore.collections.layered import Layered
from clipexplore.collections.storage import MANIFEST, Store

BELOW = {"items": b"items", "embeddings/emoji/captions.npy": b"e", "embeddings/b32/captions.npy": b"old", "maps/b32/umap.npy": b"old map"}


@pytest.fixture
def base(tmp_path):
    head = {"name": "world", "models": {"emoji": {"revision": "1", "dim": 2}, "b32": {"revision": "old", "dim": 2}}}
    return Store.create(tmp_path / "base", head, BELOW)


@pytest.fixture
def top(tmp_path):
    return tmp_path / "top"


def add(store, name, data, revision="new", key="b32"):
    store.commit({**store.manifest, "models": {**store.manifest["models"], key: {"revision": revision, "dim": 3}}}, {name: data})


def test_below_shows_through_but_for_the_model_on_top(base, top):
    store = Layered(base, top, "b32")
    assert store.read("items") == b"items" and store.read("embeddings/emoji/captions.npy") == b"e"
    assert store.manifest["models"].keys() == {"emoji"} and set(store.manifest["files"]) == {"items", "embeddings/emoji/captions.npy"}
    assert not top.exists()


def test_what_is_written_lies_on_top_and_nothing_below_changes(base, top):
    before = {path: path.read_bytes() for path in base.folder.rglob("*") if path.is_file()}
    store = Layered(base, top, "b32")
    add(store, "embeddings/b32/captions.npy", b"new")
    assert store.read("embeddings/b32/captions.npy") == b"new" == store.path("embeddings/b32/captions.npy").read_bytes()
    assert store.is_whole("embeddings/b32/captions.npy") and store.manifest["models"]["b32"]["revision"] == "new"
    assert {path: path.read_bytes() for path in base.folder.rglob("*") if path.is_file()} == before
    assert Layered(base, top, "b32").manifest == store.manifest


def test_another_key_of_the_same_model_shares_it(base, top):
    add(Layered(base, top, "b32"), "embeddings/b32/captions.npy", b"new")
    other = Layered(base, top, "fast")
    assert other.read("embeddings/fast/captions.npy") == b"new" and other.manifest["models"]["fast"]["revision"] == "new"
    assert other.read("embeddings/b32/captions.npy") == b"old"  # of that key it knows what is below


def test_files_that_a_manifest_drops_are_dropped_on_top(base, top):
    store = Layered(base, top, "b32")
    add(store, "embeddings/b32/captions.npy", b"new")
    add(store, "embeddings/b32/pictures.npy", b"new pictures")
    kept = {name: entry for name, entry in store.manifest["files"].items() if not name.endswith("pictures.npy")}
    store.commit({**store.manifest, "files": kept}, {})
    assert "embeddings/b32/pictures.npy" not in store.manifest["files"] and store.read("embeddings/b32/captions.npy") == b"new"


def test_two_stores_on_one_folder_meet_by_reloading(base, top):
    first, second = Layered(base, top, "b32"), Layered(base, top, "b32")
    add(first, "embeddings/b32/captions.npy", b"new")
    assert "b32" not in second.manifest["models"]
    second.reload()
    assert second.manifest == first.manifest


@pytest.mark.parametrize("damage", ["manifest", "both manifests", "file", "gone"])
def test_what_is_damaged_on_top_is_made_again(base, top, damage):
    add(Layered(base, top, "b32"), "embeddings/b32/captions.npy", b"new")
    for name in {"manifest": [MANIFEST], "both manifests": [MANIFEST, "manifest.copy.json"]}.get(damage, []):
        (top / name).write_text("{")
    stored = top / "embeddings/model/captions.npy"
    stored.write_bytes(b"") if damage == "file" else stored.unlink() if damage == "gone" else None
    store = Layered(base, top, "b32")
    assert store.read("items") == b"items"
    add(store, "embeddings/b32/captions.npy", b"again")
    assert Layered(base, top, "b32").read("embeddings/b32/captions.npy") == b"again"
    assert json.loads((base.folder / MANIFEST).read_text())["name"] == "world"
