"""Classify's drawing for "where": the picture under a map of relevance for each prompt, the box found, and the box that is known."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.images import data_url, encode, open_picture
from clipexplore.relevance import Box, best_box, crops, iou, overlaps, relevance_maps, windows
from clipexplore.space import Space
from clipexplore.worker import Job
from clipexplore.zeroshot import class_embeddings

from . import spec as go
from .fits import fitted
from .markdown import escape
from .plots import chart
from .session import space
from .texts import text
from .uploads import picture

AT_ONCE = 32  # windows in a forward pass, between which others come in
SCENES = 24  # of two things, that the method is judged by
SIDE = 512  # pixels of the longer side at which a picture is searched


def window_vectors(expression: str) -> tuple[np.ndarray, np.ndarray] | None:
    """The windows of a picture and their embeddings, `(w, 4)` and `(w, dim)`; None, with progress on screen, until they are there.

    Raises
    ------
    InputError
        For an expression that is more than one picture.
    """
    id = _only_id(expression)
    here, data = space(), picture(id)
    return fitted(lambda job: _embed_windows(job, here, data), ("windows", here.model.key, here.revision, here.collection.version, id), "windows")


def _only_id(expression: str) -> str:
    if not expression.startswith("@") or " " in expression:
        raise InputError(f"{expression!r} is not one picture; give a single @id on the first line.")
    return expression[1:]


def _embed_windows(job: Job, here: Space, data: bytes) -> tuple[np.ndarray, np.ndarray]:
    shown = _opened(data)
    boxes = windows(*shown.size)
    parts, found = crops(shown, boxes), []
    for start in range(0, len(parts), AT_ONCE):
        job.report(start / len(parts), text("where.stage", done=start, count=len(parts)))
        found.append(here.embedder.embed_images(parts[start : start + AT_ONCE]))
    return boxes, np.concatenate(found)


def _opened(data: bytes):
    shown = open_picture(data)
    shown.thumbnail((SIDE, SIDE))
    return shown


def where_maps(expression: str, boxes: np.ndarray, vectors: np.ndarray, prompts: Sequence[str], templates: Sequence[str]) -> None:
    """One map for each prompt, with the box found and, where the collection knows it, the true box and their IoU."""
    id = _only_id(expression)
    shown = _opened(picture(id))
    classes = class_embeddings(space().embed_texts, prompts, templates)
    cosines = vectors @ classes.T
    maps = relevance_maps(cosines, boxes, shown.size, space().model.logit_scale)
    source, known = data_url(encode(shown, "PNG")), known_boxes(id)
    with st.grid("auto", min_column_width=280, gap="medium"):
        for number, prompt in enumerate(prompts):
            with st.container():
                found = best_box(maps[number])
                truth = _known_as(known, prompt)
                _map(source, shown.size, maps[number], found, truth, key=f"where-{number}", prompt=prompt)
                st.markdown(f"**{escape(prompt)}** · {text('where.cosine', best=float(cosines[:, number].max()))}")
                st.caption(text("where.iou", iou=iou(found, truth)) if truth else text("where.unknown"))
    st.caption(text("where.says", count=len(boxes)))


def where_judged() -> None:
    """The mean IoU and the share on the right thing over scenes of the collection that hold two things apart, with progress meanwhile."""
    here = space()
    ids = [id for id in here.collection.ids if _two_apart(known_boxes(id))]
    ids = ids[:: max(1, len(ids) // SCENES)][:SCENES]
    if not ids:
        st.info(text("where.no_scenes"))
        return
    known = [known_boxes(id) for id in ids]
    found = fitted(lambda job: _judge(job, here, ids, known), ("where", here.model.key, here.revision, here.collection.version), "where-judged")
    if found:
        shares, right = zip(*found, strict=True)
        left, middle = st.columns([1, 3], vertical_alignment="center")
        left.metric(text("where.mean"), f"{np.mean(shares):.2f}", width="content")
        middle.metric(text("where.right"), f"{np.mean(right):.0%}", width="content")
        st.caption(text("where.judged", scenes=len(ids), boxes=len(found)))


def _two_apart(known: dict[str, Box]) -> bool:
    return len(known) == 2 and iou(*known.values()) == 0


def _judge(job: Job, here: Space, ids: list[str], known: list[dict[str, Box]]) -> list[tuple[float, bool]]:
    judged = []
    for number, (id, things) in enumerate(zip(ids, known, strict=True)):
        job.report(number / len(ids), text("where.scene", done=number, count=len(ids)))
        shown = _opened(here.collection.picture(id))
        boxes = windows(*shown.size)
        vectors = [here.embedder.embed_images(crops(shown, boxes[start : start + AT_ONCE])) for start in range(0, len(boxes), AT_ONCE)]
        cosines = np.concatenate(vectors) @ here.embed_texts([f"a {name}" for name in things]).T
        judged += overlaps([best_box(each) for each in relevance_maps(cosines, boxes, shown.size, here.model.logit_scale)], list(things.values()))
    return judged


def known_boxes(id: str) -> dict[str, Box]:
    """The things of a picture of the collection and where they are; empty where that is not known."""
    collection = space().collection
    if id not in collection or "boxes" not in collection.fields:
        return {}
    written = collection.fields["boxes"].iloc[collection.row(id)]
    entries = [entry.rsplit(" ", 4) for entry in written.split("; ")] if isinstance(written, str) else []
    return {name: tuple(map(int, box)) for name, *box in entries}


def _known_as(known: dict[str, Box], prompt: str) -> Box | None:
    """The box of the thing that a prompt names: the same name, else one that is part of the other."""
    words = prompt.lower().removeprefix("a ").removeprefix("an ").removeprefix("the ")
    return known.get(words) or next((box for name, box in known.items() if words in name or name in words), None)


def _map(source: str, size: tuple[int, int], found_map: np.ndarray, found: Box, truth: Box | None, key: str, prompt: str) -> None:
    width, height = size
    figure = go.Figure(go.Heatmap(z=found_map, colorscale=[[0, "rgba(0,0,0,0.55)"], [1, "rgba(255,210,60,0.12)"]], showscale=False, hoverinfo="z",
                                  zmin=0, hovertemplate="%{z:.2f}<extra></extra>"))  # fmt: skip
    figure.add_layout_image(source=source, xref="x", yref="y", x=0, y=0, sizex=width, sizey=height, sizing="stretch", layer="below")
    for box, look in ((truth, dict(color="#34c759", width=2, dash="dot")), (found, dict(color="#ff4b4b", width=3))):
        if box:
            figure.add_shape(type="rect", x0=box[0], y0=box[1], x1=box[0] + box[2], y1=box[1] + box[3], line=look)
    figure.update_xaxes(visible=False, range=[0, width], constrain="domain")
    figure.update_yaxes(visible=False, range=[height, 0], scaleanchor="x", constrain="domain")
    chart(figure, text("where.alt", prompt=prompt), key=key, height=320, dragmode=False)
