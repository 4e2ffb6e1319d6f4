"""Concepts' drawing: the concepts of a collection as cards, one of them on the map, and sliders that turn them."""

import numpy as np
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.explore.concepts import Card, Concept, Concepts, has_concepts, learn
from clipexplore.explore.turned import HIGHEST, Turned, amounts_as_text, amounts_of
from clipexplore.language import _, numeral
from clipexplore.space import Point

from .calls import call
from .gallery import gallery
from .markdown import escape, plain
from .page import measured, say_figures
from .plots import ACCENT, MUTED, chart
from .results import metrics, result_bars, table, tiles
from .session import preset, space
from .titles import field_called, value_called
from .uploads import picture_url
from .widgets import toggle, with_comma


def concepts_ready() -> bool:
    """Whether the concepts of the collection have been learned; if not, they can be, with the progress on screen."""
    here = space()
    if not here.collection.has_pictures:
        st.info(
            _("{title} has no pictures, and concepts are learned from pictures.").format(title=here.collection.title)
        )
        return False
    if has_concepts(here):
        return True
    st.info(_("Nobody has learned the concepts of {title} yet.").format(title=escape(here.collection.title)))
    wanted = toggle(
        "learn",
        _("Learn them"),
        help=_("Trains two dictionaries, a minute or two each, and keeps the first beside the collection."),
    )
    return wanted and call(learn).awaited("concepts", on="fit") is not None


def say_concepts(found: Concepts) -> None:
    """How many concepts there are, and how far they can be trusted."""
    steady = "–" if found.stability is None else numeral(found.stability, ".2f")
    metrics(
        (_("concepts"), numeral(found.count, ","), _("Those that are in at least one picture.")),
        (_("in a picture"), f"≤ {found.k}", _("The most concepts that a picture is made of.")),
        (
            _("explained"),
            numeral(found.explained, ".0%"),
            _("The share of the variance of the pictures’ vectors that their concepts explain."),
        ),
        (
            _("stability"),
            steady,
            _(
                "The cosine of a concept’s direction with the nearest one that is found from another seed: the median "
                "over all concepts. Near 1 it is found again; far below it depends on the seed, so take it as one "
                "way of cutting the space up."
            ),
        ),
    )


def show_judged() -> None:
    """How well single concepts tell what is true of new scenes, where it was measured."""
    figures, name = measured(), "concepts: F1 of the best {}"
    if name.format("concept") not in figures:
        return
    rows = {
        _("concept"): name.format("concept"),
        _("principal component"): name.format("principal component"),
        _("dimension of the vector"): name.format("dimension"),
    }
    f1 = [numeral(figures[row], ".3f") for row in rows.values()]
    table({_("F1 of the best …"): list(rows), "F1": f1}, width="content")
    say_figures(
        _(
            "**Emoji World’s own CLIP**: for each value that at least 20 pictures have, the concept and the threshold "
            "that tell it best are chosen in the collection and judged on new scenes; the mean of three seeds. Things "
            "{of[concepts: F1 of the best concept, thing]:.2f}, places {of[concepts: F1 of the best concept, "
            "place]:.2f}, colours {of[concepts: F1 of the best concept, colour]:.2f}, headwear {of[concepts: F1 of the "
            "best concept, headwear]:.2f}, eyewear {of[concepts: F1 of the best concept, eyewear]:.2f}."
        ),
        by="concepts",
    )
    if "concepts turned, drawn: changed as asked" in figures:
        say_figures(
            _(
                "With all concepts that tell one value turned off and those of another turned up, the drawing shows "
                "what was asked for in {of[concepts turned, drawn: changed as asked]:.0%} and the same thing as before "
                "in {of[concepts turned, drawn: the rest unchanged]:.0%}, as another CLIP sees it; the nearest picture "
                "of the collection in {of[concepts turned, nearest picture: changed as asked]:.0%} and {of[concepts "
                "turned, nearest picture: the rest unchanged]:.0%}."
            ),
            by="concepts",
        )


def show_cards(cards: list[Card]) -> None:
    """Concepts side by side: their words, the pictures that have most of them, and their figures."""
    with st.grid("auto", min_column_width=260, gap="small"):
        for card in cards:
            with st.container(border=True, gap="small"):
                st.markdown(f"**{escape(card.words[0])}**  · {escape(', '.join(card.words[1:]))}")
                tiles(((picture_url(id), f"@{id}", "") for id in card.examples), width=60)
                st.caption(_figures(card))
                with st.container(horizontal=True, gap="small"):
                    given = dict(type="tertiary", key=f"look-{card.number}")
                    st.button(_("Look"), on_click=preset, kwargs={"concept": float(card.number)}, **given)
                    given["key"] = f"up-{card.number}"
                    st.button(_("Turn up"), on_click=_turn, args=(card.number, 1.5), **given)


def _figures(card: Card) -> str:
    says = _("no. {number} · in {share:.1%} of the pictures · purity {purity:.2f}")
    parts = [says.format(number=card.number, share=card.share, purity=card.purity)]
    if card.stability is not None:
        parts.append(_("stability {stability:.2f}").format(stability=card.stability))
    if card.value:
        field, _colon, value = card.value.partition(": ")
        value = escape(f"{field_called(field)}: {value_called(value)}")
        parts.append(_("{value}, F1 {f1:.2f}").format(value=value, f1=card.f1))
    return " · ".join(parts)


def show_concept(found: Concept) -> None:
    """One concept: its words, where it is on the map, and the pictures that have most of it."""
    words, places = st.columns(2, gap="large")
    with words:
        alt = _("Bars: the words nearest to concept {number}").format(number=found.card.number)
        result_bars(found.words, "concept-words", alt)
        st.caption(_figures(found.card))
    with places:
        _show_places(found)
    tiles(((picture_url(id), f"@{id}", f"{numeral(amount, '.1f')} ×") for id, amount in found.pictures), width=84)
    st.caption(_("How much of it each has: 1 × is the median of the pictures that have it."))


def _show_places(found: Concept) -> None:
    there, (x, y) = found.amounts > 0, found.coordinates.T
    rest = dict(
        type="scattergl",
        x=x[~there],
        y=y[~there],
        mode="markers",
        marker=dict(size=4, color=MUTED, opacity=0.3),
        hoverinfo="skip",
    )
    look = dict(size=7, color=ACCENT, opacity=np.clip(found.amounts[there] / 1.5, 0.3, 1))
    lit = dict(type="scattergl", x=x[there], y=y[there], mode="markers", marker=look, hoverinfo="skip")
    alt = _("Map of the pictures; the stronger, the more of concept {number}").format(number=found.card.number)
    bare: dict = dict(showticklabels=False, showgrid=False, zeroline=False)
    chart([rest, lit], alt, "concept-places", height=380, x=bare, y=bare, title=plain(found.card.words[0]))


def turn_box(turned: str, found: Turned, cards: list[Card]) -> None:
    """A slider for each concept of the point and each that was turned, and a box to add any other."""
    amounts = amounts_of(turned)
    with st.grid("auto", min_column_width=170, gap="small"):
        for card, _before, after in found.parts:
            key = f"turn-{card.number}"
            if st.session_state.get(key) != after:  # the text is what counts, also when it was typed
                st.session_state[key] = min(max(after, 0.0), HIGHEST)
            name = f"{plain(card.words[0], 24)} · {card.number}"
            name = f"**{escape(name)}**" if card.number in amounts else escape(name)
            given: dict = dict(step=0.05, key=key, on_change=_slid, args=(card.number, key))
            st.slider(name, 0.0, HIGHEST, format=with_comma() or "%.2f ×", **given)
    names = {f"{card.words[0]} · {card.number}": card.number for card in sorted(cards, key=lambda card: card.words)}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            _("Add a concept"),
            list(names),
            index=None,
            key="add-concept",
            on_change=_add,
            args=(names,),
            width=320,
            placeholder=_("by its word"),
        )
        st.button(_("As it was"), on_click=preset, kwargs={"turned": ""}, disabled=not amounts)


def _slid(number: int, key: str) -> None:
    _turn(number, st.session_state[key])


def _add(names: dict[str, int]) -> None:
    chosen = st.session_state["add-concept"]
    st.session_state["add-concept"] = None
    if chosen in names:
        _turn(names[chosen], 1.0)


def _turn(number: int, amount: float) -> None:
    """Changes the text that says what is turned; one that cannot be read is begun anew."""
    try:
        before = amounts_of(st.session_state.get("turned", ""))
    except InputError:
        before = {}
    st.session_state["turned"] = amounts_as_text(before | {number: amount})


def show_turned(found: Turned) -> None:
    """The pictures nearest to the point, before and after."""
    sides = (_("Before"), found.before, "before"), (_("After"), found.after, "after")
    for column, (title, hits, key) in zip(st.columns(2, gap="large"), sides, strict=True):
        with column:
            st.subheader(title, anchor=False)
            gallery(hits, key=f"turned-{key}")
    says = _("The cosine of the two points, without the mean of all pictures, is {cosine:.2f}.")
    st.caption(says.format(cosine=found.cosine))


def turned_as_points(found: Turned) -> dict[str, Point]:
    """The point and what was made of it, by what they are called."""
    return {str(found.point.expression): found.point, _("After"): found.turned}
