"""Pictures in the columns of Parquet and Arrow files: as `datasets` and img2dataset write them, and what is wrong."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from fixtures_imports import Toy, contents, jpeg, take

from clipexplore.errors import InputError
from clipexplore.sources import columns
from clipexplore.sources.entries import Entry, Rejected
from clipexplore.sources.recognise import open_source
from clipexplore.store.collection import Collection

FEATURES = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}


def table(count=6, **more):
    images = [{"bytes": jpeg(number), "path": f"p{number}.jpg"} for number in range(count)]
    columns = {"image": images, "text": [f"text {n}" for n in range(count)], "label": [n % 3 - 1 for n in range(count)]}
    found = pa.table({**columns, **more})
    return found.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": FEATURES}})})


def arrow(path, found, writer=pa.ipc.new_stream, **options):
    with writer(path, found.schema, options=pa.ipc.IpcWriteOptions(**options)) as file:
        file.write_table(found, max_chunksize=4)


WRITERS = {
    "a.parquet": pyarrow.parquet.write_table,
    "a.arrow": lambda found, path: arrow(path, found),
    "file.arrow": lambda found, path: arrow(path, found, pa.ipc.new_file),
}


def write(path, found):
    path.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[path.name if path.name in WRITERS else f"a{path.suffix}"](found, path)
    return path


@pytest.mark.parametrize("name", WRITERS)
def test_pictures_captions_and_names_of_classes(tmp_path, name):
    source = open_source(write(tmp_path / name, table()))
    entries = list(source)
    assert source.count == 6 and source.kind == "pictures" and "column image" in source.recognised
    assert [(each.name, each.caption, each.fields.get("label")) for each in entries[:3]] == [
        ("p0.jpg", "text 0", None),
        ("p1.jpg", "text 1", "cat"),
        ("p2.jpg", "text 2", "dog"),
    ]
    assert [each.read() for each in entries] == [jpeg(number) for number in range(6)]


@pytest.mark.parametrize("name", WRITERS)
def test_of_a_list_of_captions_the_first_is_the_caption(tmp_path, name):
    several = table(3).drop_columns("text").append_column("captions", pa.array([["a", "b", "c"], ["d"], None]))
    entries = list(open_source(write(tmp_path / name, several)))
    assert [(each.caption, each.fields.get("captions")) for each in entries] == [("a", "b\nc"), ("d", None), ("", None)]


@pytest.mark.parametrize("name", WRITERS)
def test_columns_that_are_not_read_are_told(tmp_path, name):
    several = (
        table(2).append_column("boxes", pa.array([[{"x": 1}], []])).append_column("__mine", pa.array([[1.0], [2.0]]))
    )
    assert "Columns that are not read: boxes." in open_source(write(tmp_path / name, several)).notes


def test_texts_that_save_to_disk_wrote_are_refused(tmp_path):
    write(tmp_path / "data-00000-of-00001.arrow", pa.table({"text": ["a cat"]}))
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    for path in (tmp_path, tmp_path / "data-00000-of-00001.arrow"):
        with pytest.raises(InputError, match="no pictures in 'data-00000.*to_parquet"):
            open_source(path)


def test_shards_and_splits(tmp_path):
    write(tmp_path / "data" / "train-00000-of-00001.parquet", table(2))
    write(tmp_path / "data" / "test-00000-of-00001.parquet", table(1))
    assert [each.fields["split"] for each in open_source(tmp_path)] == ["test", "train", "train"]


def test_vectors_in_the_table_are_those_of_the_items(tmp_path):
    rows = np.random.default_rng(0).normal(size=(6, 16)).astype(np.float32)
    halves = pa.array(rows.astype(np.float16).tolist(), pa.list_(pa.float16(), 16))
    path = write(tmp_path / "a.parquet", table(image_vectors=rows.tolist(), text_vectors=halves))
    assert open_source(path).dim == 16
    toy = Toy()
    take(tmp_path / "it", path, toy)
    assert (toy.images, toy.texts) == (0, 0)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    found = Collection.open(tmp_path / "it")
    np.testing.assert_allclose(found.embeddings("toy", "pictures"), unit, atol=1e-6)
    np.testing.assert_allclose(found.embeddings("toy", "captions"), unit, atol=2e-3)


def test_a_picture_of_which_only_the_path_is_there_is_told(tmp_path):
    found = pa.table({"image": [{"bytes": None, "path": "/home/me/p1.jpg"}, {"bytes": jpeg(1), "path": None}]})
    refused, entry = open_source(write(tmp_path / "a.parquet", found))
    assert isinstance(refused, Rejected) and "path of this picture alone" in refused.reason
    assert entry.name == "a-000002" and entry.read() == jpeg(1)


@pytest.mark.parametrize("kind", ["pushed.parquet", "arrow"])
def test_what_datasets_writes(test_data, kind):
    source = open_source(test_data / "formats" / "hf" / kind)
    assert [each.fields["label"] for each in source] == ["cat", "dog", "dog", "cat"]
    assert {each.name for each in source} == {f"{n:012}.jpg" for n in (790, 2592, 12062, 20247)}


@pytest.mark.parametrize("form", ["wds", "files", "parquet"])
def test_img2dataset_in_its_three_forms(test_data, tmp_path, form):
    source = open_source(test_data / "formats" / f"i2d_{form}")
    entries = list(source)
    found = {each.fields["url"].rpartition("/")[2]: each.caption for each in entries if isinstance(each, Entry)}
    refused = {each.name.rpartition("/")[2]: each.reason for each in entries if isinstance(each, Rejected)}
    assert (
        source.count == len(entries) == 8 and found["ph0.jpg"] == "first photo, with comma" and found["ph1.jpg"] == ""
    )
    assert refused.keys() == {"missing.jpg", "notimage.jpg"} and "HTTP Error 404" in refused["missing.jpg"]
    assert "white bars" in "".join(source.notes)
    assert take(tmp_path / "it", test_data / "formats" / f"i2d_{form}").refused == 2


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_arrow_is_refused_before_it_is_unpacked(tmp_path, compression):
    zeros = pa.table({"image": [bytes(1_000_000)] * 50, "text": ["x"] * 50})
    arrow(tmp_path / "a.arrow", zeros, compression=compression)
    assert (tmp_path / "a.arrow").stat().st_size < 1_000_000
    before = pa.total_allocated_bytes()
    with pytest.raises(InputError, match="'a.arrow' is compressed Arrow"):
        open_source(tmp_path / "a.arrow")
    assert pa.total_allocated_bytes() - before < 1_000_000


def test_a_parquet_of_pictures_that_unpacks_to_many_times_its_size_is_refused(tmp_path):
    zeros = pa.table({"image": [bytes(1_000_000 + number) for number in range(90)]})
    pyarrow.parquet.write_table(zeros, tmp_path / "a.parquet", compression="zstd")
    with pytest.raises(InputError, match="unpacks to 90 MB, and at most 4 times its size"):
        list(open_source(tmp_path / "a.parquet"))


def test_a_row_group_that_would_be_held_as_a_whole_is_refused(tmp_path, monkeypatch):
    write(tmp_path / "a.parquet", table(40))
    assert len(list(open_source(tmp_path / "a.parquet"))) == 40
    monkeypatch.setattr(columns, "_MOST_DICTIONARY", 10_000)
    with pytest.raises(InputError, match="'a.parquet' has row groups of more than 0 MB; write it with a smaller"):
        list(open_source(tmp_path / "a.parquet"))
    pyarrow.parquet.write_table(table(40), tmp_path / "b.parquet", row_group_size=2)
    assert len(list(open_source(tmp_path / "b.parquet"))) == 40


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["a.arrow", "a.parquet"])
def test_damaged_files_end_in_a_collection_or_a_sentence(tmp_path, name):
    whole, rng = write(tmp_path / name, table(40)).read_bytes(), np.random.default_rng(1)
    for number in range(60):
        data = bytearray(whole[: rng.integers(len(whole)) if number % 3 == 0 else len(whole)])
        for place in rng.integers(len(data), size=rng.integers(1, 30)) if data else ():
            data[place if number % 2 else place % min(len(data), 800)] ^= 1 << rng.integers(8)
        (tmp_path / name).write_bytes(data)
        try:
            take(tmp_path / f"it{number}", tmp_path / name)
        except InputError as error:
            assert str(error).endswith(".")
        else:
            assert contents(tmp_path / f"it{number}")["items"]
