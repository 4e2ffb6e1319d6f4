"""Fused searches give everybody what they would have got alone."""

import gc
import threading
import time

import numpy as np
import pytest

from clipexplore.retrieval import shared_search as module
from clipexplore.retrieval.nearest import search
from clipexplore.retrieval.shared_search import answer, shared_search
from clipexplore.vectors import normalize


def cloud(count, dim=32, seed=0):
    return normalize(np.random.default_rng(seed).normal(0.3, 1, (count, dim)))


def assert_same(found, wanted):
    np.testing.assert_array_equal(found.indices, wanted.indices)
    np.testing.assert_array_equal(found.cosines, wanted.cosines)
    np.testing.assert_allclose(found.z, wanted.z, rtol=1e-4, atol=1e-4)


def test_everybody_gets_their_own(monkeypatch):
    monkeypatch.setattr(module, "TOGETHER_FROM", 100)
    matrices, queries = [cloud(900, seed=1), cloud(500, seed=2)], cloud(24, seed=3)
    found = {}

    def ask(number):
        found[number] = shared_search(
            queries[number : number + 1], matrices[number % 2], 1 + number, range(number, 3 * number)
        )

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(24):
        assert_same(
            found[number], search(queries[number][None], matrices[number % 2], 1 + number, range(number, 3 * number))
        )


def test_those_who_ask_together_share_a_pass(monkeypatch):
    passes = []
    monkeypatch.setattr(
        module,
        "search",
        lambda queries, *rest, **more: (passes.append(len(queries)), search(queries, *rest, **more))[1],
    )
    matrix, queries = cloud(300), cloud(9, seed=1)
    answer([(query, matrix, 5, ()) for query in queries])
    assert passes == [9]


def test_a_rounded_copy_is_made_where_many_ask_and_goes_with_its_matrix(monkeypatch):
    from clipexplore.retrieval import coarse

    monkeypatch.setattr(coarse, "pays", lambda dim: True)
    monkeypatch.setattr(module, "ROUNDED_FROM", 100)
    matrix, queries = cloud(5_000), cloud(9, seed=1)
    asked = [(query, matrix, 5, (3,)) for query in queries]
    answer(asked)
    for _ in range(500):
        if module._copies.get(id(matrix)) is not None:
            break
        time.sleep(0.02)
    assert module._copies[id(matrix)] is not None
    for query, hits in zip(queries, answer(asked), strict=True):
        assert_same(hits, search(query[None], matrix, 5, [3]))
    key = id(matrix)
    del matrix, asked
    gc.collect()
    assert key not in module._copies


def test_a_failed_search_is_told_to_who_asked(monkeypatch):
    from clipexplore.errors import InputError

    monkeypatch.setattr(module, "TOGETHER_FROM", 1)
    with pytest.raises(InputError, match="k is 0"):
        shared_search(cloud(1), cloud(50), 0)
