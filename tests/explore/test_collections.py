"""Near-duplicates and outliers, against what was planted."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clipexplore.explore.collections import least_alike, near_duplicates, neighbours
from clipexplore.vectors import normalize


def cloud(count, dim=32, seed=0):
    return normalize(np.random.default_rng(seed).normal(0.3, 1, (count, dim)))


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 50))
def test_neighbours_are_all_others_in_the_order_of_their_cosines(count, k, seed):
    points = cloud(count, 8, seed)
    found, cosines = neighbours(points, k), points @ points.T
    np.fill_diagonal(cosines, -2)
    np.testing.assert_array_equal(found.indices, np.argsort(-cosines, axis=1, kind="stable")[:, : min(k, count - 1)])


def test_an_item_is_never_its_own_neighbour_however_many_are_the_same():
    found = neighbours(np.repeat(cloud(2), 30, axis=0), 5)
    assert not (found.indices == np.arange(60)[:, None]).any() and (found.cosines > 0.999).all()


def test_planted_duplicates_are_found_and_joined_through_each_other():
    points = cloud(200)
    points[50], points[150], points[20] = points[10], normalize(points[10] + 0.01 * points[3]), points[7]
    found = neighbours(points)
    assert near_duplicates(found, 0.99) == [[10, 50, 150], [7, 20]]
    assert near_duplicates(found, 1.1) == []


def test_what_is_like_nothing_else_comes_first():
    points = cloud(100)
    points[42] = -points.mean(axis=0) / np.linalg.norm(points.mean(axis=0))
    rows, likeness = least_alike(neighbours(points))
    assert rows[0] == 42 and (np.diff(likeness) >= 0).all() and sorted(rows) == list(range(100))
    assert least_alike(neighbours(points[:1]))[0].tolist() == [0]


def test_progress_is_told():
    told = []
    neighbours(cloud(600, 4), 2, told.append)
    assert told[0] == 0 and len(told) == 3 and max(told) < 1
