import numpy as np
import pytest

from clipexplore import Space
from clipexplore.training import taken_apart as recipe
from clipexplore.training.build_assets import SEED, emoji_world
from clipexplore.training.evaluate import word_bank
from clipexplore.training.scenes import Item, Scene


def test_elements_are_things_colours_and_the_place():
    box = (0, 0, 9, 9)
    one = Scene(
        1,
        "worn",
        (Item("lion", box, None, "wearer"), Item("crown", box, "red", "headwear")),
        place="snow",
    )
    lion, *others = recipe.elements(one)
    assert "lion" in lion and "animal" not in lion
    assert others == [{"crown"}, {"red", "crimson", "scarlet"}, {"snow", "winter"}]
    plain = Scene(1, "count", (Item("dog", box, "blue"),) * 3, background="blue")
    dog, *others = recipe.elements(plain)
    assert "dog" in dog and others == [{"blue", "azure"}]


def test_scenes_of_another_seed_are_of_the_same_kinds(world):
    shipped, other = emoji_world(SEED), emoji_world(recipe.FIRST)
    assert [one.kind for _, one in shipped] == [one.kind for _, one in other]
    assert {one.seed for _, one in other} <= set(range(recipe.FIRST, recipe.FIRST + len(other) * 2))
    assert not {one for _, one in shipped} & {one for _, one in other}


def test_most_of_what_is_in_some_scenes_is_named(world, monkeypatch):
    monkeypatch.setattr(recipe, "EVERY", 40)
    monkeypatch.setattr(recipe, "MIXED", 20)
    found = recipe.taken_apart(Space.open())
    assert set(recipe.BARS) <= set(found)
    assert found["taken apart: elements in five terms"] > 0.75
    assert found["taken apart: cosine of that of pursuit"] > 0.95


def test_the_bank_that_is_measured_with_is_the_fixed_one():
    space = Space.open()
    used = space.words.fields["source"] == "captions"
    shipped = {word.lower() for word, one in zip(space.words.captions, used, strict=True) if one}
    assert {word.lower() for word in word_bank()} == shipped  # which holds a word once, whatever its capitals
    np.testing.assert_allclose(
        np.linalg.norm(recipe.without_mean(space.embed_texts(word_bank())).mean(axis=0)), 0, atol=1e-6
    )


def test_an_answer_takes_no_time_that_anybody_would_notice():
    assert recipe.seconds(Space.open(), times=5) == pytest.approx(0, abs=recipe.SECONDS)
