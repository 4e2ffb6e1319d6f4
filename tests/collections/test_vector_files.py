"""Ready-made vectors from three formats, and everything that is none."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from fixtures_imports import jpeg

from clipexplore.collections import vector_files
from clipexplore.collections.entries import Rejected
from clipexplore.collections.vector_files import open_vectors
from clipexplore.errors import InputError

VECTORS = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(vector_files, "_BLOCK", 7)


def entries(path, dim=5):
    source = open_vectors(path)
    found = list(source)
    assert source.count == len(found) and source.dim == dim
    return source, found


def test_npy(tmp_path):
    np.save(tmp_path / "v.npy", VECTORS)
    source, found = entries(tmp_path / "v.npy")
    np.testing.assert_array_equal([each.vector for each in found], VECTORS)
    assert found[0].name == "v-000001" and found[0].read is None and source.kind == "captions"


def test_npz_with_ids_captions_and_more(tmp_path):
    np.savez(tmp_path / "v.npz", embeddings=VECTORS, ids=np.arange(20), caption=np.array([f"text {n}" for n in range(20)]), year=np.arange(20), other=np.ones(3))
    _, found = entries(tmp_path / "v.npz")
    assert (found[9].id, found[9].caption, found[9].fields) == ("9", "text 9", {"year": 9})


@pytest.mark.parametrize("column", [lambda v: pa.array(v.tolist()), lambda v: pa.FixedSizeListArray.from_arrays(v.ravel(), 5)])
def test_parquet(tmp_path, column):
    table = pa.table({"id": [f"i{n}" for n in range(20)], "emb": column(VECTORS), "caption": ["x", None] * 10, "n": range(20)})
    pyarrow.parquet.write_table(table, tmp_path / "v.parquet")
    source, found = entries(tmp_path / "v.parquet")
    np.testing.assert_array_equal([each.vector for each in found], VECTORS)
    assert (found[3].id, found[3].caption, found[3].fields, source.captioned) == ("i3", "", {"n": 3}, True)


def test_parquet_with_pictures_beside(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    pyarrow.parquet.write_table(pa.table({"file": ["a.jpg", "../x"], "embedding": VECTORS[:2].tolist()}), tmp_path / "v.parquet")
    source, found = entries(tmp_path / "v.parquet")
    assert source.kind == "pictures" and found[0].read() == jpeg(1)
    with pytest.raises(InputError, match="outside"):
        found[1].read()


def test_rows_that_are_no_direction_are_rejected(tmp_path):
    rows = VECTORS.tolist()
    rows[3], rows[8], rows[11] = [1.0, 2.0], None, [0.0] * 5
    pyarrow.parquet.write_table(pa.table({"vectors": rows}), tmp_path / "v.parquet")
    _, found = entries(tmp_path / "v.parquet")
    assert [each.name for each in found if isinstance(each, Rejected)] == ["row 4", "row 9", "row 12"]


def test_genuine_vectors_are_read(test_data):
    _, found = entries(test_data / "genuine_vitb32_text_vectors.npz", 512)
    assert len(found) == 1283 and found[0].caption == "a person" and found[0].fields == {"source": "coco"}


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("v.npy", lambda path: np.save(path, np.ones(5)), "shape"),
        ("v.npy", lambda path: np.save(path, np.ones((2, 5), int)), "int64"),
        ("v.npy", lambda path: np.save(path, np.array([{}, []], object), allow_pickle=True), "without objects"),
        ("v.npy", lambda path: path.write_bytes(b"\x93NUMPY"), "cannot be read"),
        ("v.npz", lambda path: np.savez(path, x=np.ones(3)), "no array of vectors"),
        ("v.npz", lambda path: path.write_bytes(b"PK\3\4"), "cannot be read"),
        ("v.parquet", lambda path: pyarrow.parquet.write_table(pa.table({"a": [1]}), path), "no column of vectors"),
        ("v.parquet", lambda path: pyarrow.parquet.write_table(pa.table({"v": pa.array([], pa.list_(pa.float32()))}), path), "holds no rows"),
        ("v.parquet", lambda path: path.write_bytes(b"PAR1"), "cannot be read"),
    ],
)
def test_what_is_none_is_told(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(InputError, match=message):
        open_vectors(tmp_path / name)
