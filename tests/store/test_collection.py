"""A collection written and read again, with everything that can go wrong in between."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fixtures_imports import full_disk
from hypothesis import given
from hypothesis import strategies as st

from clipexplore.errors import DamagedError, InputError, NoRoomError
from clipexplore.expression import Term, parse
from clipexplore.retrieval.nearest import mapped_file
from clipexplore.store.collection import Collection
from clipexplore.store.database import FILE
from clipexplore.store.items import ID
from clipexplore.store.mapped import CACHE
from clipexplore.store.published import COPY, SHARD
from clipexplore.vectors import normalize

HARM = {
    "flipped": lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 16]) + data[len(data) // 2 + 1 :],
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "missing": lambda data: None,
}
ROOT = Path(__file__).parents[2]
IDS = ["man", "man-top-hat", "lion-jungle.07", "Lion_2"]
PICTURES = [b"RIFF one", b"\0\xff two", b"three", b"four"]


def items(**columns):
    captions = ["a man", "a man with a top hat", "a lion in the jungle", "zwei Löwen"]
    return pd.DataFrame({"id": IDS, "caption": captions, "place": ["none", "none", "jungle", "none"]}).assign(**columns)


def vectors(seed=0, dim=8, count=4):
    return normalize(np.random.default_rng(seed).normal(size=(count, dim)))


LONG = vectors() * np.float32([[1.5], [2], [3], [40]])


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
    return Collection.open(collection.store.folder, verify=True)


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
    assert all(type(text) is str for text in [*found.ids, *found.captions])


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
    np.testing.assert_allclose(pictures, stored, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(pictures, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found.embeddings("m", "captions"), -pictures, atol=1e-6)
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
    assert collection.lengths("m", "pictures") is None
    collection.add_embeddings("m", "r1", "pictures", vectors())
    assert collection.lengths("m", "pictures") is None
    collection.add_embeddings("m", "r1", "pictures", LONG, keep_lengths=True)
    found = again(collection)
    np.testing.assert_allclose(found.lengths("m", "pictures"), [1.5, 2, 3, 40], rtol=1e-6)
    np.testing.assert_allclose(found.embeddings("m", "pictures"), vectors(), atol=1e-6)
    assert collection.lengths("m", "captions") is None
    with pytest.raises(InputError, match="one row for each"):
        collection.add_embeddings("m", "r1", "pictures", LONG[:3], keep_lengths=True)
    collection.add_embeddings("m", "r2", "pictures", vectors())
    assert again(collection).lengths("m", "pictures") is None


def test_lengths_are_read_once_however_often_they_are_asked_for(collection, monkeypatch):
    collection.add_embeddings("m", "r1", "pictures", LONG, keep_lengths=True)
    found, read = again(collection), []
    real = found.store.lengths
    monkeypatch.setattr(found.store, "lengths", lambda *given: read.append(given) or real(*given))
    for _ in range(3):
        assert found.lengths("m", "pictures")[0] == pytest.approx(1.5) and found.lengths("m", "captions") is None
    assert len(read) == 2
    found.add_embeddings("m", "r1", "pictures", vectors(), keep_lengths=True)
    assert found.lengths("m", "pictures")[0] == pytest.approx(1)


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
        Collection.create(collection.store.folder, name="new", title="New", items=items())
    assert again(collection).title == "Lions"


# Published


@pytest.fixture
def published(collection, tmp_path):
    collection.add_embeddings("m", "r1", "pictures", LONG, keep_lengths=True)
    collection.add_embeddings("m", "r1", "captions", vectors(1))
    collection.add_map("m", "umap", vectors(dim=2))
    return collection.publish(tmp_path / "published")


def test_what_is_published_is_the_same_collection(collection, published):
    assert (published.ids, published.captions, published.manifest["licence"]) == (IDS, collection.captions, "CC0")
    assert published.fields.equals(collection.fields)
    assert [published.picture(id) for id in IDS] == PICTURES and published.models == collection.models
    for kind in ("pictures", "captions"):
        np.testing.assert_allclose(published.embeddings("m", kind), collection.embeddings("m", kind), atol=1e-3)
    np.testing.assert_array_equal(published.lengths("m", "pictures"), collection.lengths("m", "pictures"))
    np.testing.assert_array_equal(published.coordinates("m", "umap"), collection.coordinates("m", "umap"))


def test_what_is_published_is_read_by_other_programs(published):
    import pyarrow.parquet

    folder = published.store.folder
    table = pyarrow.parquet.read_table(folder / "shards/00000.parquet")
    assert table["id"].to_pylist() == IDS and table["picture"].to_pylist() == PICTURES
    assert np.load(folder / "embeddings/m/pictures.npy").dtype == np.float16


def test_what_is_published_stays_as_it_is(published, tmp_path):
    for change in (
        lambda: published.add_embeddings("m", "r1", "pictures", vectors()),
        lambda: published.add_map("m", "umap", vectors(dim=2)),
        lambda: published.remove(["man"]),
    ):
        with pytest.raises(InputError, match="is published and stays as it is"):
            change()
    with pytest.raises(InputError, match="already; choose another"):
        published.publish(published.store.folder)


@pytest.fixture
def many(published, monkeypatch):
    """The published vectors count as so many that they are mapped."""
    monkeypatch.setattr("clipexplore.store.published.MAPPED_FROM", 2)
    return again(published)


def test_many_published_vectors_are_mapped_and_the_same(published, monkeypatch):
    expected = {kind: published.embeddings("m", kind) for kind in ("pictures", "captions")}
    monkeypatch.setattr("clipexplore.store.published.MAPPED_FROM", 2)
    for _first_made_then_found in range(2):
        found = again(published)
        for kind, array in expected.items():
            mapped = found.embeddings("m", kind)
            assert mapped_file(mapped) is not None and mapped_file(array) is None and not mapped.flags.writeable
            np.testing.assert_array_equal(mapped, array)
    assert len([*(published.store.folder / CACHE).iterdir()]) == 2


@pytest.mark.parametrize("harm", ["flipped", "cut", "empty", "missing"])
def test_mapped_vectors_that_are_damaged_are_made_again(many, harm):
    before = np.array(many.embeddings("m", "pictures"))
    (path,) = (many.store.folder / CACHE).iterdir()
    harmed = HARM[harm](path.read_bytes())
    path.unlink() if harmed is None else path.write_bytes(harmed)
    np.testing.assert_array_equal(again(many).embeddings("m", "pictures"), before)
    assert mapped_file(again(many).embeddings("m", "pictures")) is not None


def test_where_nothing_can_be_written_many_published_vectors_are_in_memory(published, monkeypatch):
    expected = published.embeddings("m", "pictures")
    monkeypatch.setattr("clipexplore.store.published.MAPPED_FROM", 2)
    (published.store.folder / CACHE).write_bytes(b"no folder")
    found = again(published).embeddings("m", "pictures")
    assert mapped_file(found) is None
    np.testing.assert_array_equal(found, expected)


def test_pictures_of_many_shards_are_found(tmp_path):
    count = 2 * SHARD + 40
    many = pd.DataFrame({"id": [f"i-{row}" for row in range(count)], "caption": "it"})
    pictures = [f"picture {row}".encode() for row in range(count)]
    made = Collection.create(tmp_path / "new", name="n", title="N", items=many, pictures=pictures)
    for found in (again(made), made.publish(tmp_path / "published")):
        for row in (0, 1, 31, 32, SHARD - 1, SHARD, 2 * SHARD, count - 1):
            assert found.picture(f"i-{row}") == pictures[row]


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (COPY, "manifest.json"))


@pytest.mark.parametrize("harm", ["flipped", "cut", "empty", "missing"])
@pytest.mark.parametrize("which", range(6))
def test_damage_to_any_published_file_is_told_in_a_sentence(published, harm, which):
    path = files(published.store.folder)[which]
    harmed = HARM[harm](path.read_bytes())
    path.unlink() if harmed is None else path.write_bytes(harmed)
    with pytest.raises(DamagedError, match="damaged: .*; restore"):
        again(published)


@pytest.mark.parametrize("harm", ["flipped", "cut", "empty", "missing"])
def test_a_manifest_is_there_twice_and_both_damaged_are_told(published, harm):
    for name in ("manifest.json", COPY):
        assert again(published).ids == IDS
        path = published.store.folder / name
        harmed = HARM[harm](path.read_bytes())
        path.unlink() if harmed is None else path.write_bytes(harmed)
    with pytest.raises(InputError, match="damaged: .*; restore|nothing to open"):
        again(published)


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("at", range(5))
def test_a_full_disk_publishes_nothing(collection, tmp_path, monkeypatch, function, at):
    collection.add_embeddings("m", "r1", "pictures", vectors())
    calls, real = [], getattr(os, function)

    def full(*arguments):
        calls.append(arguments)
        if len(calls) > at:
            full_disk()
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, function, full)
        try:
            collection.publish(tmp_path / "published")
            assert len(calls) <= at
        except NoRoomError as error:
            assert "No space left on device; make room" in str(error)
            assert not (tmp_path / "published").exists() and not list(tmp_path.glob("*.partial"))


# Full disks, kills, damage


def test_a_flipped_bit_is_noticed_without_looking_for_it(collection):
    collection.add_embeddings("m", "r1", "pictures", vectors())
    path = collection.store.folder / FILE
    data = path.read_bytes()
    stored = vectors()[1].astype("<f4").tobytes()
    for content, use in ((PICTURES[3], lambda found: found.picture("Lion_2")), (stored, None)):
        place = data.index(content)
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        for cache in collection.store.folder.glob("cache/*"):
            cache.unlink()
        with pytest.raises(DamagedError, match="not what"):
            found = Collection.open(collection.store.folder)
            use(found) if use else found.embeddings("m", "pictures")


def test_a_damaged_cache_is_made_again(collection):
    collection.add_embeddings("m", "r1", "pictures", vectors())
    (cache,) = collection.store.folder.glob("cache/*.npy")
    for harm in HARM.values():
        harmed = harm(cache.read_bytes())
        cache.unlink() if harmed is None else cache.write_bytes(harmed)
        np.testing.assert_allclose(again(collection).embeddings("m", "pictures"), vectors(), atol=1e-6)


def test_where_nothing_can_be_written_a_collection_is_read(collection, monkeypatch):
    collection.add_embeddings("m", "r1", "pictures", vectors())
    for cache in collection.store.folder.glob("cache/*"):
        cache.unlink()

    monkeypatch.setattr(os, "replace", full_disk)
    array = again(collection).embeddings("m", "pictures")
    np.testing.assert_allclose(array, vectors(), atol=1e-6)
    assert not array.flags.writeable


def test_a_killed_process_leaves_the_old_state(collection):
    collection.add_embeddings("m", "r1", "pictures", vectors())
    script = (
        "import os, sys, numpy as np\n"
        "from clipexplore.store.collection import Collection\n"
        "from clipexplore.store.stored import Stored\n"
        "Stored.show = lambda self: os._exit(9)\n"
        "Collection.open(sys.argv[1]).add_embeddings('m', 'r2', 'pictures', np.eye(4))\n"
    )
    folder = collection.store.folder
    assert subprocess.run([sys.executable, "-c", script, folder], cwd=ROOT, check=False).returncode == 9
    found = again(collection)
    assert found.revision("m") == "r1"
    np.testing.assert_allclose(found.embeddings("m", "pictures"), vectors(), atol=1e-3)
    found.add_embeddings("m", "r2", "pictures", np.eye(4))


def test_what_a_vector_was_made_for_goes_with_the_last_item(collection):
    collection.add_embeddings("m", "r1", "pictures", vectors())
    collection.add_embeddings("m", "r1", "captions", vectors(1))
    left = collection.remove(["man-top-hat"])
    assert left.ids == [IDS[0], *IDS[2:]] and again(left).picture("Lion_2") == PICTURES[3]
    np.testing.assert_allclose(left.embeddings("m", "pictures"), vectors()[[0, 2, 3]], atol=1e-6)
    counts = [left.store.read(f"SELECT count(*) FROM {table}")[0][0] for table in ("items", "pictures", "vectors")]
    assert counts == [3, 3, 6]
    with pytest.raises(InputError, match="Nothing would be left"):
        left.remove(left.ids)
