"""The expression box: what is typed, with ids offered behind an "@", how it was read, and where it went wrong; and
links that take it to other pages.
"""

from dataclasses import replace
from functools import lru_cache
from random import Random

import streamlit as st

from clipexplore.errors import InputError
from clipexplore.explore.search import search, surprise
from clipexplore.expression import MAX_CHARACTERS, Expression, ExpressionError, Term, folded, notice
from clipexplore.images import open_picture
from clipexplore.known import is_drawn
from clipexplore.language import _, numeral
from clipexplore.names import ids_like
from clipexplore.space import Point, PointTerm, Space

from .browser import component
from .calls import as_typed, call
from .examples import stand_in
from .journey import carried
from .markdown import escape, short
from .names import name_box
from .session import names, page_here, preset, run, space, speaking
from .titles import titled
from .uploads import picture_url
from .widgets import text_line, text_lines

EXCERPT = 60  # characters of a long text that are shown around an error
OFFERED = 8  # ids behind an "@"

_complete = component("complete", '<ul class="ids" role="listbox" popover="manual"></ul>', isolate_styles=False)


def expression_box(key: str = "q", label: str | None = None) -> Point | None:
    """A text field for an expression, with its terms below it; None, with the reason on screen, for anything else."""
    typed = text_line(
        key,
        label or _("Expression"),
        max_chars=MAX_CHARACTERS,
        placeholder=_("cat + snow   or   @man-top-hat - @man"),
        help=_(
            "Texts and @pictures joined by ` + ` and ` - ` with spaces around them, with weights like `0.7*cat`. "
            'Put quotes around a text that itself contains " - ". '
            "An id such as `@lion-jungle-07` is a picture, or a point that you named in the sidebar."
        ),
    )
    run().fields.append(key)
    typed = stand_in(key, typed)
    if remark := notice(typed):
        st.info(escape(remark), icon=":material/format_quote:")
    return point_of(typed)


def complete() -> None:
    """Offers pictures and names behind an "@" in the fields of the page, after it has run; what is typed in one runs
    this alone, not the page.
    """
    if fields := run().fields:
        st.fragment(speaking(_offer))(fields, f"{page_here()}-ids")


def _offer(fields: list[str], slot: str) -> None:
    """What one of the fields asks for now; `slot` is another on another page, whose fields are others."""
    field, asked = st.session_state.get(slot, {}).get("ask") or ("", "")
    items = [_item(id) for id in ids_like(_known(), asked[1:], OFFERED)] if asked else []
    data = {"fields": fields, "field": field, "asked": asked, "items": items, "label": _("Pictures and names")}
    _complete(data=data, key=slot, height=1, on={"ask": lambda asked: None})


def _known() -> list[str]:
    collection = space().collection
    return [*names(), *(collection.ids if collection.has_pictures else ())]


def _item(id: str) -> dict[str, str | None]:
    here = space()
    caption = here.collection.captions[here.collection.row(id)] if id in here.collection else ""
    return {"id": id, "caption": caption, "url": picture_url(id) if here.has_picture(id) else None}


def surprise_button() -> None:
    """A button that puts an expression nobody typed into the box."""
    st.button(_("Surprise me"), icon=":material/casino:", on_click=lambda: preset(q=surprise(space(), Random())))


def point_of(typed: str) -> Point | None:
    """The point of an expression, its terms shown; None, with the reason on screen, where it has none."""
    try:
        point = resolved(typed)
    except InputError as error:
        show_error(error)
        return None
    _show_terms(point)
    return point


def resolved(expression: str | Expression) -> Point:
    """The point of an expression, which may hold uploads and names of this visitor.

    Raises
    ------
    InputError
        As `Space.point`.
    """
    return call(Space.point, expression=str(expression)).result


def lines_box(key: str, label: str, least: int, most: int, help: str | None = None) -> list[str] | None:
    """A text field with one entry a line; None, with the reason on screen, where there are too few."""
    typed = text_lines(key, label, max_chars=MAX_CHARACTERS, help=help)
    run().fields.append(key)
    typed = stand_in(key, typed)
    given = [line.strip() for line in typed.splitlines() if line.strip()]
    lines = different(given)
    if len(lines) < len(given):
        twice = next(line for place, line in enumerate(given, 1) if len(different(given[:place])) < place)
        st.caption(escape(_("“{line}” is there more than once, and counts once.").format(line=twice)))
    if len(lines) > most:
        st.warning(_("There are {count} lines; only the first {most} are used.").format(count=len(lines), most=most))
    if len(lines) < least:
        st.error(_("Enter at least {least}, one per line.").format(least=least))
        return None
    return lines[:most]


def different(lines: list[str]) -> list[str]:
    """Lines without those that mean the same as one before; the case of letters means something in ids alone."""
    found: dict[str, str] = {}
    for line in lines:
        found.setdefault(line if "@" in line else folded(line), line)
    return [*found.values()]


def points_of(lines: list[str]) -> list[Point]:
    """The points of expressions, one a line; those that have none are explained and left out."""
    points = []
    for line in lines:
        try:
            points.append(resolved(line))
        except InputError as error:
            show_error(error, line)
    return points


def reversed_sum(expression: Expression) -> str:
    """The expression with every sign turned, what is added first: A − B becomes B − A."""
    turned = [replace(term, weight=-term.weight) for term in expression.terms]
    return str(Expression(tuple(sorted(turned, key=lambda term: term.weight < 0))))


def change_of(points: list[Point]) -> Expression:
    """The last of some points minus the first, where each is one term, and else the last."""
    first, last = points[0].expression.terms, points[-1].expression.terms
    if len(first) > 1 or len(last) > 1 or first == last:
        return points[-1].expression
    return Expression((*last, replace(first[0], weight=-first[0].weight)))


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


def open_in(what: Point | Expression | str, slot: str = "") -> None:
    """Links to the other pages with this expression, and a way to name it; `slot` tells this place from another."""
    written, here = str(as_typed(what)), page_here()
    links = {
        "apart": {"q": written},
        "concepts": {"q": written},
        "search": {"q": written},
        "arithmetic": {"q": written},
        "classify": {"image": written},
        "map": {"points": written},
        "interpolate": {"stops": f"{written}\nsnow"},
        "components": {"q": written, "part": "fingerprint"},
        "words": {"q": written},
    }
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(_("Open in"), width="content")
        page_links({page: query for page, query in links.items() if page != here})
        name_box(written, slot or here)


def page_links(links: dict[str, dict[str, str]]) -> None:
    """Links to pages that bring these values."""
    for page, query in links.items():
        st.page_link(f"pages/{page}.py", label=run().pages[page].title, query_params=carried(**query))


def _show_terms(point: Point) -> None:
    tokens = [term.tokens for term in point.terms if term.tokens]
    if len(point.terms) == 1 and not point.terms[0].term.is_id and not tokens:
        return  # a word that was typed as it stands there
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for term in point.terms:
            _show_term(term)
        if len(point.terms) > 1:
            st.caption(
                _("length of the sum {length:.2f}").format(length=point.length),
                width="content",
                help=_(
                    "Each term is a vector of length 1. Where the terms agree the sum is long; where they cancel it is "
                    "short, and mostly noise is left."
                ),
            )
        if tokens:
            st.caption(
                _("{tokens} of {most} tokens").format(tokens=max(tokens), most=space().embedder.max_tokens),
                width="content",
            )
    for term in point.terms:
        _say_doubts(term)
    ids = (term.term.text for term in point.terms if term.is_picture)
    pictures = (space().picture(id) for id in ids if space().said_of(id) is None)
    if space().model.clip.bundled and not all(map(_is_drawn, pictures)):
        says = _(
            "{model} has only ever seen drawn emoji. What it says of a photograph means little: choose a model that "
            "knows photographs in the sidebar."
        )
        st.caption(says.format(model=titled(space().model)))


@lru_cache(256)
def _is_drawn(data: bytes) -> bool:
    return is_drawn(open_picture(data))


def _say_doubts(term: PointTerm) -> None:
    """Says where a text may not be what the visitor means, or means little to the model."""
    text = term.term.text
    if term.term.is_id:
        return
    begin = short(text, EXCERPT)
    if term.truncated:
        says = _(
            "“{text}” has {tokens} tokens and the model reads {most}, so its end is ignored. Shorten it or split it "
            "into terms."
        )
        st.warning(escape(says.format(text=begin, tokens=term.tokens, most=space().embedder.max_tokens)))
    if "-" in text and space().has_picture(text):
        st.caption(escape(_("There is a picture of that name: write @{text} to mean it.").format(text=text)))
    if term.strangers:
        (near,) = call(search, q=str(Expression((Term(text),))), what="words", k=1).result.hits
        says = _("{model} never learned {words}. The word nearest to “{text}” for it is “{near}”.")
        words = ", ".join(_("“{word}”").format(word=short(word, EXCERPT)) for word in term.strangers)
        st.caption(escape(says.format(model=titled(space().model), words=words, text=begin, near=near.caption)))


def _show_term(term: PointTerm) -> None:
    weight = abs(term.term.weight)
    sign = "−" if term.term.weight < 0 else "+"
    times = "" if weight == 1 else f"{numeral(weight, 'g')} × "
    if term.is_picture:
        st.image(picture_url(term.term.text), width=44, alt=f"@{term.term.text}")
    name = f"@{term.term.text}" if term.term.is_id else term.term.text
    st.badge(
        f"{sign} {times}{escape(short(name, EXCERPT))}",
        color="orange" if term.known is False else "red" if term.term.weight < 0 else "green",
        help=term.meaning and escape(str(term.meaning.expression)),
    )
