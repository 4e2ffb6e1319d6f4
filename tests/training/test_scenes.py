"""Scenes: a seed decides them to the byte, and what a scene says of itself – boxes, colours, counts, sides – is what is
drawn.
"""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageChops

from clipexplore.training.places import COLOURS, PLACES, SIZE
from clipexplore.training.scenes import EYEWEAR, HEADWEAR, HELD_OUT, MAKERS, WEARERS, alone, draw, dressed, group, scene
from clipexplore.training.things import by_name, things

pytestmark = pytest.mark.usefixtures("world")

SEEDS = range(HELD_OUT, HELD_OUT + 600)
ROOT = Path(__file__).parents[2]


def centre(item):
    left, top, width, height = item.box
    return left + width / 2, top + height / 2


def shown(box):
    """The share of a box that lies inside the picture."""
    left, top, width, height = box
    across, down = min(left + width, SIZE) - max(left, 0), min(top + height, SIZE) - max(top, 0)
    return max(across, 0) * max(down, 0) / (width * height)


def changed(one, other):
    """Which pixels of two scenes differ, (128, 128) bool."""
    return np.asarray(ImageChops.difference(draw(one), draw(other))).any(axis=2)


def without(one, number):
    return replace(one, items=one.items[:number] + one.items[number + 1 :])


def inside(box):
    """The pixels of a box, (128, 128) bool."""
    left, top, width, height = box
    mask = np.zeros((SIZE, SIZE), bool)
    mask[max(0, top) : top + height, max(0, left) : left + width] = True
    return mask


def digest(seeds):
    found = hashlib.blake2b()
    for seed in seeds:
        found.update(repr(scene(seed)).encode() + draw(scene(seed)).tobytes() + repr(group(seed)).encode())
    return found.hexdigest()


def test_the_same_seed_gives_the_same_bytes():
    assert digest(range(40)) == digest(range(40)) != digest(range(1, 41))


def test_another_process_draws_the_same_bytes():
    """With another hash seed, so that no order of a set gets into a picture."""
    program = "from test_scenes import digest; print(digest(range(12)))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(Path(__file__).parent)}
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == digest(range(12))


def test_a_picture_is_128_pixels_rgb():
    assert draw(scene(0)).size == (SIZE, SIZE) == (128, 128) and draw(scene(0)).mode == "RGB"


def test_who_wears_what_is_in_the_world():
    assert len(WEARERS) >= 24 and len(HEADWEAR) >= 7 and len(EYEWEAR) >= 3
    assert {*WEARERS, *HEADWEAR, *EYEWEAR} <= set(by_name())


def test_all_kinds_of_scenes_and_contents_come_up():
    scenes = [scene(seed) for seed in range(6000)]
    assert {one.kind for one in scenes} == set(MAKERS)
    assert {one.place for one in scenes} == {None, *PLACES}
    assert {item.colour for one in scenes for item in one.items} == {None, *COLOURS}
    assert Counter(one.count for one in scenes if one.kind == "count").keys() == {2, 3, 4, 5}
    assert {one.worn("wearer") for one in scenes if one.kind == "worn"} == set(WEARERS)
    assert {one.worn("headwear") for one in scenes if one.kind == "worn"} == {None, *HEADWEAR}
    assert {one.worn("eyewear") for one in scenes if one.kind == "worn"} == {None, *EYEWEAR}
    assert len({item.name for one in scenes for item in one.items}) > 0.95 * len(things())


def test_headwear_is_seen_on_heads_and_off_them_alike():
    scenes = [scene(seed) for seed in range(4000)]
    on_heads = sum(one.worn("headwear") is not None for one in scenes)
    elsewhere = sum(one.kind != "worn" and any(item.name in HEADWEAR for item in one.items) for one in scenes)
    assert 0.4 < elsewhere / on_heads < 2.5


def test_nothing_is_painted_in_the_colour_behind_it():
    assert not [
        one for one in map(scene, SEEDS) if one.background and one.background in {item.colour for item in one.items}
    ]


def test_a_place_and_a_colour_are_not_both_behind():
    assert not [one for one in map(scene, SEEDS) if one.place and one.background]


def test_boxes_lie_inside_the_picture():
    boxes = [item.box for one in map(scene, SEEDS) for item in one.items]
    assert np.mean([shown(box) == 1 for box in boxes]) > 0.97
    assert min(map(shown, boxes)) > 0.9


def test_boxes_are_where_pixels_change():
    for one in map(scene, SEEDS[:150]):
        for number, item in enumerate(one.items):
            mask = changed(one, without(one, number))
            assert mask.any() and not (mask & ~inside(item.box)).any()


def test_boxes_are_tight():
    for one in map(scene, SEEDS[:100]):  # the last item is not covered by any other
        mask, box = changed(one, without(one, len(one.items) - 1)), inside(one.items[-1].box)
        for axis in (0, 1):
            spans = [np.flatnonzero(each.any(axis)) for each in (mask, box)]
            assert abs(spans[0][0] - spans[1][0]) <= 2 and abs(spans[0][-1] - spans[1][-1]) <= 2


@pytest.mark.parametrize("colour", COLOURS)
def test_a_painted_thing_has_that_colour(colour):
    pixels = []
    for name in ("automobile", "rose", "top hat", "butterfly", "guitar", "house", "balloon", "lion"):
        one = alone(1, name, colour=colour)
        pixels.append(np.asarray(draw(one), float)[changed(one, without(one, 0))].mean(0))
    nearest = min(COLOURS, key=lambda known: np.linalg.norm(np.mean(pixels, 0) - np.array(COLOURS[known])))
    assert nearest == colour


@pytest.mark.parametrize("wearer", WEARERS)
def test_the_wearer_is_where_it_was_without_what_it_wears(wearer):
    bare = dressed(5, wearer, None, None, None, None)
    for hat in (None, *HEADWEAR):
        for eyewear in (None, *EYEWEAR):
            worn = dressed(5, wearer, hat, eyewear, "snow", None, "red")
            assert worn.items[0] == bare.items[0]
            assert (worn.worn("wearer"), worn.worn("headwear"), worn.worn("eyewear")) == (wearer, hat, eyewear)


@pytest.mark.parametrize("place", [None, "jungle"])
@pytest.mark.parametrize("wearer", ["man", "girl", "frog", "polar bear", "robot"])
def test_with_and_without_a_hat_differ_in_the_hat_alone(wearer, place):
    bare, worn = (dressed(3, wearer, hat, None, place, None) for hat in (None, "top hat"))
    assert len(worn.items) == 2 and not (changed(bare, worn) & ~inside(worn.items[1].box)).any()


@pytest.mark.parametrize("wearer", WEARERS)
def test_hats_are_on_heads_and_glasses_below_them(wearer):
    for hat in HEADWEAR:
        face, eyes, headwear = (item for item in dressed(2, wearer, hat, "glasses", None, None).items)
        left, top, width, height = face.box
        assert abs(centre(headwear)[0] - centre(face)[0]) <= 0.06 * width + 1
        assert headwear.box[1] + headwear.box[3] < top + 0.4 * height and headwear.box[1] < top
        assert centre(headwear)[1] < centre(eyes)[1] and left < centre(eyes)[0] < left + width


def test_relations_are_where_they_say():
    for one in (one for one in map(scene, range(3000)) if one.relation):
        (x, y), (other_x, other_y) = map(centre, one.items)
        right = {
            "left": x < other_x - 30,
            "right": x > other_x + 30,
            "above": y < other_y - 30,
            "below": y > other_y + 30,
            "on": y < other_y - 30,
        }
        assert right[one.relation], one


def test_counts_are_what_is_drawn():
    for one in (one for one in map(scene, range(2000)) if one.kind == "count"):
        assert one.count == len(one.items) in (2, 3, 4, 5)
        assert len({(item.name, item.colour) for item in one.items}) == 1 and by_name()[one.items[0].name].plural
        middles = np.array([centre(item) for item in one.items])
        distances = np.linalg.norm(middles[:, None] - middles, axis=2)[np.triu_indices(one.count, 1)]
        assert distances.min() > 0.8 * max(one.items[0].box[2:])  # so that they can be told apart


def respects(four):
    """In which respects scenes of one seed differ; a box follows from them."""
    told = {
        "place": lambda one: one.place,
        "background": lambda one: one.background,
        "relation": lambda one: one.relation,
        "count": lambda one: one.count,
        "name": lambda one: {item.name for item in one.items},
        "colour": lambda one: [item.colour for item in one.items[:1]],
    }
    return {name for name, of in told.items() if any(of(one) != of(four[0]) for one in four)}


def test_groups_differ_in_one_respect():
    contrasts = Counter()
    for seed in range(600):
        four = group(seed)
        kin = [thing for thing in things() if thing.kind == by_name()[four[0].items[0].name].kind]
        assert len(four) == 4 or len(four) == len(kin)  # a kind of fewer than four has no more to show
        if {one.seed for one in four} != {seed}:
            contrasts["none"] += 1
        elif four[0].kind == "worn":
            contrasts["worn"] += 1
            assert_differ_in_what_is_worn(*four)
        elif len(four) == 4:
            (respect,) = respects(four)
            contrasts[respect] += 1
    assert contrasts.keys() == {"none", "worn", "colour", "place", "name", "relation", "count"}
    assert contrasts["none"] < 300


def assert_differ_in_what_is_worn(bare, worn, other_hat, fourth):
    face, hat = worn.items
    assert bare.items == (face,) and other_hat.items[0] == face
    assert other_hat.items[1].name != hat.name and other_hat.items[1].colour == hat.colour
    if fourth.items[0].name == face.name:
        assert fourth.items[0] == face and [item.role for item in fourth.items[1:]] == ["eyewear"]
    else:
        assert [(item.name, item.colour) for item in fourth.items[1:]] == [(hat.name, hat.colour)]
    assert len({(one.place, one.background) for one in (bare, worn, other_hat, fourth)}) == 1


def test_a_group_of_unrelated_scenes_holds_none_that_is_held_out():
    assert max(one.seed for seed in range(2000) for one in group(seed)) < HELD_OUT


def test_alone_is_one_thing_where_it_was_asked_for():
    one = alone(9, "lion", "jungle", colour="blue")
    assert [(item.name, item.colour) for item in one.items] == [("lion", "blue")] and (
        one.place,
        one.background,
        one.count,
    ) == ("jungle", None, 1)
