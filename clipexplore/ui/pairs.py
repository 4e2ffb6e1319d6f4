"""Match's drawing: a batch of pairs as a matrix, and what training would do to each cell."""

import csv
from dataclasses import dataclass, replace
from io import StringIO

import numpy as np
import streamlit as st

from clipexplore.contrast import Contrast, hardest_negatives, recall_at, rotated
from clipexplore.errors import InputError
from clipexplore.expression import Expression, Term
from clipexplore.space import Point

from . import spec as go
from .expressions import points_of, stack
from .markdown import escape
from .names import is_named
from .plots import chart, plain
from .results import harmless
from .session import space
from .texts import text
from .uploads import picture_url

NAMED = 30  # pairs that still have room for labels


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures and captions in their order: what they are called, their unit vectors `(n, dim)`, and how long those were `(n,)`.

    Lengths are those of the model's vectors, divided by the mean of their kind, which `means` holds; or those of the sums that the visitor
    wrote, whose terms are unit vectors, and then `means` is None.
    """

    pictures: list[str]
    captions: list[str]
    images: np.ndarray
    texts: np.ndarray
    image_lengths: np.ndarray
    text_lengths: np.ndarray
    means: tuple[float, float] | None

    def vectors(self, dot: bool) -> tuple[np.ndarray, np.ndarray]:
        """Pictures and captions as unit vectors, or with their lengths."""
        return (self.images * self.image_lengths[:, None], self.texts * self.text_lengths[:, None]) if dot else (self.images, self.texts)


def drawn_pairs(count: int, seed: int) -> Batch:
    """Pairs of the collection by a seed; no caption twice, since its second picture would be as right as the first."""
    collection, model = space().collection, space().model.key
    rows = _different(collection.captions, count, seed)
    captions = [str(Expression((Term(collection.captions[row]),))) for row in rows]
    lengths = [None if (known := collection.lengths(model, kind)) is None else known[rows] for kind in ("pictures", "captions")]
    return Batch([f"@{collection.ids[row]}" for row in rows], captions, collection.embeddings(model, "pictures")[rows],
                 collection.embeddings(model, "captions")[rows], *_in_units(lengths, [np.ones(len(rows))] * 2))  # fmt: skip


def _different(captions: list[str], count: int, seed: int) -> list[int]:
    """Rows in a random order, no two of the same caption as CLIP reads it; no more are looked at than it takes."""
    found: dict[str, int] = {}
    for row in np.random.default_rng(seed).permutation(len(captions)).tolist():
        found.setdefault(" ".join(captions[row].lower().split()), row)
        if len(found) == count:
            break
    return list(found.values())


def own_pairs(pictures: list[str], captions: list[str]) -> Batch:
    """The visitor's pairs, line by line; with the model's lengths where the collection has them for all of them, else with those of the sums.

    Raises
    ------
    InputError
        When there are not as many usable lines of one as of the other.
    """
    found, said = points_of(pictures), points_of(captions)
    if (len(found), len(said)) != (len(pictures), len(captions)):
        raise InputError("A line above names nothing, so it is not known which caption belongs to which picture; correct it.")
    if len(found) != len(said):
        raise InputError(f"There are {len(found)} pictures and {len(said)} captions; give one caption for each picture, in the same order.")
    lengths = [_raw_lengths(points) for points in (found, said)]
    return Batch([str(point.expression) for point in found], [str(point.expression) for point in said], *map(_stacked, (found, said)),
                 *_in_units(lengths, [np.array([point.length for point in points]) for points in (found, said)]))  # fmt: skip


def _in_units(lengths: list[np.ndarray | None], others: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, tuple[float, float] | None]:
    """Both lengths, each in units of its mean, and the means; the others, and None, where a length is not known."""
    if any(each is None for each in lengths) or not len(lengths[0]):
        return *others, None
    means = float(lengths[0].mean()), float(lengths[1].mean())
    return lengths[0] / means[0], lengths[1] / means[1], means


def append_picture(id: str) -> None:
    """For an upload: its `@id` becomes one more picture of the visitor's."""
    st.session_state["image"] = f"{st.session_state.get('image', '')}\n@{id}".strip()


def _stacked(points: list[Point]) -> np.ndarray:
    return stack(points) if points else np.empty((0, 1), np.float32)


def _raw_lengths(points: list[Point]) -> np.ndarray | None:
    found = [_raw_length(point) for point in points]
    return None if None in found else np.array(found)


def _raw_length(point: Point) -> float | None:
    """The length that the model gave the vector of a picture or caption of the collection; None for anything else."""
    collection, (first, *others) = space().collection, point.terms
    if others or first.meaning or (first.is_picture and first.term.text not in collection):
        return None
    rows = [collection.row(first.term.text)] if first.is_picture else collection.rows_captioned(first.term.text)
    lengths = collection.lengths(space().model.key, "pictures" if first.is_picture else "captions")
    return float(lengths[rows[0]]) if rows and lengths is not None else None


def swapped(batch: Batch, percent: int) -> Batch:
    """The batch with the captions of the first percent of its pictures passed on to the next of them."""
    order = rotated(len(batch.captions), round(len(batch.captions) * percent / 100))
    return replace(batch, captions=[batch.captions[i] for i in order], texts=batch.texts[order], text_lengths=batch.text_lengths[order])


def match_metrics(found: Contrast) -> None:
    """Loss beside chance, and R@k both ways."""
    with st.container(horizontal=True, gap="medium"):
        st.metric(text("match.loss"), f"{found.loss:.3f}", f"{found.loss - found.chance:+.3f} {text('match.against_chance')}", delta_color="inverse", width="content")
        st.metric(text("match.chance", count=len(found.cosines)), f"{found.chance:.3f}", width="content", help=text("match.chance_help"))
        ways = {text("match.by_picture"): found.cosines, text("match.by_caption"): found.cosines.T}
        for label, cosines in ways.items():
            st.metric(f"{label} R@1", f"{recall_at(cosines, 1):.0%}", width="content")
    further = [f"{label} R@{k} {recall_at(cosines, k):.0%}" for label, cosines in ways.items() for k in (5, 10) if k < len(cosines)]
    st.caption(" · ".join([text("match.loss_says", images=found.image_loss, texts=found.text_loss), *further]))


def match_lengths(batch: Batch, by_cosine: Contrast, by_dot: Contrast) -> None:
    """What comparing by dot product does to the ranking, and whose fault it is."""
    if batch.means is None:
        st.info(text("match.no_lengths"), icon=":material/straighten:")
        return
    longest = int(batch.text_lengths.argmax())
    wins = [int((each.cosines.argmax(axis=1) == longest).sum()) for each in (by_cosine, by_dot)]
    recalls = {f"{way}_{name}": recall_at(each.cosines.T if way == "caption" else each.cosines, 1)
               for way in ("picture", "caption") for name, each in (("cosine", by_cosine), ("dot", by_dot))}  # fmt: skip
    st.info(escape(text("match.lengths", images=batch.means[0], texts=batch.means[1], longest=batch.captions[longest],
                        times=batch.text_lengths[longest], before=wins[0], after=wins[1], count=len(batch.pictures), **recalls)),
            icon=":material/straighten:")  # fmt: skip


def _measure(found: Contrast) -> str:
    return text("result.cosine") if found.normalized else text("match.product")


def match_matrix(batch: Batch, found: Contrast, show: str) -> None:
    """One of the four matrices: a picture each row, a caption each column, the right pairs framed."""
    values = {"cosines": found.cosines, "by picture": found.image_probs, "by caption": found.text_probs, "gradient": found.gradient}[show]
    named, count = len(values) <= NAMED, len(values)
    middle = {"colorscale": "RdBu_r", "zmid": 0} if show == "gradient" else {"colorscale": "Viridis"}
    figure = go.Figure(go.Heatmap(
        z=values, **(_hover(batch, found) if named else _numbers(found)), colorbar=dict(title=dict(text=_measure(found) if show == "cosines" else show, side="right"), thickness=12),
        text=_short(values) if count <= 16 else None, texttemplate="%{text}" if count <= 16 else None, textfont=dict(size=11 if count <= 12 else 9), **middle,
    ))  # fmt: skip
    for i in range(count) if named else ():
        figure.add_shape(type="rect", x0=i - 0.5, x1=i + 0.5, y0=i - 0.5, y1=i + 0.5, line=dict(color="#ff4b4b", width=2))
    if not named:
        figure.add_shape(type="line", x0=-0.5, y0=-0.5, x1=count - 0.5, y1=count - 0.5, line=dict(color="#ff4b4b", width=1, dash="dot"))
    _name_axes(figure, batch, named)
    figure.update_layout(meta=show)
    chart(figure, text("match.alt", show=show, count=count), key="match-matrix", height=620 if named else 700, dragmode=False)


def _short(values: np.ndarray) -> list[list[str]]:
    """Two decimals without a zero before them, so that a cell of a phone holds them."""
    return [[f"{value:.2f}".replace("0.", ".", 1) for value in row] for row in values]


def _name_axes(figure: go.Figure, batch: Batch, named: bool) -> None:
    """Captions below, pictures at the left: the pictures themselves where each is one."""
    figure.update_xaxes(title=text("match.captions"), showgrid=False)
    figure.update_yaxes(title=text("match.pictures"), autorange="reversed", showgrid=False)
    if not named:
        return
    ticks = list(range(len(batch.pictures)))
    figure.update_xaxes(tickvals=ticks, ticktext=[plain(caption, 26) for caption in batch.captions], tickangle=50, title=None)
    shown = [_data_uri(name) for name in batch.pictures]
    figure.update_yaxes(tickvals=ticks, ticktext=[" " * 9 if uri else plain(name, 18) for name, uri in zip(batch.pictures, shown, strict=True)], title=None)
    high = min(0.9, 0.09 * len(shown))  # of a row: few pairs have high rows, and a picture must not be wider than the margin
    for row, uri in enumerate(shown):
        if uri:
            figure.add_layout_image(source=uri, xref="paper", yref="y", x=-0.005, y=row, xanchor="right", yanchor="middle", sizex=0.2, sizey=high)


def _data_uri(name: str) -> str | None:
    """A picture as Plotly takes it; None for a sum, a text and a name."""
    if not name.startswith("@") or " " in name or is_named(name[1:]):
        return None
    return picture_url(name[1:])


def _numbers(found: Contrast) -> dict:
    """What each of many cells says under the pointer: its numbers, and what training would do with it."""
    numbers = np.stack([found.cosines, found.image_probs, found.text_probs, found.gradient], axis=-1).astype(np.float32)
    verdicts = np.where(found.gradient > 0, text("match.apart"), text("match.together"))
    says = text("match.cell", picture=text("match.row", number="%{y}"), caption=text("match.column", number="%{x}"), measure=_measure(found), cosine="%{customdata[0]:.3f}", row="%{customdata[1]:.1%}",
                column="%{customdata[2]:.1%}", verdict="%{hovertext}", slope="%{customdata[3]:+.2g}")  # fmt: skip
    return {"customdata": numbers, "hovertext": verdicts, "hovertemplate": says + "<extra></extra>"}


def _hover(batch: Batch, found: Contrast) -> dict:
    """What each cell says under the pointer: its pair, its numbers, and what training would do with it."""
    verdicts = text("match.together"), text("match.apart")

    def says(i: int, j: int) -> str:
        return text("match.cell", picture=plain(batch.pictures[i], 40), caption=plain(batch.captions[j], 60), measure=_measure(found), cosine=f"{found.cosines[i, j]:.3f}",
                    row=f"{found.image_probs[i, j]:.1%}", column=f"{found.text_probs[i, j]:.1%}", verdict=verdicts[int(found.gradient[i, j] > 0)],
                    slope=f"{found.gradient[i, j]:+.2g}")  # fmt: skip

    said = [[says(i, j) for j in range(len(batch.captions))] for i in range(len(batch.pictures))]
    return {"customdata": said, "hovertemplate": "%{customdata}<extra></extra>"}


def match_training(batch: Batch, found: Contrast) -> None:
    """What the next step of training would do most, in words, and the hardest negatives."""
    pull, push = np.unravel_index(found.gradient.argmin(), found.gradient.shape), np.unravel_index(found.gradient.argmax(), found.gradient.shape)
    st.markdown(text("match.pull", picture=escape(batch.pictures[pull[0]]), caption=escape(batch.captions[pull[1]]), slope=found.gradient[pull]))
    st.markdown(text("match.push", picture=escape(batch.pictures[push[0]]), caption=escape(batch.captions[push[1]]), slope=found.gradient[push]))
    st.subheader(text("match.hardest"), anchor=False)
    for number, negative in enumerate(hardest_negatives(found.cosines, 5)):
        name = batch.pictures[negative.image]
        values = {"wrong": batch.captions[negative.text], "right": batch.captions[negative.image], "cosine": negative.cosine, "own": negative.cosine - negative.margin}
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
            if _data_uri(name):
                st.image(picture_url(name[1:]), width=64, alt=name)
            else:
                st.caption(escape(name), width=64)
            st.markdown(escape(text("match.negative", number=number + 1, **values)), width="stretch")


def match_download(batch: Batch, found: Contrast) -> None:
    """The matrix as CSV: one row a cell."""
    st.download_button(text("result.csv"), lambda: _csv(batch, found), "match.csv", "text/csv", key="match-csv", on_click="ignore", icon=":material/download:")


def _csv(batch: Batch, found: Contrast) -> bytes:
    out = StringIO()
    rows = csv.writer(out)
    rows.writerow(["picture", "caption", "pair", _measure(found), "prob by picture", "prob by caption", "gradient"])
    for i, j in np.ndindex(found.cosines.shape):
        numbers = (found.cosines[i, j], found.image_probs[i, j], found.text_probs[i, j], found.gradient[i, j])
        rows.writerow([harmless(batch.pictures[i]), harmless(batch.captions[j]), int(i == j), *(f"{number:.6f}" for number in numbers)])
    return out.getvalue().encode("utf-8-sig")
