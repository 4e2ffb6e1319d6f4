"""Words' drawing: one question to three kinds of word vectors, texts that share no word with it, and the matrix before and after."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.expression import Expression
from clipexplore.lexicon import Lexicon, learn, load
from clipexplore.retrieval.nearest import search
from clipexplore.semantics import Near, Terms, kindred_texts, nearest_words, tokens
from clipexplore.settings import settings
from clipexplore.space import Point
from clipexplore.vectors import normalize
from clipexplore.worker import Job

from . import spec as go
from .expressions import show_error
from .fits import fitted
from .markdown import escape
from .names import is_named, names
from .plots import bars, chart, plain
from .session import space
from .texts import text

SHIPPED = "lexicon.npz"  # of the background's captions, among the assets
MAX_BYTES, MAX_TEXTS = 5_000_000, 50_000  # of a file of the visitor
KINDRED = 6  # texts without a common word
SHOWN = 10  # words and texts of the matrix


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
    """Word vectors of texts by LSA and by PPMI: shipped ones at once; others when they are there, None, with progress on screen, until then."""
    shipped = _shipped(str(settings().assets / SHIPPED), texts) if texts is space().background.captions else None
    if shipped and window == shipped.window and rank <= shipped.rank:
        return replace(shipped.cut(rank), texts=texts)
    name = blake2b("\n".join(texts).encode(), digest_size=8).hexdigest()
    return fitted(lambda job: _learn(job, texts, window, rank, shipped and shipped.terms), ("words", name, window, rank), "words")


@st.cache_resource(show_spinner=False, max_entries=1)
def _shipped(path: str, _texts: list[str]) -> Lexicon | None:
    return load(Path(path), _texts)


def _learn(job: Job, texts: list[str], window: int, rank: int, terms: Terms | None) -> Lexicon:
    job.report(0.0, text("words.counting"))
    return learn(texts, window, rank, terms, lambda share: job.report(share, text("words.decomposing")))


def say_lexicon(found: Lexicon) -> None:
    """How large and how empty the matrix is, and what its rank keeps."""
    counts = found.terms.counts
    full = counts.nnz / (counts.shape[0] * counts.shape[1])
    st.caption(text("words.says", texts=counts.shape[0], words=counts.shape[1], full=full, rank=len(found.lsa.singular_values), kept=found.lsa.kept))


def three_columns(found: Lexicon, point: Point, k: int) -> None:
    """The words nearest to one expression by LSA, by PPMI and by CLIP, its own words left out."""
    weighted = asked(point)
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


def asked(point: Point) -> list[tuple[float, str]]:
    """What an expression asks of texts: the (weight, text) of its texts, those behind its names included; pictures say nothing here."""
    return list(_texts_of(point.expression, 1.0))


def _texts_of(expression: Expression, times: float) -> Iterator[tuple[float, str]]:
    for term in expression.terms:
        if not term.is_id:
            yield times * term.weight, term.text
        elif is_named(term.text):
            yield from _texts_of(names()[term.text], times * term.weight)


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


def answered(found: Lexicon, point: Point) -> bool:
    """Whether the texts know the words that were asked for; if not, it has been said above."""
    return bool(_quiet(found, asked(point)))


def kindred(found: Lexicon, point: Point) -> None:
    """Texts that are near without sharing a word: by LSA, and by CLIP where it has read the texts."""
    weighted = asked(point)
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
    common = [row for row, words in enumerate(_words_of(background.name, background.captions)) if given & words]
    hits = search(point.vector[None], background.embeddings(space().model.key, "captions"), KINDRED, common)
    return [Near(int(row), background.captions[row], cosine) for row, cosine in zip(hits.indices[0], hits.cosines[0].tolist(), strict=True)]


@st.cache_resource(show_spinner=False)
def _words_of(name: str, _texts: list[str]) -> list[frozenset[str]]:
    return [frozenset(tokens(each)) for each in _texts]


def _list(near: list[Near]) -> None:
    st.markdown("\n".join(f"- {escape(each.text)} · {each.cosine:.3f}" for each in near))


def matrices(found: Lexicon, point: Point) -> None:
    """A corner of the term–document matrix: what was counted, and what rank k makes of it, which fills in words that are not there."""
    weighted = asked(point)
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
