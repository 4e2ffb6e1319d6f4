"""The expression box: what was typed, how it was understood, and where it went wrong; and the way from page to page with it."""

from dataclasses import replace

import numpy as np
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.expression import MAX_CHARACTERS, Expression, ExpressionError, format, notice
from clipexplore.space import Point, PointTerm

from .markdown import escape
from .names import name_box, resolved
from .session import space
from .texts import PAGES, text
from .uploads import picture_url

EXCERPT = 60  # characters of a long text that are shown around an error


def expression_box(default: str, key: str = "q", label: str | None = None) -> Point | None:
    """A text field for an expression and, below it, its parsed terms; None, with the reason on screen, where it is no expression."""
    typed = st.text_input(label or text("expression.label"), default, key=key, bind="query-params", max_chars=MAX_CHARACTERS,
                          placeholder=text("expression.placeholder"), help=text("expression.help"))  # fmt: skip
    if remark := notice(typed):
        st.info(escape(remark), icon=":material/format_quote:")
    return point_of(typed)


def point_of(typed: str) -> Point | None:
    """The point of an expression, its terms shown; None, with the reason on screen, where it has none."""
    try:
        point = resolved(typed)
    except InputError as error:
        show_error(error)
        return None
    _show_terms(point)
    return point


def lines_box(label: str, default: str, key: str, least: int, most: int, help: str | None = None) -> list[str] | None:
    """A text field with one entry a line; None, with the reason on screen, where there are too few."""
    typed = st.text_area(label, default, key=key, bind="query-params", height="content", max_chars=MAX_CHARACTERS, help=help)
    lines = list(dict.fromkeys(line.strip() for line in typed.splitlines() if line.strip()))
    if len(lines) > most:
        st.warning(text("lines.many", count=len(lines), most=most))
    if len(lines) < least:
        st.error(text("lines.none", least=least))
        return None
    return lines[:most]


def points_of(lines: list[str]) -> list[Point]:
    """The points of expressions, one a line; those that have none are explained and left out."""
    found = []
    for line in lines:
        try:
            found.append(resolved(line))
        except InputError as error:
            show_error(error, line)
    return found


def stack(points: list[Point]) -> np.ndarray:
    """The vectors of points, `(n, dim)` float32."""
    return np.stack([point.vector for point in points])


def reversed_sum(expression: Expression) -> str:
    """The expression with every sign turned, what is added first: A − B becomes B − A."""
    turned = [replace(term, weight=-term.weight) for term in expression.terms]
    return format(Expression(tuple(sorted(turned, key=lambda term: term.weight < 0))))


def show_error(error: InputError, line: str | None = None) -> None:
    """The sentence and, for an error of the grammar, the text with a mark under the character at fault."""
    st.error(escape(str(error)), icon=":material/error:")
    typed = error.text if isinstance(error, ExpressionError) else line
    if typed:
        st.code(_marked(typed, error.position) if isinstance(error, ExpressionError) else typed, language=None)


def _marked(typed: str, position: int) -> str:
    start = max(0, position - EXCERPT // 2)
    shown = "".join(c if c.isprintable() else " " for c in typed[start : start + EXCERPT])
    return f"{shown}\n{' ' * (position - start)}^"


def open_in(expression: Expression | str, here: str) -> None:
    """Links to the other pages with this expression, and a way to name it."""
    written = str(expression)
    links = {"search": {"q": written}, "arithmetic": {"q": written}, "classify": {"image": written}, "map": {"points": written},
             "interpolate": {"stops": f"{written}\nsnow"}, "components": {"q": written, "part": "fingerprint"}, "words": {"q": written}}  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(text("expression.open_in"), width="content")
        for page, query in links.items():
            if page != here:
                st.page_link(f"pages/{page}.py", label=PAGES[page].title, query_params={f"to-{key}": value for key, value in query.items()})
        name_box(written, here)


def _show_terms(point: Point) -> None:
    tokens = [term.tokens for term in point.terms if term.tokens]
    if len(point.terms) == 1 and not point.terms[0].term.is_id and not tokens:
        return  # a word that was typed as it stands there
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for term in point.terms:
            _show_term(term)
        if len(point.terms) > 1:
            st.caption(text("expression.length", length=point.length), width="content", help=text("expression.length_help"))
        if tokens:
            st.caption(text("expression.tokens", tokens=max(tokens), most=space().embedder.max_tokens), width="content")
    for term in point.terms:
        if term.truncated:
            st.warning(escape(text("expression.cut", text=term.term.text, tokens=term.tokens, most=space().embedder.max_tokens)))


def _show_term(term: PointTerm) -> None:
    weight = abs(term.term.weight)
    sign = "−" if term.term.weight < 0 else "+"
    times = "" if weight == 1 else f"{weight:g} × "
    if term.is_picture:
        st.image(picture_url(term.term.text), width=44, alt=f"@{term.term.text}")
    name = f"@{term.term.text}" if term.term.is_id else term.term.text
    shown = name if len(name) <= EXCERPT else name[: EXCERPT - 1] + "…"
    st.badge(f"{sign} {times}{escape(shown)}", color="red" if term.term.weight < 0 else "green", help=term.meaning and escape(str(term.meaning.expression)))
