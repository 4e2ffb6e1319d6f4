import json
from types import SimpleNamespace

import numpy as np
import pytest

from clipexplore import Space
from clipexplore.images import open_picture
from clipexplore.ui.cloud import SIDE, Overlay, packed, sheet_block, sheet_name
from clipexplore.ui.shades import REST, Shades, heat


def unpacked(block: bytes) -> tuple[dict, bytes]:
    start = 4 + int.from_bytes(block[:4], "little")
    return json.loads(block[4:start]), block[start:]


def pack(places, colors=None, over=None, rows=None, label="a"):
    shades = Shades(np.zeros(len(places)) if colors is None else colors, [label], "rest")
    return packed(np.asarray(places, float), shades, over or Overlay(), ("x", "y"), "alt", None, rows)


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
@pytest.mark.parametrize("label", ["", "a", "</script>é\u2028🦁"])
def test_what_is_packed_can_be_read_as_the_browser_does(count, label):
    places, colors = np.random.default_rng(0).normal(size=(count, 2)), np.arange(count) % 256
    made = pack(places, colors, Overlay(marks=[(1.0, 2.0, label)], region=[(0, 0), (1, 0), (1, 1)]), label=label)
    head = json.loads(json.dumps(made.head, allow_nan=False))
    np.testing.assert_allclose(np.frombuffer(made.blocks["places"], "<f4").reshape(-1, 2), places, rtol=1e-6)
    np.testing.assert_array_equal(np.frombuffer(made.blocks["colors"], "u1"), colors)
    assert (
        head["marks"] == [[1.0, 2.0, label]] and head["region"] == [[0, 0], [1, 0], [1, 1]] and head["names"] == [label]
    )
    assert head["blocks"].keys() == made.blocks.keys() == {"places", "colors"}
    assert len(head["bounds"]) == 4 and all(np.isfinite(head["bounds"]))


def test_points_take_nine_bytes_each_and_a_lasso_none():
    places = np.random.default_rng(0).normal(size=(100_000, 2))
    before, after = pack(places), pack(places, over=Overlay(region=[(0, 0), (1, 0), (1, 1)], marks=[(0, 0, "hat")]))
    assert sum(map(len, before.blocks.values())) == 900_000 and len(json.dumps(after.head)) < 2000
    assert before.head["blocks"] == after.head["blocks"], "what has not changed keeps its name and is not sent again"


def test_whether_there_are_more_points_is_said():
    places, shades = np.zeros((9, 2)), Shades(np.zeros(9), ["a"], "rest")
    few = [packed(places, shades, Overlay(), ("x", "y"), "alt", None, np.arange(4), some) for some in (False, True)]
    assert [each.head["some"] for each in few] == [False, True] and few[0].blocks == few[1].blocks


def test_a_block_is_named_by_its_content():
    places = np.random.default_rng(1).normal(size=(9, 2))
    first, recoloured, moved = (
        pack(at, np.full(9, color)).head["blocks"] for at, color in ((places, 1), (places, 2), (places + 1, 1))
    )
    assert (
        first["places"] == recoloured["places"] != moved["places"]
        and first["colors"] == moved["colors"] != recoloured["colors"]
    )
    with pytest.raises(ValueError, match="3 colours for 9 points"):
        pack(places, np.zeros(3))


def test_of_a_filtered_map_every_point_keeps_its_place_its_colour_and_its_row():
    places, colors = np.random.default_rng(2).normal(size=(20, 2)), np.arange(20)
    rows = np.array([3, 4, 11, 19])
    whole, some = pack(places, colors), pack(places, colors, Overlay(chosen=11), rows)
    np.testing.assert_array_equal(np.frombuffer(some.blocks["rows"], "<u4"), rows)
    np.testing.assert_allclose(np.frombuffer(some.blocks["places"], "<f4").reshape(-1, 2), places[rows], rtol=1e-6)
    np.testing.assert_array_equal(np.frombuffer(some.blocks["colors"], "u1"), colors[rows])
    assert some.head["bounds"] == whole.head["bounds"], "the view stays where it is"
    assert some.head["chosen"] == 2 and whole.head["chosen"] is None
    assert [pack(places, colors, Overlay(chosen=row), rows).head["chosen"] for row in (0, 12, 19)] == [None, None, 3]
    assert pack(places, colors, rows=rows[:0]).blocks["places"] == b""


def test_heat_runs_from_the_lowest_to_the_highest_and_leaves_the_unknown_grey():
    shades = heat(np.array([0.5, -1, 2, np.nan]), "cosine")
    np.testing.assert_array_equal(shades.colors, [127, 0, 254, REST])
    assert shades.heat == ("cosine", -1, 2) and shades.rest
    flat = heat(np.full(3, 0.25), "flat")
    assert len({*flat.colors.tolist()}) == 1 and not flat.rest
    assert (heat(np.full(3, np.nan), "none").colors == REST).all()


def test_every_picture_is_on_the_sheet_where_the_browser_looks_for_it():
    world = Space.open().collection

    class Some(SimpleNamespace):
        def __len__(self):
            return len(self.ids)

    some = Some(ids=world.ids[:30], captions=world.captions[:30], picture=world.picture, has_files=True)
    head, rest = unpacked(sheet_block(some, "name"))
    sheet = np.asarray(open_picture(rest), int)
    assert head["captions"] == some.captions and head["rows"] is None and head["size"] == SIDE
    for row in (0, 7, 29):
        top, left = row // head["columns"] * SIDE, row % head["columns"] * SIDE
        expected = np.asarray(open_picture(world.picture(world.ids[row])).resize((SIDE, SIDE)), int)
        assert np.abs(sheet[top : top + SIDE, left : left + SIDE] - expected).mean() < 12


def test_a_large_collection_has_thumbnails_of_every_few(monkeypatch):
    from clipexplore.ui import cloud

    monkeypatch.setattr(cloud, "MOST_THUMBNAILS", 10)
    world = Space.open().collection
    head, _ = unpacked(sheet_block(world, "name"))
    step = -(-len(world) // 10)
    assert head["rows"] == list(range(0, len(world), step)) and len(head["rows"]) <= 10
    assert head["captions"] == {str(row): world.captions[row] for row in head["rows"]}


def test_a_collection_without_pictures_has_its_captions_on_the_sheet():
    words = Space.open().words
    head, rest = unpacked(sheet_block(words, "name"))
    assert head["captions"] == words.captions and rest == b""


def test_the_name_of_a_sheet_is_that_of_its_content():
    here = Space.open()
    assert sheet_name(here.collection).startswith("emoji-world-") and sheet_name(here.words).startswith("words-")
