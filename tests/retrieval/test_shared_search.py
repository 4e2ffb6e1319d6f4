"""Fused searches give everybody what they would have got alone."""

import gc
import threading
import time

import numpy as np
import pytest

from clipexplore.retrieval import shared_search as module
from clipexplore.retrieval.coarse import Coarse
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


def copied(matrix, query):
    """Waits until there is a copy of a matrix."""
    for _ in range(1000):
        answer([(query, matrix, 5, (3,))])
        if module._copies.get(id(matrix)) is not None:
            return module._copies[id(matrix)]
        time.sleep(0.02)
    raise AssertionError("no copy was made")


def test_a_copy_is_made_of_what_is_large_and_goes_with_its_matrix(monkeypatch):
    monkeypatch.setattr(module, "COARSE_FROM", 5_000)
    matrix, small, queries = cloud(5_000), cloud(4_999), cloud(9, seed=1)
    copied(matrix, queries[0])
    answer([(queries[0], small, 5, ())])
    assert id(small) not in module._copies
    asked = [(query, matrix, 5, (3,)) for query in queries]
    for query, hits in zip(queries, answer(asked), strict=True):
        assert_same(hits, search(query[None], matrix, 5, [3]))
    key = id(matrix)
    del matrix, asked
    gc.collect()
    assert key not in module._copies


def test_a_copy_beside_a_file_is_made_again_once_it_is_damaged(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "COARSE_FROM", 5_000)
    np.save(tmp_path / "m.npy", cloud(5_000))
    matrix, query = np.asarray(np.load(tmp_path / "m.npy", mmap_mode="r")), cloud(1, seed=1)
    copied(matrix, query[0])
    whole = (tmp_path / "m.codes.npy").read_bytes()
    (tmp_path / "m.codes.npy").write_bytes(whole[:-1] + bytes([whole[-1] ^ 64]))
    module._copies.pop(id(matrix))  # as a server that starts anew
    found = Coarse.of(matrix)
    module._copies[id(matrix)] = found
    (hits,) = answer([(query[0], matrix, 5, (3,))])
    assert_same(hits, search(query, matrix, 5, [3]))
    assert copied(matrix, query[0]) is not found and (tmp_path / "m.codes.npy").read_bytes() == whole


def test_a_failed_search_is_told_to_who_asked(monkeypatch):
    from clipexplore.errors import InputError

    monkeypatch.setattr(module, "TOGETHER_FROM", 1)
    with pytest.raises(InputError, match="k is 0"):
        shared_search(cloud(1), cloud(50), 0)
