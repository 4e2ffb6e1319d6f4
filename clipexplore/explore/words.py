"""Words: one question to three kinds of word vectors, texts that share no word with it, and the matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from clipexplore.errors import InputError
from clipexplore.labs.lexicon import Lexicon, learn
from clipexplore.labs.semantics import Near, kindred_texts, nearest_words, tokens
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.retrieval.nearest import search
from clipexplore.settings import settings
from clipexplore.space import Hit, Point, Space
from clipexplore.vectors import normalize

SHIPPED = "lexicon.npz"  # of the background captions, among the assets
KINDRED = 6  # texts without a common word
SHOWN = 10  # words and texts of the corner of the matrix


@dataclass(frozen=True, eq=False)
class Answer:
    """The nearest words or texts; none, and why not, for a question that the texts say nothing about."""

    near: list[Near]
    problem: str = ""

    @property
    def words(self) -> list[str]:
        return [each.text for each in self.near]


@dataclass(frozen=True, eq=False)
class Corner:
    """Some texts `(t,)` and words `(w,)` of the term–document matrix, weighed `(t, w)` by tf-idf and by rank k."""

    texts: list[str]
    words: list[str]
    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True, eq=False)
class Words:
    """What three kinds of word vectors answer to one question."""

    SHOWN: ClassVar = ("lsa.words", "ppmi.words", "clip")

    point: Point
    lexicon: Lexicon
    asked: list[tuple[float, str]]  # the weighted texts of the question; none in one of pictures alone
    lsa: Answer
    ppmi: Answer
    clip: list[Hit]  # of the word bank
    kindred: list[Near]  # the nearest texts by LSA that share no word with the question
    kindred_by_clip: list[Near] | None  # and by CLIP, where it has read the texts
    corner: Corner | None  # the words of the question and the nearest by LSA, in the nearest texts


def words(
    space: Space, q: str, k: int = 10, window: int = 4, rank: int = 100, texts: Sequence[str] | str | None = None
) -> Words:
    """The `k` words nearest to an expression by LSA, by PPMI and by CLIP, and what else the page Words shows.

    Parameters
    ----------
    window, rank
        As `learn` takes them.
    texts
        What LSA and PPMI learn from: texts, or a UTF-8 file with one a line; the background captions by default.

    Raises
    ------
    InputError
        As `Space.point` and `learn`.
    """
    if isinstance(texts, str):
        texts = lines_of(Path(texts).read_bytes())
    return answers(space, bundled(space, window, rank, texts) or learned(space, window, rank, texts), q, k)


def lines_of(data: bytes) -> list[str]:
    """The lines of a text file that are not empty, without extra spaces; bytes that are not UTF-8 are replaced."""
    lines = (" ".join(line.split()) for line in data.decode("utf-8", errors="replace").splitlines())
    return [line for line in lines if line]


def bundled(space: Space, window: int, rank: int, texts: Sequence[str] | None = None) -> Lexicon | None:
    """The lexicon of the background captions that is shipped, where it serves."""
    found = _shipped(space) if texts is None else None
    return found.cut(rank) if found and window == found.window and rank <= found.rank else None


def _shipped(space: Space) -> Lexicon | None:
    captions = space.background.captions
    found = _load(settings().assets / SHIPPED, tuple(captions))
    return found and replace(found, texts=captions)


_load = lru_cache(maxsize=1)(Lexicon.load)


def learned(
    space: Space, window: int, rank: int, texts: Sequence[str] | None = None, report: Report = silent
) -> Lexicon:
    """The lexicon of texts, or of the background captions, learned now; takes seconds."""
    shipped = _shipped(space) if texts is None else None
    report(0, _("Counting words"))
    return learn(
        space.background.captions if texts is None else texts,
        window,
        rank,
        terms=shipped.terms if shipped else None,
        report=lambda share: report(share, _("Decomposing")),
    )


def answers(space: Space, lexicon: Lexicon, q: str, k: int = 10) -> Words:
    """As `words`, by a lexicon that is there already."""
    point = space.point(q)
    asked = _asked(point)
    lsa = _answer(lambda: nearest_words(lexicon.lsa.space, asked, k), asked)
    ppmi = _answer(lambda: nearest_words(lexicon.ppmi, asked, k), asked)
    clip = space.search(point.vector, "words", k, exclude=point)
    if not lsa.near:
        return Words(point, lexicon, asked, lsa, ppmi, clip, [], None, None)
    kindred = kindred_texts(lexicon.lsa, lexicon.terms, lexicon.texts, asked, KINDRED)
    read = lexicon.texts is space.background.captions
    by_clip = _kindred_by_clip(space, point, asked) if read else None
    return Words(point, lexicon, asked, lsa, ppmi, clip, kindred, by_clip, _corner(lexicon, asked))


def _asked(point: Point) -> list[tuple[float, str]]:
    """The weighted texts of a point, those behind its names included, each once; pictures say nothing to texts.

    Raises
    ------
    InputError
        If names of names make a weight too large.
    """
    behind: dict[int, dict[str, float]] = {}  # by name, each worked out once however often it is used

    def texts(point: Point) -> dict[str, float]:
        if id(point) not in behind:
            weights: dict[str, float] = {}
            for part in point.terms:
                own = {} if part.term.is_id else {part.term.text: 1.0}
                for text, weight in (own if part.meaning is None else texts(part.meaning)).items():
                    weights[text] = weights.get(text, 0.0) + part.term.weight * weight
            behind[id(point)] = weights
        return behind[id(point)]

    if not np.isfinite([*texts(point).values()]).all():
        raise InputError(_("The weights behind your names multiply to more than can be computed; choose smaller ones."))
    return [(weight, text) for text, weight in texts(point).items() if weight]


def _answer(ask: Callable[[], list[Near]], asked: list[tuple[float, str]]) -> Answer:
    try:
        return Answer(ask() if asked else [])
    except InputError as error:
        return Answer([], str(error))


def _kindred_by_clip(space: Space, point: Point, asked: list[tuple[float, str]]) -> list[Near]:
    """The background captions nearest by CLIP without a word of the question."""
    given, captions, found = _words(asked), space.background.captions, []
    cosines = space.background.embeddings(space.model.key, "captions") @ point.vector
    for row in np.argsort(-cosines, kind="stable").tolist():
        if not given.intersection(tokens(captions[row])):
            found.append(Near(row, captions[row], float(cosines[row])))
            if len(found) == KINDRED:
                break
    return found


def _words(asked: list[tuple[float, str]]) -> set[str]:
    return {word for _weight, text in asked for word in tokens(text)}


def _corner(lexicon: Lexicon, asked: list[tuple[float, str]]) -> Corner:
    lsa, terms = lexicon.lsa, lexicon.terms
    given = [row for row, word in enumerate(terms.words) if word in _words(asked)]
    near = [each.row for each in nearest_words(lsa.space, asked, SHOWN)]
    columns = np.array([*given, *near])[:SHOWN]
    used = np.flatnonzero(lsa.texts.any(axis=1))
    query = normalize(lsa.space.vectors[given]).mean(axis=0)
    rows = used[search(query[None], normalize(lsa.texts[used]), SHOWN).indices[0]]
    return Corner(
        [lexicon.texts[row] for row in rows],
        [terms.words[column] for column in columns],
        lsa.weights[rows][:, columns].toarray(),
        lsa.approximated(rows, columns),
    )
