"""Classify's drawing: one picture beside the bars of its classes."""

import csv
from io import StringIO

import streamlit as st

from clipexplore.space import Point
from clipexplore.zeroshot import Scores

from .markdown import escape
from .plots import bars
from .results import harmless
from .session import space
from .texts import text
from .uploads import picture_url

SHOWN = 12  # classes of a picture, the most probable


def class_bars(point: Point, class_names: list[str], scores: Scores, row: int, key: str) -> None:
    """The most probable classes of one picture: probability as bar, logit and cosine beside it."""
    order = (-scores.probs[row]).argsort(kind="stable")[:SHOWN]
    left, right = st.columns([1, 4], vertical_alignment="center", gap="medium")
    with left:
        for term in point.terms:
            if term.is_picture:
                st.image(picture_url(term.term.text), width=160, alt=f"@{term.term.text}")
        st.caption(escape(str(point.expression)))
    with right:
        notes = [f"{scores.probs[row, i]:.1%} · logit {scores.logits[row, i]:.1f} · cos {scores.cosines[row, i]:.3f}" for i in order]
        bars([class_names[i] for i in order], [float(scores.probs[row, i]) for i in order], notes, text("classify.alt", q=point.expression), key,
             title=text("classify.probability"), whole=True)  # fmt: skip


def warn_of_cuts(texts: list[str]) -> None:
    """Says which of the texts are longer than the model reads."""
    for cut, tokens in space().cut(texts)[:3]:
        st.warning(escape(text("expression.cut", text=cut, tokens=tokens, most=space().embedder.max_tokens)))


def scores_download(pictures: list[str], class_names: list[str], scores: Scores) -> None:
    """A CSV of all pictures and classes."""
    st.download_button(text("result.csv"), lambda: _csv(pictures, class_names, scores), "classes.csv", "text/csv", key="classes-csv", on_click="ignore",
                       icon=":material/download:")  # fmt: skip


def _csv(pictures: list[str], class_names: list[str], scores: Scores) -> bytes:
    out = StringIO()
    rows = csv.writer(out)
    rows.writerow(["picture", "class", "prob", "logit", "cosine"])
    for i, name in enumerate(pictures):
        rows.writerows([harmless(name), harmless(each), f"{scores.probs[i, j]:.6f}", f"{scores.logits[i, j]:.4f}", f"{scores.cosines[i, j]:.6f}"]
                       for j, each in enumerate(class_names))  # fmt: skip
    return out.getvalue().encode("utf-8-sig")
