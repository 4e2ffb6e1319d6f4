"""What could be read wrong without a word: it is read as its tool means it, or told with what to do."""

import csv
import io
import json
import tarfile
import zipfile
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from fixtures_imports import jpeg, take

from clipexplore.errors import InputError
from clipexplore.sources.entries import Entry, Rejected
from clipexplore.sources.preview import captioned_by, look
from clipexplore.sources.recognise import open_source
from clipexplore.store.collection import Collection

VECTORS = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)


def write(root, **files):
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def read(path):
    """A source, its captions with their fields, and the reasons of what was refused."""
    source = open_source(path)
    entries = list(source)
    assert source.count == len(entries)
    taken = [(each.caption, dict(each.fields)) for each in entries if isinstance(each, Entry)]
    return source, taken, {each.name: each.reason for each in entries if isinstance(each, Rejected)}


def table(root, name, text):
    write(root, **{name: text})
    return read(root / name)


# Tables


@pytest.mark.parametrize("row", ["http://x/{}.jpg\ta cat", "a cat\thttps://x/{}.jpg"])
def test_an_address_is_no_caption_and_no_header(tmp_path, row):
    source, taken, _ = table(tmp_path, "cc.tsv", "".join(f"{row.format(n)} {n}\n" for n in "12"))
    assert [said.rstrip(" 12") for said, _fields in taken] == ["a cat"] * 2 and "http" in taken[0][1]["url"]
    assert not source.notes


def test_a_column_of_addresses_names_no_files(tmp_path):
    _, taken, refused = table(tmp_path, "c.csv", "image,caption\nhttps://x/1.jpg,a cat\nhttps://x/2.jpg,a dog\n")
    assert taken[1] == ("a dog", {"image": "https://x/2.jpg"}) and not refused


def test_columns_that_nobody_names_are_kept_and_told(tmp_path):
    source, taken, _ = table(tmp_path, "c.csv", "a cat,pet\na lorry,thing\n")
    assert taken == [("a cat", {"column 2": "pet"}), ("a lorry", {"column 2": "thing"})]
    assert "No column is called caption" in source.notes[0]


def test_a_header_with_ids_is_no_item_and_the_caption_is_asked_for(tmp_path):
    source, _, _ = table(tmp_path, "c.csv", "id,headline\n7,a man bites a dog\n8,it rains again\n")
    shown = look(source)
    assert "Which column is the caption? None was taken for it; texts stand in: headline." in shown.questions
    assert shown.left_out[0].reason == "It has no caption." and shown.left_out[0].count == 2
    assert [each.caption for each in captioned_by(source, "headline")] == ["a man bites a dog", "it rains again"]
    with pytest.raises(InputError, match="every entry was refused, or there was none. It has no caption."):
        take(tmp_path / "it", tmp_path / "c.csv")


def test_a_column_that_is_not_there_is_told(tmp_path):
    source, _, _ = table(tmp_path, "c.csv", "caption,title_de\na cat,eine Katze\n")
    with pytest.raises(InputError, match="no column 'title'; there are: title_de"):
        captioned_by(source, "title")


def test_columns_beyond_those_that_are_kept_are_told(tmp_path):
    names = [f"n{each}" for each in range(40)]
    source, taken, _ = table(tmp_path, "c.csv", f"caption,{','.join(names)}\na cat{',1' * 40}\n")
    assert len(taken[0][1]) == 30 and "n30, n31" in source.notes[0]
    rows = json.dumps([{"caption": "a cat", **dict.fromkeys(names, 1)}])
    source, taken, _ = table(tmp_path, "c.json", rows)
    assert len(taken[0][1]) == 30 and "n30, n31" in source.notes[0]


@pytest.mark.parametrize("header", ["3 8", "label,emb_0,emb_1"])
def test_the_header_of_vectors_is_no_caption(tmp_path, header):
    separator = "," if "," in header else " "
    lines = [separator.join(map(str, ("cat", *row))) for row in VECTORS]
    _, taken, refused = table(tmp_path, "w.csv" if "," in header else "w.txt", "\n".join([header, *lines]))
    assert not taken and len(refused) == 5


@pytest.mark.parametrize(
    "text",
    ['{"text": "a cat", "n": 1}\n{"text": "a dog", "n": 2}\n', '["a cat", "a dog"]'],
)
def test_json_a_line_and_a_list_of_texts(tmp_path, text):
    _, taken, _ = table(tmp_path, "c.json", text)
    assert [said for said, _fields in taken] == ["a cat", "a dog"]


def test_json_with_more_behind_its_end_is_refused(tmp_path):
    with pytest.raises(InputError, match="more stands behind its end"):
        table(tmp_path, "c.json", '[{"text": "a cat"}]\n[{"text": "a dog"}]')


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ({"a.jpg": ["a cat", "a tom"], "b.jpg": "a dog"}, [("a cat", {"captions": "a tom"}), ("a dog", {})]),
        ({"a.jpg": {"caption": "a cat", "label": "pet"}, "b.jpg": {"caption": "a dog", "label": "pet"}}, None),
    ],
)
def test_json_that_says_more_of_each_file(tmp_path, said, taken):
    write(tmp_path, **{"a.jpg": jpeg(1), "b.jpg": jpeg(2), "c.json": json.dumps(said)})
    assert read(tmp_path)[1] == (taken or [("a cat", {"label": "pet"}), ("a dog", {"label": "pet"})])


def test_json_names_pictures_in_a_column_of_any_name(tmp_path):
    write(tmp_path, **{"img/1.jpg": jpeg(1), "c.jsonl": '{"id": 7, "img": "img/1.jpg", "text": "a cat", "label": 0}\n'})
    assert read(tmp_path)[1] == [("a cat", {"label": 0})]


@pytest.mark.parametrize("text", ["id,breed\na1,pug\nb2,boxer\n", "dog_id,image_id,breed\n7,a1,pug\n7,b2,boxer\n"])
def test_names_without_endings_are_found_in_a_table_at_the_top(tmp_path, text):
    write(tmp_path, **{"train/a1.jpg": jpeg(1), "train/b2.jpg": jpeg(2), "labels.csv": text})
    source, taken, refused = read(tmp_path)
    assert [fields["breed"] for _said, fields in taken] == ["pug", "boxer"] and not refused
    assert "names pictures, without their endings" in source.notes[0]


def test_captions_that_vizwiz_rejects_are_none(tmp_path):
    said = [{"id": 1, "image_id": 1, "caption": "a can", "is_rejected": False}]
    said += [{"id": 0, "image_id": 1, "caption": "Quality issues are too severe.", "is_rejected": True}]
    images = [{"id": 1, "file_name": "1.jpg"}]
    write(tmp_path, **{"1.jpg": jpeg(1), "a.json": json.dumps({"images": images, "annotations": said})})
    assert read(tmp_path)[1] == [("a can", {})]


def test_of_two_columns_of_one_name_both_are_kept(tmp_path):
    assert table(tmp_path, "c.csv", "caption,tag,tag\na cat,1,2\n")[1] == [("a cat", {"tag": "1", "tag_": "2"})]


@pytest.mark.parametrize("cell", ['"[""a cat"", ""a tom""]"', "\"['a cat', 'a tom']\""])
def test_a_list_of_captions_in_a_cell(tmp_path, cell):
    assert table(tmp_path, "c.csv", f"raw,n\n{cell},1\n")[1] == [("a cat", {"captions": "a tom", "n": "1"})]


# Vectors


@pytest.mark.parametrize("cells", ["[{}]".format, lambda row: "[" + row.replace(",", "").replace(" ", "\n ", 3) + "]"])
def test_vectors_in_cells_as_json_and_as_numpy_prints_them(tmp_path, cells):
    rows = [cells(", ".join(map(str, row))) for row in VECTORS.tolist()]
    text = "text,embedding\nnone,\n" + "".join(f'of {n},"{row}"\n' for n, row in enumerate(rows))
    source, taken, refused = table(tmp_path, "c.csv", text)
    assert source.dim == 8 and len(taken) == 4 and [*refused] == ["row 1"]


def test_vectors_that_were_cut_short_are_refused(tmp_path):
    with pytest.raises(InputError, match="in the column 'embedding' were cut short"):
        table(tmp_path, "c.csv", "text,embedding\na cat,[1. -2.e-01 3. ... 1.5 1. 1.]\n")


def test_vectors_in_a_table_of_pictures_are_told(tmp_path):
    write(tmp_path, **{"a.jpg": jpeg(1), "c.csv": 'file,embedding\na.jpg,"[0.1, 0.2, 0.3]"\n'})
    assert "names pictures are not read: embedding" in read(tmp_path)[0].notes[0]


def test_names_of_files_beside_vectors_are_no_captions(tmp_path):
    np.save(tmp_path / "v.npy", VECTORS)
    write(tmp_path, **{"names.txt": "a.jpg\nb.jpg\nc.jpg\nd.jpg\n"})
    assert [fields for _said, fields in read(tmp_path)[1]] == [{"file": f"{letter}.jpg"} for letter in "abcd"]
    assert {said for said, _fields in read(tmp_path)[1]} == {""}


def test_several_files_of_vectors_are_refused(tmp_path):
    for name in ("part-0.parquet", "part-1.parquet"):
        pyarrow.parquet.write_table(pa.table({"vector": VECTORS.tolist()}), tmp_path / name)
    with pytest.raises(InputError, match="several files of vectors or texts; give one of them"):
        open_source(tmp_path)


def test_arrays_that_are_not_read_are_told(tmp_path):
    np.savez(tmp_path / "v.npz", VECTORS, VECTORS + 5)
    assert read(tmp_path / "v.npz")[0].notes == ("Arrays that are not read: arr_1.",)


def test_arrays_called_image_and_text_are_pairs_and_texts_may_be_bytes(tmp_path):
    np.savez(tmp_path / "v.npz", image=VECTORS, text=VECTORS + 5, caption=np.array([b"a", b"b", b"c", "ü".encode()]))
    source, taken, _ = read(tmp_path / "v.npz")
    assert source.vectors == ("pictures", "captions") and [said for said, _fields in taken] == ["a", "b", "c", "ü"]


def parquet(path, **columns):
    pyarrow.parquet.write_table(pa.table(columns), path)
    return read(path)


def test_a_vector_may_be_missing_in_the_first_row(tmp_path):
    source, taken, refused = parquet(tmp_path / "v.parquet", caption=[*"abcd"], embedding=[None, *VECTORS.tolist()[1:]])
    assert source.dim == 8 and len(taken) == 3 and len(refused) == 1


def test_two_columns_of_one_name_in_parquet_are_refused(tmp_path):
    twice = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["caption", "x", "x"])
    pyarrow.parquet.write_table(twice, tmp_path / "c.parquet")
    with pytest.raises(InputError, match="Two columns are called 'x'"):
        open_source(tmp_path / "c.parquet")


def test_clip_retrieval_has_a_row_for_each_vector(tmp_path):
    np.save(file := io.BytesIO(), VECTORS)
    pyarrow.parquet.write_table(pa.table({"caption": ["a", "b"]}), rows := io.BytesIO())
    write(tmp_path, **{"img_emb/img_emb_0.npy": file.getvalue(), "metadata/metadata_0.parquet": rows.getvalue()})
    with pytest.raises(InputError, match="has 4 vectors and its metadata 2 rows"):
        open_source(tmp_path)


def test_boxes_are_no_vectors_whatever_they_are_called(tmp_path):
    source, taken, _ = parquet(tmp_path / "c.parquet", caption=["a cat"], bbox=[[1.0, 2.0, 3.0, 4.0]])
    assert source.dim is None and taken == [("a cat", {})] and source.notes == ("Columns that are not read: bbox.",)


def test_pictures_in_views_and_in_lists(tmp_path):
    source, taken, _ = parquet(tmp_path / "v.parquet", text=["a cat"], image=pa.array([jpeg(1)], pa.binary_view()))
    assert source.kind == "pictures" and taken == [("a cat", {})]
    lists = [[{"bytes": jpeg(1), "path": "1.jpg"}, {"bytes": jpeg(2), "path": "2.jpg"}]]
    source, _, _ = parquet(tmp_path / "l.parquet", text=["a cat"], images=lists)
    assert source.notes == ("Lists of pictures in one row are not read: images. Write one picture a row.",)


def test_pictures_of_a_page_beside_parquet_are_told(tmp_path):
    write(tmp_path, **{"README/teaser.png": jpeg(9, format="PNG"), "data/cache-0a1f.arrow": b"of datasets"})
    rows = [{"bytes": jpeg(number), "path": f"{number}.jpg"} for number in range(2)]
    pyarrow.parquet.write_table(pa.table({"text": ["a cat", "a dog"], "image": rows}), tmp_path / "data" / "t.parquet")
    _, taken, refused = read(tmp_path)
    assert [said for said, _fields in taken] == ["a cat", "a dog"]
    assert "files that hold more pictures" in refused["README/teaser.png"]
    write(tmp_path, **{f"img/{number}.png": jpeg(number, format="PNG") for number in range(4)})
    assert len(read(tmp_path)[1]) == 5


# Beside pictures


def test_parts_of_an_item_of_webdataset(tmp_path):
    files = {"k0.jpg": jpeg(1), "k0.caption.txt": b"a cat", "k0.ocr.txt": b"STOP", "k0.meta.json": b'{"n": 1}'}
    files |= {"k1.left.jpg": jpeg(2), "k1.right.jpg": jpeg(3), "k1.left.txt": b"left", "k1.txt": b"both"}
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    _, taken, refused = read(tmp_path / "s.tar")
    assert taken == [("a cat", {"ocr": "STOP", "n": 1}), ("left", {}), ("both", {})] and not refused


def test_boxes_of_yolo_are_no_captions(tmp_path):
    write(tmp_path, **{"a.jpg": jpeg(1), "a.txt": "0 0.5 0.5 0.1 0.2\n", "b.jpg": jpeg(2), "b.txt": "3 2 1"})
    source, taken, _ = read(tmp_path)
    assert taken == [("", {}), ("3 2 1", {})] and "boxes of YOLO in a.txt" in source.notes[0]


def test_a_text_beside_a_picture_is_read_in_its_encoding_or_refused(tmp_path):
    for number, encoding in enumerate(("utf-8", "utf-16", "cp1252")):
        write(tmp_path, **{f"{number}.jpg": jpeg(number), f"{number}.txt": "ein Bär".encode(encoding)})
    _, taken, refused = read(tmp_path)
    assert [said for said, _fields in taken] == ["ein Bär"] * 2 and "'2.txt' is not text in UTF-8" in refused["2.jpg"]


def test_backslashes_in_a_zip_are_folders(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number, kind in enumerate(("cat", "dog")):
            archive.writestr(f"{kind}\\{number}.jpg", jpeg(number))
    assert [fields for _said, fields in read(tmp_path / "a.zip")[1]] == [{"label": "cat"}, {"label": "dog"}]


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
    '<rdf:li xml:lang="de">ein Hund</rdf:li><rdf:li xml:lang="x-default">a dog</rdf:li></rdf:Alt></dc:description>'
    "<dc:subject><rdf:Bag><rdf:li>dog</rdf:li><rdf:li>beach</rdf:li></rdf:Bag></dc:subject>"
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def test_keywords_in_xmp_are_tags_and_its_default_language_counts(tmp_path):
    write(tmp_path, **{"a.jpg": jpeg(1), "a.jpg.xmp": XMP, "b.jpg": jpeg(2), "b.xmp": "<broken"})
    assert read(tmp_path)[1] == [("a dog", {"tags": "dog, beach"}), ("", {})]


def test_a_picture_in_two_albums_of_takeout_has_both(tmp_path):
    said = json.dumps({"title": "a.jpg", "photoTakenTime": {"timestamp": "1672574400"}})
    for folder in ("Photos from 2023", "Summer", "Best of"):
        write(tmp_path / "in" / folder, **{"a.jpg": jpeg(1), "a.jpg.json": said})
    assert take(tmp_path / "it", tmp_path / "in").known == 2
    assert Collection.open(tmp_path / "it").fields["album"].tolist() == ["Best of, Summer"]


# What is not read


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("v.pt", "may run programs, so it is not opened; save its vectors as .safetensors or .npz"),
        ("v.h5", "save its vectors as .npz, with the arrays vectors, id and caption"),
        ("t.xlsx", "write its rows as Parquet or CSV"),
        ("p.tar.gz", "unpack it, or make a ZIP of it"),
        ("p.jpg", "is one picture; give the folder that it lies in"),
        ("p.heic", "pip install pillow-heif"),
    ],
)
def test_what_is_not_read_has_a_remedy(tmp_path, name, remedy, monkeypatch):
    monkeypatch.setattr("clipexplore.sources.remedies.suffixes", lambda: (".jpg",))
    write(tmp_path / "in", **{name: b"x"})
    with pytest.raises(InputError, match=remedy):
        open_source(tmp_path / "in" / name)
    if name != "p.jpg":
        with pytest.raises(InputError, match=remedy):
            open_source(tmp_path / "in")


@pytest.mark.parametrize("name", ["v.npz", "v.parquet", "in/data/train-00000-of-00001.parquet", "in/a.jpg"])
def test_what_git_has_not_fetched_is_told(tmp_path, name):
    write(tmp_path, **{name: "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"})
    with pytest.raises(InputError, match="git lfs pull"):
        next(iter(open_source(tmp_path / name.split("/")[0]))).read()


# What several items share, and several pictures in a row


def written(rows, root, name):
    """The name of a table of some rows, written as its ending says."""
    root.mkdir(parents=True, exist_ok=True)
    ending, path = name.rpartition(".")[2], root / name
    if ending == "parquet":
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    elif ending == "npz":
        np.savez(path, vectors=VECTORS, **{key: np.array([row[key] for row in rows]) for key in rows[0]})
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(json.dumps(rows) if ending == "json" else csv_of(rows, "\t" if ending == "tsv" else ","))
    return path


def csv_of(rows, separator):
    file = io.StringIO()
    writer = csv.DictWriter(file, [*rows[0]], delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


SHARED = "The column id is kept as a field: several items share what stands in it, so it is not their id."
FORMS = ["c.csv", "c.tsv", "c.json", "c.jsonl", "c.parquet", "c.npz"]


@pytest.mark.parametrize("name", FORMS)
def test_ids_that_several_items_share_are_a_field(tmp_path, name):
    rows = [{"id": number // 2, "caption": f"a cat {number}"} for number in range(4)]
    source, taken, _ = read(written(rows, tmp_path, name))
    assert [str(fields["id"]) for _said, fields in taken] == [*"0011"] and SHARED in source.notes
    ids = [each.id for each in source]
    assert ids == [""] * 4


@pytest.mark.parametrize("name", FORMS)
def test_ids_that_are_others_for_each_item_stay_ids(tmp_path, name):
    rows = [{"id": 7 + number, "caption": "a cat"} for number in range(4)]
    source = open_source(written(rows, tmp_path, name))
    assert [each.id for each in source] == ["7", "8", "9", "10"] and SHARED not in source.notes


def test_a_row_that_stands_twice_shares_no_id(tmp_path):
    rows = [{"id": number // 2, "caption": f"a cat {number // 2}"} for number in range(4)]
    written(rows, tmp_path, "c.csv")
    assert take(tmp_path / "it", tmp_path / "c.csv").known == 2
    assert sorted(Collection.open(tmp_path / "it").ids) == ["0", "1"]


def test_ids_that_two_tables_share_are_a_field(tmp_path):
    for number, split in enumerate(("train", "test")):
        folder = tmp_path / split
        write(folder, **{f"{split}.jpg": jpeg(number)})
        written([{"file_name": f"{split}.jpg", "id": 0, "text": split}], folder, "metadata.csv")
    source, taken, _ = read(tmp_path)
    assert [fields["id"] for _said, fields in taken] == ["0", "0"] and SHARED in source.notes


def test_an_id_beside_a_picture_is_a_field(tmp_path):
    for name, id in (("a", "5"), ("b", "b")):
        write(tmp_path, **{f"{name}.jpg": jpeg(ord(name)), f"{name}.json": json.dumps({"image_id": id, "text": name})})
    assert read(tmp_path)[1] == [("a", {"image_id": "5"}), ("b", {})]


def test_two_tables_of_the_same_pictures_are_told_in_one_sentence(tmp_path):
    write(tmp_path, **{f"{number}.jpg": jpeg(number) for number in range(3)})
    written([{"file": f"{number}.jpg", "caption": f"a cat {number}"} for number in range(2)], tmp_path, "captions.csv")
    written([{"file": f"{number}.jpg", "label": "pet"} for number in range(3)], tmp_path, "labels.csv")
    _, taken, refused = read(tmp_path)
    assert taken == [("a cat 0", {}), ("a cat 1", {}), ("", {"label": "pet"})]
    said = "labels.csv names pictures that captions.csv names, too (2): put what both say into one table."
    assert refused == {"labels.csv": said}


PAIRS = [
    {"id": each, **{f"{what}_{n}": f"{what} {each} {n}" for what in ("caption", "label") for n in (0, 1)}}
    for each in (0, 1)
]
CAPTIONED = [(f"caption {each} {n}", {"label": f"label {each} {n}", "id": each}) for each in (0, 1) for n in (0, 1)]


@pytest.mark.parametrize("name", ["c.csv", "c.json", "c.jsonl", "metadata.parquet"])
def test_pairs_of_pictures_in_a_row_of_a_table(tmp_path, name):
    write(tmp_path, **{f"{each}{n}.jpg": jpeg(10 * each + n) for each in (0, 1) for n in (0, 1)})
    rows = [{"image_0": f"{row['id']}0.jpg", "image_1": f"{row['id']}1.jpg", **row} for row in PAIRS]
    written(rows, tmp_path, name)
    _, taken, refused = read(tmp_path)
    assert [(said, {**fields, "id": int(fields["id"])}) for said, fields in taken] == CAPTIONED and not refused


@pytest.mark.parametrize("column", ["image_{}", "jpg{}"])
def test_pairs_of_pictures_in_a_row_of_parquet(tmp_path, column):
    pictures = [{column.format(n): jpeg(10 * row["id"] + n) for n in (0, 1)} for row in PAIRS]
    path = written([{**row, **two} for row, two in zip(PAIRS, pictures, strict=True)], tmp_path, "p.parquet")
    source, taken, _ = read(path)
    assert [(said, {**fields, "id": int(fields["id"])}) for said, fields in taken] == CAPTIONED
    assert [each.read() for each in source] == [data for two in pictures for data in two.values()]


def test_further_pictures_of_a_row_are_told(tmp_path):
    write(tmp_path, **{f"{name}.jpg": jpeg(number) for number, name in enumerate("ab")})
    written([{"before_image": "a.jpg", "after_image": "b.jpg", "text": "cut it"}], tmp_path, "t.csv")
    note = "One picture a row is read, and the column after_image names others; write a row for each."
    assert note in read(tmp_path)[0].notes


def test_json_beside_a_picture_is_read_or_told(tmp_path):
    write(tmp_path, **{f"{name}.jpg": jpeg(number) for number, name in enumerate("abcd")})
    write(
        tmp_path,
        **{"a.json": '{"caption": "a c', "b.json": '["a cat", "a tom"]', "c.json": '{"caption": "ö"}'.encode("cp1252")},
    )
    write(tmp_path, **{"d.json": json.dumps({"imageData": "x" * 2_000_000, "caption": "a dog"})})
    _, taken, refused = read(tmp_path)
    assert taken == [("a cat", {"captions": "a tom"}), ("a dog", {})]
    assert "'a.json' beside the picture is not JSON" in refused["a.jpg"] and "'c.json' beside" in refused["c.jpg"]


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_quotes_enclose_cells_where_all_do_so(tmp_path, ending):
    rows = [{"caption": text, "n": "1"} for text in ('a "big" cat', "in\ntwo lines", "with\ta tab", "plain")]
    found = [said for said, _fields in read(written(rows, tmp_path, f"c.{ending}"))[1]]
    assert found == ['a "big" cat', "in two lines", "with a tab", "plain"]


@pytest.mark.parametrize("rows", [['a "big', "a cat"], ['"big', 'a cat"'], ['"so" he said', "a cat"]])
def test_quotes_in_a_tsv_that_enclose_no_cell_are_captions(tmp_path, rows):
    text = "n\tcaption\n" + "".join(f"1\t{row}\n" for row in rows)
    assert [said for said, _fields in table(tmp_path, "c.tsv", text)[1]] == rows


def test_folders_of_parquet_say_what_is_no_column(tmp_path):
    for label in ("cat", "a dog"):
        folder = tmp_path / f"label={quote(label)}"
        written([{"image": jpeg(len(label)), "caption": f"it is {label}"}], folder, "data_0.parquet")
    assert read(tmp_path)[1] == [("it is a dog", {"label": "a dog"}), ("it is cat", {"label": "cat"})]
