from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from clipexplore import Space
from clipexplore.errors import InputError
from clipexplore.maps import umap
from clipexplore.maps.reference import fit_umap
from clipexplore.maps.trust import trust_in
from clipexplore.maps.umap import _graph, _memberships, _neighbours, curve, fit_layout
from clipexplore.vectors import normalize


def kinds(n: int, dim: int = 48) -> np.ndarray:
    rng = np.random.default_rng(6)
    return normalize(rng.normal(size=(12, dim))[np.arange(n) % 12] + 0.5 * rng.normal(size=(n, dim)))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbours_are_exact(metric):
    import torch
    from sklearn.neighbors import NearestNeighbors

    x = np.random.default_rng(0).normal(size=(200, 10)).astype(np.float32)
    x = normalize(x) if metric == "cosine" else x
    distances, expected = NearestNeighbors(n_neighbors=8, metric=metric).fit(x).kneighbors(x)
    near, found = _neighbours(torch.from_numpy(x), 8, metric, lambda *_: None)
    np.testing.assert_array_equal(near.numpy(), expected)
    np.testing.assert_allclose(found.numpy(), distances, atol=2e-6 if metric == "cosine" else 2e-3)


def test_memberships_are_those_of_umap_learn():
    umap_ = pytest.importorskip("umap.umap_")
    import torch

    x = kinds(120)
    near, distances = _neighbours(torch.from_numpy(x), 10, "cosine", lambda *_: None)
    given = {"knn_indices": near.numpy(), "knn_dists": distances.numpy()}
    with ThreadPoolExecutor(1) as apart:  # whose number of threads Numba may set
        expected, *_ = apart.submit(
            umap_.fuzzy_simplicial_set, x, 10, np.random.RandomState(0), "cosine", **given
        ).result()
    heads, tails, weights = _graph(near, _memberships(distances))
    ours = np.zeros((120, 120))
    ours[heads.numpy(), tails.numpy()] = weights.numpy()
    np.testing.assert_allclose(ours, expected.toarray(), atol=0.02)


@pytest.mark.parametrize("min_dist", [0.0, 0.1, 0.8])
def test_the_curve_is_that_of_umap_learn(min_dist):
    umap_ = pytest.importorskip("umap.umap_")
    np.testing.assert_allclose(curve(min_dist), umap_.find_ab_params(1.0, min_dist), rtol=1e-3)


def assert_as_good_as_umap_learn(x, **settings):
    """Whatever the seed: the worst of three maps against the mean of three by umap-learn."""
    ours, reference = (
        [trust_in(x, fit(x, seed=seed, **settings)) for seed in range(3)] for fit in (fit_layout, fit_umap)
    )
    for worth in (lambda each: each.trustworthiness, lambda each: each.shares.mean()):
        assert min(map(worth, ours)) > 0.95 * np.mean([worth(each) for each in reference])


@pytest.mark.slow
@pytest.mark.parametrize(("count", "n_neighbors"), [(600, 15), (900, 8)])
def test_it_keeps_what_umap_learn_keeps(count, n_neighbors):
    assert_as_good_as_umap_learn(kinds(count), n_neighbors=n_neighbors)


@pytest.mark.slow
def test_it_keeps_what_umap_learn_keeps_of_genuine_texts(test_data):
    assert_as_good_as_umap_learn(
        normalize(np.load(test_data / "genuine_vitb32_text_vectors.npz")["text_vectors"][:1000])
    )


@pytest.mark.slow
def test_it_keeps_what_umap_learn_keeps_of_the_background():
    captions = Space.open().background.embeddings("emoji", "captions")
    assert_as_good_as_umap_learn(captions[:: len(captions) // 2000])


@pytest.fixture
def short(monkeypatch):
    """Fits of a fifth of the epochs, where it is not the map that counts."""
    monkeypatch.setattr(umap, "EPOCHS", umap.EPOCHS // 5)


def test_the_same_seed_gives_the_same_map_and_another_another(short):
    x = kinds(200)
    found = fit_layout(x)
    assert found.shape == (200, 2) and found.dtype == np.float32 and trust_in(x, found).trustworthiness > 0.9
    np.testing.assert_array_equal(fit_layout(x), found)
    assert not np.array_equal(fit_layout(x, seed=1), found)


def test_it_says_how_far_it_is_and_can_be_stopped(short):
    said = []
    fit_layout(kinds(60), report=lambda progress, stage: said.append((progress, stage)))
    assert [each[0] for each in said] == sorted(each[0] for each in said) and said[0][0] >= 0 and said[-1][0] <= 1
    assert list(dict.fromkeys(stage for _, stage in said)) == [
        "Finding neighbours",
        "Weighing neighbours",
        "Arranging points",
    ]

    def stop(progress: float, stage: str) -> None:
        if progress > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_layout(kinds(60), report=stop)


def test_many_points_in_one_place_do_no_harm(short):
    x = np.concatenate([np.tile(kinds(1), (60, 1)), kinds(80)])
    assert np.isfinite(fit_layout(x)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_neighbors": 1}, "at least 2"),
        ({"n_neighbors": 9}, "10 points"),
        ({"min_dist": -0.1}, "between 0 and 1"),
        ({"metric": "magic"}, "unknown"),
    ],
)
def test_it_says_what_it_cannot_do(settings, message):
    with pytest.raises(InputError, match=message):
        fit_layout(np.eye(10), **{"n_neighbors": 3, **settings})


def with_copies(count: int, cosine: float) -> np.ndarray:
    """`(count + 60, 128)`: nearly identical points, any two of that cosine, before sixty others of eight kinds."""
    rng = np.random.default_rng(3)
    others = normalize(rng.normal(size=(8, 128))[np.arange(60) % 8] + 0.7 * rng.normal(size=(60, 128)))
    still, noise = normalize(rng.normal(size=(1, 128))), normalize(rng.normal(size=(count, 128)))
    return np.concatenate([normalize(still + np.sqrt(1 / cosine - 1) * noise), others]).astype(np.float32)


def radius(places: np.ndarray) -> float:
    """Around the middle, of all but the furthest twentieth."""
    return float(np.quantile(np.linalg.norm(places - np.median(places, axis=0), axis=1), 0.95))


@pytest.mark.parametrize(
    ("count", "cosine"),
    [
        (30, 1.0),
        (200, 1.0),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in [(400, 1.0), (30, 0.9995), (200, 0.9999), (400, 0.9995)]
        ),
    ],
)
def test_copies_lie_together_at_the_scale_of_the_rest(count, cosine):
    """As umap-learn has them, by which the 200 lie within 2 of each other and the others within 24."""
    places = fit_layout(with_copies(count, cosine))
    copies, others = radius(places[:count]), radius(places[count:])
    assert copies < 4 and 8 < others < 60
    assert np.linalg.norm(np.median(places[:count], axis=0) - np.median(places[count:], axis=0)) < 60
