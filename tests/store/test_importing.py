"""Imports: what comes out, that going on after any end gives the same, and that nothing is embedded twice."""

import random
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from fixtures_imports import Toy, contents, fill, jpeg, silent, store_in, take

from clipexplore.errors import InputError
from clipexplore.expression import parse
from clipexplore.images import open_picture
from clipexplore.sources.recognise import open_source
from clipexplore.store import embedding, importing
from clipexplore.store.collection import Collection
from clipexplore.store.database import FILE
from clipexplore.store.embedding import embed_missing
from clipexplore.store.importing import REJECTED, add
from clipexplore.store.items import Ids
from clipexplore.store.repair import repair
from clipexplore.store.stored import Stored
from clipexplore.vectors import normalize

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Eight items stored together, so that few pictures are many times eight."""
    monkeypatch.setattr(importing, "COMMIT", 8)
    monkeypatch.setattr(importing, "READY", 8)
    monkeypatch.setattr(embedding, "COMMIT", 8)
    monkeypatch.setattr(importing, "WINDOW", 6)


@pytest.fixture
def photos(tmp_path):
    fill(tmp_path / "photos", 29)
    return tmp_path / "photos"


@pytest.fixture
def undisturbed(tmp_path, photos):
    """What an import gives that nothing happens to."""
    take(tmp_path / "undisturbed", photos)
    return contents(tmp_path / "undisturbed")


def test_what_was_imported_is_what_the_model_makes_of_what_is_stored(tmp_path, photos):
    outcome = take(tmp_path / "it", photos)
    found, toy = Collection.open(tmp_path / "it", verify=True), Toy()
    assert (outcome.added, outcome.known, outcome.rejected, len(found)) == (29, 0, [], 29)
    assert found.ids == [f"p{number:04d}" for number in range(29)]
    assert found.captions == [f"picture number {number}" if number % 3 else "" for number in range(29)]
    stored = [open_picture(found.picture(id)) for id in found.ids]
    np.testing.assert_allclose(found.embeddings("toy", "pictures"), toy.embed_images(stored), atol=1e-6)
    written = [row for row in range(29) if row % 3]
    texts = toy.embed_texts([found.captions[row] for row in written])
    np.testing.assert_allclose(found.embeddings("toy", "captions")[written], texts, atol=1e-6)
    assert found.revision("toy") == "toy-1" and list(found.fields) == []


def test_what_is_stored_looks_like_what_was_given(tmp_path, photos):
    take(tmp_path / "it", photos)
    stored = Collection.open(tmp_path / "it").picture("p0004")
    given = np.asarray(open_picture(jpeg(4)), float)
    assert np.abs(np.asarray(open_picture(stored), float) - given).mean() < 12


def test_adding_embeds_only_what_is_new(tmp_path, photos):
    take(tmp_path / "it", photos)
    fill(photos, 5, start=29)
    # the same as another, which has no caption either
    (photos / "again.jpg").write_bytes((photos / "p0003.jpg").read_bytes())
    toy = Toy()
    outcome = take(tmp_path / "it", photos, toy)
    assert (outcome.added, outcome.known, toy.images, toy.texts) == (5, 30, 5, 3), (
        "the empty caption has its vector already"
    )
    assert len(Collection.open(tmp_path / "it", verify=True)) == 34


def test_the_same_again_changes_nothing(tmp_path, photos, undisturbed):
    toy = Toy()
    take(tmp_path / "undisturbed", photos, toy)
    assert contents(tmp_path / "undisturbed") == undisturbed and toy.images == 0


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
    assert toy.texts == 0, "no caption is not embedded"
    fill(tmp_path / "more", 5)
    take(tmp_path / "it", tmp_path / "more")
    found = Collection.open(tmp_path / "it", verify=True)
    assert found.captions[:20] == [""] * 20 and found.captions[21] == "picture number 1"
    written = found.rows_embedded("toy", "captions")
    made = toy.embed_texts([found.captions[row] for row in written])
    np.testing.assert_allclose(found.embeddings("toy", "captions")[written], made, atol=1e-6)


def test_another_model_embeds_what_is_stored_and_another_revision_replaces_the_first(tmp_path, photos):
    take(tmp_path / "it", photos)
    for model, revision, seen in (("other", "o-1", 29), ("other", "o-1", 0), ("toy", "toy-2", 29)):
        toy = Toy(revision=revision)
        embed_missing(store_in(tmp_path / "it"), toy, model, revision, silent)
        assert toy.images == seen
    found = Collection.open(tmp_path / "it", verify=True)
    assert found.manifest["models"] == {
        "toy": {"revision": "toy-2", "dim": 16},
        "other": {"revision": "o-1", "dim": 16},
    }
    np.testing.assert_array_equal(found.embeddings("other", "pictures"), found.embeddings("toy", "pictures"))


def test_new_items_leave_no_model_with_embeddings_of_half_of_them(tmp_path, photos):
    take(tmp_path / "it", photos)
    embed_missing(store_in(tmp_path / "it"), Toy(revision="o-1"), "other", "o-1", silent)
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
    (tmp_path / "c.csv").write_text(
        "caption,number,code\n" + "".join(f"text {n},{n},00{n}\n" for n in range(20)) + "text 3,3,003\n,9,9\n"
    )
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


def test_a_picture_with_two_labels_has_both_whenever_they_come(tmp_path):
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/3.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(jpeg(int(name[-5])))
    outcome, toy = take(tmp_path / "it", tmp_path / "in", toy := Toy()), toy
    assert (outcome.added, toy.images) == (4, 3)
    (tmp_path / "in" / "bird").mkdir()
    (tmp_path / "in" / "bird" / "1.jpg").write_bytes(jpeg(1))
    assert (take(tmp_path / "it", tmp_path / "in").added, take(tmp_path / "it", tmp_path / "in").added) == (1, 0)
    found = Collection.open(tmp_path / "it", verify=True)
    labels = dict(zip(found.ids, found.fields["label"], strict=True))
    assert labels == {"1": "cat", "2": "cat", "1-2": "dog", "3": "dog", "1-3": "bird"}
    assert found.picture("1") == found.picture("1-2") == found.picture("1-3")


def test_an_empty_caption_is_never_embedded(tmp_path):
    fill(tmp_path / "in", 9)
    toy = Toy()
    take(tmp_path / "it", tmp_path / "in", toy)
    found = Collection.open(tmp_path / "it", verify=True)
    assert toy.texts == 6 == sum(map(bool, found.captions)) and found.embedded("toy") == ["captions", "pictures"]
    assert found.rows_embedded("toy", "captions").tolist() == [1, 2, 4, 5, 7, 8]
    captions = found.embeddings("toy", "captions")
    np.testing.assert_allclose(np.linalg.norm(captions, axis=1), [0, 1, 1] * 3, atol=1e-6)
    published = found.publish(tmp_path / "out")
    np.testing.assert_allclose(published.embeddings("toy", "captions"), captions, atol=1e-3)
    assert published.rows_embedded("toy", "captions").tolist() == [1, 2, 4, 5, 7, 8]

    for number in range(9):
        (tmp_path / "in" / f"p{number:04d}.txt").unlink(missing_ok=True)
    take(tmp_path / "mute", tmp_path / "in", toy)
    found = Collection.open(tmp_path / "mute", verify=True)
    assert toy.texts == 6 and found.contained == found.embedded("toy") == ["pictures"]


def test_pairs_of_vectors_are_a_collection_without_pictures(tmp_path):
    pictures, texts = np.random.default_rng(0).normal(size=(2, 30, 16)).astype(np.float32)
    np.savez(
        tmp_path / "v.npz", image_vectors=pictures, text_vectors=texts, caption=[f"text {n % 10}" for n in range(30)]
    )
    take(tmp_path / "it", tmp_path / "v.npz")
    assert take(tmp_path / "it", tmp_path / "v.npz").known == 30
    assert repair(tmp_path / "it") == []
    found = Collection.open(tmp_path / "it", verify=True)
    assert found.has_pictures and not found.has_files and found.contained == ["captions"]
    for each in (found, found.publish(tmp_path / "out"), Collection.open(tmp_path / "out", verify=True)):
        for kind, given in (("pictures", pictures), ("captions", texts)):
            np.testing.assert_allclose(each.embeddings("toy", kind), normalize(given), atol=1e-3)
        assert each.ids == found.ids and not each.has_files
        with pytest.raises(InputError, match="only vectors of them"):
            each.picture(each.ids[0])

    toy = Toy()
    with closing(Stored.open(tmp_path / "it")) as store:
        embed_missing(store, toy, "other", "other-1", silent)
    assert (toy.texts, toy.images, Collection.open(tmp_path / "it").embedded("other")) == (30, 0, ["captions"])
    fill(tmp_path / "in", 3)
    with pytest.raises(InputError, match="do not mix"):
        take(tmp_path / "it", tmp_path / "in")


def test_a_field_that_is_a_number_in_one_shard_and_a_text_in_another(tmp_path):
    (tmp_path / "c.csv").write_text(
        "caption,kind,id,content\n" + "".join(f"text {n},{n if n < 12 else 'x'},i {n},c\n" for n in range(20))
    )
    take(tmp_path / "it", tmp_path / "c.csv")
    found = Collection.open(tmp_path / "it", verify=True)
    assert found.fields["kind"].tolist() == [*map(str, range(12)), *["x"] * 8]
    assert found.ids[:2] == ["i-0", "i-1"] and found.fields["content_"].iloc[0] == "c"


def test_ids_can_be_written_and_are_unique():
    ids, written = (
        Ids(["cat", "cat-3"]),
        {
            "a/cat.jpg": "cat-2",
            "b/cat.JPG": "cat-4",
            "cat": "cat-5",
            "../../": "item",
            "Löwe & Lamm.png": "Löwe-Lamm",
            "up-1234.png": "picture-up-1234",
            "v1.5": "v1.5",
            "猫.jpg": "猫",
            "हिन्दी।.png": "हिन्दी",
            "🧢.png": "item-2",
        },
    )
    assert {name: ids.new(name) for name in written} == written
    for id in written.values():
        assert parse(f"@{id}").terms[0].text == id


# Going on


class Stopped(BaseException):
    """A cancel, as a lane raises it out of `report`."""


@pytest.mark.parametrize("after", [0, 1, 4, 9, 13, 20])
def test_an_import_that_was_cancelled_goes_on(tmp_path, photos, undisturbed, after):
    reports, toy = [], Toy(at_once=3)

    def stop(progress, stage):
        reports.append(progress)
        if len(reports) > after:
            raise Stopped

    with pytest.raises(Stopped):
        take(tmp_path / "it", photos, toy, stop)
    whole = store_in(tmp_path / "it").rows()
    toy = Toy()
    take(tmp_path / "it", photos, toy)
    assert toy.images == 29 - whole, "what was stored is not embedded again"
    assert contents(tmp_path / "it") == undisturbed


KILLED = """
import sys
sys.path[:0] = ["tests", "."]
from pathlib import Path
from clipexplore.store import embedding, importing
importing.COMMIT = embedding.COMMIT = 8
importing.WINDOW = 6
from fixtures_imports import Toy, take
print("begun", flush=True)
take(Path(sys.argv[1]), Path(sys.argv[2]), Toy(at_once=3))
"""


def started(folder, photos):
    """An import in a process of its own, which has just begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), str(photos)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
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
    """The next import finds what is stored whole, embeds none of it again and ends with what an undisturbed one has."""
    toy = Toy()
    whole = store_in(folder).rows() if (folder / FILE).exists() else 0
    take(folder, photos, toy)
    assert toy.images == 29 - whole and contents(folder) == undisturbed
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
from clipexplore.store import embedding, importing
importing.COMMIT = embedding.COMMIT = 8
importing.WINDOW = 6
from clipexplore.errors import InputError
from fixtures_imports import Toy, take
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    take(Path(sys.argv[1]), Path(sys.argv[2]), Toy(at_once=3))
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize("share", [0.02, 0.5, pytest.param(None, marks=pytest.mark.long)])
def test_a_disk_that_is_full_is_told_and_the_import_goes_on_later(tmp_path, photos, undisturbed, share):
    """No file may grow beyond a size, so that writing fails in the middle; the slow tests try twenty."""
    largest = (tmp_path / "undisturbed" / FILE).stat().st_size
    for number, limit in enumerate([int(share * largest)] if share else [largest * step // 20 for step in range(20)]):
        folder = tmp_path / f"it-{number}"
        command = [sys.executable, "-c", FULL, str(folder), str(photos), str(limit)]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert (
            "; make room or choose another folder; what was stored there before is whole." in run.stdout
            and not run.stderr
        ), run.stderr
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
def test_a_small_file_system_is_told_and_the_import_goes_on_where_there_is_room(tmp_path, disk, photos, undisturbed):
    """At twenty sizes, up to what would just do."""
    place, resize = disk
    whole = (tmp_path / "undisturbed" / FILE).stat().st_size
    for step in range(20):
        folder = place / f"it-{step}"
        resize(max(whole * step // 20, 4096))
        with pytest.raises(InputError, match="; make room or choose another folder"):
            take(folder, photos)
        resize("1g")
        assert_goes_on(folder, photos, undisturbed)
        shutil.rmtree(folder)


def test_two_imports_into_one_collection_do_not_mix(tmp_path, photos):
    take(tmp_path / "it", photos)
    with store_in(tmp_path / "it").writing(), pytest.raises(InputError, match="another process"):
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
    store = Stored.create(tmp_path / "it", name="it", title="It", kind="pictures")
    add(store, source, Toy(), "toy", "toy-1", lambda progress, stage: told.append((progress, stage)))
    assert (
        all(0 <= progress <= 1 for progress, _ in told)
        and told[-1] == (1.0, "29 added, 0 there already, 0 refused")
        or "29 added" in told[-1][1]
    )
    assert any(stage and stage.startswith("8 of 29") or stage and " of 29" in stage for _, stage in told)
