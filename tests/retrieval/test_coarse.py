"""The rounded copy leaves out no row that belongs to the nearest, whatever the matrix is like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipexplore.retrieval import coarse
from clipexplore.retrieval.coarse import Coarse
from clipexplore.retrieval.nearest import search
from clipexplore.vectors import normalize


def cloud(count, dim=64, seed=0, spread=1.0):
    """Unit vectors in a cone; with a small spread their cosines differ by less than bfloat16 can tell."""
    return normalize(
        np.random.default_rng(seed).normal(0, spread, (count, dim))
        + np.eye(dim)[0] * 0.6 * np.sqrt(dim) * max(spread, 0.02)
    )


def assert_same(queries, embeddings, k, exclude=()):
    exact, rounded = (
        search(queries, embeddings, k, exclude),
        search(queries, embeddings, k, exclude, scan=Coarse(embeddings, "cpu")),
    )
    np.testing.assert_array_equal(rounded.indices, exact.indices)
    np.testing.assert_array_equal(rounded.cosines, exact.cosines)
    np.testing.assert_allclose((rounded.mean, rounded.std), (exact.mean, exact.std), atol=2e-6)


@given(
    count=st.integers(1, 300),
    queries=st.integers(1, 9),
    k=st.integers(1, 40),
    spread=st.sampled_from([1.0, 0.01, 1e-4]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_the_result_is_that_of_float32(count, queries, k, spread, seed):
    assert_same(cloud(queries, seed=seed + 1), cloud(count, seed=seed, spread=spread), k, range(seed % min(count, 7)))


def test_blocks_change_nothing(monkeypatch):
    monkeypatch.setattr(coarse, "_SCORES_AT_ONCE", 1)
    monkeypatch.setattr(coarse, "_BLOCK", 1000)
    assert_same(cloud(5), cloud(13_000, seed=1), 24, [3, 5000, 12_999])


def test_recall_is_whole_among_genuine_clip_vectors(test_data):
    texts = normalize(np.load(test_data / "genuine_vitb32_text_vectors.npz")["text_vectors"])
    assert_same(texts[::5], texts, 24)


def test_rows_that_are_all_alike_come_in_their_order():
    assert_same(cloud(2), np.repeat(cloud(1, seed=1), 500, axis=0), 9)


def test_nobody_asking_gets_nothing():
    assert search(np.empty((0, 64)), cloud(9), 3, scan=Coarse(cloud(9), "cpu")).indices.shape == (0, 3)


@pytest.mark.parametrize("dim", [64, 512])
def test_whether_it_pays_is_measured(dim):
    assert coarse.pays(dim) in (True, False)
