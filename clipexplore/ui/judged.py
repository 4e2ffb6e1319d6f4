"""Classify's drawing for a labelled collection: accuracy, confusion, calibration, "none of these", mistakes."""

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.explore.classify import Judged, Verdict, label_fields
from clipexplore.labs.zeroshot import ClassReport, Reliability
from clipexplore.language import _, numeral
from clipexplore.models.families import Scale

from .markdown import escape
from .plots import ACCENT, MUTED, OTHER, bars, chart, matrix
from .results import hit_tiles
from .session import space
from .widgets import select

CHANGED = 12  # classes whose recall changed most


def label_box() -> str:
    """A field of the collection whose values are the classes.

    Raises
    ------
    InputError
        When the collection has none.
    """
    fields = label_fields(space())
    field = select(
        "field",
        _("Labels from the field"),
        fields,
        help=_(
            "Every picture with a value in this field is classified; its values are the class names, the 60 most "
            "frequent at most. All other pictures belong to none of the classes."
        ),
    )
    if field is None:
        says = _(
            "The pictures of this collection have no labels to be judged by; choose one whose items have further "
            "columns."
        )
        raise InputError(says)
    return field


def show_accuracies(judged: Judged) -> None:
    """The accuracy with each set of templates, beside bare names and chance."""
    bare = judged.accuracies["bare"]
    sets = {"bare": _("bare names"), "one": _("one template"), "many": _("25 templates"), "yours": _("your templates")}
    with st.container(horizontal=True, gap="medium"):
        for name, title in sets.items():
            accuracy = judged.accuracies[name]
            gain = None if name == "bare" else numeral(accuracy - bare, "+.1%")
            st.metric(title, numeral(accuracy, ".1%"), gain, width="content")
    st.caption(
        _(
            "{pictures:,} labelled pictures, {classes} classes. Guessing would be right in {chance:.1%}, and always "
            "naming the most frequent class in {frequent:.1%}."
        ).format(
            pictures=judged.pictures,
            classes=len(judged.class_names),
            chance=judged.chance,
            frequent=judged.frequent,
        )
    )


def show_confusion(judged: Judged, using: str) -> None:
    """Confusion, figures by class, accuracy by number of templates, and what these changed."""
    shown, bare, names = judged.verdicts[using].report, judged.verdicts["bare"].report, judged.class_names
    left, right = st.columns([5, 4], gap="large")
    with left:
        _confusion(shown, names)
        says = _("right class among the first {k}: {share:.1%}")
        st.caption(" · ".join(says.format(k=k, share=share) for k, share in shown.top.items() if k > 1))
    with right:
        _table(shown, bare, names)
    counts, changes = st.columns(2, gap="large")
    with counts:
        _by_count(judged.by_count)
    with changes:
        if using != "bare":
            _changes(names, bare.recall, shown.recall)


def _confusion(shown: ClassReport, names: list[str]) -> None:
    shares = shown.confusion / np.maximum(shown.confusion.sum(axis=1, keepdims=True), 1)
    counts = np.where(shown.confusion, shown.confusion.astype(str), "") if len(names) <= 20 else None
    gap = int(len(names) <= 30)  # pixels; among more classes lines would hide the cells
    cells = dict(text=counts, hovertemplate="%{y} → %{x}: %{z:.0%}<extra></extra>", xgap=gap, ygap=gap)
    alt, axes = _("Matrix: which classes are taken for which"), (_("taken for"), _("is"))
    matrix(shares, names, names, alt, "judge-confusion", cells | {"colorscale": "Purples"}, axes, height=480)


def _table(shown: ClassReport, bare: ClassReport, names: list[str]) -> None:
    precision, recall, change = _("precision"), _("recall"), _("± bare")
    table = pd.DataFrame(
        {
            _("class"): names,
            "n": shown.count,
            precision: shown.precision,
            recall: shown.recall,
            "F1": shown.f1,
            change: shown.recall - bare.recall,
        }
    )
    look = table.style.format(partial(numeral, spec=".2f"), subset=[precision, recall, "F1"])
    look = look.format(partial(numeral, spec="+.2f"), subset=[change])
    st.dataframe(look, hide_index=True, height=min(480, 36 * (len(names) + 1) + 2))


def _by_count(by_count: dict[int, float]) -> None:
    """Whether more templates are better."""
    shares = list(by_count.values())
    line = dict(
        type="scatter",
        x=[str(count) for count in by_count],
        y=shares,
        mode="lines+markers+text",
        line=dict(color=ACCENT),
        text=[numeral(share, ".1%") for share in shares],
        textposition="top center",
        cliponaxis=False,
        hoverinfo="skip",
    )
    span = [max(0, min(shares) - 0.1), min(1, max(shares) + 0.05) + 0.02]
    alt = _("Line: the accuracy with the first 1, 2, 4, … of the 25 templates")
    x, y = (
        dict(title=_("number of templates"), type="category"),
        dict(title=_("accuracy"), tickformat=".0%", range=span),
    )
    chart(line, alt, "judge-count", height=340, x=x, y=y, dragmode=False)


def _changes(names: list[str], before: np.ndarray, after: np.ndarray) -> None:
    """The classes whose recall changed most, most gained first."""
    change = after - before
    most = np.argsort(-np.abs(change), kind="stable")[:CHANGED]
    order = [i for i in most[np.argsort(-change[most], kind="stable")] if change[i]]
    if not order:
        st.caption(_("These templates change the recall of no class."))
        return
    bars(
        [names[i] for i in order],
        [float(change[i]) for i in order],
        [numeral(change[i], "+.0%") for i in order],
        _("Bars: how the templates change the recall of each class"),
        "judge-change",
        title=_("recall, against bare names"),
    )


def show_calibration(judged: Judged, using: str) -> None:
    """On the left how far the probabilities can be trusted, on the right where "none of these" begins."""
    left, right = st.columns(2, gap="large")
    with left:
        _reliability(judged, judged.verdicts[using])
    with right:
        _none_of_these(judged.verdicts[using])


def _reliability(judged: Judged, verdict: Verdict) -> None:
    diagonal = dict(mode="lines", line=dict(dash="dot", color=MUTED), name=_("reliable"), hoverinfo="skip")
    curves = [
        dict(type="scatter", x=[0, 1], y=[0, 1], **diagonal),
        _curve(verdict.own, judged.scale, ACCENT),
        _curve(verdict.best, verdict.fitted, OTHER),
    ]
    share = dict(range=[0, 1.03], tickformat=".0%")
    x, y = (
        dict(title=_("probability of the most probable class"), **share),
        dict(title=_("share that is right"), **share),
    )
    alt = _(
        "Lines: how often predictions of a given probability are right, with the model’s own scale and the best one"
    )
    chart(curves, alt, "judge-reliability", height=400, legend="below", x=x, y=y)
    st.caption(
        _(
            "On the dotted line a classifier that says 80 % is right in 80 %. The model’s own probabilities "
            "({own}) are off by {own_error:.1%} on average, those that fit these labels best ({best}) by "
            "{best_error:.1%}. They rank the classes alike, and only sound more or less sure."
        ).format(
            own=_named(judged.scale),
            own_error=verdict.own.error,
            best=_named(verdict.fitted),
            best_error=verdict.best.error,
        )
    )


def _named(scale: Scale) -> str:
    """What makes a logit of a cosine."""
    if scale.logit_bias is None:
        return _("scale {scale:.1f}").format(scale=scale.logit_scale)
    return _("scale {scale:.1f}, bias {bias:.1f}").format(scale=scale.logit_scale, bias=scale.logit_bias)


def _curve(curve: Reliability, scale: Scale, colour: str) -> dict:
    says = _("{sure} sure, {right} right, {count} pictures")
    return dict(
        type="scatter",
        x=curve.confidence,
        y=curve.accuracy,
        mode="lines+markers",
        marker=dict(size=6 + 14 * curve.count / curve.count.max(), color=colour),
        line=dict(color=colour),
        name=_named(scale),
        customdata=curve.count,
        hovertemplate=says.format(sure="%{x:.0%}", right="%{y:.0%}", count="%{customdata}") + "<extra></extra>",
    )


def _none_of_these(verdict: Verdict) -> None:
    threshold = verdict.threshold
    if threshold is None:
        st.info(_("Every picture is of one of these classes, so there is nothing that belongs to none of them."))
        return
    both = np.concatenate([verdict.inside, verdict.outside])
    low, high = float(both.min()), float(both.max())
    bins = dict(start=low, end=high, size=(high - low) / 50)  # the same for both, so that heights compare
    kinds = ((verdict.inside, _("of the classes"), ACCENT), (verdict.outside, _("of none of them"), MUTED))
    histograms = [
        dict(
            type="histogram",
            x=values,
            xbins=bins,
            histnorm="probability",
            opacity=0.6,
            marker=dict(color=colour),
            name=name,
        )
        for values, name, colour in kinds
    ]
    lines = [dict(x=threshold.cosine, color="#ff4b4b", text=numeral(threshold.cosine, ".3f"))]
    if half := verdict.half:
        lines.append(dict(x=half.cosine, color=MUTED, dash="dot", text="50 %"))
    alt = _("Histograms: the best cosine of pictures of the classes and of all others, with the threshold between them")
    y = dict(title=_("share of the pictures"), tickformat=".0%")
    x = _("cosine with the best class")
    chart(histograms, alt, "judge-none", 400, "below", x=x, y=y, across=lines, barmode="overlay")
    st.caption(
        _(
            "Saying “none of these” below a cosine of {cosine:.3f} keeps {kept:.0%} of the pictures that have a class "
            "and refuses {refused:.0%} of those that have none. A picture of a class has the higher best cosine in "
            "{auroc:.0%} of all comparisons."
        ).format(cosine=threshold.cosine, kept=threshold.kept, refused=threshold.refused, auroc=threshold.auroc)
    )
    if half:
        st.caption(
            _(
                "The model’s own “none of these”, where no class reaches 50 %, lies at a cosine of {of.cosine:.3f}: it "
                "keeps {of.kept:.0%} and refuses {of.refused:.0%}."
            ).format(of=half)
        )


def show_mistakes(judged: Judged, using: str) -> None:
    """The pictures that were taken for something else, the most confident mistakes first."""
    verdict = judged.verdicts[using]
    says = _("{wrong:,} of {pictures:,} are wrong; the most confident mistakes")
    title = says.format(wrong=verdict.wrong, pictures=judged.pictures) if verdict.wrong else _("Every picture is right")
    st.subheader(title, anchor=False)
    said = (f"{escape(each.right)} → **{escape(each.named)}** {numeral(each.prob, '.0%')}" for each in verdict.mistakes)
    notes = (f"{says}  \n{escape('@' + each.id)}" for says, each in zip(said, verdict.mistakes, strict=True))
    hit_tiles(zip(verdict.mistakes, notes, strict=True), width=120)
