import html

from hypothesis import given
from hypothesis import strategies as st

from clipexplore.ui.plots import axis_titles, plain


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
