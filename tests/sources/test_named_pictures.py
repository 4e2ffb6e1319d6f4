"""Which file a row of a table means: what is not clear is refused, and what is not used is told."""

import json

import pytest
from fixtures_imports import jpeg

from clipexplore.sources.entries import Entry, Rejected
from clipexplore.sources.recognise import open_source


def folder(root, *pictures, **tables):
    """Pictures by their paths, and tables beside them; what is read of both."""
    for number, name in enumerate(pictures):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(jpeg(number))
    for name, text in tables.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    source = open_source(root)
    entries = list(source)
    assert source.count == len(entries)
    taken = {each.name: (each.caption, each.fields) for each in entries if isinstance(each, Entry)}
    return source, taken, {each.name: each.reason for each in entries if isinstance(each, Rejected)}


def coco(**images):
    """Annotations of pictures by their paths, each with the one thing in it."""
    names = [*images]
    kinds = [{"id": number, "name": thing} for number, thing in enumerate(images.values())]
    return json.dumps(
        {
            "annotations": [{"id": n, "image_id": n, "category_id": n} for n in range(len(names))],
            "categories": kinds + [{"id": n, "name": f"kind {n}"} for n in range(100, 180)],
            "images": [{"id": n, "file_name": name} for n, name in enumerate(names)],
        }
    )


@pytest.mark.parametrize("rows", [("cats/2.jpg", "dogs/2.jpg"), ("dogs/2.jpg", "cats/2.jpg")])
@pytest.mark.parametrize("cats", [["cats/1.jpg"], []])
def test_a_missing_picture_is_not_replaced_by_one_of_its_name_elsewhere(tmp_path, rows, cats):
    table = "file,caption\n" + "".join(f"{name},of {name}\n" for name in (*cats, *rows))
    _, taken, refused = folder(tmp_path, *(f"pets/{name}" for name in (*cats, "dogs/2.jpg")), **{"c.csv": table})
    assert {name: said for name, (said, _fields) in taken.items()} == {
        f"pets/{name}": f"of {name}" for name in (*cats, "dogs/2.jpg")
    }
    assert [*refused] == ["cats/2.jpg"]


def test_two_rows_of_which_either_may_mean_the_one_file_are_refused(tmp_path):
    _, taken, refused = folder(tmp_path, "all/1.jpg", **{"c.csv": "file,caption\ncats/1.jpg,a cat\ndogs/1.jpg,a dog\n"})
    assert not taken and "only all/1.jpg is there" in refused["cats/1.jpg"] and "dogs/1.jpg" in refused


def test_capitals_do_not_count_where_it_is_clear(tmp_path):
    rows = "file,caption\nIMG/one.jpg,one\nTwo.jpg,two\ntwo.jpg,2\ntwo,?\n"
    _, taken, refused = folder(tmp_path, "img/ONE.JPG", "Two.jpg", "two.jpg", **{"c.csv": rows})
    assert {name: said for name, (said, _fields) in taken.items()} == {
        "img/ONE.JPG": "one",
        "Two.jpg": "two",
        "two.jpg": "2",
    }
    assert "two" in refused


def test_a_table_in_a_folder_of_pictures_means_those_of_its_folder(tmp_path):
    rows = "file_name,text\n1.jpg,one\n2.jpg,two\n"
    _, taken, refused = folder(tmp_path, "train/1.jpg", "test/2.jpg", **{"train/metadata.csv": rows})
    assert [*taken] == ["train/1.jpg"] and "not there" in refused["2.jpg"]


def test_pictures_that_lie_elsewhere_than_a_table_says_are_told(tmp_path):
    source, taken, _ = folder(tmp_path, "img/1.jpg", **{"c.csv": "file,caption\n/home/me/set/1.jpg,a cat\n"})
    assert [*taken] == ["img/1.jpg"]
    assert "other folders than their table says (1), such as img/1.jpg for /home/me/set/1.jpg" in source.notes[0]


def test_all_tables_at_the_top_are_used(tmp_path):
    tables = {
        "train.csv": "file,label\na.jpg,cat\n",
        "test.csv": "file\nb.jpg\n",
        "links.csv": "image\nhttp://x/z.jpg\n",
    }
    source, taken, refused = folder(tmp_path, "a.jpg", "b.jpg", **tables)
    assert {name: fields for name, (_said, fields) in taken.items()} == {"a.jpg": {"label": "cat"}, "b.jpg": {}}
    assert "test.csv, train.csv" in source.recognised and [*refused] == ["links.csv"]


def test_of_two_tables_that_name_one_picture_the_first_counts(tmp_path):
    tables = {"captions.csv": "file,caption\na.jpg,a cat\n", "labels.csv": "file,label\na.jpg,pet\nb.jpg,toy\n"}
    _, taken, refused = folder(tmp_path, "a.jpg", "b.jpg", **tables)
    assert taken == {"a.jpg": ("a cat", {}), "b.jpg": ("", {"label": "toy"})}
    assert "labels.csv names pictures that captions.csv names, too (1)" in refused["labels.csv"]


def test_coco_of_two_folders_with_the_same_names(tmp_path):
    tables = {"train/_a.coco.json": coco(**{"1.jpg": "cat"}), "valid/_a.coco.json": coco(**{"1.jpg": "dog"})}
    _, taken, refused = folder(tmp_path, "train/1.jpg", "valid/1.jpg", **tables)
    assert {name: fields["label"] for name, (_said, fields) in taken.items()} == {
        "train/1.jpg": "cat",
        "valid/1.jpg": "dog",
    }
    assert not refused


def test_coco_with_folders_in_its_names_and_its_pictures_last(tmp_path):
    said = coco(**{"train/1.jpg": "cat", "val/1.jpg": "dog"})
    _, taken, refused = folder(tmp_path, "train/1.jpg", "val/1.jpg", **{"a.json": said, "more.csv": "x,y\n1,2\n"})
    assert {name: fields["label"] for name, (_said, fields) in taken.items()} == {
        "train/1.jpg": "cat",
        "val/1.jpg": "dog",
    }
    assert "was not used" in refused["more.csv"]


@pytest.mark.parametrize(
    ("labels", "label"),
    [
        ({"1": {"label": "cat", "confidence": 0.9}}, "cat"),
        ({"1": [{"label": 1, "bounding_box": [0, 0, 1, 1]}, {"label": 0, "bounding_box": [0, 0, 1, 1]}]}, "dog, cat"),
        ({"1": ["dog", "cat"]}, "dog, cat"),
    ],
)
def test_labels_of_fiftyone_that_are_more_than_a_word(tmp_path, labels, label):
    said = json.dumps({"classes": ["cat", "dog"], "labels": labels})
    _, taken, _ = folder(tmp_path, "data/1.jpg", **{"labels.json": said})
    assert taken == {"data/1.jpg": ("", {"label": label})}


def test_a_folder_that_all_share_leaves_the_label_to_the_one_above(tmp_path):
    _, taken, _ = folder(tmp_path, "train/n01/images/a.jpg", "train/n02/images/b.jpg", "val/images/c.jpg")
    assert [fields for _said, fields in taken.values()] == [
        {"split": "train", "label": "n01"},
        {"split": "train", "label": "n02"},
        {"split": "val"},
    ]
