"""`python -m clipexplore index`: the command line makes what the library makes."""

import numpy as np
import pytest
from fixtures_imports import Toy, fill, jpeg

from clipexplore import Space, catalog
from clipexplore.__main__ import main
from clipexplore.collection import Collection
from clipexplore.collections import indexing, shelves
from clipexplore.images import open_picture

pytestmark = pytest.mark.usefixtures("home")


def test_a_folder_becomes_a_collection_and_is_added_to(tmp_path, home, capsys):
    fill(tmp_path / "photos", 6)
    (tmp_path / "photos" / "bad.jpg").write_bytes(b"bad")
    assert main(["index", str(tmp_path / "photos"), "--name", "My photos"]) == 0
    out = capsys.readouterr().out
    assert "6 added" in out and "bad.jpg: " in out and str(home / "collections" / "photos") in out
    assert main(["index", str(tmp_path / "photos"), "--name", "My photos"]) == 0
    assert "0 added" in capsys.readouterr().out
    found = Collection.open(shelves.folders()["photos"], verify=True)
    assert (len(found), found.title) == (6, "My photos")
    space = Space.open(collection="photos")
    assert [hit.id for hit in space.search(space.point("@p0003").vector, k=1)] == ["p0003"]


def test_a_damaged_collection_is_mended_first(tmp_path, home, capsys):
    fill(tmp_path / "photos", 3)
    main(["index", str(tmp_path / "photos"), "--name", "photos"])
    (home / "collections" / "photos" / "items.parquet").write_bytes(b"")
    main(["index", str(tmp_path / "photos"), "--name", "photos"])
    assert "1 damaged files were set aside: items.parquet" in capsys.readouterr().out
    assert len(Collection.open(shelves.folders()["photos"], verify=True)) == 3


def test_ready_made_vectors_need_their_model_named_and_no_model(tmp_path, capsys):
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(9, 512)).astype(np.float32))
    assert main(["index", str(tmp_path / "v.npy"), "--name", "ready"]) == 0
    assert Collection.open(shelves.folders()["ready"]).revision("emoji") == Collection.open(shelves.folders()["words"]).revision("emoji")
    assert main(["index", str(tmp_path / "v.npy"), "--name", "b32", "--model", "clip-b32"]) == 0
    assert Collection.open(shelves.folders()["b32"]).revision("clip-b32") == catalog.get("clip-b32").clip.identity
    assert main(["index", str(tmp_path / "v.npy"), "--name", "large", "--model", "clip-l14"]) == 2
    assert "have 512 dimensions and those of the model clip-l14 768" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone", "--name", "x"], "does not exist"),
        ([".", "--name", "emoji-world"], "bundled"),
        ([".", "--name", "x", "--model", "nope"], "There is no model"),
        ([".", "--name", "…"], "no letter"),
        ([".", "--name", "x", "--model", "clip-b32"], "models get"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path, monkeypatch, capsys, arguments, message):
    fill(tmp_path / "photos", 1)
    monkeypatch.chdir(tmp_path / "photos")
    assert main(["index", *arguments]) == 2
    assert message in capsys.readouterr().err.strip() and not (tmp_path / "home" / "collections" / "emoji-world").exists()


@pytest.mark.parametrize("cores", [1, 3])
def test_every_core_embeds_a_part_and_all_come_in_their_order(monkeypatch, cores):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    monkeypatch.setattr(indexing, "default_device", lambda: torch.device("cpu"))
    spread, alone = indexing._EveryCore(Toy()), Toy()
    images, texts = [open_picture(jpeg(number)) for number in range(8)], [f"text {number}" for number in range(7)]
    np.testing.assert_array_equal(spread.embed_images(images), alone.embed_images(images))
    np.testing.assert_array_equal(spread.embed_texts(texts), alone.embed_texts(texts))
