"""Even walks, drawn by a stand-in whose speed along the path is known."""

import numpy as np
import pytest
from PIL import Image

from clipexplore import Space
from clipexplore.draw.drawer import Drawn
from clipexplore.draw.even import beside, progress, unevenness
from clipexplore.errors import InputError
from clipexplore.explore import draw_walk as draw_walk_module
from clipexplore.explore.draw_walk import draw_walk
from clipexplore.explore.interpolate import walk
from clipexplore.jobs import run_through
from clipexplore.training.even_walks import printed

STOPS = ["@lion-jungle-07", "@lion-snow-07"]
FRAMES = 17


@pytest.fixture
def space():
    return Space.open()


@pytest.fixture
def asked(monkeypatch, space):
    """The points that are drawn, batch by batch; what is drawn turns a quarter circle around .37 of the path."""
    start, end = (space.point(stop).vector.astype(np.float64) for stop in STOPS)
    whole, batches = np.arccos(start @ end), []

    def drawing(space, drawer, vectors, shown, report, alike, **settings):
        assert alike
        batches.append(vectors)
        at = np.arccos(np.clip(vectors @ start, -1, 1)) / whole
        turned = np.pi / 2 / (1 + np.exp(-40 * (at - 0.37)))
        pictures = [Image.new("L", (4, 4), int(255 * each)) for each in at]
        for number, picture in enumerate(pictures):
            shown(number, picture)
        report(1.0, None)
        yield
        return Drawn(pictures, np.stack([np.cos(turned), np.sin(turned)], axis=1))

    monkeypatch.setattr(draw_walk_module, "drawing_vectors", drawing)
    return batches


def test_an_even_walk_is_found_from_half_as_many_frames_more(space, asked):
    shares, shown = [], []
    walk_drawing = draw_walk(space, STOPS, FRAMES, "even")
    found = run_through(
        walk_drawing.drawing(lambda share, preview: shares.append(share), lambda *each: shown.append(each[1]))
    )["even"]
    assert sum(map(len, asked)) == 25 and sorted(shown) == list(range(25))
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)
    assert len(found.pictures) == FRAMES and found.places[0] == 0 and found.places[-1] == 1
    assert (np.diff(found.places) > 0).all() and unevenness(found.embeddings) < 1.4
    every = np.concatenate(asked)
    np.testing.assert_array_equal(walk_drawing.at(found.places).points["even"], every[found.kept])
    curves = beside(walk_drawing.stops, found.places, found.embeddings)
    assert (
        np.diff(curves["slerp"]).max() * (FRAMES - 1)
        > 4
        > 1.5
        > np.diff(progress(found.embeddings)).max() * (FRAMES - 1)
    )


def test_places_in_a_link_draw_the_same_and_nothing_more(space, asked):
    first = draw_walk(space, STOPS, FRAMES, "even")
    found = first.drawn["even"]
    asked.clear()
    again = draw_walk(space, STOPS, FRAMES, "even", places=found.places.tolist())
    assert again.key == first.at(found.places.tolist()).key != first.key
    assert [each.tobytes() for each in again.drawn["even"].pictures] == [each.tobytes() for each in found.pictures]
    assert sum(map(len, asked)) == FRAMES
    np.testing.assert_allclose(walk(space, STOPS, FRAMES, "even", places=found.places.tolist()).positions, found.places)


def test_a_jump_leaves_frames_on_both_sides(space, asked, monkeypatch):
    def jumping(space, drawer, vectors, shown, **settings):
        start = space.point(STOPS[0]).vector
        yield
        far = (vectors @ start < 0.9)[:, None]
        return Drawn([Image.new("L", (4, 4))] * len(vectors), np.where(far, [[1.0, 0.0]], [[0.0, 1.0]]))

    monkeypatch.setattr(draw_walk_module, "drawing_vectors", jumping)
    found = draw_walk(space, STOPS, FRAMES, "even").drawn["even"]
    assert len(found.places) == FRAMES and (np.diff(found.places) > 0).all()


@pytest.mark.parametrize(
    "places", [[0, 1], [0, *[0.5] * 15, 1], list(np.linspace(0, 0.9, 17)), list(np.linspace(0.1, 1, 17))]
)
def test_places_that_are_none_are_refused(space, places):
    with pytest.raises(InputError, match="rise from 0 to 1"):
        draw_walk(space, STOPS, FRAMES, "even", places=places)
    with pytest.raises(InputError, match="rise from 0 to 1"):
        walk(space, STOPS, FRAMES, "even", places=places)


def test_stops_in_the_middle_are_frames(space, asked):
    found = draw_walk(space, [*STOPS, "@lion-night-01"], FRAMES, "even").drawn["even"]
    assert {0.0, 1.0, 2.0} <= set(found.places.tolist())


def test_the_recipe_prints_each_walk_as_it_comes_and_the_means(capsys):
    def rows():
        yield "a", 4.0, 1.5, 1.0
        assert capsys.readouterr().out.splitlines()[2:] == ["| a | 4.00 | 1.50 | 1.00 |"]
        yield "b", 2.0, 1.0, 2.0

    printed(rows())
    assert capsys.readouterr().out.splitlines() == ["| b | 2.00 | 1.00 | 2.00 |", "| mean | 3.00 | 1.25 | 1.50 |"]
