import html
import json
from contextvars import copy_context
from importlib.metadata import version

import numpy as np
import plotly.graph_objects as plotly
from helpers import numbers
from hypothesis import given
from hypothesis import strategies as st
from plotly.io import to_json
from plotly.tools import return_figure_from_figure_or_data

from clipexplore.language import language
from clipexplore.ui.markdown import plain
from clipexplore.ui.plots import COLORWAY, Unchecked, axis_titles, figure


@given(st.text(alphabet=st.one_of(st.sampled_from("<>&;/ab"), st.characters(codec="utf-8")), max_size=60))
def test_what_plotly_reads_as_html_shows_what_was_typed(label):
    shown = plain(label, 60)
    assert "<" not in shown and html.unescape(shown) == label


def test_a_long_label_is_cut_before_it_is_escaped():
    assert plain("<b>&amp; x") == "&lt;b>&amp;amp; x"
    assert plain("abcdef", 5) == "abcd…" and plain("abcde", 5) == "abcde"
    assert plain("<" * 30, 5) == "&lt;" * 4 + "…"


def test_the_titles_of_axes_are_whole_sentences_to_a_translator(monkeypatch):
    said = []
    monkeypatch.setattr("clipexplore.ui.plots._", lambda text: said.append(text) or text.replace("component", "Achse"))
    assert axis_titles((1, 3), (0.25, 0.125))[1] == "Achse 3 (12.5% of the variance)"
    assert axis_titles((1, 3, 4), (0.25, 0.125, 0.1))[2] == "Achse 4<br>(10.0%)" and len(set(said)) == 2


def test_a_figure_is_one_of_plotlys_with_its_numbers_titles_scales_and_lines():
    """`helpers.assert_whole` has Plotly check every figure that a page draws."""
    heights = np.linspace(-1, 1, 6).reshape(2, 3)
    heat = dict(type="heatmap", z=heights, colorscale="RdBu_r", showscale=False, name=None)
    bars = dict(type="bar", x=np.arange(3), y=np.array([], float), text=np.array(list("abc")))
    lines = [dict(x=0.25, color="red", text="0.25"), dict(y=0.9, dash="dot")]
    drawn = json.loads(to_json(figure([heat, bars], x="cosine", y=dict(title="z"), across=lines), validate=False))
    shown, counted = drawn["data"]
    np.testing.assert_array_equal(numbers(shown["z"]).reshape(2, 3), heights)
    assert "name" not in shown and numbers(counted["x"]).tolist() == [0, 1, 2]
    assert counted["text"] == list("abc") and counted["y"] == []
    checked, theirs = plotly.Figure(drawn), plotly.Figure(plotly.Heatmap(colorscale="RdBu_r"))
    theirs.add_vline(x=0.25, line_color="red", annotation_text="0.25")
    theirs.add_hline(y=0.9, line_dash="dot")
    colours, wanted = ([colour for _at, colour in each.data[0].colorscale] for each in (checked, theirs))
    assert colours == wanted
    assert checked.layout.shapes == theirs.layout.shapes and checked.layout.annotations == theirs.layout.annotations
    assert (checked.layout.xaxis.title.text, checked.layout.yaxis.title.text) == ("cosine", "z")


def test_an_axis_of_shares_writes_them_as_the_language_does():
    def aliases(code):
        language.set(code)
        layout = figure([], y=dict(tickformat=".0%"), yaxis2=dict(tickformat=".0%"), x=dict(range=[0, 1]))["layout"]
        plotly.Figure(layout=layout)
        return [layout[axis].get("labelalias", {}).get("20%") for axis in ("yaxis", "yaxis2", "xaxis")]

    assert copy_context().run(aliases, "de") == ["20\u00a0%", "20\u00a0%", None]
    assert copy_context().run(aliases, "en") == [None, None, None]


def test_defaults_take_the_colours_of_the_theme():
    from streamlit.elements.lib import streamlit_plotly_theme as theme

    assert [getattr(theme, f"CATEGORY_{number}") for number in range(10)] == COLORWAY


def test_streamlit_takes_an_unchecked_figure_as_it_is():
    assert version("streamlit").startswith("1.67.") and version("plotly").startswith("7."), (
        "look again at plots.Unchecked"
    )
    drawn = figure({"type": "no such trace"})
    assert return_figure_from_figure_or_data(Unchecked(drawn), validate_figure=True) == drawn
