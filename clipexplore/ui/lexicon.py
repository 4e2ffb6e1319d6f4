"""Words' drawing: one question to three kinds of word vectors, texts that share no word with it, and the matrix before and after."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.nearest import search
from clipexplore.semantics import (
    Lsa,
    Near,
    Terms,
    WordSpace,
    cooccurrence,
    factorized,
    kindred_texts,
    lsa,
    nearest_words,
    ppmi,
    term_document,
    tokens,
)
from clipexplore.space import Point
from clipexplore.vectors import normalize
from clipexplore.worker import Job

from .expressions import show_error
from .fits import fitted
from .markdown import escape
from .plots import bars, chart, plain
from .session import space
from .texts import text

MAX_BYTES, MAX_TEXTS = 5_000_000, 50_000  # of a file of the visitor
KINDRED = 6  # texts without a common word
SHOWN = 10  # words and texts of the matrix


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The texts and all that was made of them."""

    texts: list[str]
    terms: Terms
    lsa: Lsa
    ppmi: WordSpace


def corpus_box() -> list[str]:
    """The texts to learn from: the background's captions, or the lines of a file of the visitor's."""
    file = st.file_uploader(text("words.file"), type=["txt"], key="texts", help=text("words.file_help"))
    if file is None:
        return space().background.captions
    if file.size > MAX_BYTES:
        raise InputError(f"The file has {file.size:,} bytes and may have {MAX_BYTES:,}; take a part of it.")
    lines = [" ".join(line.split()) for line in file.getvalue().decode("utf-8", errors="replace").splitlines() if line.strip()]
    if len(lines) > MAX_TEXTS:
        st.warning(text("lines.many", count=len(lines), most=MAX_TEXTS))
    return lines[:MAX_TEXTS]


def lexicon(texts: list[str], window: int, rank: int) -> Lexicon | None:
    """Word vectors of texts by LSA and by PPMI; None, with progress on screen, until they are there."""
    name = blake2b("\n".join(texts).encode(), digest_size=8).hexdigest()
    return fitted(lambda job: _learn(job, texts, window, rank), ("words", name, window, rank), "words")


def _learn(job: Job, texts: list[str], window: int, rank: int) -> Lexicon:
    job.report(0.0, text("words.counting"))
    terms = term_document(texts)
    rank = min(rank, *(side - 1 for side in terms.counts.shape))
    job.report(0.4, text("words.decomposing"))
    found = lsa(terms, rank)
    job.report(0.7)
    return Lexicon(texts, terms, found, factorized(ppmi(cooccurrence(terms, window)), terms.words, rank))


def say_lexicon(found: Lexicon) -> None:
    """How large and how empty the matrix is, and what its rank keeps."""
    counts = found.terms.counts
    full = counts.nnz / (counts.shape[0] * counts.shape[1])
    st.caption(text("words.says", texts=counts.shape[0], words=counts.shape[1], full=full, rank=len(found.lsa.singular_values), kept=found.lsa.kept))


def three_columns(found: Lexicon, point: Point, k: int) -> None:
    """The words nearest to one expression by LSA, by PPMI and by CLIP, its own words left out."""
    weighted = _weighted(point)
    columns = st.columns(3, gap="large")
    for column, name, vectors in zip(columns, ("lsa", "ppmi"), (found.lsa.space, found.ppmi), strict=False):
        with column:
            st.subheader(text(f"words.{name}"), anchor=False)
            _bars(_answer(lambda vectors=vectors: nearest_words(vectors, weighted, k), weighted), name, point)
    with columns[2]:
        st.subheader(text("words.clip"), anchor=False)
        hits = space().search(point.vector, "words", k, exclude=point)
        _bars([Near(hit.rank, hit.caption, hit.cosine) for hit in hits], "clip", point)
        st.caption(text("words.bank", count=len(space().words)))


def _weighted(point: Point) -> list[tuple[float, str]]:
    return [(term.term.weight, term.term.text) for term in point.terms if not term.term.is_id]


def _bars(near: list[Near], name: str, point: Point) -> None:
    if near:
        bars([each.text for each in near], [each.cosine for each in near], [f"{each.cosine:.3f}" for each in near],
             text("words.alt", name=name.upper(), q=point.expression), f"words-{name}", title=text("result.cosine"))  # fmt: skip


def _answer(ask: Callable[[], list[Near]], weighted: list[tuple[float, str]]) -> list[Near]:
    """What was asked for; nothing, with the reason on screen, where these words are not known."""
    if not weighted:
        st.info(text("words.picture"))
        return []
    try:
        return ask()
    except InputError as error:
        show_error(error)
        return []


def kindred(found: Lexicon, point: Point) -> None:
    """Texts that are near without sharing a word: by LSA, and by CLIP where it has read the texts."""
    weighted = _weighted(point)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(text("words.lsa"), anchor=False)
        _list(_answer(lambda: kindred_texts(found.lsa, found.terms, found.texts, weighted, KINDRED), weighted))
    with right:
        st.subheader(text("words.clip"), anchor=False)
        if found.texts is space().background.captions:
            _list(_kindred_by_clip(point, {word for _, each in weighted for word in tokens(each)}))
        else:
            st.info(text("words.not_read"))


def _kindred_by_clip(point: Point, given: set[str]) -> list[Near]:
    background = space().background
    common = [row for row, caption in enumerate(background.captions) if given & set(tokens(caption))]
    hits = search(point.vector[None], background.embeddings(space().model.key, "captions"), KINDRED, common)
    return [Near(int(row), background.captions[row], cosine) for row, cosine in zip(hits.indices[0], hits.cosines[0].tolist(), strict=True)]


def _list(near: list[Near]) -> None:
    st.markdown("\n".join(f"- {escape(each.text)} · {each.cosine:.3f}" for each in near))


def matrices(found: Lexicon, point: Point) -> None:
    """A corner of the term–document matrix: what was counted, and what rank k makes of it, which fills in words that are not there."""
    weighted = _weighted(point)
    given = [row for row, word in enumerate(found.terms.words) if word in {token for _, each in weighted for token in tokens(each)}]
    near = [each.row for each in _quiet(found, weighted)]
    if not (given and near):
        return
    words = np.array([*given, *near])[:SHOWN]
    query = normalize(found.lsa.space.vectors[given]).mean(axis=0)
    used = np.flatnonzero(found.lsa.texts.any(axis=1))
    texts = used[search(query[None], normalize(found.lsa.texts[used]), SHOWN).indices[0]]
    names, shown = [found.terms.words[word] for word in words], [found.texts[row] for row in texts]
    before, after = st.columns(2, gap="large")
    with before:
        _matrix(found.lsa.weights[texts][:, words].toarray(), names, shown, text("words.before"), key="words-before")
    with after:
        _matrix(found.lsa.approximated(texts, words), names, shown, text("words.after", rank=len(found.lsa.singular_values)), key="words-after")


def _quiet(found: Lexicon, weighted: list[tuple[float, str]]) -> list[Near]:
    try:
        return nearest_words(found.lsa.space, weighted, SHOWN) if weighted else []
    except InputError:  # said above
        return []


def _matrix(values: np.ndarray, words: list[str], texts: list[str], title: str, key: str) -> None:
    figure = go.Figure(go.Heatmap(z=values, colorscale="RdBu_r", zmid=0, zmin=-0.8, zmax=0.8, showscale=False, xgap=1, ygap=1, hovertemplate="%{z:.2f}<extra></extra>"))
    figure.update_xaxes(tickvals=list(range(len(words))), ticktext=[plain(word, 14) for word in words], tickangle=-50, showgrid=False)
    figure.update_yaxes(tickvals=list(range(len(texts))), ticktext=[plain(each, 26) for each in texts], autorange="reversed", automargin=True, showgrid=False)
    figure.update_layout(title=dict(text=title, font=dict(size=14)))
    chart(figure, title, key=key, height=400, dragmode=False)
