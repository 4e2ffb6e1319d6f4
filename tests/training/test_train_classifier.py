"""The harder judge of drawings: that it learns to tell things apart, and says what it cannot."""

import numpy as np
import pytest

PAIR = ["lion", "pizza"]


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory):
    """A small classifier that has seen 1,280 scenes of two things."""
    from clipexplore.training import train_classifier as recipe

    run = recipe.Training(tmp_path_factory.mktemp("run"), recipe.Classifier(PAIR, (8, 16, 16)), "cpu")
    run.warmup, batches = 200, recipe.Batches(PAIR, 16)
    for number in range(80):
        run._update(recipe.step_loss, batches[number], 60.0)  # times the full rate, which the first step is far from
        run.step += 1
    run.save()
    return run


@pytest.fixture(scope="module")
def classifier(trained, tmp_path_factory):
    """The same, exported and loaded."""
    from clipexplore.training.train_classifier import Classifier

    path = tmp_path_factory.mktemp("export") / "new" / "classifier.safetensors"
    trained.averaged(Classifier(PAIR, (8, 16, 16))).save(path)
    return Classifier.load(path)


def test_it_learns_two_things_apart(classifier):
    from clipexplore.training.train_classifier import Classifier, held_out, measured

    scenes = held_out(PAIR, each=10)
    assert min(measured(classifier, scenes).values()) > 0.85
    assert measured(Classifier(PAIR, (8, 16, 16)).eval(), scenes)["all"] < 0.7  # untrained


def test_a_run_goes_on_where_it_stopped(trained):
    from clipexplore.training.train_classifier import Classifier, Training

    again = Training(trained.folder, Classifier(PAIR, (8, 16, 16)), "cpu")
    for name, value in trained.average.items():
        np.testing.assert_array_equal(value, again.average[name])


def test_scenes_are_of_the_thing_that_is_said(world):
    from clipexplore.training.scenes import HELD_OUT, draw
    from clipexplore.training.train_classifier import Batches, asked, held_out

    batches = Batches(PAIR, 6)
    batch, scenes = batches[3], [asked(18 + i, batches.order) for i in range(6)]
    assert [PAIR[label] for label in batch["labels"]] == [one.items[0].name for one in scenes]
    large = np.asarray(draw(scenes[4]), np.float64).reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(batch["pixels"][4].permute(1, 2, 0).numpy() - large).max() <= 0.75
    assert all((one.place is None) == (one.items[0].colour is not None) for one in scenes)

    kept = held_out(PAIR, each=3)
    assert all(one.seed >= HELD_OUT for one in kept) and len({one.seed for one in kept}) == 12
    for name in PAIR:
        places = [one.place for one in kept if one.items[0].name == name]
        assert len(places) == 6 and places.count(None) == 3


def test_few_things_are_shown_at_first_and_all_in_the_end(world):
    from clipexplore.training.things import things
    from clipexplore.training.train_classifier import DOUBLING, FIRST, Batches

    names = [thing.name for thing in things()]
    batches = Batches(names, 100)
    shown = [{*batches[pictures // 100]["labels"].tolist()} for pictures in (0, DOUBLING, DOUBLING * 20)]
    first, second, all_of_them = (
        {names.index(name) for name in batches.order[:most]} for most in (FIRST, 2 * FIRST, None)
    )
    assert shown[0] <= first and shown[1] <= second and shown[1] - first
    assert shown[2] - second and len(all_of_them) == len(names)


def test_a_tie_counts_against_it_and_a_strange_name_is_refused(world, classifier):
    import torch
    from PIL import Image

    from clipexplore.training.train_classifier import Classifier

    blind = Classifier(["lion", "pizza", "owl"], (8, 16)).eval()
    torch.nn.init.zeros_(blind.head.weight)
    torch.nn.init.zeros_(blind.head.bias)
    grey = Image.new("RGB", (128, 128), "grey")
    assert blind.ranks([grey, grey], ["lion", "owl"]).tolist() == [3, 3]
    with pytest.raises(ValueError, match="unicorn"):
        classifier.ranks([grey], ["unicorn"])


def test_the_table_asks_it_of_bare_things_alone(classifier):
    from random import Random

    from clipexplore.training.evaluate_drawing import named
    from clipexplore.training.scenes import coloured, draw, dressed, placed

    scenes = [make(seed, Random(seed), PAIR) for seed in range(1 << 41, (1 << 41) + 12) for make in (coloured, placed)]
    worn = [dressed(seed, "lion", "crown", None, None, None) for seed in range(4)]
    pictures = [draw(one) for one in scenes]
    other = {name: [draw(one) for one in scenes if one.items[0].name == name][0] for name in PAIR}
    right = named(classifier, scenes + worn, pictures + pictures[:4])
    wrong = named(classifier, scenes, [other[PAIR[one.items[0].name == "lion"]] for one in scenes])
    assert right > 0.85 and wrong < 0.15
    assert named(classifier, scenes, pictures) == right  # who wears something is not asked
