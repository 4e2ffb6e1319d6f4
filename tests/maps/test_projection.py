import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA as SklearnPCA
from sklearn.manifold import trustworthiness

from clipexplore.errors import InputError
from clipexplore.maps.pca import pca
from clipexplore.maps.place import in_sight, inside, place
from clipexplore.maps.reference import fit_umap, umap_and_transform
from clipexplore.vectors import normalize


@pytest.fixture(scope="module")
def cloud(test_data) -> np.ndarray:
    """`(300, 512)`: real text vectors."""
    return normalize(np.load(test_data / "genuine_vitb32_text_vectors.npz")["text_vectors"][:300])


def kinds(n: int) -> tuple[np.ndarray, np.ndarray]:
    """`(n, 64)` vectors of twelve kinds, and the kind of each `(n,)`."""
    rng, kind = np.random.default_rng(6), np.arange(n) % 12
    return rng.normal(size=(12, 64))[kind] + 0.4 * rng.normal(size=(n, 64)), kind


# pca


@pytest.mark.parametrize("shape", [(60, 12), (12, 60), (9000, 5)])
def test_pca_agrees_with_the_singular_value_decomposition(shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32) * np.linspace(1, 3, shape[1]) + 5
    k = 4
    found = pca(x, k)
    _, singular_values, rows = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(found.singular_values, singular_values[:k], rtol=1e-5)
    np.testing.assert_allclose(found.explained_variance_ratio, (singular_values**2 / (singular_values**2).sum())[:k])
    np.testing.assert_allclose(np.abs((found.components * rows[:k]).sum(axis=1)), 1, atol=1e-4)


def test_pca_agrees_with_scikit_learn_on_real_vectors(cloud):
    found, expected = pca(cloud, 3), SklearnPCA(3, svd_solver="full").fit(cloud.astype(np.float64))
    np.testing.assert_allclose(found.mean, expected.mean_, atol=1e-6)
    np.testing.assert_allclose(found.components, expected.components_, atol=1e-4)  # signs too
    np.testing.assert_allclose(found.explained_variance_ratio, expected.explained_variance_ratio_, rtol=1e-5)
    np.testing.assert_allclose(found.singular_values, expected.singular_values_, rtol=1e-5)
    np.testing.assert_allclose(found.transform(cloud), expected.transform(cloud), atol=1e-5)


def test_what_pca_loses_is_what_its_left_out_singular_values_say(cloud):
    everything, found = pca(cloud, 300), pca(cloud, 10)
    lost = cloud - found.inverse_transform(found.transform(cloud))
    assert (lost.astype(np.float64) ** 2).sum() == pytest.approx((everything.singular_values[10:] ** 2).sum(), rel=1e-4)
    assert everything.explained_variance_ratio.sum() == pytest.approx(1)


def test_pca_with_all_components_loses_nothing():
    x = np.random.default_rng(1).normal(size=(40, 6)).astype(np.float32)
    found = pca(x, 6)
    np.testing.assert_allclose(found.inverse_transform(found.transform(x)), x, atol=1e-5)
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(6), atol=1e-6)


def test_pca_of_a_flat_cloud_has_components_without_variance():
    rng = np.random.default_rng(7)
    found = pca(rng.normal(size=(30, 2)) @ rng.normal(size=(2, 20)), 20)
    assert np.isfinite(found.singular_values).all() and (found.singular_values[2:] < 1e-5).all()
    assert found.explained_variance_ratio[:2].sum() == pytest.approx(1)


def test_pca_looks_the_same_whatever_the_order_of_the_points(cloud):
    shuffled = np.random.default_rng(2).permutation(cloud)
    np.testing.assert_allclose(pca(shuffled).transform(cloud), pca(cloud).transform(cloud), atol=1e-5)
    components = pca(cloud, 5).components
    assert (np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1) > 0).all()


@pytest.mark.parametrize(
    ("x", "k", "message"),
    [
        (np.ones((1, 4)), 1, "at least 2 points"),
        (np.eye(3), 4, "1 to 3"),
        (np.eye(3), 0, "1 to 3"),
        (np.ones((5, 4)) / 3, 2, "the same"),
        (np.zeros((5, 4)), 2, "the same"),
    ],
)
def test_pca_says_what_it_cannot_do(x, k, message):
    with pytest.raises(InputError, match=message):
        pca(x, k)


# place


@pytest.fixture
def spread() -> np.ndarray:
    return np.random.default_rng(3).uniform(-10, 10, size=(300, 2)).astype(np.float32)


def test_a_point_of_the_map_is_placed_where_the_map_has_it(cloud, spread):
    similarity = cloud @ cloud.T - 2 * np.eye(300)
    alone = similarity.max(axis=1) < 0.93
    assert alone.sum() > 50
    np.testing.assert_allclose(place(3 * cloud[alone], cloud, spread), spread[alone], atol=1e-3)


def test_a_new_point_is_placed_by_the_softmax_of_its_nearest(cloud, spread):
    query = normalize(np.random.default_rng(4).normal(size=(4, 512)) * 0.01 + cloud[:4])
    placed = place(query, cloud, spread, n_neighbors=3)
    for point, vector in zip(placed, query, strict=True):
        cosines = (cloud @ vector).astype(np.float64)
        nearest = np.argsort(-cosines)[:3]
        weights = np.exp(cosines[nearest] / 0.005)
        np.testing.assert_allclose(point, weights @ spread[nearest] / weights.sum(), atol=1e-2)
    assert placed.dtype == np.float32 and placed.shape == (4, 2)


def test_new_points_land_among_their_own_kind():
    vectors, kind = kinds(240)
    coordinates = np.stack([kind * 10, kind * -10], axis=1) + np.random.default_rng(5).normal(size=(240, 2))
    placed = place(vectors[:60], vectors[60:], coordinates[60:])
    np.testing.assert_array_equal(np.round(placed[:, 0] / 10), kind[:60])


def test_place_makes_do_with_few_neighbours(cloud):
    np.testing.assert_allclose(place(cloud[:3], cloud[9:10], np.array([[4.0, -2]])), [[4, -2]] * 3)
    assert place(cloud[:0], cloud[:5], np.zeros((5, 2))).shape == (0, 2)


# umap


@pytest.mark.slow
def test_umap_keeps_neighbours_and_repeats_itself_under_a_seed():
    x, _ = kinds(150)
    found = fit_umap(x, n_neighbors=10)
    assert found.shape == (150, 2) and found.dtype == np.float32
    kept = trustworthiness(x, found, n_neighbors=10, metric="cosine")
    assert kept > 0.95 > trustworthiness(x, pca(x).transform(x), n_neighbors=10, metric="cosine")
    np.testing.assert_array_equal(fit_umap(5 * x, n_neighbors=10), found)
    assert not np.array_equal(fit_umap(x, n_neighbors=10, seed=1), found)


@pytest.mark.slow
def test_transform_puts_new_points_among_their_kind():
    x, kind = kinds(180)
    places, moved = umap_and_transform(x[:150], x[150:], n_neighbors=8)
    np.testing.assert_array_equal(places, fit_umap(x[:150], n_neighbors=8))
    nearest = np.linalg.norm(moved[:, None] - places[None], axis=2).argmin(axis=1)
    assert (kind[nearest] == kind[150:]).mean() > 0.8
    assert umap_and_transform(x[:150], None, n_neighbors=8)[1].shape == (0, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"n_neighbors": 1}, "at least 2"), ({"n_neighbors": 9}, "10 points"), ({"min_dist": 1.5}, "between 0 and 1")],
)
def test_umap_says_what_it_cannot_do(settings, message):
    with pytest.raises(InputError, match=message):
        fit_umap(np.eye(10), **{"n_neighbors": 3, **settings})


# inside

corner = st.tuples(st.integers(-50, 50), st.integers(-50, 50))


@given(st.lists(corner, min_size=3, max_size=3), st.integers(0, 99))
def test_inside_a_triangle_is_on_the_same_side_of_all_its_edges(corners, seed):
    corners = np.array(corners, float)
    points = np.random.default_rng(seed).uniform(-60, 60, (50, 2))
    ahead, to = np.roll(corners, -1, axis=0) - corners, points[:, None] - corners
    sides = ahead[:, 0] * to[..., 1] - ahead[:, 1] * to[..., 0]  # (50, 3)
    clear = (np.abs(sides) > 1e-6).all(axis=1)
    same = (sides > 0).all(axis=1) | (sides < 0).all(axis=1)
    np.testing.assert_array_equal(inside(points, corners)[clear], same[clear])


@given(st.lists(corner, min_size=3, max_size=12, unique=True), st.integers(0, 11), st.integers(0, 99))
def test_inside_is_the_same_wherever_the_loop_began_and_whichever_way_it_went(corners, start, seed):
    corners, points = np.array(corners, float), np.random.default_rng(seed).uniform(-60, 60, (50, 2))
    expected = inside(points, corners)
    np.testing.assert_array_equal(inside(points, np.roll(corners, start, axis=0)[::-1]), expected)
    np.testing.assert_array_equal(inside(points + 200, corners + 200), expected)


def test_inside_a_loop_that_crosses_itself_is_what_a_ray_crosses_an_odd_number_of_times():
    angle = np.pi / 2 + np.arange(5) * 4 * np.pi / 5
    star = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert inside(np.array([[0, 0.8], [0, 0.0], [0.9, 0.9]]), star).tolist() == [True, False, False]


def test_inside_tells_shapes_with_level_edges_and_a_bay():
    horseshoe = np.array([(0, 0), (6, 0), (6, 4), (4, 4), (4, 2), (2, 2), (2, 4), (0, 4)], float)
    points = np.array([(1, 3), (5, 3), (3, 3), (3, 1), (7, 2), (-1, 2), (3, 5)], float)
    assert inside(points, horseshoe).tolist() == [True, True, False, True, False, False, False]
    assert inside(np.empty((0, 2)), horseshoe).shape == (0,)
    assert not inside(points, horseshoe * [1, 0]).any(), "a loop without an area holds nothing"


def test_of_many_points_those_in_sight_are_drawn_and_a_few_others():
    rng = np.random.default_rng(0)
    places, rows = rng.uniform(size=(100_000, 2)), np.arange(0, 100_000, 2)
    assert in_sight(places, rows, (), 50_000) is rows
    whole = in_sight(places, rows, (), 5_000)
    assert 4_000 < len(whole) <= 5_000 and set(whole) < set(rows) and (np.diff(whole) > 0).all()
    close = in_sight(places, rows, (0.4, 0.6, 0.4, 0.6), 5_000)
    inside = ((places[rows] >= 0.4) & (places[rows] <= 0.6)).all(axis=1)
    assert set(rows[inside]) < set(close) and len(close) <= 5_000
    assert 400 < len(set(close) - set(rows[inside])) <= 500
