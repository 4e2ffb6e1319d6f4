"""Bridges between two models that have embedded one collection."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from clipexplore import Space
from clipexplore.draw.drawer import gap_of
from clipexplore.draw.folders import read_gap
from clipexplore.errors import InputError
from clipexplore.explore import bridges
from clipexplore.explore.bridges import bridge_between, carry_over, drawer_for
from clipexplore.labs.contrast import recall_at
from clipexplore.models import catalog
from clipexplore.models.bridge import Bridge
from clipexplore.points import across_gap
from clipexplore.store.collection import Collection
from clipexplore.store.embedding import embed
from clipexplore.store.opening import open_for
from clipexplore.vectors import normalize


def space(key, pictures, captions, ids, name="world"):
    """A space whose collection holds these vectors."""
    vectors = {"pictures": pictures, "captions": captions}
    collection = SimpleNamespace(name=name, ids=ids, captions=ids, has_pictures=True, row=ids.index)
    look = {"model": SimpleNamespace(key=key), "revision": f"{key}-1", "searchable": [*vectors]}
    return SimpleNamespace(collection=collection, embeddings=vectors.__getitem__, **look)


def two(count=60, name="world"):
    """One space, and the same turned, its rows in another order and one more."""
    rng = np.random.default_rng(0)
    turn, order = np.linalg.qr(rng.normal(size=(8, 8)))[0], rng.permutation(count)
    pictures, captions = (normalize(rng.normal(size=(count, 8))) for _ in range(2))
    ids = [f"a{number:02}" for number in range(count)]
    ours = space("one", pictures, captions, ids)
    more = normalize(rng.normal(size=(1, 8)))
    turned = (np.concatenate([(each @ turn)[order], more]).astype(np.float32) for each in (pictures, captions))
    theirs = space("two", *turned, [*(ids[number] for number in order), "more"], name)
    return ours, theirs, turn


def test_what_both_have_is_found_whatever_its_order():
    ours, theirs, turn = two()
    bridge = bridge_between(ours, theirs)
    np.testing.assert_allclose(bridge.map, turn, atol=1e-4)
    assert bridge.models == ("one-1", "two-1") and len(bridge.anchors) == 60 and "more" not in bridge.anchors
    assert len(bridge_between(ours, theirs, most=20).anchors) == 20


def test_spaces_of_different_collections_are_told():
    ours, theirs, _ = two(name="other")
    with pytest.raises(InputError, match="these are world and other; open both models on the same"):
        bridge_between(ours, theirs)


def test_a_model_without_a_decoder_draws_through_a_bridge_that_is_kept(home, monkeypatch):
    monkeypatch.setattr(bridges, "_stored_bridge", bridges._stored_bridge.__wrapped__)  # remembered from another home
    second, first = Space.open("emoji-2"), Space.open()
    drawer = drawer_for(second, "joint")
    assert drawer.owner == "Emoji World" and drawer.clip == first.model.clip
    assert drawer.bridge.models == (second.revision, first.revision) and len(drawer.bridge.anchors) == 2000
    assert drawer.bridge.held_out["pictures"] > 0.8 and drawer_for(second, "tokens") is None
    (file,) = (home / "bridges").iterdir()
    assert Bridge.load(file).name == drawer.bridge.name
    assert drawer_for(first, "joint").bridge is None and drawer_for(first, "joint").name != drawer.name


def test_texts_cross_the_gap_as_those_of_the_model_that_draws(home):
    """Carried after crossing, or crossed after being carried: the same place."""
    second = Space.open("emoji-2")
    drawer = drawer_for(second, "joint")
    map = read_gap(drawer.folder)
    for text in ("a lion in the snow", "a red rose"):
        point = second.point(text)
        drawn = drawer.bridge.carry(across_gap(point, gap_of(second, drawer))[None])[0]
        carried = drawer.bridge.carry(point.vector[None], "captions")[0]
        assert drawn @ normalize(carried @ map[:-1] + map[-1]) > 0.99


def test_a_model_that_has_nothing_in_common_with_any_decoder_draws_nothing(monkeypatch, home):
    second = Space.open("emoji-2")
    monkeypatch.setattr(catalog.Model, "draws_embeddings", property(lambda model: None))
    assert drawer_for(second, "joint") is None


class Turned:
    """What embeds as another model does whose space is that of the first turned; it counts what it embeds."""

    max_tokens = 32

    def __init__(self, known: dict[str, np.ndarray], turn: np.ndarray):
        self.known, self.turn, self.embedded = known, turn, 0

    def embed_texts(self, texts):
        self.embedded += len(texts)
        return np.stack([self.known[text] @ self.turn for text in texts]).astype(np.float32)

    def count_tokens(self, texts):
        return [3] * len(texts)


@pytest.fixture
def texts(home, tmp_path):
    """A space of the bundled model on texts of somebody's own, its captions and their vectors."""
    words = Space.open().words
    vectors = words.embeddings("emoji", "captions")[:1500]
    items = pd.DataFrame({"id": [f"w{n}" for n in range(1500)], "caption": words.captions[:1500]})
    made = Collection.create(home / "collections" / "own", name="own", title="Own", items=items)
    made.add_embeddings("emoji", catalog.get("emoji").clip.identity, "captions", vectors)
    return Space.open(collection="own"), dict(zip(words.captions, words.embeddings("emoji", "captions"), strict=True))


def test_a_model_answers_before_it_has_embedded_a_collection(texts):
    space, known = texts
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(512, 512)))[0]
    embedder = Turned(known, turn)
    shares = []
    theirs = carry_over(space, "emoji-2", embedder, report=lambda share, stage: shares.append(share))
    assert embedder.embedded == 300 and shares == sorted(shares) and shares[-1] == 1
    true = np.stack([known[caption] @ turn for caption in space.collection.captions])
    carried = theirs.collection.embeddings("emoji-2", "captions")
    assert recall_at(true @ carried.T, 1) > 0.95
    assert theirs.collection.bridge.held_out["captions"] == pytest.approx(np.vecdot(carried, true).mean(), abs=0.05)
    assert theirs.search(known["cat"] @ turn, "captions", 1)[0].caption == "cat"
    assert (
        theirs.revision == catalog.get("emoji-2").clip.identity
        and theirs.collection.version != space.collection.version
    )

    assert theirs.searchable == ["captions", "words"]
    plain = open_for(space.collection.folder, catalog.get("emoji-2"))
    embed([plain], catalog.get("emoji-2"), embedder)
    assert embedder.embedded == len({*space.collection.captions}), "the anchors are not embedded twice"
    np.testing.assert_allclose(plain.embeddings("emoji-2", "captions"), normalize(true), atol=1e-5)


def test_a_change_of_model_that_is_stopped_leaves_the_collection_as_it_was(texts):
    space, known = texts

    def stop(share, stage):
        raise InputError("This was stopped.")

    with pytest.raises(InputError, match="stopped"):
        carry_over(space, "emoji-2", Turned(known, np.eye(512)), report=stop)
    again = Space.open(collection="own")
    np.testing.assert_array_equal(
        again.collection.embeddings("emoji", "captions"), space.collection.embeddings("emoji", "captions")
    )
    with pytest.raises(InputError, match="has not embedded Own yet"):
        Space.open("emoji-2", "own")
