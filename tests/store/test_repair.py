"""A damaged collection: noticed, set aside, made again of what is whole; equal once its source is read.

And collections that an earlier version made: taken over once, or read as they are.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from fixtures_imports import Toy, contents, fill, full_disk, store_in, take

from clipexplore.errors import DamagedError, InputError, NoRoomError
from clipexplore.images import open_picture
from clipexplore.models.catalog import Model
from clipexplore.models.weights import Weights
from clipexplore.store import importing
from clipexplore.store import repair as module
from clipexplore.store.collection import Collection
from clipexplore.store.database import FILE, PAGE
from clipexplore.store.embedding import embed_missing
from clipexplore.store.opening import open_for
from clipexplore.store.repair import ASIDE, adopt, repair

OLDER = Path(__file__).parent / "older.zip"  # made by version 0.1: 16 items, and 8 of an import that was stopped
TOY = Model("toy", "Toy", "Toy.", Weights("clip", "x", repo="someone/toy", revision="toy-1"), dim=16)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Pictures and the collection made of them."""
    folder = tmp_path_factory.mktemp("whole")
    fill(folder / "photos", 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "COMMIT", 8)
        take(folder / "it", folder / "photos")
        yield folder


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole / "it", tmp_path / "it")
    return tmp_path / "it"


def pages(folder):
    return (folder / FILE).stat().st_size // PAGE


def harm(folder, page, how, seed=0):
    """Damages a page of the file."""
    path, rng = folder / FILE, np.random.default_rng([page, seed])
    data = bytearray(path.read_bytes())
    start = page * PAGE
    if how == "flipped":  # a bit among what is written
        used = [start + place for place in range(PAGE) if data[start + place]]
        data[int(rng.choice(used))] ^= 1 << int(rng.integers(8))
    elif how == "zeroed":
        data[start : start + PAGE] = bytes(PAGE)
    elif how == "noise":
        data[start : start + PAGE] = rng.bytes(PAGE)
    path.write_bytes(data[:start] if how == "cut" else data)


def assert_heals(whole, folder):
    """What is whole is still there after a repair, and the source brings the rest to where it was."""
    repair(folder)
    before = Collection.open(whole / "it")
    if store_in(folder).rows():
        found = Collection.open(folder, verify=True)
        assert set(found.ids) <= set(before.ids)
        assert [found.picture(id) for id in found.ids] == [before.picture(id) for id in found.ids]
    take(folder, whole / "photos")
    assert repair(folder) == []
    healed = Collection.open(folder, verify=True)
    assert (healed.ids, healed.captions) == (before.ids, before.captions)
    for kind in ("pictures", "captions"):
        np.testing.assert_array_equal(healed.embeddings("toy", kind), before.embeddings("toy", kind))


@pytest.mark.parametrize("how", ["flipped", "zeroed", "noise", "cut"])
def test_every_page_damaged_in_every_way(whole, tmp_path, how):
    for page in range(pages(whole / "it")):
        folder = tmp_path / f"it-{page}"
        shutil.copytree(whole / "it", folder)
        harm(folder, page, how)
        assert_heals(whole, folder)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(300))
def test_flipped_bits_anywhere(whole, copy, seed):
    for page in range(pages(copy)):
        harm(copy, page, "flipped", seed)
    assert_heals(whole, copy)


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_is_told_repaired_or_of_no_consequence(whole, copy, seed):
    harm(copy, seed % pages(copy), "flipped", seed + 1)
    before = Collection.open(whole / "it")
    try:
        found = Collection.open(copy)
        assert (found.ids, found.captions) == (before.ids, before.captions)
        assert [found.picture(id) for id in found.ids] == [before.picture(id) for id in before.ids]
        for kind in ("pictures", "captions"):
            np.testing.assert_array_equal(found.embeddings("toy", kind), before.embeddings("toy", kind))
    except InputError as error:
        assert isinstance(error, DamagedError) and "damaged" in str(error)


def test_a_lost_picture_takes_its_item_alone_and_nothing_is_embedded_again(whole, copy):
    before = Collection.open(whole / "it")
    data, picture = (copy / FILE).read_bytes(), before.picture("p0009")
    place = data.index(picture) + len(picture) // 2
    (copy / FILE).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    with pytest.raises(DamagedError, match="a picture is not what was stored"):
        Collection.open(copy).picture("p0009")
    assert repair(copy) == ["1 pictures", "1 items without their picture"]
    assert Collection.open(copy, verify=True).ids == [id for id in before.ids if id != "p0009"]
    assert (copy / ASIDE / FILE).exists()
    toy = Toy()
    assert take(copy, whole / "photos", toy).added == 1 and toy.images == 1 and toy.texts == 0
    assert Collection.open(copy, verify=True).ids == before.ids


def test_lost_vectors_are_made_again_by_the_model(whole, copy):
    data, rows = (copy / FILE).read_bytes(), Collection.open(copy).embeddings("toy", "pictures")
    place = data.index(rows[5].tobytes())
    (copy / FILE).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    assert repair(copy) == ["1 vectors"] and Collection.open(copy).embedded("toy") == ["captions"]
    toy = Toy()
    embed_missing(store_in(copy), toy, "toy", "toy-1", lambda share, stage: None)
    assert toy.images == 1
    np.testing.assert_array_equal(Collection.open(copy, verify=True).embeddings("toy", "pictures"), rows)


@pytest.mark.parametrize("data", [b"", b"nothing of the kind" * 1000])
def test_of_a_file_that_is_lost_the_source_makes_another(whole, copy, data):
    (copy / FILE).write_bytes(data)
    with pytest.raises(DamagedError):
        Collection.open(copy)
    assert_heals(whole, copy)


def test_what_is_whole_is_left_alone(whole, copy):
    assert repair(copy) == [] and not (copy / ASIDE).exists() and contents(copy) == contents(whole / "it")


def test_a_collection_whose_first_import_has_yet_to_show_anything_is_whole(whole, tmp_path):
    with closing(store_in(tmp_path / "it")) as store:
        assert repair(store.folder) == [] and not (store.folder / ASIDE).exists()
    take(tmp_path / "it", whole / "photos")
    assert repair(tmp_path / "it") == []


def test_a_repair_on_a_full_disk_changes_nothing(whole, copy, monkeypatch):
    harm(copy, 3, "noise")
    before = (copy / FILE).read_bytes()

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(NoRoomError, match="make room"):
        repair(copy)
    assert (copy / FILE).read_bytes() == before


def test_opening_repairs_what_cannot_be_opened(whole, copy):
    harm(copy, 1, "noise")  # what it says of itself
    found = open_for(copy, TOY)
    assert found.ids == Collection.open(whole / "it").ids


# Collections of version 0.1


@pytest.fixture
def older(tmp_path):
    with zipfile.ZipFile(OLDER) as archive:
        archive.extractall(tmp_path)
    return tmp_path / "birds"


def same(found, before):
    """Whether the first items of a collection are all those of another, with all that belongs to them."""
    count = len(before)
    assert (found.ids[:count], found.captions[:count]) == (before.ids, before.captions)
    assert found.fields[:count].equals(before.fields)
    assert [found.picture(id) for id in before.ids] == [before.picture(id) for id in before.ids]
    for kind in ("pictures", "captions"):
        np.testing.assert_array_equal(found.embeddings("toy", kind)[:count], before.embeddings("toy", kind))


def test_an_older_collection_is_read_as_it_is(older):
    before = Collection.open(older, verify=True)
    assert len(before) == 16 and before.fields["label"].tolist() == ["cats"] * 8 + ["dogs"] * 8
    assert before.models == {key: {"revision": each, "dim": 16} for key, each in (("toy", "toy-1"), ("other", "o-1"))}


def test_an_older_collection_is_taken_over_once(older, tmp_path):
    shutil.copytree(older, tmp_path / "before")
    before = Collection.open(tmp_path / "before")
    found = open_for(older, TOY)
    same(found, before)
    assert len(found) == 24, "an import that was stopped is taken over too"
    left = {path.name for path in older.iterdir()} - {"rejected.csv", ".lock", "cache"}
    assert left == {FILE} and open_for(older, TOY).version == found.version


def test_what_was_taken_over_is_known_and_added_to(older, tmp_path):
    adopt(older)
    for folder, start, count in (("cats", 0, 8), ("dogs", 8, 8), ("fish", 16, 10)):
        fill(tmp_path / "photos" / folder, count, start=start)
    toy = Toy()
    outcome = take(older, tmp_path / "photos", toy)
    assert (outcome.added, outcome.known, toy.images) == (2, 24, 2)
    toy = Toy()
    embed_missing(store_in(older), toy, "other", "o-1", lambda share, stage: None)
    assert toy.images == 10, "those that were embedded by it already are not embedded again"


def test_on_a_full_disk_the_older_collection_opens_and_nothing_is_lost(older, tmp_path, monkeypatch):
    shutil.copytree(older, tmp_path / "before")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full_disk)
        same(open_for(older, TOY), Collection.open(tmp_path / "before"))
    files = {path.relative_to(older) for path in older.rglob("*") if "cache" not in path.parts}
    assert files == {path.relative_to(tmp_path / "before") for path in (tmp_path / "before").rglob("*")}
    assert len(open_for(older, TOY)) == 24


TAKING_OVER = """
import os, sys
from pathlib import Path
from clipexplore.store import database, repair
calls = []
def stopping(function):
    def stop(*arguments, **options):
        calls.append(function)
        if len(calls) > int(sys.argv[2]):
            os._exit(9)
        return function(*arguments, **options)
    return stop
repair._adopt_part, os.replace, repair._forget_old = map(stopping, (repair._adopt_part, os.replace, repair._forget_old))
repair.adopt(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("at", range(10))
def test_a_takeover_that_is_killed_is_done_again(older, tmp_path, at):
    shutil.copytree(older, tmp_path / "before")
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", TAKING_OVER, str(older), str(at)], cwd=root, check=False)
    found = open_for(older, TOY)
    same(found, Collection.open(tmp_path / "before"))
    assert len(found) == 24 and not (older / "manifest.json").exists() and not list(older.glob("*.partial*"))


def test_of_a_damaged_older_collection_what_is_whole_is_taken_over(older):
    (older / "shards/00001.parquet").write_bytes(b"PAR1")
    found = open_for(older, TOY)
    assert found.fields["label"].tolist() == ["cats"] * 8 + ["fish"] * 8


def test_an_older_collection_that_is_not_what_it_was_made_of_is_left(older, monkeypatch):
    monkeypatch.setattr(module, "_adopt_part", lambda *arguments: None)
    with pytest.raises(InputError):
        adopt(older)
    assert len(Collection.open(older, verify=True)) == 16


def test_pictures_look_as_before(older):
    assert open_picture(open_for(older, TOY).picture("p0003")).size == (40, 30)
