"""Imports: what comes out, that going on after any end gives the same, and that nothing is embedded twice."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fixtures_imports import Toy, checksums, fill, jpeg, shards_in, silent, take

from clipexplore.collection import Collection
from clipexplore.collections import importing, reading
from clipexplore.collections.importing import Ids, add, embed_missing
from clipexplore.collections.shards import REJECTED, Shards
from clipexplore.collections.sources import open_source
from clipexplore.errors import InputError
from clipexplore.images import open_picture

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Shards of eight, so that few pictures make many."""
    monkeypatch.setattr(importing, "SHARD", 8)
    monkeypatch.setattr(importing, "READY", 8)
    monkeypatch.setattr(importing, "AT_ONCE", 3)
    monkeypatch.setattr(reading, "WINDOW", 6)


@pytest.fixture
def photos(tmp_path):
    fill(tmp_path / "photos", 29)
    return tmp_path / "photos"


@pytest.fixture
def undisturbed(tmp_path, photos):
    """What an import gives that nothing happens to."""
    take(tmp_path / "undisturbed", photos)
    return checksums(tmp_path / "undisturbed")


def test_what_was_imported_is_what_the_model_makes_of_what_is_stored(tmp_path, photos):
    outcome = take(tmp_path / "it", photos)
    found, toy = Collection.open(tmp_path / "it", verify=True), Toy()
    assert (outcome.added, outcome.known, outcome.rejected, len(found)) == (29, 0, [], 29)
    assert found.ids == [f"p{number:04d}" for number in range(29)]
    assert found.captions == [f"picture number {number}" if number % 3 else "" for number in range(29)]
    stored = [open_picture(found.picture(id)) for id in found.ids]
    np.testing.assert_allclose(found.embeddings("toy", "pictures"), toy.embed_images(stored), atol=1e-6)
    np.testing.assert_allclose(found.embeddings("toy", "captions"), toy.embed_texts(found.captions), atol=1e-6)
    assert found.revision("toy") == "toy-1" and list(found.fields) == []


def test_what_is_stored_looks_like_what_was_given(tmp_path, photos):
    take(tmp_path / "it", photos)
    stored = Collection.open(tmp_path / "it").picture("p0004")
    given = np.asarray(open_picture(jpeg(4)), float)
    assert np.abs(np.asarray(open_picture(stored), float) - given).mean() < 12


def test_adding_embeds_only_what_is_new(tmp_path, photos):
    take(tmp_path / "it", photos)
    fill(photos, 5, start=29)
    (photos / "again.jpg").write_bytes((photos / "p0003.jpg").read_bytes())  # the same as another, which has no caption either
    toy = Toy()
    outcome = take(tmp_path / "it", photos, toy)
    assert (outcome.added, outcome.known, toy.images, toy.texts) == (5, 30, 5, 4)  # of two without a caption once
    assert len(Collection.open(tmp_path / "it", verify=True)) == 34


def test_the_same_again_changes_nothing(tmp_path, photos, undisturbed):
    toy = Toy()
    take(tmp_path / "undisturbed", photos, toy)
    assert checksums(tmp_path / "undisturbed") == undisturbed and toy.images == 0


def test_bad_files_are_listed_with_a_reason_and_stop_nothing(tmp_path, photos):
    (photos / "broken.jpg").write_bytes(jpeg(3)[:200])
    (photos / "notes.pdf").write_bytes(b"%PDF")
    (photos / "empty.png").write_bytes(b"")
    outcome = take(tmp_path / "it", photos)
    assert outcome.added == 29 and {each.name for each in outcome.rejected} == {"broken.jpg", "notes.pdf", "empty.png"}
    assert all(each.reason.endswith(".") for each in outcome.rejected)
    listed = (tmp_path / "it" / REJECTED).read_text(encoding="utf-8-sig")
    assert listed.count("\n") == 4 and "broken.jpg" in listed


def test_pictures_without_captions_have_an_empty_one_and_those_that_come_later_have_theirs(tmp_path):
    (tmp_path / "plain").mkdir()
    for number in range(20):
        (tmp_path / "plain" / f"{number}.jpg").write_bytes(jpeg(100 + number))
    toy = Toy()
    take(tmp_path / "it", tmp_path / "plain", toy)
    assert toy.texts == 3, "once for each shard"
    fill(tmp_path / "more", 5)
    take(tmp_path / "it", tmp_path / "more")
    found = Collection.open(tmp_path / "it", verify=True)
    assert found.captions[:20] == [""] * 20 and found.captions[21] == "picture number 1"
    np.testing.assert_allclose(found.embeddings("toy", "captions"), toy.embed_texts(found.captions), atol=1e-6)


def test_another_model_embeds_what_is_stored_and_another_revision_replaces_the_first(tmp_path, photos):
    take(tmp_path / "it", photos)
    for model, revision, seen in (("other", "o-1", 29), ("other", "o-1", 0), ("toy", "toy-2", 29)):
        toy, shards = Toy(), shards_in(tmp_path / "it")
        embed_missing(shards, toy, model, revision, silent)
        shards.merge()
        assert toy.images == seen
    found = Collection.open(tmp_path / "it", verify=True)
    assert found.manifest["models"] == {"toy": {"revision": "toy-2", "dim": 16}, "other": {"revision": "o-1", "dim": 16}}
    np.testing.assert_array_equal(found.embeddings("other", "pictures"), found.embeddings("toy", "pictures"))


def test_new_items_leave_no_model_with_embeddings_of_half_of_them(tmp_path, photos):
    take(tmp_path / "it", photos)
    shards = shards_in(tmp_path / "it")
    embed_missing(shards, Toy(), "other", "o-1", silent)
    shards.merge()
    fill(photos, 1, start=40)
    take(tmp_path / "it", photos)
    assert set(Collection.open(tmp_path / "it", verify=True).manifest["models"]) == {"toy"}


def test_a_source_of_another_kind_is_told(tmp_path, photos):
    take(tmp_path / "it", photos)
    (tmp_path / "captions.txt").write_text("a cat\na dog\n")
    with pytest.raises(InputError, match="holds pictures and the source captions"):
        take(tmp_path / "it", tmp_path / "captions.txt")


def test_a_quota_refuses_what_goes_beyond(tmp_path, photos):
    outcome = take(tmp_path / "it", photos, most=20)
    assert (outcome.added, len(outcome.rejected)) == (20, 9) and len(Collection.open(tmp_path / "it")) == 20
    assert take(tmp_path / "it", photos, most=20).added == 0


def test_nothing_usable_is_told(tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="nothing to make a collection of"):
        take(tmp_path / "it", tmp_path / "bad")


def test_captions_alone_and_ready_made_vectors(tmp_path):
    (tmp_path / "c.csv").write_text("caption,number,code\n" + "".join(f"text {n},{n},00{n}\n" for n in range(20)) + "text 3,3,003\n,9,9\n")
    outcome = take(tmp_path / "texts", tmp_path / "c.csv")
    found = Collection.open(tmp_path / "texts", verify=True)
    assert (outcome.added, outcome.known, len(outcome.rejected)) == (20, 1, 1) and not found.has_pictures
    assert found.fields["number"].tolist() == list(range(20)) and found.fields["code"].iloc[3] == "003"

    vectors = np.random.default_rng(0).normal(size=(30, 16)).astype(np.float16)
    vectors[7], vectors[8, 3] = 0, np.nan
    np.save(tmp_path / "v.npy", vectors)
    outcome, toy = take(tmp_path / "ready", tmp_path / "v.npy", toy := Toy()), toy
    found = Collection.open(tmp_path / "ready", verify=True).embeddings("toy", "captions")
    whole = np.delete(vectors, [7, 8], axis=0).astype(np.float32)
    assert (outcome.added, [each.name for each in outcome.rejected], toy.texts) == (28, ["row 8", "row 9"], 0)
    np.testing.assert_allclose(found, whole / np.linalg.norm(whole, axis=1, keepdims=True), atol=1e-6)


def test_a_field_that_is_a_number_in_one_shard_and_a_text_in_another(tmp_path):
    (tmp_path / "c.csv").write_text("caption,kind,id,content\n" + "".join(f"text {n},{n if n < 12 else 'x'},i {n},c\n" for n in range(20)))
    take(tmp_path / "it", tmp_path / "c.csv")
    found = Collection.open(tmp_path / "it", verify=True)
    assert found.fields["kind"].tolist() == [*map(str, range(12)), *["x"] * 8]
    assert found.ids[:2] == ["i-0", "i-1"] and found.fields["content_"].iloc[0] == "c"


def test_ids_can_be_written_and_are_unique():
    ids = Ids(["cat", "cat-3"])
    assert [ids.new(name) for name in ("a/cat.jpg", "b/cat.JPG", "cat", "../../", "Löwe & Lamm.png", "up-1234.png", "v1.5")] == [
        "cat-2", "cat-4", "cat-5", "item", "L-we-Lamm", "picture-up-1234", "v1.5",
    ]  # fmt: skip


# Going on


class Stopped(BaseException):
    """A cancel, as a lane raises it out of `report`."""


@pytest.mark.parametrize("after", [0, 1, 4, 9, 13, 20])
def test_an_import_that_was_cancelled_goes_on(tmp_path, photos, undisturbed, after):
    reports, toy = [], Toy()

    def stop(progress, stage):
        reports.append(progress)
        if len(reports) > after:
            raise Stopped

    with pytest.raises(Stopped):
        take(tmp_path / "it", photos, toy, stop)
    whole = shards_in(tmp_path / "it").rows
    toy = Toy()
    take(tmp_path / "it", photos, toy)
    assert toy.images == 29 - whole, "what a finished shard holds is not embedded again"
    assert checksums(tmp_path / "it") == undisturbed


KILLED = """
import sys
sys.path[:0] = ["tests", "."]
from pathlib import Path
from clipexplore.collections import importing, reading
importing.SHARD, importing.AT_ONCE, reading.WINDOW = 8, 3, 6
from fixtures_imports import take
print("begun", flush=True)
take(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def started(folder, photos):
    """An import in a process of its own, which has just begun."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder), str(photos)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    return process


def kill_at(seconds, process):
    """Kills an import after a while; whether it was still at work."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def assert_goes_on(folder, photos, undisturbed):
    """The next import finds whole files, embeds no finished shard and ends with what an undisturbed one has."""
    toy = Toy()
    whole = shards_in(folder).rows if (folder / "manifest.json").exists() else 0
    take(folder, photos, toy)
    assert toy.images == 29 - whole and checksums(folder) == undisturbed
    assert not list(folder.rglob("*.partial"))


def test_killed_once_it_goes_on(tmp_path, photos, undisturbed):
    kill_at(0.05, started(tmp_path / "it", photos))
    assert_goes_on(tmp_path / "it", photos, undisturbed)


@pytest.mark.long
def test_killed_at_twenty_random_moments_it_goes_on(tmp_path, photos, undisturbed):
    process, begun = started(tmp_path / "undisturbed too", photos), time.monotonic()
    process.wait()
    lasts = time.monotonic() - begun
    rng, killed = random.Random(5), 0
    for number in range(20):
        killed += kill_at(rng.uniform(0, lasts), started(tmp_path / f"it-{number}", photos))
        assert_goes_on(tmp_path / f"it-{number}", photos, undisturbed)
    assert killed >= 10, "most were still at work"


FULL = """
import resource, sys
sys.path[:0] = ["tests", "."]
from pathlib import Path
from clipexplore.collections import importing, reading
importing.SHARD, importing.AT_ONCE, reading.WINDOW = 8, 3, 6
from clipexplore.errors import InputError
from fixtures_imports import take
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    take(Path(sys.argv[1]), Path(sys.argv[2]))
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize("share", [0.02, 0.5, pytest.param(None, marks=pytest.mark.long)])
def test_a_disk_that_is_full_is_told_and_the_import_goes_on_later(tmp_path, photos, undisturbed, share):
    """No file may grow beyond a size, so that writing fails in the middle of one; at twenty sizes with the slow tests."""
    largest = max(entry["size"] for entry in undisturbed["files"].values())
    for number, limit in enumerate([int(share * largest)] if share else [largest * step // 20 for step in range(20)]):
        folder = tmp_path / f"it-{number}"
        command = [sys.executable, "-c", FULL, str(folder), str(photos), str(limit)]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert "File too large; make room" in run.stdout and not run.stderr, run.stderr
        assert_goes_on(folder, photos, undisturbed)


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, and what changes its size."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    yield place, lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a small file system is made the way of Linux")
def test_a_small_file_system_is_told_and_the_import_goes_on_where_there_is_room(disk, photos, undisturbed):
    """At twenty sizes, up to what would just do."""
    place, resize = disk
    whole = sum(entry["size"] for entry in undisturbed["files"].values())
    for step in range(20):
        folder = place / f"it-{step}"
        resize(max(whole * step // 20, 4096))
        with pytest.raises(InputError, match="No space left on device; make room"):
            take(folder, photos)
        resize("1g")
        assert_goes_on(folder, photos, undisturbed)
        shutil.rmtree(folder)


def test_two_imports_into_one_collection_do_not_mix(tmp_path, photos):
    take(tmp_path / "it", photos)
    shards = shards_in(tmp_path / "it")
    with shards.store.writing(), pytest.raises(InputError, match="another process"):
        take(tmp_path / "it", photos)


def test_the_same_pictures_from_a_zip_are_known(tmp_path, photos):
    import zipfile

    take(tmp_path / "it", photos)
    with zipfile.ZipFile(tmp_path / "it.zip", "w") as archive:
        for path in sorted(photos.iterdir()):
            archive.write(path, path.name)
    toy = Toy()
    assert take(tmp_path / "it", tmp_path / "it.zip", toy).known == 29 and toy.images == 0


def test_progress_says_how_many_and_how_fast(tmp_path, photos):
    told = []
    source = open_source(photos)
    shards = Shards.create(tmp_path / "it", name="it", title="It", kind="pictures")
    add(shards, source, Toy(), "toy", "toy-1", lambda progress, stage: told.append((progress, stage)))
    assert all(0 <= progress <= 1 for progress, _ in told) and told[-1] == (1.0, "29 added, 0 there already, 0 refused") or "29 added" in told[-1][1]
    assert any(stage and stage.startswith("8 of 29") or stage and " of 29" in stage for _, stage in told)
    assert os.path.exists(tmp_path / "it" / "items.parquet")
