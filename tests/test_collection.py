"""A collection written and read again, with everything that can go wrong in between."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipexplore import collection as module
from clipexplore.collection import Collection
from clipexplore.collections.storage import COPY
from clipexplore.collections.tables import ID, SHARD
from clipexplore.errors import InputError
from clipexplore.expression import Term, parse
from clipexplore.vectors import normalize

ROOT = Path(__file__).parent.parent
IDS = ["man", "man-top-hat", "lion-jungle.07", "Lion_2"]
PICTURES = [b"RIFF one", b"\0\xff two", b"three", b"four"]


def items(**columns):
    captions = ["a man", "a man with a top hat", "a lion in the jungle", "zwei Löwen"]
    return pd.DataFrame({"id": IDS, "caption": captions, "place": ["none", "none", "jungle", "none"]}).assign(**columns)


def vectors(seed=0, dim=8, count=4):
    return normalize(np.random.default_rng(seed).normal(size=(count, dim)))


@pytest.fixture
def collection(tmp_path):
    return Collection.create(
        tmp_path / "lions",
        name="lions",
        title="Lions",
        items=items(count=[1, 1, 1, 2]),
        pictures=PICTURES,
        licence="CC0",
    )


def again(collection):
    return Collection.open(collection._store.folder, verify=True)


def test_what_was_created_is_opened(collection):
    found = again(collection)
    assert (found.name, found.title, found.manifest["licence"]) == ("lions", "Lions", "CC0")
    assert (found.ids, found.captions) == (IDS, items()["caption"].tolist())
    assert found.fields["count"].tolist() == [1, 1, 1, 2]
    assert list(found.fields) == ["place", "count"]
    assert (len(found), found.has_pictures) == (4, True)
    assert [found.picture(id) for id in IDS] == PICTURES
    assert [found.row(id) for id in IDS] == [0, 1, 2, 3]
    assert found.manifest["counts"] == {"items": 4, "pictures": 4}
    assert all(type(text) is str for text in found.ids + found.captions)


def test_texts_alone_have_no_pictures(tmp_path):
    Collection.create(tmp_path, name="words", title="Words", items=items())
    words = Collection.open(tmp_path)
    assert not words.has_pictures
    with pytest.raises(InputError, match="Words holds texts only; choose"):
        words.picture("man")
    with pytest.raises(InputError, match="texts only"):
        words.add_embeddings("m", "1", "pictures", vectors())
    words.add_embeddings("m", "1", "captions", vectors())
    with pytest.raises(InputError, match="texts only"):
        words.embeddings("m", "pictures")


def test_pictures_of_many_shards_are_found(tmp_path):
    count = 2 * SHARD + 40
    many = pd.DataFrame({"id": [f"i-{row}" for row in range(count)], "caption": "it"})
    pictures = [f"picture {row}".encode() for row in range(count)]
    found = again(Collection.create(tmp_path / "new", name="n", title="N", items=many, pictures=pictures))
    for row in (0, 1, 31, 32, SHARD - 1, SHARD, 2 * SHARD, count - 1):
        assert found.picture(f"i-{row}") == pictures[row]


def test_the_version_is_that_of_the_content(collection):
    before = collection.version
    assert again(collection).version == before
    collection.add_embeddings("m", "r1", "pictures", vectors())
    assert collection.version != before


def test_an_unknown_id_names_similar_ones(collection):
    with pytest.raises(InputError, match=r"no @man-tophat in Lions; did you mean @man-top-hat\?"):
        collection.row("man-tophat")
    with pytest.raises(InputError, match="no @§ in Lions; search"):
        collection.picture("§")
    assert "man" in collection
    assert "woman" not in collection


def test_captions_are_found_as_the_model_would_read_them(tmp_path):
    captions = ["Top hat", "a lion", "top  hat", "hat"]
    found = Collection.create(tmp_path, name="it", title="It", items=items(caption=captions))
    assert found.rows_captioned(" TOP\that ") == [0, 2]
    assert found.rows_captioned("hat") == [3]
    assert found.rows_captioned("top-hat") == []


def test_embeddings_come_back_as_unit_rows(collection):
    stored = vectors()
    collection.add_embeddings("m", "r1", "pictures", 3 * stored)
    collection.add_embeddings("m", "r1", "captions", -stored)
    found = again(collection)
    pictures = found.embeddings("m", "pictures")
    assert pictures.dtype == np.float32
    np.testing.assert_allclose(pictures, stored, atol=1e-3)  # float16 on disk
    np.testing.assert_allclose(np.linalg.norm(pictures, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(found.embeddings("m", "captions"), -pictures)
    assert found.embeddings("m", "pictures") is pictures
    assert not pictures.flags.writeable
    assert found.revision("m") == "r1"
    assert found.manifest["models"] == {"m": {"revision": "r1", "dim": 8}}


def test_what_is_not_embedded_is_told(collection):
    with pytest.raises(InputError, match="Lions is not embedded by the model m; it is by: none yet"):
        collection.revision("m")
    collection.add_embeddings("m", "r1", "pictures", vectors())
    with pytest.raises(InputError, match="captions of Lions are not embedded by the model m"):
        collection.embeddings("m", "captions")
    with pytest.raises(InputError, match="by the model other; it is by: m"):
        collection.embeddings("other", "pictures")


def test_embeddings_are_replaced(collection):
    for seed in (0, 1):
        collection.add_embeddings("m", "r1", "pictures", vectors(seed))
        np.testing.assert_allclose(collection.embeddings("m", "pictures"), vectors(seed), atol=1e-3)


def test_another_revision_drops_what_the_first_one_made(collection):
    for model in ("m", "m2"):
        collection.add_embeddings(model, "r1", "pictures", vectors())
        collection.add_map(model, "umap", vectors(dim=2))
    collection.add_embeddings("m", "r2", "captions", vectors(dim=6))
    found = again(collection)
    assert found.embeddings("m", "captions").shape == (4, 6)
    with pytest.raises(InputError, match="pictures of Lions are not embedded"):
        found.embeddings("m", "pictures")
    assert found.coordinates("m", "umap") is None
    assert found.coordinates("m2", "umap") is not None
    assert found.revision("m2") == "r1"


def test_lengths_come_back_and_go_with_their_embeddings(collection):
    with pytest.raises(InputError, match="not embedded by the model m"):
        collection.add_lengths("m", "pictures", np.ones(4))
    collection.add_embeddings("m", "r1", "pictures", vectors())
    assert collection.lengths("m", "pictures") is None
    collection.add_lengths("m", "pictures", np.array([1.5, 2, 3, 40]))
    np.testing.assert_array_equal(again(collection).lengths("m", "pictures"), np.float32([1.5, 2, 3, 40]))
    assert collection.lengths("m", "captions") is None
    with pytest.raises(InputError, match="one row for each"):
        collection.add_lengths("m", "pictures", np.ones(3))
    collection.add_embeddings("m", "r2", "pictures", vectors())
    assert again(collection).lengths("m", "pictures") is None


def test_maps_come_back(collection):
    collection.add_embeddings("m", "r1", "pictures", vectors())
    coordinates = np.arange(8, dtype=float).reshape(4, 2)
    collection.add_map("m", "umap", coordinates)
    found = again(collection)
    np.testing.assert_array_equal(found.coordinates("m", "umap"), coordinates)
    assert found.coordinates("m", "umap").dtype == np.float32
    assert found.coordinates("m", "pca") is None
    with pytest.raises(InputError, match="not embedded by the model other"):
        collection.add_map("other", "umap", coordinates)


@pytest.mark.parametrize("array", [vectors(count=3), vectors()[0], np.zeros((4, 8)), np.full((4, 8), np.nan)])
def test_embeddings_that_do_not_fit_are_told(collection, array):
    with pytest.raises(InputError):
        collection.add_embeddings("m", "r1", "pictures", array)
    assert again(collection).manifest["models"] == {}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["a", "b", "a", "c"]}, "The id a is there twice"),
        ({"id": ["a", "b", "../c", "d"]}, r"'../c' cannot be written as @id"),
        ({"id": [1, 2, 3, 4]}, "cannot be written"),
        ({"id": ["a", "b", "c", None]}, "cannot be written"),
        ({"caption": ["a", "b", "c", None]}, "no caption"),
        ({"caption": 7}, "no caption"),
    ],
)
def test_items_that_break_a_rule_are_told(tmp_path, columns, message):
    with pytest.raises(InputError, match=message):
        Collection.create(tmp_path / "new", name="new", title="New", items=items(**columns))
    assert not (tmp_path / "new").exists()


@given(st.from_regex(ID, fullmatch=True))
def test_an_allowed_id_is_one_term_of_an_expression(id):
    assert parse(f"@{id} - @{id}").terms == (Term(id, is_id=True), Term(id, -1.0, is_id=True))


def test_missing_columns_items_and_pictures_are_told(tmp_path):
    def create(items, pictures=None):
        Collection.create(tmp_path / "new", name="new", title="New", items=items, pictures=pictures)

    with pytest.raises(InputError, match="lack the column caption and id"):
        create(items()[["place"]])
    with pytest.raises(InputError, match="no items"):
        create(items()[:0])
    with pytest.raises(InputError, match="3 pictures for 4 items"):
        create(items(), PICTURES[:3])


def test_a_collection_is_never_written_over(collection):
    with pytest.raises(InputError, match="already"):
        Collection.create(collection._store.folder, name="new", title="New", items=items())
    assert again(collection).title == "Lions"


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != COPY)


@pytest.mark.parametrize("harm", ["flipped", "cut", "empty", "missing"])
@pytest.mark.parametrize("which", range(6))
def test_damage_to_any_file_is_told_in_a_sentence(collection, harm, which):
    collection.add_embeddings("m", "r1", "pictures", vectors())
    collection.add_embeddings("m", "r1", "captions", vectors(1))
    collection.add_map("m", "umap", vectors(dim=2))
    path = files(collection._store.folder)[which]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    harmed = {"flipped": bytes(data), "cut": bytes(data[: len(data) // 2]), "empty": b"", "missing": None}[harm]
    path.unlink() if harmed is None else path.write_bytes(harmed)
    with pytest.raises(InputError, match=r"damaged: .*; restore|nothing to open"):
        again(collection)


def test_a_flipped_bit_is_noticed_without_looking_for_it(collection):
    collection.add_embeddings("m", "r1", "pictures", vectors())
    for path in files(collection._store.folder):
        if path.name in ("pictures.npy", "00000.parquet"):
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.write_bytes(data)
    found = Collection.open(collection._store.folder)
    for use in (lambda: found.embeddings("m", "pictures"), lambda: found.picture("man")):
        with pytest.raises(InputError, match="is not what was stored"):
            use()


def test_a_manifest_of_something_else_is_told(tmp_path):
    from clipexplore.collections.storage import Store

    Store.create(tmp_path, {"title": "no collection"}, {})
    with pytest.raises(InputError, match="not that of a collection"):
        Collection.open(tmp_path)


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("at", range(5))
def test_a_full_disk_leaves_the_collection_whole(collection, monkeypatch, function, at):
    collection.add_embeddings("m", "r1", "pictures", vectors())
    calls, real = [], getattr(os, function)

    def full(*arguments):
        calls.append(arguments)
        if len(calls) > at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, function, full)
        try:
            collection.add_embeddings("m", "r1", "pictures", vectors(1))
        except InputError as error:
            assert "No space left on device; make room" in str(error)
    found = again(collection)
    assert found.picture("man") == PICTURES[0]
    if "embeddings/m/pictures.npy" in found.manifest["files"]:
        nearest = [np.abs(found.embeddings("m", "pictures") - vectors(seed)).max() for seed in (0, 1)]
        assert min(nearest) < 1e-3
    collection.add_embeddings("m", "r1", "pictures", vectors(2))
    np.testing.assert_allclose(again(collection).embeddings("m", "pictures"), vectors(2), atol=1e-3)


def test_a_killed_process_leaves_the_old_state(collection):
    collection.add_embeddings("m", "r1", "pictures", vectors())
    script = (
        "import os, sys, numpy as np\n"
        "from clipexplore.collection import Collection\n"
        "os.replace = lambda *arguments: os._exit(9)\n"
        "Collection.open(sys.argv[1]).add_embeddings('m', 'r2', 'pictures', np.eye(4))\n"
    )
    folder = collection._store.folder
    assert subprocess.run([sys.executable, "-c", script, folder], cwd=ROOT, check=False).returncode == 9
    found = again(collection)
    assert found.revision("m") == "r1"
    np.testing.assert_allclose(found.embeddings("m", "pictures"), vectors(), atol=1e-3)
    found.add_embeddings("m", "r2", "pictures", np.eye(4))
    assert not list(folder.rglob("*.partial"))


def test_search_is_found_here():
    from clipexplore.retrieval import nearest

    assert (module.search, module.Hits) == (nearest.search, nearest.Hits)
