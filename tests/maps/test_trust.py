import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

from clipexplore.errors import InputError
from clipexplore.maps import trust
from clipexplore.maps.pca import pca
from clipexplore.maps.trust import trust_in
from clipexplore.vectors import normalize


@pytest.fixture(scope="module")
def cloud() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(240, 12)).astype(np.float32)


@pytest.mark.parametrize("k", [1, 5, 15])
def test_trustworthiness_is_that_of_scikit_learn(cloud, k):
    coordinates = pca(normalize(cloud), 2).transform(normalize(cloud))
    assert trust_in(cloud, coordinates, k).trustworthiness == pytest.approx(
        trustworthiness(cloud, coordinates, n_neighbors=k, metric="cosine"), abs=1e-6
    )


def test_shares_are_the_true_neighbours_that_are_neighbours_on_the_map(cloud):
    coordinates, k = cloud[:, :2], 7
    true = NearestNeighbors(n_neighbors=k, metric="cosine").fit(cloud).kneighbors(return_distance=False)
    there = NearestNeighbors(n_neighbors=k).fit(coordinates).kneighbors(return_distance=False)
    expected = [len({*a} & {*b}) / k for a, b in zip(true, there, strict=True)]
    np.testing.assert_allclose(trust_in(cloud, coordinates, k).shares, expected)


def test_a_true_map_is_trusted_and_a_random_one_is_not():
    angle = np.random.default_rng(1).uniform(0, 2 * np.pi, 300)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    found = trust_in(circle, circle, 10)
    assert found.trustworthiness == pytest.approx(1, abs=1e-6) and found.shares.mean() > 0.99
    shuffled = np.random.default_rng(2).permutation(circle)
    assert 0.4 < trust_in(circle, shuffled, 10).trustworthiness < 0.6


def test_some_rows_are_those_of_the_whole(cloud):
    coordinates = cloud[:, :2]
    whole, some = trust_in(cloud, coordinates), trust_in(cloud, coordinates, rows=np.array([200, 3, 50, 3]))
    np.testing.assert_array_equal(some.rows, [3, 50, 200])
    np.testing.assert_allclose(some.shares, whole.shares[[3, 50, 200]])
    halves = [trust_in(cloud, coordinates, rows=rows).trustworthiness for rows in np.array_split(np.arange(240), 2)]
    assert np.mean(halves) == pytest.approx(whole.trustworthiness, abs=1e-9)


def test_a_few_points_at_a_time_give_the_same(cloud, monkeypatch):
    doubled = np.concatenate([cloud, cloud[::3]])  # of which some are equal
    rows = np.arange(0, 320, 7)
    whole = trust_in(doubled, doubled[:, :2], rows=rows)
    monkeypatch.setattr(trust, "_SCORES_AT_ONCE", 50 * len(rows))
    parts = trust_in(doubled, doubled[:, :2], rows=rows)
    assert parts.trustworthiness == pytest.approx(whole.trustworthiness, abs=1e-4)
    np.testing.assert_allclose(parts.shares, whole.shares, atol=0.1)


def test_points_in_the_same_place_are_no_trouble(cloud):
    found = trust_in(cloud, np.zeros((240, 2)))
    assert np.isfinite(found.trustworthiness) and ((found.shares >= 0) & (found.shares <= 1)).all()


@pytest.mark.parametrize("k", [0, 120])
def test_k_out_of_range_is_told(cloud, k):
    with pytest.raises(InputError, match="can be 1 to 119"):
        trust_in(cloud, cloud[:, :2], k)
