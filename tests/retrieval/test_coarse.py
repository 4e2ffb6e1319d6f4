"""The copy in one byte a number leaves out no row that belongs to the nearest, whatever the vectors are like."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clipexplore.retrieval import coarse
from clipexplore.retrieval.coarse import BLOCK, Coarse, Damaged, fast_device
from clipexplore.retrieval.nearest import search
from clipexplore.vectors import normalize


def cloud(count, dim=64, seed=0, spread=1.0):
    """Unit vectors in a cone; with a small spread their cosines differ by less than a byte can tell."""
    return normalize(
        np.random.default_rng(seed).normal(0, spread, (count, dim))
        + np.eye(dim)[0] * 0.6 * np.sqrt(dim) * max(spread, 0.02)
    )


def mapped(folder, embeddings):
    np.save(folder / "vectors.npy", embeddings)
    return np.asarray(np.load(folder / "vectors.npy", mmap_mode="r"))


def assert_same(queries, embeddings, k, exclude=(), scan=None):
    exact = search(queries, embeddings, k, exclude)
    found = search(queries, embeddings, k, exclude, scan=scan or Coarse.of(embeddings))
    np.testing.assert_array_equal(found.indices, exact.indices)
    np.testing.assert_array_equal(found.cosines, exact.cosines)
    np.testing.assert_allclose((found.mean, found.std), (exact.mean, exact.std), atol=2e-6)


@pytest.fixture(autouse=True, scope="module", params=["float32", "bfloat16"])
def product(request):
    """How many queries are multiplied: as without units for bfloat16, and as with them."""
    device = torch.device("cpu") if request.param == "bfloat16" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coarse, "fast_device", lambda: device)
        yield


@given(
    count=st.integers(1, 300),
    queries=st.integers(1, 12),
    k=st.integers(1, 40),
    spread=st.sampled_from([1.0, 0.01, 1e-4]),
    twins=st.integers(0, 90),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=40)
def test_the_result_is_that_of_float32(count, queries, k, spread, twins, seed):
    embeddings = cloud(count, seed=seed, spread=spread)
    embeddings[: min(twins, count // 2)] = embeddings[-1]
    embeddings[:: 1 + seed] = np.eye(64)[seed % 64]  # far from all others, so of a coarser scale
    assert_same(cloud(queries, seed=seed + 1), embeddings, k, range(seed % min(count, 7)))


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_blocks_and_files_change_nothing(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(coarse, "BLOCK", 1024)
    monkeypatch.setattr(coarse, "_CAST_AT_ONCE", 100)
    embeddings = mapped(tmp_path, cloud(13_000, seed=1).astype(kind))
    for queries in (5, 20):
        assert_same(cloud(queries), embeddings, 24, [3, 5000, 12_999])


def test_rounding_of_the_queries_counts_too(monkeypatch):
    monkeypatch.setattr(coarse, "_ROUNDING", 1e-6)
    signs = np.random.default_rng(0).choice([-1, 1], (20_000, 64))  # whole numbers tell them exactly
    assert_same(normalize(np.random.default_rng(1).normal(size=(400, 64))), normalize(np.vstack([signs, -signs])), 24)


def test_recall_is_whole_among_genuine_clip_vectors(test_data):
    texts = normalize(np.load(test_data / "genuine_vitb32_text_vectors.npz")["text_vectors"])
    assert_same(texts[::5], texts, 24)
    few = Coarse.of(texts).candidates(texts[:5], 24, np.empty(0, np.intp))[0]
    assert max(map(len, few)) < 100  # the bound leaves few to score again


def test_no_row_is_further_from_its_codes_than_is_said():
    embeddings = cloud(500)
    facts = coarse._encode(embeddings, (written := bytearray()).extend)
    rows = facts.middle + facts.scales[:, None] * np.frombuffer(written, np.int8).reshape(embeddings.shape)
    away = np.linalg.norm(embeddings - rows.astype(np.float64), axis=1)
    np.testing.assert_allclose(away, facts.errors, rtol=1e-3)
    assert 0.001 < away.max() < 0.01


def test_rows_that_are_all_alike_come_in_their_order():
    assert_same(cloud(2), np.repeat(cloud(1, seed=1), 9000, axis=0), 9)


def test_nobody_asking_gets_nothing():
    assert search(np.empty((0, 64)), cloud(9), 3, scan=Coarse.of(cloud(9))).indices.shape == (0, 3)


def test_what_is_there_is_opened_and_what_is_damaged_or_of_other_rows_is_made_again(tmp_path, monkeypatch):
    embeddings, made = mapped(tmp_path, cloud(200)), []
    encode = coarse._encode
    monkeypatch.setattr(coarse, "_encode", lambda *given: (made.append(1), encode(*given))[1])

    def opened(after):
        assert_same(cloud(3), embeddings, 9, scan=Coarse.of(embeddings))
        assert len(made) == after and len(list(tmp_path.iterdir())) == 3

    opened(1)
    opened(1)
    for name, damage in (
        ("vectors.codes.npz", lambda data: data[:-100]),
        ("vectors.codes.npz", lambda data: data[:300] + bytes([data[300] ^ 1]) + data[301:]),
        ("vectors.codes.npy", lambda data: data[:-100]),
    ):
        (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
        opened(len(made) + 1)
    (tmp_path / "vectors.codes.npy").unlink()
    opened(5)
    embeddings = mapped(tmp_path, cloud(150))
    opened(6)


@pytest.mark.parametrize("block", [0, 1])
def test_a_bit_that_turned_is_found_when_it_is_read(tmp_path, block):
    embeddings = mapped(tmp_path, cloud(BLOCK + 100))
    Coarse.of(embeddings)
    with open(tmp_path / "vectors.codes.npy", "r+b") as file:
        file.seek(128 + 64 * (block * BLOCK + 50))
        (byte,) = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 4]))
    with pytest.raises(Damaged):
        search(cloud(1), embeddings, 5, scan=Coarse.of(embeddings))


def test_a_matrix_that_is_a_part_of_a_file_has_a_copy_in_memory(tmp_path):
    embeddings = mapped(tmp_path, cloud(300))
    assert_same(cloud(2), embeddings[100:], 9)
    assert len(list(tmp_path.iterdir())) == 1


def test_where_bfloat16_is_fast_is_measured():
    device = fast_device()
    assert device is None or device.type in ("cpu", "cuda")
