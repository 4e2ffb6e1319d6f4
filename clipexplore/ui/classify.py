"""Classify's drawing for pictures: each beside the bars of its classes, and where in one each class is."""

import streamlit as st

from clipexplore.explore.classify import AT_ONCE, Classes, Classified, classes_of
from clipexplore.explore.where import Where, WhereJudged, Windows, look, only_id
from clipexplore.images import data_url, encode
from clipexplore.language import _, numeral
from clipexplore.tables import csv_file, harmless

from .calls import call
from .markdown import escape
from .plots import bars, chart
from .results import metrics
from .session import space
from .uploads import picture_url
from .widgets import download

SHOWN = 12  # classes of a picture, the most probable
SHADE = [[0, "rgba(0,0,0,0.55)"], [1, "rgba(255,210,60,0.12)"]]
TRUE, FOUND = dict(color="#34c759", width=2, dash="dot"), dict(color="#ff4b4b", width=3)


def classes_for(class_names: list[str], templates: list[str]) -> Classes | None:
    """The classes of these names in these templates; None, with progress on screen, until many of them are there."""
    found = call(classes_of, class_names=class_names, templates=templates)
    return found.awaited("classes", "classes") if len(class_names) * len(templates) > AT_ONCE else found.result


def show_classes(result: Classified) -> None:
    """The most probable classes of each picture: the probability as a bar, logit and cosine beside it."""
    warn_of_cuts(result.cut)
    for row, (point, answer) in enumerate(zip(result.points, result.answers, strict=True)):
        left, right = st.columns([1, 4], vertical_alignment="center", gap="medium")
        with left:
            for term in point.terms:
                if term.is_picture:
                    st.image(picture_url(term.term.text), width=160, alt=f"@{term.term.text}")
            st.caption(escape(str(point.expression)))
        with right:
            if answer is None:
                st.markdown(_("**None of these**: no class has a probability of 50 %."))
            _bars_of(result, row)
    st.caption(_how_to_read(result))
    download(_("CSV"), lambda: _scores_file(result), "classes.csv", "classes-csv")


def _how_to_read(result: Classified) -> str:
    """What the probabilities of this model mean."""
    scale, bias, learned = result.scale
    if bias is not None:
        return _(
            "This model judges each class by itself: a sigmoid of scale × cosine + bias, {scale:.1f} and {bias:.1f}. "
            "The probabilities do not sum to 1, and where none reaches 50 %, which is at a cosine of {half:.3f}, the "
            "answer is “none of these”."
        ).format(scale=scale, bias=bias, half=-bias / scale)
    by = (
        _("Probabilities are a softmax over these classes with the model’s own scale, {scale:.1f}.")
        if learned
        else _(
            "Probabilities are a softmax over these classes with the scale {scale:.1f}, which the model’s "
            "configuration names: its weights hold none."
        )
    )
    best = _(
        "They say which class fits **best**, never whether any fits: a softmax cannot answer “none of these”. Compare "
        "the cosines."
    )
    return f"{by.format(scale=scale)} {best}"


def _bars_of(result: Classified, row: int) -> None:
    probs, logits, cosines = (each[row] for each in (result.probs, result.scores.logits, result.cosines))
    order = (-probs).argsort(kind="stable")[:SHOWN]
    bars(
        [result.class_names[i] for i in order],
        [float(probs[i]) for i in order],
        [
            f"{numeral(probs[i], '.1%')} · logit {numeral(logits[i], '.1f')} · cos {numeral(cosines[i], '.3f')}"
            for i in order
        ],
        _("Bars: the probability of each class for {q}").format(q=result.points[row].expression),
        f"classes-{row}",
        title=_("probability among these classes")
        if result.scale.logit_bias is None
        else _("probability of each by itself"),
        whole=True,
    )


def warn_of_cuts(cut: list[tuple[str, int]]) -> None:
    """Warns of texts that are longer than the model reads."""
    says = _("“{text}” has {tokens} tokens, and the model reads {most}: its end does not count. Shorten it.")
    for text, tokens in cut[:3]:
        st.warning(escape(says.format(text=text, tokens=tokens, most=space().embedder.max_tokens)))


def _scores_file(result: Classified) -> bytes:
    names = [str(point.expression) for point in result.points]
    rows = (
        [harmless(name), harmless(each), f"{prob:.6f}", f"{logit:.4f}", f"{cosine:.6f}"]
        for name, *numbers in zip(names, result.probs, result.scores.logits, result.cosines, strict=True)
        for each, prob, logit, cosine in zip(result.class_names, *numbers, strict=True)
    )
    return csv_file(["picture", "class", "prob", "logit", "cosine"], rows)


def windows_of(image: str) -> Windows | None:
    """A picture seen through windows; None, with progress on screen, until it is.

    Raises
    ------
    InputError
        For an expression that is not a single picture, and for an unknown id.
    """
    space().picture(only_id(image))  # an id that is wrong is told at once
    return call(look, image=image).awaited("windows")


def show_where(result: Where) -> None:
    """One map for each class, with the box found and, where the collection knows it, the true box and their IoU."""
    source = data_url(encode(result.picture, "PNG"))
    with st.grid("auto", min_column_width=280, gap="medium"):
        for number, name in enumerate(result.class_names):
            with st.container():
                _map(result, number, source)
                best = _("best window: cosine {best:.3f}").format(best=result.best[number])
                st.markdown(f"**{escape(name)}** · {best}")
                share = result.ious[number]
                st.caption(
                    _("The true box is not known.")
                    if share is None
                    else _("IoU {iou:.2f} with the true box (dotted green)").format(iou=share)
                )
    st.caption(
        _(
            "{count} windows of three sizes went through CLIP. A window counts for a class as far as it fits it better "
            "than the others; a pixel is as relevant as the windows that contain it. The red box surrounds what is at "
            "least 60 % as relevant as the peak."
        ).format(count=result.windows)
    )


def _map(result: Where, number: int, source: str) -> None:
    shading = dict(colorscale=SHADE, showscale=False, zmin=0, hovertemplate="%{z:.2f}<extra></extra>")
    heat = dict(type="heatmap", z=result.maps[number], **shading)
    width, height = result.picture.size
    whole = dict(x=0, y=0, sizex=width, sizey=height, sizing="stretch", layer="below")
    image = dict(source=source, xref="x", yref="y", **whole)
    boxes = []
    for box, line in ((result.known[number], TRUE), (result.boxes[number], FOUND)):
        if box:
            left, top, across, down = box
            boxes.append(dict(type="rect", x0=left, y0=top, x1=left + across, y1=top + down, line=line))
    alt = _("The picture, darkened where {name} is not, with the box found and the true box")
    chart(
        heat,
        alt.format(name=result.class_names[number]),
        f"where-{number}",
        height=320,
        x=dict(visible=False, range=[0, width], constrain="domain"),
        y=dict(visible=False, range=[height, 0], scaleanchor="x", constrain="domain"),
        images=[image],
        shapes=boxes,
        dragmode=False,
    )


def show_where_judged(result: WhereJudged) -> None:
    """The mean IoU, and how many boxes are on the right thing."""
    if not result.scenes:
        st.info(_("No picture of this collection is known to show exactly two things."))
        return
    metrics(
        (_("mean IoU"), numeral(result.mean_iou, ".2f"), ""),
        (_("on the right thing"), numeral(result.right, ".0%"), ""),
    )
    st.caption(
        _(
            "{boxes} boxes in {scenes} scenes of the collection with two things each. A box is right if it overlaps "
            "its own thing more than the other."
        ).format(boxes=result.boxes, scenes=result.scenes)
    )
