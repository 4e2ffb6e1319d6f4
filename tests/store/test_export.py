"""Collections in the forms of other tools: read back here, and where a tool is at hand by the tool itself."""

import csv
import json
import os
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from fixtures_imports import fill, take
from PIL import Image

from clipexplore.__main__ import main
from clipexplore.errors import InputError
from clipexplore.sources.entries import Entry
from clipexplore.sources.recognise import open_source
from clipexplore.store.collection import Collection
from clipexplore.store.export import FORMS, export

COUNT = 12
CAPTIONS = ["", 'a "cat", sat', "zwei\nZeilen", "写真 🎩", *(f"picture number {n}" for n in range(4, COUNT))]


@pytest.fixture
def collection(tmp_path):
    """Pictures with captions, labels, a number and vectors of both kinds."""
    fill(tmp_path / "in", COUNT)
    rows = [
        {"file": f"p{n:04d}.jpg", "caption": CAPTIONS[n], "label": f"l{n % 2}" if n else None, "n": n, "id": f"i{n}.x"}
        for n in range(COUNT)
    ]
    (tmp_path / "in" / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for path in (tmp_path / "in").glob("*.txt"):
        path.unlink()
    take(tmp_path / "it", tmp_path / "in")
    return Collection.open(tmp_path / "it")


@pytest.fixture
def written(collection, tmp_path):
    def write(form):
        export(collection, form, tmp_path / form, "toy")
        return tmp_path / form

    return write


def read_back(path):
    entries = list(open_source(path))
    assert all(isinstance(each, Entry) for each in entries)
    return entries


@pytest.mark.parametrize("form", ["huggingface", "webdataset", "csv", "fiftyone"])
def test_pictures_captions_and_fields_come_back(collection, written, form):
    entries = sorted(read_back(written(form)), key=lambda each: int(each.fields["n"]))
    for n, (entry, id) in enumerate(zip(entries, collection.ids, strict=True)):
        assert entry.read() == collection.picture(id)
        assert entry.caption == collection.captions[n]
        assert str(entry.fields.get("label") or "") == (f"l{n % 2}" if n else "")


@pytest.mark.parametrize("form", ["huggingface", "webdataset"])
def test_vectors_of_both_kinds_come_back(collection, written, form, tmp_path):
    take(tmp_path / "again", written(form))
    again = Collection.open(tmp_path / "again")
    order = [again.fields["n"].tolist().index(n) for n in range(COUNT)]
    assert [again.ids[row] for row in order] == collection.ids
    for kind in ("pictures", "captions"):
        np.testing.assert_allclose(again.embeddings("toy", kind)[order], collection.embeddings("toy", kind), atol=1e-7)


def test_embedding_atlas_gets_the_map(collection, written):
    collection.writable.add_map("toy", "umap", places := np.random.default_rng(0).random((COUNT, 2)).astype(np.float32))
    table = pyarrow.parquet.read_table(written("embedding-atlas") / "dataset.parquet")
    np.testing.assert_array_equal(np.stack([table["projection_x"], table["projection_y"]], 1), places)
    np.testing.assert_array_equal(np.stack(table["vector"].to_pylist()), collection.embeddings("toy", "pictures"))
    assert table["caption"].to_pylist() == collection.captions and table["n"].to_pylist() == [*range(COUNT)]
    assert [each.caption for each in read_back(written("npz").parent / "embedding-atlas")] == collection.captions


def test_what_embedding_atlas_exports_is_found_in_its_zip(collection, written, tmp_path):
    table = (written("embedding-atlas") / "dataset.parquet").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("index.html", "")
        archive.writestr("assets/logo.png", b"")
        archive.writestr("data/metadata.json", "{}")
        archive.writestr("data/dataset.parquet", table)
    entries = read_back(tmp_path / "a.zip")
    assert [each.read() for each in entries] == [collection.picture(id) for id in collection.ids]
    assert all("projection_x" in each.fields and "pictures" in each.vectors for each in entries)


def test_tensorboard_gets_vectors_metadata_and_a_sprite(collection, written):
    entries = read_back(written("tensorboard"))
    vectors = np.stack([each.vectors["captions"] for each in entries])
    np.testing.assert_allclose(vectors, collection.embeddings("toy", "pictures"), atol=1e-6)
    assert [each.id for each in entries] == collection.ids
    assert [each.caption for each in entries] == [" ".join(each.split()) for each in collection.captions]
    folder = Path(written("npz")).parent / "tensorboard" / "00000" / "default"
    assert Image.open(folder / "sprite.png").size == (4 * 32, 3 * 32)
    assert len((folder / "metadata.tsv").read_text().splitlines()) == COUNT + 1


def test_npz(collection, written):
    found = np.load(written("npz") / "vectors.npz")
    assert found["caption"].tolist() == collection.captions and found["id"].tolist() == collection.ids
    for kind, name in (("pictures", "image_vectors"), ("captions", "text_vectors")):
        np.testing.assert_array_equal(found[name], collection.embeddings("toy", kind))


@pytest.mark.parametrize("form", FORMS)
def test_some_items_are_written_in_their_order(collection, form, tmp_path):
    collection.writable.add_map("toy", "umap", np.random.default_rng(0).random((COUNT, 2)).astype(np.float32))
    rows = [5, 2, 9]
    export(collection, form, tmp_path / "out", "toy", ids=[collection.ids[row] for row in rows])
    entries = list(open_source(tmp_path / "out"))
    if form not in ("webdataset",):  # which keeps the order of names
        assert [each.caption for each in entries] == [" ".join(collection.captions[row].split()) for row in rows]
    assert {each.caption for each in entries} == {" ".join(collection.captions[row].split()) for row in rows}
    for kind in {kind for each in entries for kind in each.vectors}:
        of = {each.caption: each.vectors[kind] for each in entries if kind in each.vectors}
        own = collection.embeddings("toy", "pictures" if form == "tensorboard" else kind)
        for row in rows:
            if (text := " ".join(collection.captions[row].split())) in of:
                np.testing.assert_allclose(of[text], own[row], atol=1e-6)
    if form == "embedding-atlas":
        table = pyarrow.parquet.read_table(tmp_path / "out" / "dataset.parquet")
        stored = collection.coordinates("toy", "umap")[rows]
        np.testing.assert_array_equal(np.stack([table["projection_x"], table["projection_y"]], 1), stored)


def test_a_spreadsheet_takes_no_caption_for_a_formula(tmp_path):
    (tmp_path / "c.txt").write_text("=1+1\na cat\n")
    take(tmp_path / "it", tmp_path / "c.txt")
    export(Collection.open(tmp_path / "it"), "csv", tmp_path / "out", "toy")
    lines = (tmp_path / "out" / "captions.csv").read_text().splitlines()
    assert [row[1] for row in csv.reader(lines)] == ["caption", "'=1+1", "a cat"]


def test_what_cannot_be_exported_is_told(collection, tmp_path):
    (tmp_path / "c.txt").write_text("a cat\n")
    take(tmp_path / "texts", tmp_path / "c.txt")
    with pytest.raises(InputError, match="holds texts only, and this form is of pictures"):
        export(Collection.open(tmp_path / "texts"), "webdataset", tmp_path / "new", "toy")
    with pytest.raises(InputError, match="There is something in"):
        export(collection, "npz", tmp_path, "toy")
    with pytest.raises(InputError, match="not embedded by the model other"):
        export(collection, "tensorboard", tmp_path / "other", "other")


def test_the_command_writes_a_bundled_collection(tmp_path, capsys):
    assert main(["export", "emoji-world", "npz", str(tmp_path / "out")]) == 0
    found = np.load(tmp_path / "out" / "vectors.npz")
    assert found["image_vectors"].shape == found["text_vectors"].shape == (len(found["id"]), 512)
    assert "items in" in capsys.readouterr().out
    assert main(["export", "nothing", "npz", str(tmp_path / "no")]) == 2
    assert "There is no collection 'nothing'; there are: " in capsys.readouterr().err


# By the tools themselves, in an environment of their own


# Each gives for every item its caption, the width of its picture, its label, and the vectors of picture and text.
READING = {
    ("datasets", "huggingface"): """
import datasets
found = datasets.load_dataset("parquet", data_files=str(path / "data" / "*.parquet"), split="train")
vectors = ("image_vectors", "text_vectors")
answer = [[row["caption"], row["image"].size[0], row["label"], *(row[each] for each in vectors)] for row in found]
""",
    ("datasets", "csv"): """
import datasets
found = datasets.load_dataset("imagefolder", data_dir=str(path), split="train")
answer = [[row["caption"] or "", row["image"].size[0], row["label"], None, None] for row in found]
""",
    ("webdataset", "webdataset"): """
import webdataset
found = webdataset.WebDataset(str(path / "00000.tar"), shardshuffle=False).decode("pil")
endings = ("image_vectors.npy", "text_vectors.npy")
vectors = lambda row: [row[each].tolist() if each in row else None for each in endings]
answer = [[row["txt"], row["webp"].size[0], row["json"].get("label"), *vectors(row)] for row in found]
""",
    ("embedding_atlas", "embedding-atlas"): """
import io, pandas
from embedding_atlas.cli import main
from PIL import Image
columns = "--text caption --image image --vector vector --x projection_x --y projection_y".split()
main([str(path / "dataset.parquet"), *columns, "--export-application", str(path / "app")], standalone_mode=False)
files = (path / "dataset.parquet", path / "app" / "data" / "dataset.parquet")
before, found = (pandas.read_parquet(each, dtype_backend="pyarrow") for each in files)
assert (found[["projection_x", "projection_y"]] == before[["projection_x", "projection_y"]]).all(axis=None)
width = lambda picture: Image.open(io.BytesIO(picture["bytes"])).size[0]
answer = [
    [row.caption, width(row.image), row.label or None, [*row.vector], None]
    for row in found.fillna({"label": ""}).itertuples(index=False)
]
""",
    ("tensorboard", "tensorboard"): """
import csv, io, json, numpy
from PIL import Image
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.test import Client
served = ProjectorPlugin(TBContext(logdir=str(path))).get_plugin_apps()
get = lambda route, **query: Client(served[route]).get(route, query_string=query).data
(run,) = json.loads(get("/runs"))
(about,) = json.loads(get("/info", run=run))["embeddings"]
which = {"run": run, "name": about["tensorName"]}
vectors = numpy.frombuffer(get("/tensor", **which), numpy.float32).reshape(about["tensorShape"])
rows = csv.DictReader(io.StringIO(get("/metadata", **which).decode()), delimiter="\\t", quoting=csv.QUOTE_NONE)
assert Image.open(io.BytesIO(get("/sprite_image", **which))).size[0] % about["sprite"]["singleImageDim"][0] == 0
answer = [[row["caption"], 40, row["label"] or None, vector.tolist(), None] for row, vector in zip(rows, vectors)]
""",
}


@pytest.mark.external
@pytest.mark.skipif("CLIPEXPLORE_TOOLS" not in os.environ, reason="CLIPEXPLORE_TOOLS names no Python with the tools")
@pytest.mark.parametrize(("tool", "form"), READING)
def test_the_tool_itself_reads_the_same(collection, written, tool, form):
    """The tools are those of the Python that the variable CLIPEXPLORE_TOOLS names."""
    python = os.environ["CLIPEXPLORE_TOOLS"]
    if subprocess.run([python, "-c", f"import {tool}"], capture_output=True, check=False).returncode:
        pytest.skip(f"{python} has no {tool}")
    path = written(form)
    reading = READING[tool, form]
    program = f"import json, sys, pathlib\npath = pathlib.Path(sys.argv[1])\n{reading}\nprint(json.dumps(answer))"
    environment = {**os.environ, "HF_HOME": str(path.parent / "hf"), "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
    run = subprocess.run(
        [python, "-c", program, str(path)], capture_output=True, text=True, env=environment, check=False
    )
    assert not run.returncode, run.stderr[-2000:]
    answer = json.loads(run.stdout.splitlines()[-1])
    said = [" ".join(each.split()) if form == "tensorboard" else each for each in collection.captions]
    labels = [f"l{n % 2}" if n else None for n in range(COUNT)]
    assert [row[:3] for row in answer] == [[caption, 40, label] for caption, label in zip(said, labels, strict=True)]
    for place, kind in ((3, "pictures"), (4, "captions")):
        own = collection.embeddings("toy", kind)
        read = {row: each[place] for row, each in enumerate(answer) if each[place] is not None}
        np.testing.assert_allclose([*read.values()] or own[:0, 0], own[[*read]] if read else own[:0, 0], atol=1e-6)


def test_fiftyone_finds_every_picture_and_refuses_no_field(tmp_path):
    """As its reader of CSV goes about it: a row for each file in `data`, further columns as fields of these names.

    Source: fiftyone 1.22, `utils/csv.py` (CSVDatasetImporter) and `core/odm/utils.py` (validate_field_name).
    """
    fill(tmp_path / "in", 2)
    fields = {"tags": ["a", "b"], "metadata": "m", "_own": 1, "a.b": 2, "price $": 3, "id": "x"}
    rows = [json.dumps({"file": f"p{n:04d}.jpg", **fields, "id": f"x{n}"}) for n in range(2)]
    (tmp_path / "in" / "metadata.jsonl").write_text("\n".join(rows))
    take(tmp_path / "it", tmp_path / "in")
    export(Collection.open(tmp_path / "it"), "fiftyone", tmp_path / "out", "toy")
    with open(tmp_path / "out" / "labels.csv", newline="") as file:
        found = list(csv.DictReader(file))
    assert {each.pop("filepath") for each in found} == {path.name for path in (tmp_path / "out" / "data").iterdir()}
    assert found[0] == {
        "id_here": "x0",
        "caption": "",
        "tags_": "a, b",
        "metadata_": "m",
        "own": "1",
        "a_b": "2",
        "price _": "3",
    }


def test_names_that_a_form_would_make_alike_stay_apart(tmp_path):
    fill(tmp_path / "in", 2)
    rows = [
        {"file": f"p{n:04d}.jpg", "id": id, "a.b": 1, "a$b": 2, "image_vectors": 3, "file_name": 4, "tags": 5}
        for n, id in enumerate(("x.y", "x_y"))
    ]
    (tmp_path / "in" / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    take(tmp_path / "it", tmp_path / "in")
    collection = Collection.open(tmp_path / "it")
    headers = {}
    for form in ("fiftyone", "csv", "huggingface", "webdataset"):
        export(collection, form, tmp_path / form, "toy")
        assert len([each for each in open_source(tmp_path / form) if isinstance(each, Entry)]) == 2
    for name in ("fiftyone/labels.csv", "csv/metadata.csv"):
        (headers[name],) = list(csv.reader((tmp_path / name).read_text().splitlines()))[:1]
    headers["parquet"] = pyarrow.parquet.read_schema(next((tmp_path / "huggingface").rglob("*.parquet"))).names
    for names in headers.values():
        assert len({*names}) == len(names) >= 8, names
    assert {"a_b", "a_b_", "tags_"} <= {*headers["fiftyone/labels.csv"]}
