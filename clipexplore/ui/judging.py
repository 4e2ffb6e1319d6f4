"""Classify's drawing for a whole collection whose classes are known: accuracy by templates, confusion, calibration, "none of these", mistakes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.evaluation import (
    ENSEMBLE,
    TEMPLATE_SETS,
    Report,
    best_scale,
    by_template_count,
    none_of_these,
    reliability,
    report,
)
from clipexplore.images import data_url
from clipexplore.space import Space
from clipexplore.worker import Job
from clipexplore.zeroshot import Scores, class_embeddings, classify

from . import spec as go
from .fits import fitted
from .markdown import escape
from .plots import ACCENT, MUTED, OTHER, bars, chart, plain
from .session import space
from .texts import text

LEAST = 3  # pictures that a class needs
MOST = 60  # classes, the most frequent
WRONG = 18  # mistakes that are shown
COUNTS = (1, 2, 4, 8, 16, len(ENSEMBLE))  # of templates


@dataclass(frozen=True, eq=False)
class Judged:
    """A labelled collection under several sets of templates: the scores of its labelled pictures by set, and the best
    cosine `(m,)` that each of all other pictures has with any class; and the accuracy by the number of templates."""

    names: list[str]
    rows: np.ndarray
    truth: np.ndarray
    scores: dict[str, Scores]
    outside: dict[str, np.ndarray]
    by_count: dict[int, float]


def label_fields() -> list[str]:
    """The fields of the collection that can be labels."""
    return [name for name in space().collection.fields.columns if name != "boxes"]


def judged(field: str | None, templates: list[str]) -> Judged | None:
    """Every picture with a value in a field, classified into those values; None, with progress on screen, until it is done.

    Raises
    ------
    InputError
        When there is no field.
    """
    if field is None:
        raise InputError("The pictures of this collection have no labels to be judged by; choose a collection whose items have further columns.")
    here, sets = space(), {**TEMPLATE_SETS, "yours": tuple(templates)}
    key = ("judged", here.model.key, here.revision, here.collection.version, field, sets["yours"])
    return fitted(lambda job: _judge(job, here, field, sets), key, "judged")


def _judge(job: Job, here: Space, field: str, sets: dict[str, tuple[str, ...]]) -> Judged:
    values = here.collection.fields[field].astype("string")
    counts = values.value_counts()
    names = sorted(counts.index[counts >= LEAST][:MOST])
    if len(names) < 2:
        raise InputError(f"The field {field} has fewer than two values with {LEAST} pictures each; choose another.")
    known = values.isin(names).fillna(False).to_numpy(bool)
    pictures, scale = here.collection.embeddings(here.model.key, "pictures"), here.model.logit_scale
    scores, outside = {}, {}
    for number, (name, templates) in enumerate(sets.items()):
        job.report(number / len(sets), name)
        classes = class_embeddings(here.embed_texts, names, templates)
        scores[name] = classify(pictures[known], classes, scale)
        outside[name] = (pictures[~known] @ classes.T).max(axis=1)
    truth = np.searchsorted(names, values[known].to_list())
    by_count = by_template_count(here.embed_texts, names, pictures[known], truth, COUNTS)
    return Judged(names, np.flatnonzero(known), truth, scores, outside, by_count)


def judged_accuracies(found: Judged) -> None:
    """The accuracy with each set of templates, beside bare names and chance."""
    bare = report(found.scores["bare"].cosines, found.truth).accuracy
    with st.container(horizontal=True, gap="medium"):
        for name, scores in found.scores.items():
            accuracy = report(scores.cosines, found.truth).accuracy
            st.metric(text(f"judge.{name}"), f"{accuracy:.1%}", None if name == "bare" else f"{accuracy - bare:+.1%}", width="content")
    st.caption(text("judge.says", pictures=len(found.rows), classes=len(found.names), chance=1 / len(found.names),
                    frequent=np.bincount(found.truth).max() / len(found.truth)))  # fmt: skip


def judged_classes(found: Judged, using: str) -> None:
    """Confusion on the left; on the right what the templates changed for each class, and its precision, recall and F1."""
    shown, bare = report(found.scores[using].cosines, found.truth), report(found.scores["bare"].cosines, found.truth)
    left, right = st.columns([5, 4], gap="large")
    with left:
        _confusion(shown, found.names)
        st.caption(" · ".join(text("judge.top", k=k, share=share) for k, share in shown.top.items() if k > 1))
    with right:
        table = {text("judge.class"): found.names, "n": shown.count, text("judge.precision"): shown.precision, text("judge.recall"): shown.recall, "F1": shown.f1,
                 text("judge.change"): shown.recall - bare.recall}  # fmt: skip
        st.dataframe(pd.DataFrame(table).style.format("{:.2f}", subset=list(table)[2:5]).format("{:+.2f}", subset=list(table)[5:]), hide_index=True, height=min(480, 36 * (len(found.names) + 1) + 2))
    counts, changes = st.columns(2, gap="large")
    with counts:
        _by_count(found.by_count)
    with changes:
        if using != "bare":
            _changes(found.names, bare.recall, shown.recall)


def _by_count(by_count: dict[int, float]) -> None:
    """Whether more templates are better."""
    figure = go.Figure(go.Scatter(x=[str(count) for count in by_count], y=list(by_count.values()), mode="lines+markers+text", line=dict(color=ACCENT),
                                  text=[f"{share:.1%}" for share in by_count.values()], textposition="top center", cliponaxis=False, hoverinfo="skip"))  # fmt: skip
    figure.update_xaxes(title=text("judge.count"), type="category")
    low, high = min(by_count.values()), max(by_count.values())
    figure.update_yaxes(title=text("judge.accuracy"), tickformat=".0%", range=[max(0, low - 0.1), min(1, high + 0.05) + 0.02])
    chart(figure, text("judge.count_alt"), key="judge-count", height=340, dragmode=False)


def _changes(names: list[str], before: np.ndarray, after: np.ndarray) -> None:
    """The classes whose recall changed most, most gained first."""
    order = np.argsort(-np.abs(after - before), kind="stable")[:12]
    order = [i for i in order[np.argsort(before[order] - after[order], kind="stable")] if after[i] != before[i]]
    if order:
        bars([names[i] for i in order], [float(after[i] - before[i]) for i in order], [f"{after[i] - before[i]:+.0%}" for i in order], text("judge.change_alt"),
             "judge-change", title=text("judge.change_title"))  # fmt: skip
    else:
        st.caption(text("judge.no_change"))


def _confusion(shown: Report, names: list[str]) -> None:
    shares = shown.confusion / np.maximum(shown.confusion.sum(axis=1, keepdims=True), 1)
    says = np.where(shown.confusion, shown.confusion.astype(str), "") if len(names) <= 20 else None
    gap = int(len(names) <= 30)  # pixels; among more classes lines would hide the cells
    figure = go.Figure(go.Heatmap(z=shares, text=says, texttemplate="%{text}" if says is not None else None, colorscale="Purples", showscale=False, xgap=gap, ygap=gap,
                                  textfont=dict(size=10), hovertemplate="%{y} → %{x}: %{z:.0%}<extra></extra>", x=[plain(name, 16) for name in names],
                                  y=[plain(name, 16) for name in names]))  # fmt: skip
    figure.update_xaxes(title=text("judge.predicted"), tickangle=-50, type="category", showgrid=False)
    figure.update_yaxes(title=text("judge.truth"), autorange="reversed", type="category", showgrid=False, automargin=True)
    chart(figure, text("judge.confusion_alt"), key="judge-confusion", height=480, dragmode=False)


def judged_trust(found: Judged, using: str) -> None:
    """On the left how far the probabilities can be believed, on the right where "none of these" begins."""
    left, right = st.columns(2, gap="large")
    with left:
        _reliability(found, found.scores[using].cosines)
    with right:
        _none_of_these(found, found.scores[using].cosines, found.outside[using])


def _reliability(found: Judged, cosines: np.ndarray) -> None:
    own, best = space().model.logit_scale, best_scale(cosines, found.truth)
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=dict(dash="dot", color=MUTED), name=text("judge.perfect"), hoverinfo="skip"))
    errors = []
    for scale, colour in ((own, ACCENT), (best, OTHER)):
        curve = reliability(_probs(cosines, scale), found.truth)
        errors.append(curve.error)
        figure.add_trace(go.Scatter(x=curve.confidence, y=curve.accuracy, mode="lines+markers", marker=dict(size=6 + 14 * curve.count / curve.count.max(), color=colour),
                                    line=dict(color=colour), name=text("judge.scale", scale=scale), customdata=curve.count,
                                    hovertemplate=text("judge.bin", sure="%{x:.0%}", right="%{y:.0%}", count="%{customdata}") + "<extra></extra>"))  # fmt: skip
    figure.update_xaxes(title=text("judge.confidence"), range=[0, 1.03], tickformat=".0%")
    figure.update_yaxes(title=text("judge.right"), range=[0, 1.03], tickformat=".0%")
    chart(figure, text("judge.reliability_alt"), key="judge-reliability", height=400, showlegend=True, legend=dict(orientation="h", y=-0.2))
    st.caption(text("judge.reliability_says", own=own, own_error=errors[0], best=best, best_error=errors[1]))


def _probs(cosines: np.ndarray, scale: float) -> np.ndarray:
    weights = np.exp(scale * (cosines - cosines.max(axis=1, keepdims=True)))
    return weights / weights.sum(axis=1, keepdims=True)


def _none_of_these(found: Judged, cosines: np.ndarray, outside: np.ndarray) -> None:
    inside = cosines.max(axis=1)
    if not len(outside):
        st.info(text("judge.no_outside"))
        return
    threshold = none_of_these(inside, outside)
    figure = go.Figure()
    both = np.concatenate([inside, outside])
    bins = dict(start=float(both.min()), end=float(both.max()), size=float(np.ptp(both) / 50))  # the same for both, so that heights compare
    for values, name, colour in ((inside, text("judge.inside"), ACCENT), (outside, text("judge.outside"), MUTED)):
        figure.add_trace(go.Histogram(x=values, xbins=bins, histnorm="probability", opacity=0.6, marker_color=colour, name=name))
    figure.add_vline(x=threshold.cosine, line_color="#ff4b4b", annotation_text=f"{threshold.cosine:.3f}")
    figure.update_xaxes(title=text("judge.best_cosine"))
    figure.update_yaxes(title=text("judge.share"), tickformat=".0%")
    chart(figure, text("judge.none_alt"), key="judge-none", height=400, barmode="overlay", showlegend=True, legend=dict(orientation="h", y=-0.2))
    st.caption(text("judge.none_says", cosine=threshold.cosine, kept=threshold.kept, refused=threshold.refused, auroc=threshold.auroc))


def judged_mistakes(found: Judged, using: str) -> None:
    """The pictures that were taken for something else, the surest mistakes first."""
    probs, collection = found.scores[using].probs, space().collection
    predicted = probs.argmax(axis=1)
    wrong = np.flatnonzero(predicted != found.truth)
    order = wrong[np.argsort(-probs[wrong].max(axis=1), kind="stable")][:WRONG]
    st.subheader(text("judge.mistakes", wrong=len(wrong), pictures=len(found.rows)) if len(wrong) else text("judge.no_mistakes"), anchor=False)
    with st.grid("auto", min_column_width=120, gap="small"):
        for i in order:
            id = collection.ids[found.rows[i]]
            with st.container(gap=None):
                st.image(data_url(collection.picture(id)), width="stretch", alt=collection.captions[found.rows[i]])
                st.caption(f"{escape(found.names[found.truth[i]])} → **{escape(found.names[predicted[i]])}** {probs[i].max():.0%}  \n{escape('@' + id)}")
