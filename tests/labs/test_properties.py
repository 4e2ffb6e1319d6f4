import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from clipexplore.errors import InputError
from clipexplore.labs.properties import (
    additive,
    changed_dimensions,
    difference_cosines,
    direction,
    held_out_ranks,
    parallelism,
    predict_cell,
)


def test_one_difference_is_its_own_direction(axes):
    red_car, car = axes.embed_texts(["a red car", "a car"])
    found = direction([red_car - car])
    np.testing.assert_allclose(found.vector, (red_car - car) / np.linalg.norm(red_car - car), atol=1e-6)
    assert found.agreement == 1


def test_what_the_pairs_do_not_share_averages_out(axes):
    things = ["car", "house", "cat", "tree"]
    differences = axes.embed_texts([f"a red {thing}" for thing in things]) - axes.embed_texts(things)
    red = axes.embed_texts(["red"])[0]
    found = direction(differences)
    assert found.vector @ red > direction(differences[:1]).vector @ red + 0.05
    assert np.linalg.norm(found.vector) == pytest.approx(1, abs=1e-6)
    # by hand: each unit difference is cos(22.5°) of red and -sin(22.5°) of its thing
    assert found.agreement == pytest.approx(np.cos(np.pi / 8) ** 2, abs=1e-6)


def test_agreement_is_the_mean_cosine_of_all_pairs(test_data):
    pairs = np.load(test_data / "genuine_vitb16_coco_pairs.npz")
    differences = pairs["image_vectors"][:50] - pairs["text_vectors"][:50]
    expected = cosine_similarity(differences)[np.triu_indices(50, 1)].mean()
    assert direction(differences).agreement == pytest.approx(expected, abs=1e-5)


def test_each_pair_counts_the_same_however_far_apart_its_ends():
    found = direction(np.array([[100.0, 0], [0, 0.01]]))
    np.testing.assert_allclose(found.vector, [0.5**0.5] * 2, rtol=1e-6)
    assert found.agreement == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("differences", "message"),
    [
        (np.empty((0, 2)), "at least one pair"),
        ([[1.0, 0], [0, 0]], "pair 2 are the same"),
        ([[2.0, 1], [-4.0, -2]], "cancel out"),
    ],
)
def test_differences_without_a_direction_say_why(differences, message):
    with pytest.raises(InputError, match=message):
        direction(np.array(differences))


# Grids


@pytest.fixture(scope="module")
def genuine(test_data):
    """People and animals × things, as far as real text vectors go: (objects, values, dim) of sums that are nearly
    additive.
    """
    found = np.load(test_data / "genuine_vitb32_text_vectors.npz")["text_vectors"].astype(np.float64)
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    return unit[:6, None] + unit[100:105] + 0.3 * unit[rng.permutation(1000)[:30]].reshape(6, 5, -1)


def by_least_squares(grid, leave_out=None):
    """The additive model by numpy's solver on dummy variables."""
    o, v, dim = grid.shape
    rows, columns = np.indices((o, v)).reshape(2, -1)
    design = np.column_stack([np.ones(o * v), np.eye(o)[rows], np.eye(v)[columns]])
    kept = np.arange(o * v) != (leave_out if leave_out is not None else -1)
    weights = np.linalg.lstsq(design[kept], grid.reshape(-1, dim)[kept], rcond=None)[0]
    return (design @ weights).reshape(grid.shape)


def test_the_additive_model_is_that_of_least_squares(genuine):
    found, fitted = additive(genuine), by_least_squares(genuine)
    np.testing.assert_allclose(found.mean + found.objects[:, None] + found.values, fitted, atol=1e-9)
    total = ((genuine - genuine.mean((0, 1))) ** 2).sum()
    assert found.r2 == pytest.approx(1 - ((genuine - fitted) ** 2).sum() / total)
    assert found.object_share + found.value_share + found.interaction_share == pytest.approx(1)
    np.testing.assert_allclose(found.objects.sum(0), 0, atol=1e-9)


def test_a_sum_is_explained_wholly_and_an_exclusive_or_not_at_all():
    summed = np.array([[[0.0, 0], [0, 1]], [[3, 0], [3, 1]]])
    assert additive(summed).r2 == pytest.approx(1) and additive(summed).object_share == pytest.approx(0.9)
    exclusive = np.array([[[0.0], [1]], [[1], [0]]])
    assert additive(exclusive).r2 == pytest.approx(0) and additive(exclusive).interaction_share == pytest.approx(1)


@pytest.mark.parametrize("cell", [(0, 0), (3, 4), (5, 1)])
def test_a_left_out_cell_is_predicted_as_by_least_squares_without_it(genuine, cell):
    expected = by_least_squares(genuine, leave_out=cell[0] * genuine.shape[1] + cell[1])[cell]
    np.testing.assert_allclose(predict_cell(genuine, *cell), expected, atol=1e-9)
    spoilt = genuine.copy()
    spoilt[cell] = 1e6  # it is not looked at
    np.testing.assert_allclose(predict_cell(spoilt, *cell), expected, atol=1e-9)


def test_ranks_of_left_out_cells():
    rng = np.random.default_rng(0)
    grid = rng.normal(size=(3, 1, 40)) + rng.normal(size=(4, 40))
    assert (held_out_ranks(grid, rng.normal(size=(50, 40))) == 1).all()
    nearer = predict_cell(grid, 1, 2)[None]  # a rival that is just what is predicted for one cell
    grid[1, 2] += 0.3 * rng.normal(size=40)
    ranks = held_out_ranks(grid, nearer)
    assert ranks[1, 2] == 2 and ranks.shape == (3, 4)


def test_parallelism_is_the_mean_cosine_over_pairs_of_objects_and_values(genuine):
    cosines = []
    for a in range(5):
        for b in range(a):
            cosines.append(cosine_similarity(genuine[:, a] - genuine[:, b])[np.triu_indices(6, 1)].mean())
    found = parallelism(genuine)
    assert found.cosine == pytest.approx(np.mean(cosines), abs=1e-6)
    assert abs(found.shuffled) < 0.15 < found.cosine and found.spread < 0.1
    assert parallelism(genuine, seed=0) == found


def test_values_that_mean_the_same_for_all_are_wholly_parallel():
    grid = np.random.default_rng(0).normal(size=(4, 1, 9)) + np.random.default_rng(1).normal(size=(3, 9))
    assert parallelism(grid).cosine == pytest.approx(1, abs=1e-6)


def test_dimensions_that_change_by_hand():
    found = changed_dimensions(np.array([[0.0, 3, -4, 1], [5, 0, -2, 1]]), k=2)
    assert found.top.tolist() == [[2, 1], [0, 2]] and found.shared.tolist() == [[2, 1], [1, 2]]
    np.testing.assert_allclose(found.energy, [25, 9, 20, 2])
    assert found.chance == 1


def test_random_changes_share_what_chance_says():
    found = changed_dimensions(np.random.default_rng(0).normal(size=(60, 768)), k=20)
    assert found.chance == pytest.approx(0.52, abs=0.005)  # as FACTS has it for 768 dimensions
    assert found.shared[np.triu_indices(60, 1)].mean() == pytest.approx(found.chance, abs=0.1)


def test_difference_cosines_are_scikit_learns(genuine):
    differences = genuine[:, 0] - genuine[:, 1]
    np.testing.assert_allclose(difference_cosines(differences), cosine_similarity(differences), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: additive(np.ones((1, 3, 2))), "1 objects and 3 values"),
        (lambda: additive(np.ones((3, 3, 2))), "same point"),
        (lambda: parallelism(np.ones((3, 1, 2))), "3 objects and 1 values"),
        (lambda: parallelism(np.ones((2, 2, 2))), "no direction"),
        (lambda: changed_dimensions(np.ones((2, 4)), k=5), "k is 5"),
    ],
)
def test_what_cannot_be_taken_apart_says_why(call, message):
    with pytest.raises(InputError, match=message):
        call()
