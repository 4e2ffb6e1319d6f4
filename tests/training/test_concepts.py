import json

import numpy as np
import pytest
from scipy.sparse import csr_array

from clipexplore import Space
from clipexplore.labs.concepts import Dictionary
from clipexplore.settings import settings
from clipexplore.training import concepts as recipe


def test_a_concept_is_chosen_on_known_points_and_judged_on_new():
    truth = np.array([[True], [True], [False], [False]])
    known = csr_array(
        np.array([[2.0, 0], [1.0, 3], [0, 3], [0, 0]])
    )  # the first column tells them, the second does not
    new = csr_array(np.array([[2.0, 9], [0.0, 9], [0.8, 0], [0, 0]]))
    assert recipe.judged(known, new, truth, truth) == pytest.approx([0.5])  # called two, one rightly, of two


def test_coordinates_count_in_both_directions():
    known, new = recipe.either_way(np.array([[-3.0], [1.0]]), np.array([[-5.0], [0.0]]))
    assert known.toarray().tolist() == [[0, 4], [4, 0]] and new.toarray().tolist() == [[0, 6], [3, 1]]


def test_changes_change_one_thing(world):
    asked = recipe.changes(6)
    assert [each.field for each in asked[:3]] == ["place", "headwear", "colour"] and len(asked) == 18
    for each in asked:
        before, after = each.read(each.before), each.read(each.after)
        assert before != after and {before, after} <= {each.read(one) for one in each.variants()}
        assert each.before.items[0].name == each.after.items[0].name
        assert each.after.items[0].name in {one.items[0].name for one in each.others()}
        assert {each.read(one) for one in each.others()} == {after}
    assert {
        (each.read(each.before) is None, each.read(each.after) is None) for each in asked if each.field == "headwear"
    } == {
        (True, False),
        (False, True),
        (False, False),
    }


def test_turned_points_are_nearest_to_what_was_asked_for(world):
    space = Space.open()
    held = Dictionary.load(settings().assets / recipe.SHIPPED, space.model.clip.revisions.pictures)
    asked = [each for each in recipe.changes(4) if each.field == "place"]
    points = recipe.embed_scenes(space.embedder, [each.before for each in asked])
    moved = recipe.turned(space, held, asked, points)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-5)
    found = recipe._nearest(space, asked, moved)
    assert found["nearest picture: changed as asked"].mean() > 0.5


def test_the_figures_that_are_shipped_reach_their_bars():
    figures = json.loads((settings().assets / "figures.json").read_text(encoding="utf-8"))["figures"]
    assert figures["concepts: F1 of the best concept"] >= recipe.BARS["concepts: F1 of the best concept"]
    assert figures["concepts: minutes to learn"] <= recipe.MINUTES
