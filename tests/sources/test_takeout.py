"""Google Photos from Takeout: which JSON belongs to which picture, whatever was clipped, numbered or edited."""

import json
import unicodedata
import zipfile

import pytest
from fixtures_imports import jpeg, take

from clipexplore.sources.entries import Entry, Rejected
from clipexplore.sources.recognise import open_source
from clipexplore.store.collection import Collection

LONG = "a very long name that a phone or a person gave to its picture"


def photo(said, **more):
    return json.dumps(
        {
            "title": "IMG.jpg",
            "description": said,
            "photoTakenTime": {"timestamp": "1672574400", "formatted": "1 Jan 2023, 12:00:00 UTC"},
            **more,
        }
    )


def takeout(tmp_path, *pictures, folder="Photos from 2023", **written):
    """A ZIP of pictures and of JSON files by their names."""
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        for number, name in enumerate(pictures):
            archive.writestr(f"Takeout/Google Photos/{folder}/{name}", jpeg(number))
        for name, data in written.items():
            archive.writestr(f"Takeout/Google Photos/{folder}/{name}", data)
    source = open_source(tmp_path / "t.zip")
    entries = list(source)
    assert source.count == len(entries) and "Takeout" in source.recognised
    return entries


def captions(entries):
    return {each.name.rpartition("/")[2]: each.caption for each in entries if isinstance(each, Entry)}


@pytest.mark.parametrize(
    ("picture", "written"),
    [
        ("IMG.jpg", "IMG.jpg.supplemental-metadata.json"),
        ("IMG.jpg", "IMG.jpg.json"),
        ("IMG_20230101_120000.jpg", "IMG_20230101_120000.jpg.supplemental-metadata.json"),
        ("IMG_20230101_120000_BURST001.jpg", "IMG_20230101_120000_BURST001.jpg.supplemental-me.json"),
        ("IMG_20230101_120000_BURST001_COV.jpg", "IMG_20230101_120000_BURST001_COV.jpg.suppleme.json"),
        ("IMG(1).jpg", "IMG.jpg.supplemental-metadata(1).json"),
        ("IMG(12).jpg", "IMG.jpg(12).json"),
        ("IMG(1).jpg", "IMG(1).jpg.json"),
        ("IMG-edited.jpg", "IMG.jpg.supplemental-metadata.json"),
        ("IMG-bearbeitet(1).jpg", "IMG.jpg.supplemental-metadata(1).json"),
        (f"{LONG[:47]}.jpg", f"{LONG[:46]}.json"),
        (f"{LONG[:41]}.jpg", f"{f'{LONG[:41]}.jpg.supplemental-metadata'[:46]}.json"),
    ],
)
def test_the_json_of_a_picture_is_found(tmp_path, picture, written):
    entries = takeout(tmp_path, picture, **{written: photo("said")})
    assert captions(entries) == {picture: "said"} and len(entries) == 1


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_is_the_same_however_it_is_composed(tmp_path, forms):
    picture, written = (unicodedata.normalize(form, "Küche.jpg") for form in forms)
    assert captions(takeout(tmp_path, picture, **{f"{written}.json": photo("said")})) == {picture: "said"}


def test_numbers_of_copies_tell_them_apart(tmp_path):
    names = {f"IMG.jpg.supplemental-metadata{number}.json": photo(f"of{number}") for number in ("", "(1)", "(2)")}
    found = captions(takeout(tmp_path, "IMG.jpg", "IMG(1).jpg", "IMG(2).jpg", "IMG-edited.jpg", **names))
    assert found == {"IMG.jpg": "of", "IMG(1).jpg": "of(1)", "IMG(2).jpg": "of(2)", "IMG-edited.jpg": "of"}


def test_a_name_that_begins_like_another_is_not_taken_for_it(tmp_path):
    found = captions(takeout(tmp_path, "IMG.jpg", "IMG.jpg.png", "IM.jpg", **{"IMG.jpg.json": photo("its own")}))
    assert found == {"IMG.jpg": "its own", "IMG.jpg.png": "", "IM.jpg": ""}


def test_dates_places_people_and_albums(tmp_path):
    said = photo("", geoData={"latitude": 48.5, "longitude": 9.0}, people=[{"name": "Ada"}, {"name": "Bo"}])
    (entry,) = takeout(tmp_path, "a.jpg", folder="Summer", **{"a.jpg.json": said, "metadata.json": '{"title": "S"}'})
    assert entry.fields == {
        "album": "Summer",
        "taken": "2023-01-01T12:00:00+00:00",
        "latitude": 48.5,
        "longitude": 9.0,
        "people": "Ada, Bo",
    }


def test_a_picture_of_an_album_keeps_it_although_the_folder_of_its_year_comes_first(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        for folder in ("Photos from 2023", "Summer"):
            archive.writestr(f"Takeout/Google Photos/{folder}/a.jpg", jpeg(1))
            archive.writestr(f"Takeout/Google Photos/{folder}/a.jpg.json", photo("a cat"))
    outcome = take(tmp_path / "it", tmp_path / "t.zip")
    assert (outcome.added, outcome.known) == (1, 1)
    assert Collection.open(tmp_path / "it").fields["album"].tolist() == ["Summer"]


def test_json_of_a_picture_that_another_part_holds_is_told(tmp_path):
    entries = takeout(tmp_path, "a.jpg", **{"a.jpg.json": photo("a"), "b.jpg.json": photo("b"), "c.mp4": ""})
    refused = {each.name.rpartition("/")[2]: each.reason for each in entries if isinstance(each, Rejected)}
    assert "another part" in refused["b.jpg.json"] and "not a picture" in refused["c.mp4"] and len(entries) == 3
