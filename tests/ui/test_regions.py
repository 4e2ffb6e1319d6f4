from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipexplore.errors import InputError
from clipexplore.ui import regions
from clipexplore.ui.regions import (
    CORNERS,
    chosen_by,
    corners_of,
    near_hits,
    region_overlay,
    take_picture,
    take_region,
)
from clipexplore.vectors import normalize

LOWER_LEFT, ALL = "-0.5 -0.5, 1.5 -0.5, 1.5 1.5, -0.5 1.5", np.arange(9)
numbers = st.floats(-1e4, 1e4, allow_nan=False)


def taken(function, *arguments) -> str | None:
    """The text that a drawing or a click becomes."""
    state = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regions, "st", SimpleNamespace(session_state=state))
        function(*arguments)
    return state.get("region")


@given(st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=3, max_size=CORNERS))
def test_a_drawn_loop_reads_back(loop):
    np.testing.assert_allclose(corners_of(taken(take_region, loop)), loop, rtol=5e-3)


@given(st.integers(3, 2000))
def test_however_many_corners_are_drawn_the_region_fits_into_a_link(count):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    written = taken(take_region, (-1e-5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)).tolist())
    assert 3 <= len(corners_of(written)) <= CORNERS and len(written) < 1200


def test_a_clicked_picture_is_its_id_and_a_row_there_is_not_is_nothing():
    assert taken(take_picture, ["a", "b"], 1) == "@b"
    assert taken(take_picture, ["a", "b"], 2) is None and taken(take_picture, ["a", "b"], -1) is None
    assert taken(take_region, []) == "", "nothing drawn clears the region"


@pytest.mark.parametrize(
    "region", ["", "1 2", "1 2, 3 4", "1 2, 3 4, 5", "1 2 3, 4 5 6, 7 8 9", "inf 0, 1 1, 2 2", "nan 0, 1 1, 2 2", "1e309 0, 1 1, 2 2", "a b, c d, e f", ",,,", "1 2;3 4;5 6"]
)
def test_what_is_no_polygon_is_told(region):
    with pytest.raises(InputError, match="no polygon"):
        corners_of(region)


@pytest.fixture
def plane(monkeypatch) -> SimpleNamespace:
    """Nine pictures on a grid, of a space that is known in full."""
    ids, vectors = [f"p{row}" for row in range(9)], normalize(np.random.default_rng(0).normal(size=(9, 4)))
    class Known(SimpleNamespace):
        def __contains__(self, id):
            return id in ids

    collection = Known(ids=ids, captions=[f"picture {id}" for id in ids], row=ids.index)
    monkeypatch.setattr(regions, "space", lambda: SimpleNamespace(collection=collection))
    monkeypatch.setattr(regions, "pictures", lambda: vectors)
    return SimpleNamespace(pictures=np.array([(x, y) for x in range(3) for y in range(3)], float), vectors=vectors)


def test_a_region_holds_what_lies_inside_nearest_its_middle_first(plane):
    chosen = chosen_by(plane, LOWER_LEFT, ALL)
    hits = chosen.hits
    assert chosen.rows.tolist() == [0, 1, 3, 4] and sorted(hit.id for hit in hits) == ["p0", "p1", "p3", "p4"] and [hit.rank for hit in hits] == [1, 2, 3, 4]
    within = plane.vectors[[0, 1, 3, 4]]
    np.testing.assert_allclose([hit.cosine for hit in hits], sorted(within @ normalize(within.mean(axis=0)), reverse=True), atol=1e-6)


@pytest.mark.parametrize("region", ["", "  ", "7 7, 8 7, 8 8"])
def test_no_region_and_an_empty_one_hold_nothing(plane, region):
    assert chosen_by(plane, region, ALL) is None


def test_a_region_of_a_filtered_map_holds_only_what_is_shown(plane):
    chosen = chosen_by(plane, LOWER_LEFT, np.array([1, 2, 4, 8]))
    assert sorted(hit.id for hit in chosen.hits) == ["p1", "p4"] and chosen.rows.tolist() == [1, 4]
    assert chosen_by(plane, LOWER_LEFT, ALL[:0]) is None


def test_of_a_large_region_only_the_first_are_listed(plane, monkeypatch):
    """Listing all of a hundred thousand would take longer than finding them."""
    monkeypatch.setattr(regions, "LISTED", 2)
    chosen = chosen_by(plane, LOWER_LEFT, ALL)
    within = plane.vectors[[0, 1, 3, 4]]
    best = np.argsort(-within @ within.mean(axis=0))[:2]
    assert len(chosen.rows) == 4 and [hit.id for hit in chosen.hits] == [f"p{(0, 1, 3, 4)[at]}" for at in best]


def test_the_nearest_of_what_is_shown(plane):
    rows = np.array([1, 5, 6, 8])
    hits = near_hits(plane.vectors[0], rows, 3)
    assert [hit.id for hit in hits] == [f"p{row}" for row in rows[np.argsort(-(plane.vectors[rows] @ plane.vectors[0]))][:3]]
    cosines = plane.vectors @ plane.vectors[0]
    np.testing.assert_allclose([hit.z for hit in hits], [(hit.cosine - cosines.mean()) / cosines.std() for hit in hits], atol=1e-4)
    assert near_hits(plane.vectors[0], ALL[:0], 3) == [] and len(near_hits(plane.vectors[0], rows, 9)) == 4


def test_lines_lead_to_what_is_shown_and_from_it(plane):
    rows = np.array([1, 5, 6, 8])
    over = region_overlay(plane, "@p5", rows)
    assert over.chosen == 5 and {line[:2] for line in over.lines} == {tuple(plane.pictures[5])}
    assert {line[2:] for line in over.lines} == {tuple(plane.pictures[row]) for row in (1, 6, 8)}
    hidden = region_overlay(plane, "@p0", rows)
    assert hidden.chosen is None and not hidden.lines
