import json
from types import SimpleNamespace

import numpy as np
import pytest

from clipexplore import Space
from clipexplore.images import open_picture
from clipexplore.ui.cloud import REST, SIDE, Overlay, Shades, heat, packed, sheet_block, sheet_name


def unpacked(block: bytes) -> tuple[dict, bytes]:
    start = 4 + int.from_bytes(block[:4], "little")
    return json.loads(block[4:start]), block[start:]


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
@pytest.mark.parametrize("label", ["", "a", "ab", "abc", "</script>é\u2028🦁"])
def test_what_is_packed_can_be_read_as_the_browser_does(count, label):
    places = np.random.default_rng(0).normal(size=(count, 2))
    colors = np.arange(count) % 256
    over = Overlay(marks=[(1.0, 2.0, label)], region=[(0, 0), (1, 0), (1, 1)])
    block = packed(places, Shades(colors, ["a"], "rest"), over, ("x", "y"), "alt", None)
    head, rest = unpacked(block)
    assert (len(block) - len(rest)) % 4 == 0, "float32 is read where it can be"
    np.testing.assert_allclose(np.frombuffer(rest[: 8 * count], "<f4").reshape(-1, 2), places, rtol=1e-6)
    np.testing.assert_array_equal(np.frombuffer(rest[8 * count :], np.uint8), colors.astype(np.uint8))
    assert head["count"] == count and head["marks"] == [[1.0, 2.0, label]] and head["region"] == [[0, 0], [1, 0], [1, 1]]


def test_a_block_has_nine_bytes_a_point():
    block = packed(np.zeros((100_000, 2)), Shades(np.zeros(100_000), []), Overlay(), ("x", "y"), "", None)
    assert len(block) < 9 * 100_000 + 1000


def test_the_same_places_have_the_same_name_whatever_their_colours():
    places = np.random.default_rng(1).normal(size=(9, 2))
    names = [unpacked(packed(at, Shades(np.full(9, color), []), Overlay(), ("x", "y"), "", None))[0]["id"] for at, color in ((places, 1), (places, 2), (places + 1, 1))]
    assert names[0] == names[1] != names[2]
    with pytest.raises(ValueError, match="3 colours for 9 points"):
        packed(places, Shades(np.zeros(3), []), Overlay(), ("x", "y"), "", None)


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

    some = Some(ids=world.ids[:30], captions=world.captions[:30], picture=world.picture)
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


def test_the_name_of_a_sheet_is_that_of_its_content():
    here = Space.open()
    assert sheet_name(here.collection).startswith("emoji-world-") and sheet_name(here.words) is None
