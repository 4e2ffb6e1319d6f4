"""Match's drawing: a batch of pairs as a matrix, and what training would do to each cell."""

from functools import reduce

import numpy as np
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.explore.match import Batch, Match
from clipexplore.labs.contrast import Contrast
from clipexplore.language import _, decimal_marks, numeral
from clipexplore.tables import csv_file, harmless

from .expressions import open_in, points_of
from .markdown import escape, plain
from .plots import chart
from .session import names, space
from .titles import called
from .uploads import picture_url
from .widgets import download

NAMED = 30  # pairs that still have room for labels
FRAME = "#ff4b4b"


def own_scale() -> str:
    """The scale of the logits that counts where none is typed."""
    scale = space().scale
    if scale.learned:
        says = _("own: {scale:.1f}")
    else:
        says = _("{scale:.1f}, configured") if space().can_embed else _("not known, {scale:.0f}")
    return says.format(scale=scale.logit_scale)


def say_scale() -> None:
    """What stands in for a scale that is not known; nothing where it is."""
    scale = space().scale
    if scale.learned or space().can_embed:
        return
    if scale.logit_bias is None:
        says = _(
            "The scale that this model learned is not known; that of OpenAI’s models, {scale:.0f}, stands in for it."
        )
    else:
        says = _(
            "The scale and the bias that this model learned are not known; {scale:.0f} and {bias:.0f}, from which the "
            "training of a sigmoid starts, stand in for them: losses and probabilities compare, and mean no more."
        )
    st.caption(says.format(scale=scale.logit_scale, bias=scale.logit_bias))


def meaningful(*columns: list[str] | None) -> list[list[str]]:
    """Columns of expressions, as the visitor wrote them.

    Raises
    ------
    InputError
        When a line has no point, so that nobody knows which caption belongs to which picture; why is on screen.
    """
    lines = [column or [] for column in columns]
    if any([len(points_of(column)) != len(column) for column in lines]):
        raise InputError(
            _("A line above has no meaning, so it is unclear which caption belongs to which picture; correct it.")
        )
    return lines


def ways() -> tuple[str, str]:
    """What is looked for by what."""
    return _("picture → caption"), _("caption → picture")


def show_loss(result: Match) -> None:
    """Loss beside chance, and R@k both ways."""
    contrast, found = result.contrast, dict(zip(ways(), (result.by_picture, result.by_caption), strict=True))
    with st.container(horizontal=True, gap="medium"):
        against = _("{difference:+.3f} against chance").format(difference=result.loss - result.chance)
        st.metric(_("loss"), numeral(result.loss, ".3f"), against, delta_color="inverse", width="content")
        guessing = _("The loss of a model that finds all pairs equally likely.")
        chance = _("chance, ln {count}") if contrast.logit_bias is None else _("chance, 1/{count} for each pair")
        named = chance.format(count=len(contrast.cosines))
        st.metric(named, numeral(result.chance, ".3f"), width="content", help=guessing)
        for label, recalls in found.items():
            st.metric(f"{label} R@1", numeral(recalls[1], ".0%"), width="content")
    more = [
        f"{label} R@{k} {numeral(share, '.0%')}"
        for label, recalls in found.items()
        for k, share in recalls.items()
        if k > 1
    ]
    st.caption(" · ".join([_parts_of_loss(contrast), *more]))
    if not contrast.normalized:
        st.info(escape(_of_lengths(result)), icon=":material/straighten:")


def _parts_of_loss(contrast: Contrast) -> str:
    """Both softmaxes' parts of the loss; under a sigmoid those of right and wrong pairs."""
    if contrast.matched_loss is None:
        says = _("loss by row {images:.3f}, by column {texts:.3f}")
        return says.format(images=contrast.image_loss, texts=contrast.text_loss)
    says = _("each pair by itself, a sigmoid: right pairs cost {right:.3f}, wrong ones {wrong:.3f}")
    return says.format(right=contrast.matched_loss, wrong=contrast.loss - contrast.matched_loss)


def _of_lengths(result: Match) -> str:
    """What comparing by dot product does to the ranking, and because of which caption."""
    lengths = result.lengths
    if lengths is None:
        return _(
            "The model’s lengths are not known for all of these, so pictures and texts have length 1, and a sum has "
            "the length of its sum."
        )
    return _(
        "Lengths, {of.images:.1f} on average for pictures and {of.texts:.1f} for captions, count now; dot products are "
        "in units of these. R@1 goes from {of.by_picture:.0%} to {picture_dot:.0%} from picture to caption, and from "
        "{of.by_caption:.0%} to {caption_dot:.0%} from caption to picture. The longest caption, “{of.longest}” "
        "({of.times:.2f} of the mean), is first for {of.first_by_dot} of {count} pictures; by cosine for "
        "{of.first_by_cosine}."
    ).format(
        of=lengths,
        picture_dot=result.by_picture[1],
        caption_dot=result.by_caption[1],
        count=len(result.batch.pictures),
    )


def _measure(contrast: Contrast) -> str:
    return _("cosine") if contrast.normalized else _("dot product")


def matrices_of(contrast: Contrast) -> dict[str, np.ndarray]:
    """What can be shown of each picture with each caption: under a sigmoid one probability, else one each way."""
    each_way = {"by picture": contrast.image_probs, "by caption": contrast.text_probs}
    probs = each_way if contrast.logit_bias is None else {"probabilities": contrast.image_probs}
    return {"cosines": contrast.cosines, **probs, "gradient": contrast.gradient}


def show_pairs(result: Match, show: str) -> None:
    """One of the matrices: a picture each row, a caption each column, the right pairs framed."""
    batch, contrast = result.batch, result.contrast
    values = matrices_of(contrast)[show]
    named, count = len(values) <= NAMED, len(values)
    colours: dict = {"colorscale": "RdBu_r", "zmid": 0} if show == "gradient" else {"colorscale": "Viridis"}
    if show == "probabilities":  # all of them may be small
        colours |= {"zmin": 0, "zmax": 1}
    title = _measure(contrast) if show == "cosines" else called("show", show)
    heat = dict(
        type="heatmap",
        z=values,
        **(_hover(batch, contrast) if named else _numbers(contrast)),
        colorbar=dict(title=dict(text=title, side="right"), thickness=12),
        text=_short(values) if count <= 16 else None,
        texttemplate="%{text}" if count <= 16 else None,
        textfont=dict(size=11 if count <= 12 else 9),
        **colours,
    )
    framed = dict(line=dict(color=FRAME, width=2), type="rect")
    if named:
        x, y, images = _name_axes(batch)
        frames = [framed | dict(x0=i - 0.5, x1=i + 0.5, y0=i - 0.5, y1=i + 0.5) for i in range(count)]
    else:
        x, y, images = dict(title=_("captions")), dict(title=_("pictures")), []
        ends = dict(x0=-0.5, y0=-0.5, x1=count - 0.5, y1=count - 0.5)
        frames = [dict(type="line", **ends, line=dict(color=FRAME, width=1, dash="dot"))]
    alt = _("Matrix of {count} pictures by {count} captions: {show}").format(show=show, count=count)
    look: dict = dict(height=620 if named else 700, images=images, shapes=frames, meta=show, dragmode=False)
    x, y = x | {"showgrid": False}, y | {"showgrid": False, "autorange": "reversed"}
    chart(heat, alt, "match-matrix", x=x, y=y, **look)


def _short(values: np.ndarray) -> list[list[str]]:
    """Two decimals without the zero before them, and a bare 1, so that they fit a cell on a phone."""
    point = decimal_marks()[0]
    bare = ((f"0{point}", point), (f"1{point}00", "1"))

    def short_of(value: float) -> str:
        return reduce(lambda said, each: said.replace(*each, 1), bare, numeral(value, ".2f"))

    return [list(map(short_of, row)) for row in values]


def _name_axes(batch: Batch) -> tuple[dict, dict, list[dict]]:
    """The ticks of both axes: captions below; at the left the pictures themselves, where each is one, laid there."""
    ticks, urls = list(range(len(batch.pictures))), [_url(name) for name in batch.pictures]
    high = min(0.9, 0.09 * len(urls))  # of a row: rows of few pairs are high, and a picture must fit the margin
    at = dict(xref="paper", yref="y", x=-0.005, xanchor="right", yanchor="middle", sizex=0.2, sizey=high)
    images = [dict(source=url, y=row, **at) for row, url in enumerate(urls) if url]
    below = [plain(caption, 26) for caption in batch.captions]
    beside = [" " * 9 if url else plain(name, 18) for name, url in zip(batch.pictures, urls, strict=True)]
    return dict(tickvals=ticks, ticktext=below, tickangle=50), dict(tickvals=ticks, ticktext=beside), images


def _url(name: str) -> str | None:
    """A picture as Plotly takes it; None for a sum, a text and a name."""
    return picture_url(name[1:]) if name.startswith("@") and " " not in name and name[1:] not in names() else None


def _cell(contrast: Contrast, *probs: str, **values: str) -> str:
    odds = _("by picture {} · by caption {}") if contrast.logit_bias is None else _("probability {}")
    says = _("{picture}<br>{caption}<br>{measure} {cosine} · {odds}<br>{verdict}: gradient {slope}")
    return says.format(measure=_measure(contrast), odds=odds.format(*probs), **values)


def _verdicts() -> tuple[str, str]:
    return _("pull together"), _("push apart")


def _numbers(contrast: Contrast) -> dict:
    """What each of many cells says under the pointer, filled in by the browser."""
    together, apart = _verdicts()
    shown = list(matrices_of(contrast).values())
    last = len(shown) - 1
    says = _cell(
        contrast,
        *(f"%{{customdata[{number}]:.1%}}" for number in range(1, last)),
        picture=_("picture {number}").format(number="%{y}"),
        caption=_("caption {number}").format(number="%{x}"),
        cosine="%{customdata[0]:.3f}",
        verdict="%{hovertext}",
        slope=f"%{{customdata[{last}]:+.2g}}",
    )
    return {
        "customdata": np.stack(shown, axis=-1).astype(np.float32),
        "hovertext": np.where(contrast.gradient > 0, apart, together),
        "hovertemplate": says + "<extra></extra>",
    }


def _hover(batch: Batch, contrast: Contrast) -> dict:
    """What each of few cells says under the pointer: its pair, its numbers, and what training would do with it."""
    verdicts, shown = _verdicts(), matrices_of(contrast).values()

    def says(i: int, j: int) -> str:
        cosine, *probs, slope = (each[i, j] for each in shown)
        return _cell(
            contrast,
            *(numeral(prob, ".1%") for prob in probs),
            picture=plain(batch.pictures[i], 40),
            caption=plain(batch.captions[j], 60),
            cosine=numeral(cosine, ".3f"),
            verdict=verdicts[int(slope > 0)],
            slope=numeral(slope, "+.2g"),
        )

    count = range(len(batch.pictures))
    return {"customdata": [[says(i, j) for j in count] for i in count], "hovertemplate": "%{customdata}<extra></extra>"}


def show_training(result: Match) -> None:
    """What the next step of training would do most, in words, and the hardest negatives."""
    batch = result.batch
    for cell, says in (
        (result.pull, _("**Pull together** hardest: {picture} and “{caption}” (gradient {slope:+.2g}).")),
        (result.push, _("**Push apart** hardest: {picture} and “{caption}” (gradient {slope:+.2g}).")),
    ):
        picture, caption = escape(batch.pictures[cell[0]]), escape(batch.captions[cell[1]])
        st.markdown(says.format(picture=picture, caption=caption, slope=result.contrast.gradient[cell]))
    st.subheader(_("Hardest negatives"), anchor=False)
    says = _("{number}. “{wrong}” {cosine:.3f}, its own “{right}” {own:.3f}")
    for number, negative in enumerate(result.hardest, 1):
        name, cosine = batch.pictures[negative.image], negative.cosine
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
            if url := _url(name):
                st.image(url, width=64, alt=name)
            else:
                st.caption(escape(name), width=64)
            wrong, right = batch.captions[negative.text], batch.captions[negative.image]
            line = says.format(number=number, wrong=wrong, right=right, cosine=cosine, own=cosine - negative.margin)
            st.markdown(escape(line), width="stretch")


def open_hardest(result: Match) -> None:
    """Links to the other pages with the picture that is most nearly taken for another's."""
    if result.hardest:
        open_in(result.batch.pictures[result.hardest[0].image])


def pairs_download(result: Match) -> None:
    """The matrix as CSV: one row a cell."""
    download(_("CSV"), lambda: _cells_file(result), "match.csv", "match-csv")


def _cells_file(result: Match) -> bytes:
    batch, contrast = result.batch, result.contrast
    shown = matrices_of(contrast)
    probs = ["prob"] if contrast.logit_bias is not None else ["prob by picture", "prob by caption"]
    header = ["picture", "caption", "pair", _measure(contrast), *probs, "gradient"]
    rows = (
        [harmless(picture), harmless(caption), int(i == j), *(f"{each[i, j]:.6f}" for each in shown.values())]
        for i, picture in enumerate(batch.pictures)
        for j, caption in enumerate(batch.captions)
    )
    return csv_file(header, rows)
