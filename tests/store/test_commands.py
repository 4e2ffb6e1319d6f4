"""`python -m clipexplore index`: the command line makes what the library makes."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures_imports import Toy, fill, jpeg

from clipexplore import Space
from clipexplore.__main__ import main
from clipexplore.images import open_picture
from clipexplore.models import catalog
from clipexplore.store import commands, shelves
from clipexplore.store.collection import Collection
from clipexplore.store.database import FILE

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
    file = home / "collections" / "photos" / FILE
    data = file.read_bytes()
    place = data.rindex(b"WEBPVP8") + 30
    file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    main(["index", str(tmp_path / "photos"), "--name", "photos"])
    assert "Damaged, and set aside: 1 pictures" in capsys.readouterr().out
    assert len(Collection.open(shelves.folders()["photos"], verify=True)) == 3


def test_ready_made_vectors_need_their_model_named_and_no_model(tmp_path, capsys):
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(9, 512)).astype(np.float32))
    assert main(["index", str(tmp_path / "v.npy"), "--name", "ready"]) == 2
    assert "vectors of 512 dimensions; say which model made them: --model emoji | " in capsys.readouterr().err
    assert main(["index", str(tmp_path / "v.npy"), "--name", "free", "--model", "unnamed"]) == 0
    assert Collection.open(shelves.folders()["free"]).revision("unnamed") == "unnamed"
    assert main(["index", str(tmp_path / "v.npy"), "--name", "ready", "--model", "emoji"]) == 0
    assert Collection.open(shelves.folders()["ready"]).revision("emoji") == Collection.open(
        shelves.folders()["words"]
    ).revision("emoji")
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
    assert (
        message in capsys.readouterr().err.strip() and not (tmp_path / "home" / "collections" / "emoji-world").exists()
    )


@pytest.mark.parametrize(
    ("name", "content"), [("bad.zip", b"PK"), ("empty", None), ("c.csv", b"caption\n\xff"), ("no.csv", b"caption\n,\n")]
)
def test_what_is_refused_leaves_no_collection(tmp_path, home, capsys, name, content):
    if content is None:
        fill(tmp_path / name, 0)
        (tmp_path / name / "a.jpg").write_bytes(b"no picture")
    else:
        (tmp_path / name).write_bytes(content)
    assert main(["index", str(tmp_path / name), "--name", "it"]) == 2
    assert capsys.readouterr().err.count("\n") >= 1 and not list((home / "collections").glob("*"))


def test_another_model_embeds_a_collection_that_is_there(tmp_path, home, monkeypatch):
    """Here the bundled weights by another key."""
    fill(tmp_path / "photos", 2)
    main(["index", str(tmp_path / "photos"), "--name", "photos"])
    other = replace(catalog.get("emoji"), key="other")
    monkeypatch.setattr(catalog, "get", lambda key: other if key == "other" else catalog.models()[key])
    assert main(["index", str(tmp_path / "photos"), "--name", "photos", "--model", "other"]) == 0
    assert set(Collection.open(shelves.folders()["photos"], verify=True).models) == {"emoji", "other"}


@pytest.mark.parametrize("cores", [1, 3])
def test_every_core_embeds_a_part_and_all_come_in_their_order(monkeypatch, cores):
    import torch

    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    monkeypatch.setattr(commands, "default_device", lambda: torch.device("cpu"))
    spread, alone = commands._EveryCore(Toy()), Toy()
    images, texts = [open_picture(jpeg(number)) for number in range(8)], [f"text {number}" for number in range(7)]
    np.testing.assert_array_equal(spread.embed_images(images), alone.embed_images(images))
    np.testing.assert_array_equal(spread.embed_texts(texts), alone.embed_texts(texts))
