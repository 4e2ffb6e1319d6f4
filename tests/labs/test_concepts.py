"""Dictionaries of concepts: planted ones found again, and every figure against another way to it."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import f1_score

from clipexplore.errors import DamagedError, InputError
from clipexplore.labs.concepts import (
    Dictionary,
    f1,
    f1_by_threshold,
    frequent,
    learn_concepts,
    lit,
    purity,
    stability,
    true_of,
    usual_amounts,
)
from clipexplore.vectors import normalize

PLANTED, DIM, PARTS = 40, 32, 3


@pytest.fixture(scope="module")
def directions():
    return normalize(np.random.default_rng(0).normal(size=(PLANTED, DIM)))


@pytest.fixture(scope="module")
def points(directions):
    """Each a mean and a sum of three of more directions than there are dimensions."""
    rng = np.random.default_rng(1)
    amounts = np.zeros((1500, PLANTED))
    for row in amounts:
        row[rng.choice(PLANTED, PARTS, replace=False)] = rng.uniform(0.5, 1.5, PARTS)
    return (5 + amounts @ directions).astype(np.float32)


@pytest.fixture(scope="module")
def learned(points):
    return learn_concepts(points, width=64, k=PARTS, steps=1200)


def test_planted_directions_are_found_again(learned, directions, points):
    nearest = (learned.directions @ directions.T).max(axis=0)
    assert np.median(nearest) > 0.95 and learned.explained(points) > 0.9
    sums = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2]
    assert np.median(np.abs(sums @ directions.T).max(axis=0)) < 0.7  # which principal components do not


def test_a_point_has_the_k_largest_amounts_and_no_other(learned, points):
    amounts = (points - learned.mean) @ learned.encoder.T + learned.bias
    least = np.sort(amounts, axis=1)[:, -PARTS][:, None]
    read = learned.read(points)
    np.testing.assert_allclose(read.toarray(), np.where(amounts >= least, np.maximum(amounts, 0), 0), atol=1e-6)
    assert np.diff(read.indptr).max() == PARTS and read.data.min() > 0


def test_the_most_frequent_comes_first_and_none_is_nowhere(learned, points):
    often = np.diff(learned.read(points).tocsc().indptr)
    assert often.min() > 0 and (np.diff(often) <= 0).all() and len(learned) <= 64
    np.testing.assert_allclose(np.linalg.norm(learned.directions, axis=1), 1, atol=1e-5)


def test_the_seed_decides_everything(points):
    few = points[:200]
    one, same, other = (learn_concepts(few, width=16, k=2, steps=30, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.directions, same.directions)
    np.testing.assert_array_equal(one.bias, same.bias)
    assert one.directions.shape != other.directions.shape or not np.allclose(one.directions, other.directions)


def test_learning_tells_how_far_it_is_and_can_be_stopped(points):
    told = []
    learn_concepts(points[:200], width=16, k=2, steps=10, report=lambda share, _stage: told.append(share))
    assert told == [step / 10 for step in range(10)]

    def stop(share, _stage):
        if share >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn_concepts(points[:200], width=16, k=2, steps=10, report=stop)


def test_turning_changes_a_point_along_the_direction_alone(learned, points):
    point = points[0]
    before = learned.read(point[None]).toarray()[0]
    (there, *_rest), absent = np.flatnonzero(before), int(np.flatnonzero(before == 0)[0])
    moved = learned.turned(point, {there: 0.0, absent: 0.7})
    change = -before[there] * learned.directions[there] + 0.7 * learned.directions[absent]
    np.testing.assert_allclose(moved - point, change, atol=1e-5)
    np.testing.assert_allclose(learned.turned(point, {there: before[there]}), point, atol=1e-5)


def test_stability_is_the_cosine_with_the_nearest_direction_of_another_seed():
    def of(*directions):
        vectors = np.array(directions, np.float32)
        return Dictionary(np.zeros(2, np.float32), vectors, np.zeros(len(vectors), np.float32), vectors, 1)

    found = stability(of((1, 0), (0, 1)), of((0.6, 0.8), (-1, 0)), of((0, 1)))
    np.testing.assert_allclose(found.stability, [(0.6 + 0) / 2, (0.8 + 1) / 2], atol=1e-6)


def test_the_best_threshold_is_that_of_trying_all():
    rng = np.random.default_rng(2)
    amounts = np.where(rng.random((60, 7)) < 0.4, rng.integers(1, 6, (60, 7)), 0).astype(float)
    amounts[:, 5] = 0
    truth = rng.random((60, 3)) < [[0.2, 0.5, 0.05]]
    best, thresholds = f1_by_threshold(csr_array(amounts), truth)
    for value in range(3):
        for column in range(7):
            tried = [f1_score(truth[:, value], amounts[:, column] > least) for least in (0, 1, 2, 3, 4) if column != 5]
            assert best[value, column] == pytest.approx(max(tried, default=0))
            if column != 5:
                called = amounts[:, column] > thresholds[value, column]
                assert f1_score(truth[:, value], called) == pytest.approx(best[value, column])
    np.testing.assert_allclose(
        f1(amounts[:, :3] > 2, truth), [f1_score(truth[:, i], amounts[:, i] > 2) for i in range(3)]
    )


def test_f1_by_hand():
    amounts = csr_array(np.array([[3.0], [2.0], [1.0], [0.0]]))
    best, thresholds = f1_by_threshold(amounts, np.array([[True], [False], [True], [False]]))
    assert best == pytest.approx(0.8) and thresholds == pytest.approx(0.5)  # called three, two rightly, of two


def test_purity_is_the_cosine_of_the_pictures_that_have_most_of_it():
    points = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)  # their mean is 0
    amounts = csr_array(np.array([[2.0, 1, 0], [1.0, 0, 0], [0, 3, 0], [0.5, 0, 1]]))
    np.testing.assert_allclose(purity(amounts, points, most=2), [0, -1, 1], atol=1e-6)
    rows, most = lit(amounts, 2)[0]
    assert rows.tolist() == [0, 1] and most.tolist() == [2, 1]
    np.testing.assert_allclose(usual_amounts(amounts), [1, 2, 1])


def test_values_that_are_frequent_and_which_items_have_them():
    table = pd.DataFrame({"place": ["snow", None, "snow", "sea"], "count": [1, 1, 1, 2]})
    values = frequent(table, ["place", "count"], least=2)
    assert values == [("count", 1), ("place", "snow")]
    assert true_of(table, values).tolist() == [[True, True], [True, False], [True, True], [False, False]]


def test_a_dictionary_is_kept_and_one_of_another_model_refused(learned, points, tmp_path):
    path = tmp_path / "concepts.safetensors"
    stability(learned, learned).save(path, "a11c")
    found = Dictionary.load(path, "a11c")
    assert found.k == PARTS and len(found) == len(learned)
    np.testing.assert_allclose(found.directions, learned.directions, atol=1e-3)
    np.testing.assert_allclose(found.stability, 1, atol=1e-3)
    assert Dictionary.load(path, "c53d") is None and Dictionary.load(tmp_path / "nothing", "a11c") is None
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DamagedError, match="cannot be read"):
        Dictionary.load(path, "a11c")


def test_what_cannot_be_learned_from_is_a_sentence(points):
    for some in (points[:99], np.ones((200, 8), np.float32), points[:0]):
        with pytest.raises(InputError, match=f"from at least 100 different points, and there are {len(some)}"):
            learn_concepts(some)
    with pytest.raises(InputError, match="A point cannot be made of 20 concepts out of 16; choose from 1 to 16"):
        learn_concepts(points, width=16, k=20)
