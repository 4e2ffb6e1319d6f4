import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA as Estimator
from sklearn.preprocessing import StandardScaler

from clipexplore.errors import InputError
from clipexplore.maps.pca import (
    SOLVERS,
    faithfulness,
    gap_alignment,
    lost,
    pca,
    preserved,
    reconstructions,
    same_subspace,
    solve,
)
from clipexplore.vectors import normalize

SWITCHES = [{}, {"center": False}, {"standardize": True}, {"center": False, "standardize": True}]


@pytest.fixture(scope="module")
def cloud() -> np.ndarray:
    """`(120, 24)` float32, stretched and off centre."""
    rng = np.random.default_rng(0)
    return (
        rng.normal(size=(120, 24)) * np.geomspace(3, 0.2, 24) @ np.linalg.qr(rng.normal(size=(24, 24)))[0] + 1
    ).astype(np.float32)


@pytest.mark.parametrize("switches", SWITCHES)
def test_centring_and_standardising_are_those_of_the_singular_value_decomposition(cloud, switches):
    prepared = cloud.astype(np.float64)
    if switches.get("standardize"):
        prepared = StandardScaler(with_mean=False).fit_transform(prepared)
    prepared = prepared - prepared.mean(axis=0) if switches.get("center", True) else prepared
    _, singular_values, rows = np.linalg.svd(prepared, full_matrices=False)
    found = pca(cloud, 24, **switches)
    np.testing.assert_allclose(found.singular_values, singular_values, rtol=1e-5)
    np.testing.assert_allclose(np.abs((found.components[:5] * rows[:5]).sum(axis=1)), 1, atol=1e-4)
    np.testing.assert_allclose(found.inverse_transform(found.transform(cloud)), cloud, atol=1e-4)
    assert found.explained_variance_ratio.sum() == pytest.approx(1)


def test_without_centring_the_first_component_is_the_mean(cloud):
    found = pca(cloud + 10, 1, center=False)
    assert abs(found.components[0] @ normalize((cloud + 10).mean(axis=0))) > 0.999


def test_a_dimension_without_spread_is_not_divided_by_it():
    x = np.random.default_rng(1).normal(size=(30, 4)) * [1, 1, 1, 0] + 2
    found = pca(x, 4, standardize=True)
    assert np.isfinite(found.transform(x)).all() and found.scale[3] == 1


@pytest.mark.parametrize("switches", SWITCHES)
def test_what_is_lost_is_the_sum_of_the_other_squares(cloud, switches):
    found, ks = pca(cloud, 24, **switches), [0, 1, 2, 7, 23, 24]
    left = lost(cloud, found, ks)
    np.testing.assert_allclose(left, [(found.singular_values[k:] ** 2).sum() for k in ks], rtol=1e-4, atol=1e-6)


def test_no_other_plane_loses_less(cloud):
    centred = cloud - cloud.mean(axis=0)
    best = lost(cloud, pca(cloud, 2), [2])[0]
    for seed in range(20):
        plane = np.linalg.qr(np.random.default_rng(seed).normal(size=(24, 2)))[0]
        assert ((centred - centred @ plane @ plane.T) ** 2).sum() > best


def test_a_point_is_rebuilt_better_with_every_component(cloud):
    found = pca(cloud, 24)
    built = reconstructions(cloud[3], found, [1, 5, 24])
    expected = Estimator(5).fit(cloud.astype(np.float64))
    np.testing.assert_allclose(built[1], expected.inverse_transform(expected.transform(cloud[3:4]))[0], atol=1e-4)
    np.testing.assert_allclose(built[2], cloud[3], atol=1e-5)
    errors = np.linalg.norm(reconstructions(cloud[3], found, range(1, 25)) - cloud[3], axis=1)
    assert (np.diff(errors) < 1e-5).all()
    cosines = faithfulness(cloud[3], found)
    assert cosines.shape == (24,) and cosines[-1] == pytest.approx(1, abs=1e-5)


def test_the_component_that_is_the_gap_is_found():
    rng = np.random.default_rng(2)
    pictures, captions = rng.normal(size=(200, 16)) + 3 * np.eye(16)[4], rng.normal(size=(200, 16))
    found = pca(np.concatenate([pictures, captions]), 6)
    alignment = gap_alignment(found, pictures, captions)
    assert alignment[0] > 0.95 and (alignment[1:] < 0.3).all()


def test_the_first_joint_component_of_genuine_pairs_is_the_gap(test_data):
    pairs = np.load(test_data / "genuine_vitb16_coco_pairs.npz")
    pictures, captions = normalize(pairs["image_vectors"]), normalize(pairs["text_vectors"])
    joint = np.concatenate([pictures, captions])
    found = pca(joint, 10)
    alignment = gap_alignment(found, pictures, captions)
    assert alignment.argmax() == 0 and alignment[0] > 0.99 and (alignment[1:] < 0.15).all()
    sides = found.transform(joint)[:, 0] > 0  # it tells pictures from captions
    assert sides[:300].all() != sides[300:].all() and sides[:300].any() != sides[300:].any()


def test_coordinates_keep_what_the_approximation_has(cloud):
    for quantity in preserved(cloud, pca(cloud, 10), 3).values():
        np.testing.assert_allclose(quantity.coordinates, quantity.approximation, atol=1e-5)
    distances = preserved(cloud, pca(cloud, 24), 24)["distances"]
    np.testing.assert_allclose(distances.coordinates, distances.original, atol=1e-4)
    plane = preserved(cloud, pca(cloud, 24), 2)["distances"]
    assert (plane.coordinates <= plane.original + 1e-6).all() and plane.coordinates.sum() < plane.original.sum()


def test_all_solvers_find_the_same_subspace(cloud):
    reference = pca(cloud, 4).components
    for solver in SOLVERS:
        components, seconds = solve(cloud, 4, solver)
        assert same_subspace(components, reference) > 0.999 and seconds > 0
    with pytest.raises(InputError, match="no solver"):
        solve(cloud, 4, "magic")


def test_the_angle_between_subspaces_is_that_of_scipy():
    rng = np.random.default_rng(3)
    a, b = (np.linalg.qr(rng.normal(size=(9, 3)))[0].T for _ in range(2))
    assert same_subspace(a, b) == pytest.approx(np.cos(subspace_angles(a.T, b.T).max()), abs=1e-9)
    assert same_subspace(a, a[[2, 0, 1]]) == pytest.approx(1)
