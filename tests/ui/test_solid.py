import numpy as np
import plotly.graph_objects as go
import pytest
from helpers import numbers

from clipexplore.ui import solid
from clipexplore.ui.cloud import Overlay
from clipexplore.ui.plots import axis_titles, figure
from clipexplore.ui.shades import REST, Shades, heat
from clipexplore.ui.solid import MOST, draw_solid

AXES = axis_titles((1, 2, 4), (0.3, 0.2, 0.1))
CORNERS = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]


@pytest.fixture
def draw(monkeypatch):
    """What is drawn: the figure that the chart is given."""
    drawn = []
    monkeypatch.setattr(
        solid, "chart", lambda traces, alt, key, **look: drawn.append(go.Figure(figure(traces, **look)))
    )

    def draw(
        places: np.ndarray, shades: Shades, over: Overlay | None = None, rows: np.ndarray | None = None
    ) -> go.Figure:
        captions = [f"picture {row}" for row in range(len(places))]
        draw_solid(
            places, shades, over or Overlay(), AXES, np.arange(len(places)) if rows is None else rows, captions, "alt"
        )
        return drawn.pop()

    return draw


def spots(trace: go.Scatter3d) -> np.ndarray:
    return np.stack([numbers(trace[axis]) for axis in "xyz"], axis=1)


@pytest.fixture
def places():
    return np.random.default_rng(0).uniform(-3, 3, (60, 3))


def test_every_point_shown_is_drawn_once_with_its_caption_among_those_of_its_colour(draw, places):
    shades, rows = Shades(np.tile([0, 1, REST], 20), ["cats", "dogs"], "others"), np.arange(5, 60)
    figure = draw(places, shades, rows=rows)
    assert [trace.name for trace in figure.data] == ["cats", "dogs", "others"]
    said = [text for trace in figure.data for text in trace.text]
    assert sorted(said) == sorted(f"picture {row}" for row in rows)
    for trace, color in zip(figure.data, (0, 1, REST), strict=True):
        np.testing.assert_array_equal(spots(trace), places[rows][shades.colors[rows] == color])
    assert figure.layout.scene.zaxis.title.text == "component 4<br>(10.0%)"


def test_what_lies_outside_the_region_by_the_first_two_is_grey(draw, places):
    figure = draw(places, Shades(np.zeros(60, np.uint8), ["cats"]), Overlay(region=CORNERS))
    within, outside = figure.data
    held = ((places[:, :2] > 0) & (places[:, :2] < 2)).all(axis=1)
    np.testing.assert_array_equal(spots(within), places[held])
    np.testing.assert_array_equal(spots(outside), places[~held])
    assert outside.marker.opacity < within.marker.opacity


def test_a_scale_has_the_values_themselves(draw, places):
    values = np.linspace(0.2, 0.9, 60)
    values[7] = np.nan
    scale, unknown = draw(places, heat(values, "cosine")).data
    np.testing.assert_allclose(numbers(scale.marker.color), np.delete(values, 7), atol=0.7 / 254)
    assert (scale.marker.cmin, scale.marker.cmax) == pytest.approx((0.2, 0.9))
    np.testing.assert_array_equal(spots(unknown), places[[7]])


def test_a_chosen_picture_is_ringed_and_tied_and_marks_and_names_stand_where_they_are(draw, places):
    lines = [(*places[3], *places[4]), (*places[3], *places[9])]
    over = Overlay(marks=[(1.0, 2.0, 3.0, "a <b>")], labels=[(0.0, 0.5, 1.0, "cats")], lines=lines, chosen=3)
    figure = draw(places, Shades(np.zeros(60, np.uint8), ["cats"]), over)
    _, tied, ring, marks, labels = figure.data
    ends = spots(tied).reshape(2, 3, 3)
    np.testing.assert_array_equal(ends[:, :2], places[[[3, 4], [3, 9]]])
    assert np.isnan(ends[:, 2]).all(), "the lines are not joined"
    np.testing.assert_array_equal(spots(ring), places[[3]])
    np.testing.assert_array_equal(spots(marks), [[1, 2, 3]])
    assert [*marks.text] == ["a &lt;b>"] and [*labels.text] == ["cats"]
    (name,) = figure.layout.scene.annotations
    assert (name.x, name.y, name.z, name.text) == (1, 2, 3, "a &lt;b>")


def test_of_very_many_every_few_are_drawn(draw):
    count = 2 * MOST + 2
    figure = draw(np.zeros((count, 3)), Shades(np.zeros(count, np.uint8), ["cats"]))
    assert MOST / 2 < len(figure.data[0].text) <= MOST
