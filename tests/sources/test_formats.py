"""Files as other tools write them, and as people bring them: what must not be read wrong without a word."""

import io
import json
import unicodedata
import zipfile

import numpy as np
import pyarrow.parquet
import pytest
from fixtures_imports import jpeg, take
from PIL import ExifTags, Image

from clipexplore.errors import InputError
from clipexplore.images import open_picture
from clipexplore.sources.descriptions import description_in
from clipexplore.sources.entries import Entry, Rejected
from clipexplore.sources.recognise import open_source
from clipexplore.store.collection import Collection


def files(folder, **contents):
    for name, data in contents.items():
        write(folder / name, data)


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def read(path):
    """The entries by name, and the reasons of what was refused."""
    source = open_source(path)
    entries = list(source)
    assert len(entries) == source.count
    return (
        [each for each in entries if isinstance(each, Entry)],
        {each.name: each.reason for each in entries if isinstance(each, Rejected)},
    )


def captions(path):
    return {each.name: each.caption for each in read(path)[0]}


def table(tmp_path, text, name="c.csv", encoding="utf-8"):
    (tmp_path / name).write_bytes(text.encode(encoding))
    return read(tmp_path / name)


# Paths in tables


def test_paths_with_another_prefix_are_found_by_their_ends(tmp_path):
    for kind, number in (("cats", 1), ("dogs", 2)):
        write(tmp_path / "pets" / kind / "001.jpg", jpeg(number))
    write(tmp_path / "pets.csv", "file,caption\ntrain/cats/001.jpg,a cat\nC:\\data\\dogs\\001.jpg,a dog\n")
    assert captions(tmp_path) == {"pets/cats/001.jpg": "a cat", "pets/dogs/001.jpg": "a dog"}


def test_a_name_that_two_pictures_have_is_refused_with_both(tmp_path):
    for kind, number in (("cat", 1), ("dog", 2)):
        write(tmp_path / kind / "1.jpg", jpeg(number))
    write(tmp_path / "pets.csv", "file,caption\n1.jpg,which?\ncat/1.jpg,a cat\n")
    entries, refused = read(tmp_path)
    assert [each.name for each in entries] == ["cat/1.jpg"]
    assert "it may be cat/1.jpg or dog/1.jpg; write more of its path" in refused["1.jpg"]


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_the_same_name_is_the_same_name_however_it_is_composed(tmp_path, forms):
    there, given = (unicodedata.normalize(form, "Löwe.jpg") for form in forms)
    write(tmp_path / there, jpeg(1))
    write(tmp_path / "c.csv", f"file,caption\n{given},ein Löwe\n")
    assert list(captions(tmp_path).values()) == ["ein Löwe"]


@pytest.mark.parametrize("encoding", ["cp932", "utf-8", "cp437"])
def test_names_in_a_zip_are_read_as_they_were_written(tmp_path, encoding):
    name = "Übung.jpg" if encoding == "cp437" else "写真.jpg"
    raw = name.encode(encoding)
    placeholder = "x" * (len(raw) - 4) + ".jpg"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(placeholder, jpeg(1))
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.zip").read_bytes().replace(placeholder.encode(), raw))
    assert list(captions(tmp_path / "a.zip")) == [name]


# Which table


def test_metadata_at_the_root_and_in_folders_adds_up(tmp_path):
    for number, name in enumerate(("a.jpg", "sub/b.jpg")):
        write(tmp_path / name, jpeg(number))
    write(tmp_path / "metadata.csv", "file_name,text\na.jpg,one\n")
    write(tmp_path / "sub" / "metadata.jsonl", '{"file_name": "b.jpg", "text": "two", "n": 3}\n')
    entries, refused = read(tmp_path)
    assert {each.name: each.caption for each in entries} == {"a.jpg": "one", "sub/b.jpg": "two"} and not refused
    assert entries[1].fields["n"] == 3


def test_a_table_inside_the_one_folder_of_a_zip_is_used(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("photos/a.jpg", jpeg(1))
        archive.writestr("photos/captions.csv", "file,caption\na.jpg,one\n")
    assert captions(tmp_path / "a.zip") == {"photos/a.jpg": "one"}


def test_captions_txt_with_a_header_is_a_table(tmp_path):
    write(tmp_path / "Images" / "a.jpg", jpeg(1))
    write(tmp_path / "captions.txt", "image,caption\na.jpg,A child in a pink dress , on stairs .\n")
    assert captions(tmp_path) == {"Images/a.jpg": "A child in a pink dress , on stairs ."}


def test_a_table_that_is_not_used_is_named(tmp_path):
    write(tmp_path / "a.jpg", jpeg(1))
    write(tmp_path / "prices.csv", "what,price\nx,1\n")
    _, refused = read(tmp_path)
    assert "was not used" in refused["prices.csv"]


# Cells


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("liste.csv", "Datei;Beschreibung\na.jpg;a cat\nb.jpg;a dog\n"),  # in German
        ("list.csv", "image_name| comment_number| comment\na.jpg| 0| a cat\nb.jpg| 0| a dog\n"),  # of Flickr30k
        ("list.csv", "a.jpg,a cat\nb.jpg,a dog\n"),  # without a header
        ("Flickr8k.token.txt", "a.jpg#0\ta cat\nb.jpg#0\ta dog\n"),
        (
            "rows.jsonl",
            '{"filename": "a.jpg", "sentences": [{"raw": "a cat"}]}\n'
            '{"filename": "b.jpg", "sentences": [{"raw": "a dog"}]}',
        ),
    ],
)
def test_what_names_pictures_is_their_column(tmp_path, name, text):
    files(tmp_path, **{"Images/a.jpg": jpeg(1), "Images/b.jpg": jpeg(2), name: text})
    assert captions(tmp_path) == {"Images/a.jpg": "a cat", "Images/b.jpg": "a dog"}


def test_addresses_are_no_pictures_beside(tmp_path):
    entries, refused = table(tmp_path, "url,text\nhttp://x/1.jpg,a cat\nhttp://x/2.jpg,a dog\n")
    assert [each.caption for each in entries] == ["a cat", "a dog"] and not refused


def test_further_captions_of_a_row_are_kept(tmp_path):
    (tmp_path / "c.jsonl").write_text(
        '{"caption": ["a cat", "a tom"], "tags": ["x", "y"]}\n{"caption": [], "tags": []}\n'
    )
    (entry,), refused = read(tmp_path / "c.jsonl")
    assert (entry.caption, entry.fields) == ("a cat", {"captions": "a tom", "tags": ["x", "y"]}) and len(refused) == 1
    take(tmp_path / "it", tmp_path / "c.jsonl")
    assert Collection.open(tmp_path / "it").fields["tags"].tolist() == ["x, y"]


def test_a_quote_that_is_never_closed_swallows_no_row(tmp_path):
    entries, _ = table(tmp_path, 'caption\tn\na "cat\t1\na dog\t2\n', "c.tsv")
    assert [each.caption for each in entries] == ['a "cat', "a dog"]
    entries, _ = table(tmp_path, 'caption\na 12" pizza\n"a cat\na dog\n')
    assert [each.caption for each in entries] == ['a 12" pizza', '"a cat', "a dog"]


def test_quoted_cells_hold_separators_quotes_and_lines(tmp_path):
    entries, _ = table(tmp_path, 'caption,n\n"a man, a ""hat""\nand a dog",1\n')
    assert [(each.caption, each.fields) for each in entries] == [('a man, a "hat" and a dog', {"n": "1"})]


def test_a_caption_with_commas_without_quotes_is_whole_or_refused(tmp_path):
    entries, _ = table(tmp_path, "file,caption\n" if False else "n,caption\n1,a man, a hat and a dog\n2,a cat\n")
    assert [each.caption for each in entries] == ["a man, a hat and a dog", "a cat"]
    entries, refused = table(tmp_path, "caption,n\na man, a hat and a dog,1\na cat,2\n")
    assert [each.caption for each in entries] == ["a cat"]
    assert "3 columns and the header 2; put quotes" in refused["row 1"]
    entries, _ = table(tmp_path, "a man, a hat and a dog\na cat\n")
    assert [each.caption for each in entries] == ["a man, a hat and a dog", "a cat"]


@pytest.mark.parametrize(
    "text",
    [
        "Image Caption|Label\na cat|pet\n",
        "sep=;\nImage Caption;Label\na cat;pet\n",
        '"sep=|"\r\ncaption|Label\r\na cat|pet\r\n',
    ],
)
def test_separators_and_names_of_columns(tmp_path, text):
    entries, refused = table(tmp_path, text)
    assert [(each.caption, each.fields) for each in entries] == [("a cat", {"Label": "pet"})] and not refused


def test_a_line_separator_in_a_caption_is_part_of_it(tmp_path):
    entries, _ = table(tmp_path, "a cat\u2028on a mat\na dog\n", "c.txt")
    assert [each.caption for each in entries] == ["a cat on a mat", "a dog"]


# Labels


def test_a_folder_that_all_share_is_no_label(tmp_path):
    for number in range(3):
        write(tmp_path / "val2017" / f"{number}.jpg", jpeg(number))
    assert all(each.fields == {} for each in read(tmp_path)[0])


def test_a_split_of_a_year_is_no_label(tmp_path):
    files(tmp_path, **{"train2017/a.jpg": jpeg(1), "val2017/b.jpg": jpeg(2)})
    assert [each.fields for each in read(tmp_path)[0]] == [{"split": "train2017"}, {"split": "val2017"}]


def test_what_is_unlabelled_has_no_label_and_a_split_is_a_field(tmp_path):
    for number, name in enumerate(("train/cat/a.jpg", "train/_unlabeled/b.jpg", "test/dog/c.jpg")):
        write(tmp_path / name, jpeg(number))
    assert {each.name: each.fields for each in read(tmp_path)[0]} == {
        "test/dog/c.jpg": {"split": "test", "label": "dog"},
        "train/_unlabeled/b.jpg": {"split": "train"},
        "train/cat/a.jpg": {"split": "train", "label": "cat"},
    }


# Files of the tools themselves


@pytest.fixture
def formats(test_data):
    return test_data / "formats"


def test_tensorboard(formats):
    for place in ("00001/my run/tensors.tsv", "00001", "."):
        source = open_source(formats / "tb_torch" / place)
        entries = list(source)
        assert source.dim == len(entries[0].vectors["captions"]) == 512 and source.kind == "captions"
    with pytest.raises(InputError, match="3 vectors and its metadata 6 rows"):
        open_source(formats / "tb_torch" / "00000")
    assert (entries[1].fields["file"], entries[1].fields["n"], entries[1].caption) == ("000000002592.jpg", "1", "")


def test_tensors_without_metadata_or_with_too_little(tmp_path):
    rows = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    np.savetxt(tmp_path / "vectors.tsv", rows, delimiter="\t")
    np.testing.assert_allclose(
        [each.vectors["captions"] for each in open_source(tmp_path / "vectors.tsv")], rows, atol=1e-6
    )
    write(tmp_path / "metadata.tsv", "one\ntwo\n")
    with pytest.raises(InputError, match="4 vectors and its metadata 2 rows"):
        open_source(tmp_path / "vectors.tsv")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "pq"])
def test_imagefolder(formats, kind):
    found = captions(formats / "hf" / kind)
    assert found["a.jpg"] == "a family is sitting down at a table to have cake" and "sub/c.jpg" in found


def test_imagefolder_with_metadata_in_folders_and_splits(formats):
    found = captions(formats / "hf" / "submeta")
    assert found["sub/c.jpg"] == "A large white sheep standing next to other sheep." and len(found) == 4
    fields = {each.name: each.fields for each in read(formats / "hf" / "split")[0]}
    assert fields["train/cat/a.jpg"] == {"split": "train", "label": "cat"}


def test_fiftyone_csv(formats):
    found = captions(formats / "fo_csv_fields")
    assert found["data/000000002592.jpg"].startswith("Decorated coffee cup") and len(found) == 4


def test_fiftyone_classes(formats):
    entries, refused = read(formats / "fo_classification")
    assert {each.name: each.fields.get("label") for each in entries} == {
        "data/000000000790.jpg": "cat",
        "data/000000002592.jpg": "dog",
        "data/000000012062.jpg": "big cat",
        "data/000000020247.jpg": "cat",
        "data/000000078499.jpg": None,
    }
    assert not refused and "FiftyOne" in open_source(formats / "fo_classification").recognised


def test_fiftyone_classes_by_number(tmp_path):
    write(tmp_path / "data" / "a" / "1.jpg", jpeg(1))
    write(tmp_path / "labels.json", json.dumps({"classes": ["cat", "dog"], "labels": {"a/1": 1, "gone": 0}}))
    entries, refused = read(tmp_path)
    assert entries[0].fields == {"label": "dog"} and "not there" in refused["data/gone"]


def test_fiftyone_of_its_own_form(tmp_path):
    for number in (1, 2):
        write(tmp_path / "data" / f"{number}.jpg", jpeg(number))
    cat = {"_cls": "Classification", "label": "cat", "confidence": 0.5}
    things = {
        "_cls": "Detections",
        "detections": [{"_cls": "Detection", "label": each} for each in ("hat", "cat", "hat")],
    }
    samples = [
        {"_id": {"$oid": "6"}, "filepath": "data/1.jpg", "tags": ["x", "y"], "caption": "a cat", "truth": cat},
        {"filepath": "data/2.jpg", "tags": [], "metadata": {"width": 3}, "things": things, "uniqueness": 0.25},
    ]
    write(tmp_path / "samples.json", json.dumps({"samples": samples}))
    write(tmp_path / "metadata.json", json.dumps({"name": "d", "media_type": "image"}))
    entries, refused = read(tmp_path)
    assert [(each.caption, each.fields) for each in entries] == [
        ("a cat", {"tags": "x, y", "label": "cat"}),
        ("", {"things": "cat, hat", "uniqueness": 0.25}),
    ] and not refused


def test_coco_captions(formats):
    source = open_source(formats / "coco")
    entries = list(source)
    assert source.count == len(entries) == 4 and "20 captions of 4 pictures" in source.recognised
    assert entries[0].name == "val2017/000000000790.jpg"
    assert entries[0].caption == "a family is sitting down at a table to have cake"
    assert entries[0].fields["captions"].count("variant") == 4


def test_coco_things(tmp_path):
    for number in (1, 2, 3):
        write(tmp_path / "val" / f"{number}.jpg", jpeg(number))
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in (3, 1)]
    things = [{"id": 9, "image_id": 1, "category_id": 7}, {"id": 8, "image_id": 1, "category_id": 7}]
    things += [{"id": 7, "image_id": 3, "category_id": each} for each in (7, 4)] + [{"image_id": 99, "category_id": 7}]
    kinds = [{"id": 7, "name": "dog"}, {"id": 4, "name": "cat"}]
    write(tmp_path / "ann" / "i.json", json.dumps({"images": images, "annotations": things, "categories": kinds}))
    said = [{"id": 2, "image_id": 1, "caption": "second"}, {"id": 1, "image_id": 1, "caption": " the \n first"}]
    write(tmp_path / "ann" / "c.json", json.dumps({"annotations": said, "images": images}))
    entries, refused = read(tmp_path)
    assert {each.name: (each.caption, each.fields) for each in entries} == {
        "val/3.jpg": ("", {"things": "cat, dog", "count": 2}),
        "val/1.jpg": ("the first", {"captions": "second", "things": "dog", "count": 2, "label": "dog"}),
    }
    assert list(refused) == ["val/2.jpg"]


@pytest.mark.parametrize(
    "text", ['[{"caption": "a cat", "n": 1}]', '{"data": [{"caption": "a cat", "n": 1}], "version": 2}']
)
def test_json_lists(tmp_path, text):
    entries, _ = table(tmp_path, text, "c.json")
    assert [(each.caption, each.fields) for each in entries] == [("a cat", {"n": 1})]


def test_json_that_says_a_text_of_each_file(tmp_path):
    write(tmp_path / "a.jpg", jpeg(1))
    write(tmp_path / "said.json", '{"a.jpg": "a cat", "b.jpg": "gone"}')
    entries, refused = read(tmp_path)
    assert [(each.name, each.caption) for each in entries] == [("a.jpg", "a cat")] and list(refused) == ["b.jpg"]


# Beside pictures, and in them


def test_what_stands_beside_a_picture(tmp_path):
    for number in range(4):
        write(tmp_path / f"{number}.jpg", jpeg(number))
    write(tmp_path / "0.jpg.txt", "of the text\n")
    write(tmp_path / "0.json", '{"caption": "of the JSON", "author": "me", "sha256": "x"}')
    write(tmp_path / "1.JPG.json", '{"description": "of the JSON"}')
    write(tmp_path / "2.xmp", XMP.format("of the &amp; XMP"))
    write(tmp_path / "3.json", "[broken")
    write(tmp_path / "3.caption", "of the trainer")
    entries, refused = read(tmp_path)
    assert [(each.caption, each.fields) for each in entries] == [
        ("of the text", {"author": "me"}),
        ("of the JSON", {}),
        ("of the & XMP", {}),
        ("of the trainer", {}),
    ] and not refused


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
    '<rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>'
)


def described(format="JPEG", **exif):
    """A picture with EXIF tags by their names."""
    tags = Image.Exif()
    for name, value in exif.items():
        tags[getattr(ExifTags.Base, name)] = value
    return jpeg(1, format=format, exif=tags)


def iptc(caption):
    data = b"\x1c\x02\x78" + len(caption).to_bytes(2) + caption
    resource = b"8BIM\x04\x04\0\0" + len(data).to_bytes(4) + data + b"\0" * (len(data) % 2)
    segment = b"Photoshop 3.0\0" + resource
    return jpeg(1)[:2] + b"\xff\xed" + (len(segment) + 2).to_bytes(2) + segment + jpeg(1)[2:]


@pytest.mark.parametrize(
    ("data", "caption"),
    [
        (described(ImageDescription="a cat on a mat"), "a cat on a mat"),
        (described(ImageDescription="eine Bärin".encode()), "eine Bärin"),
        (described(XPComment="写真\0".encode("utf-16-le")), "写真"),
        (described("TIFF", ImageDescription="of a TIFF"), "of a TIFF"),
        (described("WEBP", ImageDescription="of a WebP"), "of a WebP"),
        (jpeg(1, xmp=XMP.format("ein Bär").encode()), "ein Bär"),
        (jpeg(1, xmp=XMP.replace("<x:", '<!DOCTYPE a [<!ENTITY b "b">]><x:', 1).format("&b;").encode()), ""),
        (iptc(b"of IPTC"), "of IPTC"),
        (described(ImageDescription="OLYMPUS DIGITAL CAMERA         "), ""),
        (described(ImageDescription="Exif_JPEG_PICTURE"), ""),
        (jpeg(1), ""),
        (jpeg(1, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 30), ""),
        (b"no picture", ""),
    ],
)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_what_a_picture_says_of_itself(data, caption):
    assert description_in(data) == caption


def test_a_picture_without_a_caption_is_captioned_by_its_file(tmp_path):
    write(tmp_path / "in" / "a.jpg", described(ImageDescription="of the file"))
    write(tmp_path / "in" / "b.jpg", described(ImageDescription="of the file, too"))
    write(tmp_path / "in" / "b.txt", "of the text")
    take(tmp_path / "it", tmp_path / "in")
    assert Collection.open(tmp_path / "it").captions == ["of the file", "of the text"]
    assert take(tmp_path / "it", tmp_path / "in").known == 2


@pytest.mark.parametrize("name", ["a.jfif", "a.mpo", "a.tif", "a.tiff", "a.jp2", "a.JPE"])
def test_further_endings_of_pictures(tmp_path, name):
    forms = {"tif": "TIFF", "tiff": "TIFF", "jp2": "JPEG2000", "mpo": "MPO"}
    write(tmp_path / name, jpeg(1, format=forms.get(name.partition(".")[2], "JPEG")))
    source = open_source(tmp_path)
    assert open_picture(next(iter(source)).read()).size == (40, 30)


def test_clip_retrieval(formats, tmp_path):
    source = open_source(formats / "clip_retrieval")
    assert (source.kind, source.count, source.dim, source.bare) == ("pictures", 6, 512, True)
    first = next(iter(source))
    assert (first.name, first.id, first.fields["original_width"]) == ("000000003", "14", 640)
    pictures = np.load(formats / "clip_retrieval" / "img_emb" / "img_emb_0.npy")
    take(tmp_path / "it", formats / "clip_retrieval")
    found = Collection.open(tmp_path / "it")
    np.testing.assert_allclose(found.embeddings("toy", "pictures"), pictures, atol=2e-3)
    assert found.captions[1] == "a colourful grid" and found.fields["url"][1].endswith("p640.jpg")


def test_clip_retrieval_in_parts(tmp_path):
    rows = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float16)
    for number in (0, 1, 10):
        for kind in ("img_emb", "text_emb"):
            write(tmp_path / kind / f"{kind}_{number:02}.npy", npy(rows + number))
    source = open_source(tmp_path)
    firsts = [each.vectors["pictures"][0] for each in source]
    np.testing.assert_array_equal(firsts, np.concatenate([rows, rows + np.float16(1), rows + np.float16(10)])[:, 0])
    write(tmp_path / "text_emb" / "text_emb_10.npy", npy(rows[:2]))
    with pytest.raises(InputError, match="not as many, or not of one length"):
        open_source(tmp_path)


def npy(array):
    np.save(file := io.BytesIO(), array)
    return file.getvalue()


def test_embedding_atlas(formats):
    source = open_source(formats / "embedding_atlas")
    first = next(iter(source))
    assert (source.count, source.dim) == (60, 512) and {*first.fields} == {"n", "projection_x", "projection_y"}


def test_parquet_of_captions_alone(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a cat", "a dog"], "n": [1, 2]}), tmp_path / "c.parquet")
    entries, _ = read(tmp_path / "c.parquet")
    assert [(each.caption, each.fields) for each in entries] == [("a cat", {"n": 1}), ("a dog", {"n": 2})]


def test_a_zip_of_macos(formats):
    entries, refused = read(formats / "macos.zip")
    assert entries and not [name for name in refused if "._" in name or ".DS_Store" in name]
