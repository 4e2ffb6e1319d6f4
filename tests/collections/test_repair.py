"""Every file of a collection damaged in every way: noticed, set aside, made again; and equal to the undisturbed once its source is read."""

import shutil

import numpy as np
import pandas as pd
import pytest
from fixtures_imports import Toy, checksums, fill, silent, take

from clipexplore.collection import Collection
from clipexplore.collections import importing
from clipexplore.collections.importing import embed_missing
from clipexplore.collections.repair import mend, repair
from clipexplore.collections.shards import Shards
from clipexplore.collections.storage import ASIDE, COPY, MANIFEST, Damage
from clipexplore.images import open_picture

HARM = {
    "flipped": lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 16]) + data[len(data) // 2 + 1 :],
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "gone": lambda data: None,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Pictures and the collection made of them, in shards of eight."""
    folder = tmp_path_factory.mktemp("whole")
    fill(folder / "photos", 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "SHARD", 8)
        take(folder / "it", folder / "photos")
        yield folder


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole / "it", tmp_path / "it")
    return tmp_path / "it"


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name not in (".lock", COPY))


NAMES = [
    *(f"shards/0000{n}.parquet" for n in range(3)), *(f"sheets/0000{n}.webp" for n in range(3)),
    *(f"vectors/toy/{kind}/0000{n}.npy" for kind in ("captions", "pictures") for n in range(3)),
    "items.parquet", "embeddings/toy/captions.npy", "embeddings/toy/pictures.npy", "rejected.csv", MANIFEST,
]  # fmt: skip


def test_these_are_all_files(whole):
    assert names(whole / "it") == sorted(NAMES)


def damage(folder, name, harm):
    path = folder / name
    data = HARM[harm](path.read_bytes())
    path.unlink() if data is None else path.write_bytes(data)


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("name", NAMES)
def test_one_damaged_file(whole, copy, name, harm):
    damage(copy, name, harm)
    assert repair(copy) == [name]
    assert (copy / ASIDE / name).exists() == (harm != "gone")
    found, before = Collection.open(copy, verify=True), Collection.open(whole / "it")
    assert (found.ids, found.captions) == (before.ids, before.captions)
    for kind in ("pictures", "captions"):
        np.testing.assert_array_equal(found.embeddings("toy", kind), before.embeddings("toy", kind))
    toy = Toy()
    take(copy, whole / "photos", toy)  # the source has what a lost shard had
    assert toy.images == toy.texts == 0, "nothing that is whole is embedded again"
    assert checksums(copy) == checksums(whole / "it") and repair(copy) == []


def test_until_the_source_is_read_again_a_lost_picture_is_its_thumbnail(whole, copy):
    damage(copy, "shards/00001.parquet", "flipped")
    repair(copy)
    found, before = Collection.open(copy, verify=True), Collection.open(whole / "it")
    small, large = (open_picture(each.picture("p0009")) for each in (found, before))
    assert small.size == (64, 64) and np.abs(np.asarray(small.crop((0, 8, 64, 56)), float) - np.asarray(large.resize((64, 48)), float)).mean() < 20
    assert found.picture("p0003") == before.picture("p0003")


@pytest.mark.parametrize("seed", range(6))
def test_many_damaged_files_leave_a_collection_and_the_source_the_rest(whole, copy, seed):
    rng = np.random.default_rng(seed)
    for name in rng.choice([name for name in NAMES if name != MANIFEST], 7, replace=False):
        damage(copy, name, rng.choice(list(HARM)))
    repair(copy)
    take(copy, whole / "photos")
    found = Collection.open(copy, verify=True)
    assert sorted(found.ids) == [f"p{number:04d}" for number in range(20)]
    shown = {id: found.embeddings("toy", "pictures")[found.row(id)] for id in found.ids}
    before = Collection.open(whole / "it")
    np.testing.assert_allclose(np.stack([shown[id] for id in before.ids]), before.embeddings("toy", "pictures"), atol=1e-6)


def test_a_shard_without_items_and_thumbnails_is_given_up(whole, copy):
    for name in ("shards/00001.parquet", "items.parquet"):
        damage(copy, name, "cut")
    repair(copy)
    assert Collection.open(copy, verify=True).ids == [f"p{number:04d}" for number in [*range(8), *range(16, 20)]]
    take(copy, whole / "photos")
    assert checksums(copy) == checksums(whole / "it")


def test_embeddings_that_are_nowhere_are_left_out_and_made_again_by_the_model(whole, copy):
    for name in ("vectors/toy/pictures/00001.npy", "embeddings/toy/pictures.npy"):
        damage(copy, name, "empty")
    repair(copy)
    toy, shards = Toy(), Shards.open(copy)
    embed_missing(shards, toy, "toy", "toy-1", silent)
    shards.merge()
    assert toy.images == 8 and checksums(copy) == checksums(whole / "it")


def test_what_is_whole_is_left_alone(whole, copy):
    assert repair(copy) == [] and not (copy / ASIDE).exists() and checksums(copy) == checksums(whole / "it")


def test_a_reader_notices_what_a_repair_would_mend(copy):
    damage(copy, "embeddings/toy/pictures.npy", "flipped")
    with pytest.raises(Damage, match="not what was stored"):
        Collection.open(copy).embeddings("toy", "pictures")


def test_opening_mends_what_is_missing_or_cut_and_leaves_bundled_ones_alone(whole, copy, tmp_path):
    assert mend(copy) == []
    damage(copy, "items.parquet", "cut")
    damage(copy, "sheets/00001.webp", "gone")
    assert sorted(mend(copy)) == ["items.parquet", "sheets/00001.webp"] and checksums(copy) == checksums(whole / "it")
    made = Collection.create(tmp_path / "bundled", name="b", title="B", items=pd.DataFrame({"id": ["a"], "caption": ["a"]}))
    (tmp_path / "bundled" / "items.parquet").write_bytes(b"")
    assert mend(tmp_path / "bundled") == [] and not (tmp_path / "bundled" / ASIDE).exists() and len(made) == 1
