"""Agreement of two spaces, against other implementations and where the answer is known."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from clipexplore.errors import InputError
from clipexplore.labs.agreement import cka, compare_neighbours
from clipexplore.vectors import normalize


def cloud(count=200, dim=16, seed=0):
    return normalize(np.random.default_rng(seed).normal(size=(count, dim)))


def turn(dim, seed=1):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dim, dim)))[0]


def test_a_space_that_is_only_turned_agrees_about_everything():
    x = cloud()
    y = (x @ turn(16)).astype(np.float32)
    found = compare_neighbours(x, y, 10)
    np.testing.assert_allclose(found.shared, 1)
    np.testing.assert_allclose(found.relations, 1, atol=1e-5)
    for alignment in (cka(x, y), cka(x, 3 * y + 7)):
        assert alignment.cka == pytest.approx(1, abs=1e-5) and alignment.debiased == pytest.approx(1, abs=1e-5)


def test_shared_neighbours_are_those_of_scikit_learn():
    x = cloud()
    y = normalize(x + 0.3 * np.random.default_rng(2).normal(size=x.shape))
    near = [
        NearestNeighbors(n_neighbors=7, metric="cosine").fit(each).kneighbors(return_distance=False) for each in (x, y)
    ]
    wanted = [len({*one} & {*other}) / 7 for one, other in zip(*near, strict=True)]
    found = compare_neighbours(x, y, 7)
    np.testing.assert_allclose(found.shared, wanted)
    row = np.delete(np.arange(len(x)), 5)
    assert found.relations[5] == pytest.approx(np.corrcoef(x[row] @ x[5], y[row] @ y[5])[0, 1], abs=1e-5)


@pytest.mark.parametrize("others", [6, 16])
def test_cka_is_that_of_whole_kernels(others):
    """By n × n matrices, as Kornblith et al. and Song et al. write it."""
    x, y = cloud(60, 16), np.random.default_rng(3).normal(size=(60, others)) + cloud(60, 16)[:, :others]
    kernels, n = [each @ each.T for each in (x.astype(np.float64), y)], 60
    middle, one = np.eye(n) - 1 / n, np.ones(n)

    def plain(a, b):
        return ((middle @ a @ middle) * (middle @ b @ middle)).sum()

    def unbiased(a, b):
        a, b = (each - np.diag(np.diag(each)) for each in (a, b))
        rest = (one @ a @ one) * (one @ b @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ a @ b @ one)
        return (np.trace(a @ b) + rest) / (n * (n - 3))

    for found, hsic in ((cka(x, y).cka, plain), (cka(x, y).debiased, unbiased)):
        both, alone = hsic(*kernels), [hsic(each, each) for each in kernels]
        assert found == pytest.approx(both / np.sqrt(alone[0] * alone[1]), abs=1e-6)


def test_of_noise_only_the_debiased_form_says_that_nothing_agrees():
    alignments = [cka(cloud(40, 256, seed), cloud(40, 256, 100 + seed)) for seed in range(20)]
    assert np.mean([each.cka for each in alignments]) > 0.7
    assert abs(np.mean([each.debiased for each in alignments])) < 0.05
    shared = compare_neighbours(cloud(400, 64), cloud(400, 64, 9), 10).shared
    assert shared.mean() == pytest.approx(10 / 399, abs=0.01)


def test_what_lies_elsewhere_in_one_space_comes_first():
    """Of 500 things that two noisy, turned spaces have, twelve have changed places in one."""
    rng = np.random.default_rng(4)
    groups = normalize(rng.normal(size=(25, 32)))
    x = normalize(np.repeat(groups, 20, axis=0) + 0.1 * rng.normal(size=(500, 32)))
    y = normalize(x @ turn(32) + 0.03 * rng.normal(size=(500, 32)))
    moved = np.arange(0, 240, 20)  # one of each of twelve groups
    y[moved] = y[np.roll(moved, 1)]
    found = compare_neighbours(x, y, 10)
    assert set(found.order[:12]) == set(moved) and not found.shared[moved].any()
    assert np.delete(found.shared, moved).min() > 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: compare_neighbours(cloud(5), cloud(5), 4), "k is 4; with 5 things it can be 1 to 3"),
        (lambda: compare_neighbours(cloud(5), cloud(6), 2), "5 things in one space and 6"),
        (lambda: cka(cloud(3), cloud(3)), "at least 4 things, and there are 3"),
        (lambda: cka(np.ones((9, 4)), cloud(9)), "All things are the same"),
    ],
)
def test_what_cannot_be_compared_is_told(call, says):
    with pytest.raises(InputError, match=says):
        call()
