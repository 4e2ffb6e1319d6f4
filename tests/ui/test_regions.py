"""What is drawn or clicked on a map becomes text, and the text the pictures it holds."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipexplore.errors import InputError
from clipexplore.explore import map as explore
from clipexplore.explore.map import near, region_of
from clipexplore.maps.place import corners_of
from clipexplore.retrieval.nearest import search
from clipexplore.space import Hit
from clipexplore.ui import maps
from clipexplore.ui.maps import CORNERS, take_picture, take_region
from clipexplore.vectors import normalize

LOWER_LEFT, ALL = "-0.5 -0.5, 1.5 -0.5, 1.5 1.5, -0.5 1.5", np.arange(9)
numbers = st.floats(-1e4, 1e4, allow_nan=False)


def taken(function, *arguments) -> str | None:
    """The text that a drawing or a click becomes."""
    state = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maps, "st", SimpleNamespace(session_state=state))
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


def test_a_clicked_picture_is_its_id_and_a_row_that_does_not_exist_is_nothing():
    assert taken(take_picture, ["a", "b"], 1) == "@b"
    assert taken(take_picture, ["a", "b"], 2) is None and taken(take_picture, ["a", "b"], -1) is None
    assert taken(take_region, []) == "", "nothing drawn clears the region"


@pytest.mark.parametrize(
    "region",
    [
        "",
        "1 2",
        "1 2, 3 4",
        "1 2, 3 4, 5",
        "1 2 3, 4 5 6, 7 8 9",
        "inf 0, 1 1, 2 2",
        "nan 0, 1 1, 2 2",
        "1e309 0, 1 1, 2 2",
        "a b, c d, e f",
        ",,,",
        "1 2;3 4;5 6",
    ],
)
def test_what_is_no_polygon_is_told(region):
    with pytest.raises(InputError, match="not a polygon"):
        corners_of(region)


@pytest.fixture
def plane() -> SimpleNamespace:
    """Nine pictures on a grid, of a space that is known in full."""
    ids, vectors = [f"p{row}" for row in range(9)], normalize(np.random.default_rng(0).normal(size=(9, 4)))

    class Known(SimpleNamespace):
        def __contains__(self, id):
            return id in ids

        def __len__(self):
            return len(ids)

    def find(vector, what, k, among=None):
        rows = ALL if among is None else among
        found = search(vector[None], vectors[rows], k)
        listed = zip(rows[found.indices[0]], found.cosines[0].tolist(), found.z[0].tolist(), strict=True)
        return [Hit(ids[row], "", cosine, z, rank, what) for rank, (row, cosine, z) in enumerate(listed, 1)]

    space = SimpleNamespace(
        collection=Known(row=ids.index),
        kind="pictures",
        embeddings=lambda: vectors,
        search=find,
        point=lambda written: SimpleNamespace(vector=vectors[ids.index(written[1:])]),
    )
    layout = SimpleNamespace(coordinates=np.array([(x, y) for x in range(3) for y in range(3)], float))
    return SimpleNamespace(space=space, layout=layout, vectors=vectors)


def held(plane, region: str, rows=ALL):
    return region_of(plane.space, plane.layout, region, rows)


def test_a_region_holds_what_lies_inside_nearest_its_middle_first(plane):
    found = held(plane, LOWER_LEFT)
    assert found.rows.tolist() == [0, 1, 3, 4] and [hit.rank for hit in found.hits] == [1, 2, 3, 4]
    assert sorted(hit.id for hit in found.hits) == ["p0", "p1", "p3", "p4"]
    within = plane.vectors[[0, 1, 3, 4]]
    expected = sorted(within @ normalize(within.mean(axis=0)), reverse=True)
    np.testing.assert_allclose([hit.cosine for hit in found.hits], expected, atol=1e-6)


def test_an_empty_region_holds_nothing(plane):
    found = held(plane, "7 7, 8 7, 8 8")
    assert not len(found.rows) and not found.hits and len(found.corners) == 3


def test_a_region_of_a_filtered_map_holds_only_what_is_shown(plane):
    found = held(plane, LOWER_LEFT, np.array([1, 2, 4, 8]))
    assert sorted(hit.id for hit in found.hits) == ["p1", "p4"] and found.rows.tolist() == [1, 4]
    assert not len(held(plane, LOWER_LEFT, ALL[:0]).rows)


def test_of_a_large_region_only_the_first_are_listed(plane, monkeypatch):
    """Listing all of a hundred thousand would take longer than finding them."""
    monkeypatch.setattr(explore, "LISTED", 2)
    found = held(plane, LOWER_LEFT)
    within = plane.vectors[[0, 1, 3, 4]]
    best = np.argsort(-within @ within.mean(axis=0))[:2]
    assert len(found.rows) == 4 and [hit.id for hit in found.hits] == [f"p{(0, 1, 3, 4)[at]}" for at in best]


def test_the_nearest_of_what_is_shown(plane):
    rows = np.array([1, 5, 6, 8])
    hits, cosines = near(plane.space, plane.vectors[0], rows, 3), plane.vectors[rows] @ plane.vectors[0]
    assert [hit.id for hit in hits] == [f"p{row}" for row in rows[np.argsort(-cosines)][:3]]
    expected = [(hit.cosine - cosines.mean()) / cosines.std() for hit in hits]
    np.testing.assert_allclose([hit.z for hit in hits], expected, atol=1e-4)
    assert near(plane.space, plane.vectors[0], ALL[:0], 3) == []
    assert len(near(plane.space, plane.vectors[0], rows, 9)) == 4


def test_lines_lead_to_what_is_shown_and_from_it(plane):
    rows = np.array([1, 5, 6, 8])
    found = held(plane, "@p5", rows)
    assert found.row == 5 and {*found.nearest} == {1, 6, 8} and found.near_here == 3
    over = maps._overlay(plane.layout, found)
    assert over.chosen == 5 and {line[:2] for line in over.lines} == {tuple(plane.layout.coordinates[5])}
    assert {line[2:] for line in over.lines} == {tuple(plane.layout.coordinates[row]) for row in (1, 6, 8)}
    hidden = held(plane, "@p0", rows)
    assert hidden.row is None and maps._overlay(plane.layout, hidden).lines == []
