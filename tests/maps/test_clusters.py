import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from clipexplore.errors import InputError
from clipexplore.maps.clusters import dense_groups, group, group_names
from clipexplore.vectors import normalize

KINDS = np.repeat(np.arange(4), [40, 30, 20, 10])


@pytest.fixture(scope="module")
def cloud() -> np.ndarray:
    rng = np.random.default_rng(0)
    return normalize(rng.normal(size=(4, 32))[KINDS] + 0.15 * rng.normal(size=(100, 32)) + 2)


def test_groups_that_are_there_are_found_largest_first(cloud):
    found = group(cloud, 4)
    assert adjusted_rand_score(KINDS, found) == 1
    np.testing.assert_array_equal(found, KINDS)
    np.testing.assert_array_equal(group(cloud, 4), found)


def test_dense_groups_leave_out_what_lies_between():
    rng = np.random.default_rng(1)
    places = np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(40, 2)) + 20, [[60, -50]]])
    found = dense_groups(places, 10)
    assert adjusted_rand_score(np.repeat([0, 1], [60, 40]), found[:100]) > 0.8 and found[100] == -1
    assert (found == 0).sum() >= (found == 1).sum()


def test_a_group_is_named_by_what_sets_it_apart(cloud):
    middles = np.stack([cloud[kind == KINDS].mean(axis=0) for kind in range(4)]) - cloud.mean(axis=0)
    # across a gap
    words = np.concatenate([normalize(middles), normalize(np.random.default_rng(2).normal(size=(30, 32)))]) + 7
    names = ["zero", "one", "two", "three", *(f"word {i}" for i in range(30))]
    assert group_names(cloud, KINDS, words, names) == names[:4]
    assert group_names(cloud, np.where(KINDS == 3, -1, KINDS), words, names) == names[:3]


def test_no_word_names_two_groups(cloud):
    words, names = np.stack([np.ones(32), *(np.ones(32) + 0.1 * row for row in np.eye(32)[:5])]), list("abcdef")
    found = group_names(cloud, KINDS, words, names)
    assert len({*found}) == 4
    assert group_names(cloud, np.full(100, -1), words, names) == []


@pytest.mark.parametrize("count", [0, 101])
def test_impossible_counts_are_told(cloud, count):
    with pytest.raises(InputError, match="groups"):
        group(cloud, count)


@pytest.mark.parametrize("least", [1, 101])
def test_impossible_sizes_are_told(cloud, least):
    with pytest.raises(InputError, match="group of"):
        dense_groups(cloud[:, :2], least)
