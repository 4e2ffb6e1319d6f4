"""Match's drawing of the modality gap: its figures, both clouds moved along it, and what that costs."""

import numpy as np
import streamlit as st

from clipexplore.explore.gap import STEPS, Gap
from clipexplore.language import _, numeral

from .markdown import plain
from .match import ways
from .plots import ACCENT, MUTED, OTHER, axis_titles, chart
from .results import metrics

LOSS = "#d64550"


def show_gap(result: Gap, percent: float) -> None:
    """The modality gap: its figures, both clouds moved along it, and what that costs."""
    by_picture, by_caption = ways()
    on_top = _("pictures in a caption’s top ten")
    length = _("The length of the mean picture minus the mean caption; at most 2, for two points opposite each other.")
    pool = _(
        "Each caption searches one pool of all pictures and all other captions. Without a gap, half of its ten "
        "nearest would be pictures."
    )
    metrics(
        (_("gap"), numeral(result.length, ".3f"), length),
        (_("loss"), numeral(result.loss, ".3f"), ""),
        (f"{by_picture} R@1", numeral(result.by_picture, ".1%"), ""),
        (f"{by_caption} R@1", numeral(result.by_caption, ".1%"), ""),
        (on_top, numeral(result.on_top, ".1%"), pool),
    )
    says = _(
        "{count} pairs: a caption’s own picture has cosine {of.matched:.3f}, a wrong picture {of.wrong:.3f}; but any "
        "two pictures have {of.pictures:.3f} and any two captions {of.captions:.3f}. A single ranking of both compares "
        "numbers on different scales, so one kind comes first whatever is asked: search each kind on its own."
    )
    st.caption(says.format(of=result, count=len(result.batch.pictures)))
    left, right = st.columns(2, gap="large")
    with left:
        _clouds(result)
    with right:
        _curves(result, percent, {f"{by_picture} R@1": ACCENT, f"{by_caption} R@1": OTHER, on_top: MUTED})


def _clouds(result: Gap) -> None:
    """Both clouds on the first two components of the unmoved ones, so that one sees them move."""
    joined = np.full((len(result.batch.pictures), 3, 2), np.nan)
    joined[:, :2] = result.after.transpose(1, 0, 2)
    x, y = joined[:60].reshape(-1, 2).T
    thin = dict(color=MUTED, width=0.6)
    traces = [dict(type="scatter", x=x, y=y, mode="lines", line=thin, hoverinfo="skip", showlegend=False)]
    for spots, name, colour, labels in (
        (result.after[0], _("pictures"), ACCENT, result.batch.pictures),
        (result.after[1], _("captions"), OTHER, result.batch.captions),
    ):
        marker = dict(color=colour, size=6, opacity=0.75)
        said = dict(hoverinfo="text", text=[plain(each) for each in labels])
        points = dict(type="scatter", x=spots[:, 0], y=spots[:, 1], mode="markers")
        traces.append(points | dict(name=name, marker=marker, **said))
    reach = np.abs(result.before).max(axis=(0, 1)) * 1.25
    across, up = (
        dict(range=[-float(far), float(far)], title=title, zeroline=False)
        for far, title in zip(reach, axis_titles((1, 2), result.explained.tolist()), strict=True)
    )
    alt = _("Pictures and captions on the first two components of both clouds, matched pairs joined by lines")
    chart(traces, alt, "match-clouds", height=430, legend="below", x=across, y=up)


def _curves(result: Gap, percent: float, names: dict[str, str]) -> None:
    """Loss on the left axis, shares on the right by name and colour, and where the slider stands."""
    curves, look = result.curves, dict(type="scatter", x=STEPS * 100, mode="lines")
    traces = [dict(y=curves.loss, name=_("loss"), line=dict(color=LOSS, width=3), **look)]
    shares = (curves.by_picture, curves.by_caption, curves.on_top)
    for values, (name, colour) in zip(shares, names.items(), strict=True):
        traces.append(dict(y=values, name=name, yaxis="y2", line=dict(color=colour), **look))
    loss = _("loss (chance {chance:.2f})").format(chance=result.chance)
    quarters = dict(range=[0, 1], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".0%", showgrid=False)
    alt = _("Lines: loss, R@1 both ways and the share of pictures in a caption’s top ten, by how far the gap is closed")
    axes: dict = dict(x=_("gap closed, % (negative: widened)"), y=dict(title=loss, rangemode="tozero"))
    second = dict(overlaying="y", side="right", **quarters)
    across = [dict(x=percent, dash="dot", color=MUTED)]
    chart(traces, alt, "match-curves", height=430, legend="below", across=across, yaxis2=second, **axes)
