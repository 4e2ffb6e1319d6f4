"""What is said of a collection that a kind of thing was taken out of."""

import numpy as np
import pandas as pd
import pytest

from clipexplore import Collection, Space
from clipexplore.explore import search as module
from clipexplore.explore.search import least_of, presence, search

GONE = "lion"


def part(space, folder, rows, captions=None):
    """A space with some of the bundled world's pictures, under their captions or others."""
    world = space.collection
    said = captions or [world.captions[row] for row in rows]
    ids = [world.ids[row] for row in rows]
    items = pd.DataFrame({"id": ids, "caption": said})
    made = Collection.create(folder, name="part", title="Part", items=items, pictures=[world.picture(id) for id in ids])
    made.add_embeddings("emoji", space.revision, "pictures", world.embeddings("emoji", "pictures")[rows])
    vectors = space.embed_texts(said) if captions else world.embeddings("emoji", "captions")[rows]
    made.add_embeddings("emoji", space.revision, "captions", vectors)
    return Space(space.model, made, space.words, space.background)


def test_what_was_taken_out_is_not_here_and_all_else_is(space, tmp_path):
    rows = [row for row, caption in enumerate(space.collection.captions) if GONE not in caption]
    without = part(space, tmp_path / "part", rows)
    assert not presence.known(without), "another content is learned anew"
    assert search(space, GONE).matches and not search(without, GONE).matches
    assert not search(without, f"a {GONE} in the jungle", matching=True).hits
    for kept in ("a tiger", "elephant", "penguin", "a robot in the snow", "guitar"):
        assert search(space, kept).matches and search(without, kept).matches


def test_what_was_learned_is_measured_and_holds_for_the_hits(space):
    found = search(space, "a lion in the snow", k=100)
    assert found.presence is presence(space) and found.presence.kept > 0.85 and found.presence.false < 0.08
    assert [hit for hit in found.hits if hit.cosine >= found.least] == found.matches
    assert len({hit.id for hit in found.matches} & {f"lion-snow-0{number}" for number in range(1, 9)}) >= 6
    assert search(space, "a lion in the snow", k=100, matching=True).hits == found.matches


def test_it_is_learned_the_same_a_few_texts_at_a_time(space, monkeypatch):
    whole, seen = presence(space), []
    assert presence.known(space)
    monkeypatch.setattr(module, "AT_ONCE", 1 << 18)  # cosines: some hundred texts
    again = presence.__wrapped__(space, lambda share, stage: seen.append(share))
    assert len(seen) > 8 and seen == sorted(seen) and seen[-1] <= 1
    np.testing.assert_allclose(again.weights, whole.weights, rtol=1e-2)
    assert (again.false, again.kept) == pytest.approx((whole.false, whole.kept), abs=0.01)


def test_no_claim_is_made_without_a_calibration(space, tmp_path):
    for q in ("lion + snow", "lion - snow", "@penguin"):
        assert least_of(space, space.point(q)) is None and search(space, q).matches == search(space, q).hits
    assert search(space, "lion", "words").least is None
    assert least_of(Space.open(collection="background"), space.point("lion")) is None
    few = part(space, tmp_path / "few", list(range(20)))
    assert presence(few) is None
    numbers = part(space, tmp_path / "numbers", list(range(300)), [f"IMG {number:04}" for number in range(300)])
    assert presence(numbers) is None
