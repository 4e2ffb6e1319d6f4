"""Take apart's drawing: the sum with a slider for each term, how near it comes, and what it leaves unexplained."""

from math import ceil

import streamlit as st

from clipexplore.errors import InputError
from clipexplore.explore.apart import Beside, TakenApart
from clipexplore.expression import MAX_CHARACTERS, MIN_WEIGHT, Expression, Term
from clipexplore.language import _, numeral
from clipexplore.space import Point

from .expressions import EXCERPT, points_of
from .gallery import gallery
from .markdown import escape, plain, short
from .plots import ACCENT, chart
from .results import metrics, table
from .widgets import text_line, with_comma

Name = tuple[str, bool]  # the text of a term, and whether it is an id


def sum_box(found: TakenApart, *settings: object) -> str:
    """The sum that is shown: as it was found with these settings, or as the visitor has changed it since."""
    of = (str(found.point.expression), *settings)
    if st.session_state.setdefault("sum-of", of) != of:
        st.session_state.update({"sum-of": of, "edited": ""})
    typed = text_line(
        "edited",
        _("The sum, as you change it"),
        max_chars=MAX_CHARACTERS,
        placeholder=str(found.sum),
        help=_("Move a slider, or write any sum of your own. Empty, it is the sum that was found."),
    )
    changed = points_of([typed]) if typed.strip() else []
    shown = changed[0].expression if changed else found.sum
    _sliders(_weights(found.sum) | _weights(shown), {name: 0.0 for name in _weights(found.sum)} | _weights(shown))
    return str(shown)


def _weights(sum: Expression) -> dict[Name, float]:
    weights: dict[Name, float] = {}
    for term in sum.terms:
        name = term.text, term.is_id
        weights[name] = weights.get(name, 0.0) + term.weight
    return weights


def _sliders(found: dict[Name, float], weights: dict[Name, float]) -> None:
    """A slider for each term; what is not in the sum any more stands at 0."""
    most = ceil(max(1, *map(abs, [*found.values(), *weights.values()])))
    least = -most if min(*found.values(), *weights.values(), 0) < 0 else 0
    with st.grid("auto", min_column_width=150, gap="small"):
        for number, (name, weight) in enumerate(weights.items()):
            key = f"weight-{number}"
            if st.session_state.get(key) != weight:  # the sum is what counts, also when it was typed
                st.session_state[key] = weight
            given: dict = dict(step=0.01, key=key, format=with_comma(), on_change=_weigh, args=(key, name, weights))
            st.slider(_written(name), float(least), float(most), **given)


def _written(name: Name) -> str:
    text, is_id = name
    return escape(f"{'@' * is_id}{short(text, EXCERPT)}")


def _weigh(key: str, name: Name, weights: dict[Name, float]) -> None:
    """For a slider: the sum with that weight, unless nothing would be left of it, or it would be too long."""
    changed = weights | {name: st.session_state[key]}
    terms = [Term(text, weight, is_id) for (text, is_id), weight in changed.items() if abs(weight) >= MIN_WEIGHT]
    try:
        st.session_state["edited"] = str(Expression(tuple(terms)))
    except InputError as error:
        st.toast(escape(str(error)), icon=":material/error:")


def show_sum(found: TakenApart, shown: Beside) -> None:
    """The sum beside its point, how near it comes, and the pictures nearest to it."""
    st.code(f"{shown.point.expression} ≈ {shown.sum.expression}", language=None, wrap_lines=True)
    metrics(
        (
            _("cosine"),
            numeral(shown.cosine, ".3f"),
            _("Of the point with the sum, both without the mean of their kind: 1 where the sum says all of it."),
        ),
        (
            _("left unexplained"),
            numeral(shown.unexplained, ".0%"),
            _("The share of the point’s squared length that no multiple of the sum explains: 1 − cosine²."),
        ),
        (
            _("stability"),
            numeral(found.stability, ".0%"),
            _("How many of the other words stay when one may not be used, on average. The table below says which."),
        ),
    )
    if shown.pictures:
        st.subheader(_("Nearest to the sum"), anchor=False)
        gallery(shown.pictures, key="apart-sum")


def show_curve(found: TakenApart) -> None:
    """The cosine against the number of terms, each named by the word that is added."""
    words = [plain(("− " if term.weight < 0 else "+ ") + term.text, 18) for term in found.sum.terms]
    counts = list(range(1, len(words) + 1))
    line = dict(
        type="scatter",
        x=counts,
        y=found.cosines,
        mode="lines+markers",
        line=dict(color=ACCENT, width=3),
        hovertemplate="%{y:.3f}<extra></extra>",
    )
    st.subheader(_("Term by term"), anchor=False)
    alt = _("Line: the cosine of {q} with the best sum of the first 1 to {k} words, from {first:.2f} to {last:.2f}")
    chart(
        line,
        alt.format(q=found.point.expression, k=len(words), first=found.cosines[0], last=found.cosines[-1]),
        "apart-curve",
        height=360,
        x=dict(tickvals=counts, ticktext=words, tickangle=-40, automargin=True, range=[0.7, len(words) + 0.3]),
        y=dict(title=_("cosine"), range=[0, 1.02]),
        dragmode=False,
    )


def show_stability(found: TakenApart) -> None:
    """What becomes of the sum without each of its words."""
    st.subheader(_("Without a word"), anchor=False)
    table(
        {
            _("without"): [escape(each.word) for each in found.without],
            _("comes in"): [escape(", ".join(each.instead[:3])) or "–" for each in found.without],
            _("others that stay"): [numeral(each.stay, ".0%") for each in found.without],
            _("cosine"): [numeral(each.cosine, ".3f") for each in found.without],
        }
    )
    st.caption(
        _(
            "Each word is taken from the bank in turn. Where one that means the same comes in and the cosine stays, it "
            "was one of several that would do; where the others stay too, the sum can be trusted."
        )
    )


def show_remainder(found: TakenApart) -> None:
    """The pictures nearest to what the sum as it was found leaves unexplained."""
    if found.pictures:
        st.subheader(_("What the words do not say"), anchor=False)
        st.caption(_("The pictures nearest to what is left of the point without the sum that was found."))
        gallery(found.pictures, key="apart-left")


def apart_as_points(found: TakenApart, shown: Beside) -> dict[str, Point]:
    """The point, the sum, and what the sum as it was found leaves unexplained, by what they are called."""
    points = {str(each.expression): each for each in (shown.point, shown.sum)}
    return points | ({_("What the words do not say"): found.remainder} if found.remainder else {})
