"""A look before importing: what is shown, what is left out, and what is asked."""

import json

import numpy as np
import pytest
from fixtures_imports import fill, jpeg, take

from clipexplore.images import open_picture
from clipexplore.sources.entries import Source
from clipexplore.sources.preview import SHOWN, as_text, captioned_by, look
from clipexplore.sources.recognise import open_source
from clipexplore.store.collection import Collection


def test_ten_items_with_pictures_captions_and_labels(tmp_path):
    fill(tmp_path / "cats", 8), fill(tmp_path / "dogs", 8, 20)
    (tmp_path / "cats" / "p0003.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.pdf").write_bytes(b"")
    found = look(open_source(tmp_path))
    assert len(found.shown) == SHOWN and found.seen == 17 and not found.questions
    assert (found.shown[1].caption, found.shown[1].label) == ("picture number 1", "cats")
    assert open_picture(found.shown[1].picture).size == (40, 30)
    assert [(each.count, each.names) for each in found.left_out] == [
        (1, ("cats/p0003.jpg",)),
        (1, ("notes.pdf",)),
    ]
    text = as_text(found)
    assert "Pictures in folders" in text and "cats/p0001.jpg: picture number 1  (label=cats)" in text
    assert "Left out, 1 of the first 17: It is not a picture" in text


def test_the_vectors_are_measured_and_their_model_is_asked_for(tmp_path):
    np.save(tmp_path / "v.npy", np.diag([1.0, 2.0, 0.0]).astype(np.float32))
    found = look(open_source(tmp_path / "v.npy"))
    assert [list(each.norms.values()) for each in found.shown] == [[1.0], [2.0]] and found.left_out[0].count == 1
    assert "Which model made these vectors of 3 dimensions?" in found.questions[0]


@pytest.fixture
def poems(tmp_path):
    """Pictures whose texts stand in a column that is not called so."""
    rows = [{"file": f"{n}.jpg", "poem": f"a thing, number {n}", "kind": "x"} for n in range(3)]
    for n in range(3):
        (tmp_path / f"{n}.jpg").write_bytes(jpeg(n))
    (tmp_path / "said.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def test_which_column_is_the_caption_is_asked_and_may_be_said(poems, tmp_path):
    found = look(open_source(poems))
    assert found.columns == ("poem",) and "Which column is the caption?" in found.questions[0]
    source = captioned_by(open_source(poems), "poem")
    assert [(each.caption, each.fields) for each in source] == [
        (f"a thing, number {n}", {"kind": "x"}) for n in range(3)
    ]
    take(tmp_path / "it", poems)
    assert Collection.open(tmp_path / "it").captions == [""] * 3


def test_what_was_the_caption_stays_as_a_field(tmp_path):
    (tmp_path / "c.csv").write_text("caption,note\na cat,of the cat\n")
    found = look(open_source(tmp_path / "c.csv"))
    assert found.columns == ("note",) and "The columns note hold texts, too" in found.questions[0]
    (entry,) = captioned_by(open_source(tmp_path / "c.csv"), "note")
    assert (entry.caption, entry.fields) == ("of the cat", {"caption_before": "a cat"})


def test_of_a_long_source_only_the_beginning_is_looked_at():
    def stream():
        yield from ()
        raise AssertionError("it went on")

    assert look(Source("captions", 10**9, stream), most=0).seen == 0
