"""A collection that grows: what merging makes of shards."""

import numpy as np
import pyarrow as pa
import pytest
from fixtures_imports import checksums

from clipexplore.collection import Collection
from clipexplore.collections.shards import Shards, vectors_name
from clipexplore.collections.storage import Store
from clipexplore.errors import InputError
from clipexplore.vectors import normalize


def table(start, count, **fields):
    return pa.table({"id": [f"i{n}" for n in range(start, start + count)], "caption": ["text"] * count, "content": [f"c{n}" for n in range(start, start + count)], **fields})


def vectors(count, seed=0, dim=4):
    return normalize(np.random.default_rng(seed).normal(size=(count, dim)))


@pytest.fixture
def shards(tmp_path):
    found = Shards.create(tmp_path / "it", name="it", title="It", kind="captions", licence="CC0")
    for number in range(3):
        found.append(table(3 * number, 3, year=[str(number)] * 3), None, {"captions": vectors(3, number)}, "m", "r1")
    return found


def test_merged_shards_are_a_collection(shards):
    with pytest.raises(InputError, match="still being imported"):
        Collection.open(shards.store.folder)
    shards.merge()
    found = Collection.open(shards.store.folder, verify=True)
    assert (len(found), found.title, found.manifest["licence"], found.fields["year"].tolist()) == (9, "It", "CC0", [0, 0, 0, 1, 1, 1, 2, 2, 2])
    embeddings = found.embeddings("m", "captions")
    np.testing.assert_array_equal(embeddings, np.concatenate([vectors(3, number) for number in range(3)]))
    base = embeddings
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap) and not embeddings.flags.writeable, "mapped, and not read"


def test_what_is_merged_already_is_not_written_again(shards):
    shards.merge()
    before = (shards.store.folder / "items.parquet").stat().st_mtime_ns
    shards.merge(), Shards.open(shards.store.folder).merge()
    assert (shards.store.folder / "items.parquet").stat().st_mtime_ns == before


def test_while_a_collection_grows_readers_have_what_was_merged(shards):
    shards.merge()
    shards.append(table(9, 2, year=["x", None]), None, {"captions": vectors(2)}, "m", "r1")
    assert len(Collection.open(shards.store.folder, verify=True)) == 9
    shards.merge()
    found = Collection.open(shards.store.folder, verify=True)
    assert found.fields["year"].tolist()[-3:-1] == ["2", "x"] and len(found) == 11


def test_a_free_place_is_filled_first(shards):
    lost = "shards/00001.parquet"
    parts = {name: rows for name, rows in shards.parts.items() if name != lost}
    files = {name: entry for name, entry in shards.manifest["files"].items() if "00001" not in name}
    shards.store.commit({**shards.manifest, "parts": parts, "files": files}, {})
    shards.append(table(3, 3, year=["1"] * 3), None, {"captions": vectors(3, 1)}, "m", "r1")
    assert list(shards.parts) == [f"shards/0000{number}.parquet" for number in range(3)]
    assert checksums(shards.store.folder) == shards.manifest


def test_embeddings_of_another_revision_are_dropped(shards):
    assert shards.unembedded("m", "r1", ["captions"]) == [] and len(shards.unembedded("m", "r2", ["captions"])) == 3
    shards.add_vectors(1, "captions", vectors(3, 7), "m", "r2")
    assert [vectors_name("m", "captions", number) in shards.manifest["files"] for number in range(3)] == [False, True, False]
    shards.merge()
    assert Collection.open(shards.store.folder).manifest["models"] == {}


def test_numbers_are_numbers_and_codes_are_not(tmp_path):
    shards = Shards.create(tmp_path / "it", name="it", title="It", kind="captions")
    columns = {"whole": ["1", None, "-3"], "real": ["0.5", "2", None], "code": ["007", "1", "2"], "none": [None] * 3, "word": ["1", "b", "c"], "given": [1.5, 2.5, None]}
    shards.append(table(0, 3, **{name: pa.array(column) for name, column in columns.items()}), None, {}, "m", "r1")
    shards.merge()
    fields = Collection.open(tmp_path / "it").fields
    assert fields["whole"].tolist()[::2] == [1, -3] and fields["real"].tolist()[:2] == [0.5, 2.0] and fields["given"].tolist()[:2] == [1.5, 2.5]
    assert fields["code"].tolist() == ["007", "1", "2"] and fields["none"].isna().all() and fields["word"].tolist() == ["1", "b", "c"]


def test_what_was_made_in_one_go_does_not_grow(tmp_path):
    Store.create(tmp_path / "it", {"name": "it"}, {})
    with pytest.raises(InputError, match="made in one go"):
        Shards.open(tmp_path / "it")


def test_nothing_cannot_be_merged(tmp_path):
    with pytest.raises(InputError, match="nothing to make a collection of"):
        Shards.create(tmp_path / "it", name="it", title="It", kind="captions").merge()
