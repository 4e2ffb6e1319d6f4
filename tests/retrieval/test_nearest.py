"""Exact search against sorting everything, and against scikit-learn."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from clipexplore.errors import InputError
from clipexplore.retrieval import nearest
from clipexplore.retrieval.nearest import search
from clipexplore.vectors import normalize


def cloud(count, dim=16, seed=0):
    """Unit vectors in a narrow cone, as CLIP's are."""
    return normalize(np.random.default_rng(seed).normal(0.3, 1, (count, dim)))


@given(
    count=st.integers(1, 60),
    queries=st.integers(1, 5),
    k=st.integers(1, 80),
    left_out=st.sets(st.integers(0, 59), max_size=20),
    seed=st.integers(0, 99),
)
@settings(deadline=None)
def test_search_is_sorting_everything(count, queries, k, left_out, seed):
    rng = np.random.default_rng(seed)
    embeddings = normalize(rng.integers(-1, 2, (count, 4)) + [0, 0, 0, 0.5])  # few directions, so many exact ties
    query = rng.normal(size=(queries, 4)) * rng.uniform(0.01, 100)
    left_out = sorted(row for row in left_out if row < count)
    hits = search(query, embeddings, k, exclude=left_out)

    cosines = normalize(query).astype(np.float64) @ embeddings.astype(np.float64).T
    assert hits.indices.shape == (queries, min(k, count - len(left_out)))
    for row, own in enumerate(cosines):
        order = [index for index in np.lexsort((np.arange(count), -own.round(9))) if index not in left_out]
        np.testing.assert_array_equal(hits.indices[row], order[: hits.indices.shape[1]])
    np.testing.assert_allclose(hits.cosines, np.take_along_axis(cosines, hits.indices, 1), atol=1e-6)
    np.testing.assert_allclose(hits.mean, cosines.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(hits.std, cosines.std(axis=1), atol=1e-6)


def test_neighbours_and_cosines_are_those_of_scikit_learn():
    embeddings, queries = cloud(3000, 64), cloud(7, 64, seed=1)
    distances, indices = NearestNeighbors(metric="cosine", algorithm="brute").fit(embeddings).kneighbors(queries, 10)
    hits = search(queries, embeddings, 10)
    np.testing.assert_array_equal(hits.indices, indices)
    np.testing.assert_allclose(hits.cosines, 1 - distances, atol=1e-6)


def test_neighbours_among_genuine_clip_vectors_are_those_of_scikit_learn(test_data):
    pairs = np.load(test_data / "genuine_vitb16_coco_pairs.npz")
    images, texts = (normalize(pairs[name]) for name in ("image_vectors", "text_vectors"))
    _, indices = NearestNeighbors(metric="cosine", algorithm="brute").fit(images).kneighbors(texts, 10)
    np.testing.assert_array_equal(search(texts, images, 10).indices, indices)


@pytest.mark.parametrize("queries", [1, 3])
def test_among_some_rows_is_a_search_of_a_copy_of_them_without_the_copy(monkeypatch, queries):
    monkeypatch.setattr(nearest, "_ROWS_AT_ONCE", (16, 256))
    embeddings, query = cloud(20_000, 64), cloud(queries, 64, seed=1)
    rows, left_out = np.sort(np.random.default_rng(0).choice(20_000, 15_000, replace=False)), [*range(100)]
    tracemalloc.start()
    found, (_, peak) = search(query, embeddings, 9, left_out, among=rows), tracemalloc.get_traced_memory()
    tracemalloc.stop()
    copied = search(query, embeddings[rows], 9, np.flatnonzero(rows < 100))
    np.testing.assert_array_equal(found.indices, rows[copied.indices])
    np.testing.assert_array_equal(found.z, copied.z)
    assert peak < embeddings[rows].nbytes / 2


def test_z_counts_the_excluded_rows_too():
    embeddings, query = cloud(50), cloud(1, seed=1)
    hits, fewer = search(query, embeddings, 50), search(query, embeddings, 50, exclude=[3, 4])
    np.testing.assert_allclose(hits.z.mean(), 0, atol=1e-5)
    np.testing.assert_allclose(hits.z.std(), 1, atol=1e-5)
    assert (fewer.mean, fewer.std) == (hits.mean, hits.std)


def test_equal_rows_come_in_their_order_however_their_scores_were_rounded():
    embeddings, (query,) = np.repeat(cloud(3, 64), 40, axis=0), cloud(1, 64, seed=1)
    rounding = np.random.default_rng(2).normal(0, 1e-7, len(embeddings)).astype(np.float32)
    finder = nearest.Finder(60)
    finder.look(embeddings @ query + rounding, 0)
    indices, _ = nearest._best(query, finder.rows, embeddings, 60)
    best, second, _ = np.argsort(-(embeddings[::40] @ query))
    assert indices.tolist() == [*range(40 * best, 40 * best + 40), *range(40 * second, 40 * second + 20)]


def test_a_cosine_does_not_depend_on_who_else_asks():
    embeddings, queries = cloud(500, 512), cloud(33, 512, seed=1)
    together = search(queries, embeddings, 20)
    alone = [search(query[None], embeddings, 20) for query in queries]
    np.testing.assert_array_equal(together.cosines, np.concatenate([hits.cosines for hits in alone]))
    np.testing.assert_array_equal(together.indices, np.concatenate([hits.indices for hits in alone]))


def test_blocks_change_nothing(monkeypatch):
    embeddings, queries = cloud(100), cloud(9, seed=1)
    whole = search(queries, embeddings, 5)
    monkeypatch.setattr(nearest, "_ROWS_AT_ONCE", (7, 7))
    for k, exclude in ((5, ()), (100, ()), (40, range(20, 50)), (1, range(99))):
        blocks = search(queries, embeddings, k, exclude)
        cosines = queries @ embeddings.T
        cosines[:, list(exclude)] = -2
        np.testing.assert_array_equal(blocks.indices, np.argsort(-cosines, axis=1)[:, : blocks.indices.shape[1]])
        np.testing.assert_allclose(blocks.z[:, 0], search(queries, embeddings, k, exclude).z[:, 0])
    np.testing.assert_allclose((blocks.mean, blocks.std), (whole.mean, whole.std), atol=1e-6)


def test_a_mapped_file_is_searched_as_it_is(tmp_path):
    embeddings, queries = cloud(500, 32), cloud(3, 32, seed=1)
    for kind in (np.float32, np.float16):
        np.save(tmp_path / "e.npy", embeddings.astype(kind))
        mapped = np.load(tmp_path / "e.npy", mmap_mode="r")
        found, wanted = search(queries, mapped, 9), search(queries, np.array(mapped, np.float32), 9)
        np.testing.assert_array_equal(found.indices, wanted.indices)
        np.testing.assert_allclose(found.cosines, wanted.cosines, atol=1e-6)


def test_parts_of_hits():
    hits = search(cloud(4), cloud(50, seed=1), 9)
    assert hits.of(2).cosines.tolist() == [hits.cosines[2].tolist()] and hits.of(2).mean == hits.mean[2]


def test_where_all_are_alike_no_z_score_stands_out():
    hits = search(cloud(1), np.repeat(cloud(1, seed=1), 5, axis=0), 3)
    assert hits.z.tolist() == [[0, 0, 0]]


def test_all_excluded_leaves_no_hit():
    assert search(cloud(2), cloud(3), 5, exclude=range(3)).indices.shape == (2, 0)


def test_nobody_asking_gets_nothing():
    assert search(np.empty((0, 16)), cloud(3), 2).cosines.shape == (0, 2)


@pytest.mark.parametrize(
    ("query", "k", "message"), [(1, 0, "k is 0; ask for at least 1"), (0, 3, "zero"), (np.nan, 3, "finite")]
)
def test_what_cannot_be_asked_is_told(query, k, message):
    with pytest.raises(InputError, match=message):
        search(np.full((1, 16), query), cloud(3), k)
