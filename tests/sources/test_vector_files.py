"""Ready-made vectors from three formats, and everything that is none."""

import json

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet
import pytest
from fixtures_imports import jpeg, take
from safetensors.numpy import save_file

from clipexplore.errors import InputError
from clipexplore.sources import vector_files
from clipexplore.sources.entries import Rejected
from clipexplore.sources.recognise import open_source
from clipexplore.sources.vector_files import open_vectors
from clipexplore.store.collection import Collection

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
    np.testing.assert_array_equal([each.vectors["captions"] for each in found], VECTORS)
    assert found[0].name == "v-000001" and found[0].read is None and source.kind == "captions"


def test_npz_with_ids_captions_and_more(tmp_path):
    np.savez(
        tmp_path / "v.npz",
        embeddings=VECTORS,
        ids=np.arange(20),
        caption=np.array([f"text {n}" for n in range(20)]),
        year=np.arange(20),
        other=np.ones(3),
    )
    _, found = entries(tmp_path / "v.npz")
    assert (found[9].id, found[9].caption, found[9].fields) == ("9", "text 9", {"year": 9})


def parquet_of(path, **columns):
    pyarrow.parquet.write_table(pa.table({name: each.tolist() for name, each in columns.items()}), path)


PAIRS = {
    "v.npz": lambda path, pictures, texts: np.savez(path, image_vectors=pictures, text_vectors=texts),
    "v.parquet": lambda path, pictures, texts: parquet_of(path, image_embedding=pictures, text_embedding=texts),
    "v.safetensors": lambda path, pictures, texts: save_file({"image_embeds": pictures, "text_embeds": texts}, path),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(tmp_path, name):
    PAIRS[name](tmp_path / name, VECTORS, VECTORS + 1)
    source, found = entries(tmp_path / name)
    np.testing.assert_array_equal([each.vectors["pictures"] for each in found], VECTORS)
    np.testing.assert_array_equal([each.vectors["captions"] for each in found], VECTORS + 1)
    assert (source.kind, source.bare, source.vectors) == ("pictures", True, ("pictures", "captions"))


def test_pairs_are_as_many(tmp_path):
    np.savez(tmp_path / "v.npz", image_vectors=VECTORS, text_vectors=VECTORS[1:])
    with pytest.raises(InputError, match=r"pictures \(20, 5\) and of texts \(19, 5\)"):
        entries(tmp_path / "v.npz")


def test_vectors_that_are_called_those_of_pictures_are_no_texts_of_captions(tmp_path):
    np.savez(tmp_path / "v.npz", img_emb=VECTORS, caption=["a"] * 20)
    source, found = entries(tmp_path / "v.npz")
    assert (source.kind, source.bare, [*found[0].vectors]) == ("pictures", True, ["pictures"])


@pytest.mark.parametrize(
    "column", [lambda v: pa.array(v.tolist()), lambda v: pa.FixedSizeListArray.from_arrays(v.ravel(), 5)]
)
def test_parquet(tmp_path, column):
    table = pa.table(
        {"id": [f"i{n}" for n in range(20)], "emb": column(VECTORS), "caption": ["x", None] * 10, "n": range(20)}
    )
    pyarrow.parquet.write_table(table, tmp_path / "v.parquet")
    source, found = entries(tmp_path / "v.parquet")
    np.testing.assert_array_equal([each.vectors["captions"] for each in found], VECTORS)
    assert (found[3].id, found[3].caption, found[3].fields, found[2].caption) == ("i3", "", {"n": 3}, "x")


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_safetensors(tmp_path, dtype):
    save_file({"embeddings": VECTORS.astype(dtype), "other": np.ones(3)}, tmp_path / "v.safetensors")
    _, found = entries(tmp_path / "v.safetensors")
    np.testing.assert_array_equal(
        [each.vectors["captions"] for each in found], VECTORS.astype(dtype).astype(np.float32)
    )


def test_the_weights_of_a_model_are_no_vectors(tmp_path):
    weights = {"positional_embedding": np.ones((77, 8), np.float32), "text_projection": np.ones((8, 4), np.float32)}
    save_file(weights, tmp_path / "v.safetensors")
    with pytest.raises(InputError, match="as the weights of a model do"):
        open_vectors(tmp_path / "v.safetensors")


def test_numbers_that_numpy_lacks_are_told(tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file(
        {"image_embeds": torch.ones(3, 4), "text_embeds": torch.ones(3, 4).bfloat16()}, tmp_path / "v.safetensors"
    )
    with pytest.raises(InputError, match="'text_embeds' in 'v.safetensors' are BF16"):
        open_vectors(tmp_path / "v.safetensors")


def test_arrays_of_objects_are_told(tmp_path):
    np.savez(tmp_path / "v.npz", embeddings=VECTORS, captions=np.array(["a"] * 20, object), allow_pickle=True)
    source, _ = entries(tmp_path / "v.npz")
    assert "arrays of Python objects: captions." in source.notes[0]


def test_ids_of_tokens_are_no_vectors(tmp_path):
    tokens = pa.array([[1, 2], [3, 4]], pa.list_(pa.int64()))
    pyarrow.parquet.write_table(pa.table({"text": ["a", "b"], "input_ids": tokens}), tmp_path / "v.parquet")
    source = open_source(tmp_path / "v.parquet")
    assert source.dim is None and source.notes == ("Columns that are not read: input_ids.",)


def test_a_table_beside_vectors_tells_of_them_row_by_row(tmp_path):
    np.save(tmp_path / "v.npy", VECTORS)
    (tmp_path / "few.csv").write_text("text\na cat\n")
    (tmp_path / "names.json").write_text('["a.jpg"]')
    (tmp_path / "rows.csv").write_text("id,text,n\n" + "".join(f"i{n},text {n},{n}\n" for n in range(20)))
    source = open_source(tmp_path)
    found = list(source)
    assert [(each.id, each.caption, each.fields) for each in found] == [
        (f"i{n}", f"text {n}", {"n": str(n)}) for n in range(20)
    ]
    np.testing.assert_array_equal([each.vectors["captions"] for each in found], VECTORS)
    assert source.notes == ("Row by row, rows.csv tells of the vectors.", "Not used: few.csv, names.json.")


def test_a_pair_of_files(tmp_path):
    np.save(tmp_path / "image_features.npy", VECTORS)
    np.save(tmp_path / "text_features.npy", VECTORS + 1)
    source = open_source(tmp_path)
    found = list(source)
    assert source.bare and source.vectors == ("pictures", "captions") and len(found) == source.count
    np.testing.assert_array_equal([each.vectors["captions"] for each in found], VECTORS + 1)


@pytest.mark.parametrize(
    "written",
    [
        lambda path: np.savetxt(path, VECTORS),
        lambda path: np.savetxt(path, VECTORS, delimiter=","),
        lambda path: pandas.DataFrame(VECTORS).to_csv(path, index=False),
        lambda path: pandas.DataFrame(VECTORS).to_csv(path, index=False, header=False, sep=";"),
    ],
)
@pytest.mark.parametrize("name", ["v.csv", "v.txt"])
def test_a_table_of_numbers(tmp_path, written, name):
    written(tmp_path / name)
    np.testing.assert_allclose([each.vectors["captions"] for each in open_source(tmp_path / name)], VECTORS, rtol=1e-6)


@pytest.mark.parametrize("text", ["1 2 3\nfour five\n", "1, 2, 3\nfour\n"])
def test_a_text_may_begin_with_numbers(tmp_path, text):
    (tmp_path / "c.txt").write_text(text)
    assert [each.caption for each in open_source(tmp_path / "c.txt")] == text.splitlines()


def test_numbers_in_the_place_of_captions_are_refused(tmp_path):
    lines = [f"word{n} {' '.join(map(str, VECTORS[n].tolist() * 2))}" for n in range(3)]
    (tmp_path / "glove.txt").write_text("\n".join([*lines, "a cat, 3 years old"]))
    found = list(open_source(tmp_path / "glove.txt"))
    assert ["numbers in the place of a caption" in getattr(each, "reason", "") for each in found] == [True] * 3 + [
        False
    ]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_vectors_in_the_cells_of_a_table(tmp_path, ending):
    rows = [{"text": f"text {n}", "embedding": VECTORS[n].tolist(), "n": n} for n in range(19)]
    rows.append({"text": "short", "embedding": [1.0], "n": 19})
    cells = rows if ending == "jsonl" else [{**row, "embedding": json.dumps(row["embedding"])} for row in rows]
    table = pandas.DataFrame(cells)
    table.to_csv(tmp_path / "v.csv", index=False) if ending == "csv" else table.to_json(
        tmp_path / "v.jsonl", orient="records", lines=True, double_precision=15
    )
    source = open_source(tmp_path / f"v.{ending}")
    found = list(source)
    assert source.dim == 5 and isinstance(found[-1], Rejected) and "another length" in found[-1].reason
    assert [each.caption for each in found[:-1]] == [f"text {n}" for n in range(19)]
    np.testing.assert_array_equal([each.vectors["captions"] for each in found[:-1]], VECTORS[:19])
    assert [*found[0].fields] == ["n"]


@pytest.mark.parametrize("kind", ["IndexFlatIP", "IndexFlatL2"])
def test_a_flat_index_of_faiss(tmp_path, kind):
    faiss = pytest.importorskip("faiss")
    index = getattr(faiss, kind)(5)
    index.add(VECTORS)
    faiss.write_index(index, str(tmp_path / "v.index"))
    _, found = entries(tmp_path / "v.index")
    np.testing.assert_array_equal([each.vectors["captions"] for each in found], VECTORS)
    data = (tmp_path / "v.index").read_bytes()
    (tmp_path / "v.index").write_bytes(data[:-1])
    with pytest.raises(InputError, match="does not hold the vectors that it says"):
        open_vectors(tmp_path / "v.index")


def test_another_index_of_faiss_is_refused(tmp_path):
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexScalarQuantizer(5, faiss.ScalarQuantizer.QT_8bit)
    index.train(VECTORS), index.add(VECTORS)
    faiss.write_index(index, str(tmp_path / "v.faiss"))
    with pytest.raises(InputError, match="no flat index of FAISS.*write an IndexFlat"):
        open_vectors(tmp_path / "v.faiss")


def test_of_an_empty_caption_a_pair_needs_no_vector(tmp_path):
    texts = VECTORS.copy()
    texts[[2, 3]] = 0
    said = np.array(["", "x", "", "x"] * 5)
    np.savez(tmp_path / "v.npz", image_vectors=VECTORS, text_vectors=texts, caption=said)
    _, found = entries(tmp_path / "v.npz")
    assert {*found[2].vectors} == {"pictures"} and isinstance(found[3], Rejected)
    assert take(tmp_path / "it", tmp_path / "v.npz").added == 19
    np.testing.assert_array_equal(Collection.open(tmp_path / "it").embeddings("toy", "captions")[2], 0)


def test_parquet_with_pictures_beside(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    pyarrow.parquet.write_table(
        pa.table({"file": ["a.jpg", "../x"], "embedding": VECTORS[:2].tolist()}), tmp_path / "v.parquet"
    )
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
        (
            "v.parquet",
            lambda path: pyarrow.parquet.write_table(pa.table({"v": pa.array([], pa.list_(pa.float32()))}), path),
            "holds no rows",
        ),
        ("v.parquet", lambda path: path.write_bytes(b"PAR1"), "cannot be read"),
        ("v.safetensors", lambda path: path.write_bytes(b"\xff" * 100), "cannot be read"),
        ("v.safetensors", lambda path: path.write_bytes((10**12).to_bytes(8, "little") + b"{}"), "cannot be read"),
        ("v.faiss", lambda path: path.write_bytes(b"IxFI" + b"\xff" * 60), "does not hold the vectors"),
        ("v.index", lambda path: path.write_bytes(b""), "no flat index"),
    ],
)
def test_what_is_none_is_told(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(InputError, match=message):
        open_vectors(tmp_path / name)
