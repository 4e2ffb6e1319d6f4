"""Words before CLIP: meaning from which words occur in the same text (LSA), or near each other (PPMI), and from nothing else.

Separate because it is a lesson of its own, on texts instead of embeddings. scipy and scikit-learn do the work.

Source: Deerwester et al., Indexing by latent semantic analysis, 1990; Levy and Goldberg, Neural word embedding as implicit matrix factorization,
2014 (PPMI), and Levy, Goldberg, Dagan, Improving distributional similarity, 2015, §3.3 (the root of the singular values).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.errors import InputError
from clipexplore.retrieval.nearest import search
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LEAST = 3  # texts that a word has to occur in
_WORD = re.compile(r"[^\W_][\w'-]*[^\W_]|[^\W_]")


@dataclass(frozen=True, eq=False)
class Terms:
    """Which word occurs how often in which text.

    Attributes
    ----------
    words
        Those that occur in enough texts, in alphabetical order, without the commonest English ones ("the", "with").
    counts
        `(texts, words)`, sparse, int.
    positions
        For each text the words in their order, as columns of `counts`; −1 for a word that is left out.
    """

    words: list[str]
    counts: csr_array
    positions: list[np.ndarray]


@dataclass(frozen=True, eq=False)
class WordSpace:
    """Words as vectors `(w, k)` float32, of any length; a word that has none is a zero row."""

    words: list[str]
    vectors: np.ndarray

    def vector(self, text: str) -> np.ndarray:
        """The mean of the unit vectors of the words of a text, `(k,)` float32.

        Raises
        ------
        InputError
            When none of its words has a vector.
        """
        places = {word: row for row, word in enumerate(self.words)}
        rows = [places[word] for word in tokens(text) if word in places and self.vectors[places[word]].any()]
        if not rows:
            raise InputError(f"{text!r} does not occur in {LEAST} of the texts, so they say nothing about it; try another word.")
        return normalize(self.vectors[rows]).mean(axis=0)


@dataclass(frozen=True, eq=False)
class Lsa:
    """Words and texts in one space of k dimensions.

    Attributes
    ----------
    space
        The words.
    texts
        `(texts, k)` float32: word vectors times text vectors is the best approximation of rank k of `weights`, once the
        singular values have been divided out of one of the two.
    weights
        `(texts, words)`, sparse: the tf-idf that was approximated.
    singular_values
        `(k,)` float64, falling.
    kept
        The share of the squared weights that rank k keeps, in [0, 1].
    """

    space: WordSpace
    texts: np.ndarray
    weights: csr_array
    singular_values: np.ndarray
    kept: float

    def approximated(self, texts: np.ndarray, words: np.ndarray) -> np.ndarray:
        """What rank k makes of the weights of some texts and words, `(t, w)` float32."""
        return self.texts[texts] @ (self.space.vectors[words] / np.maximum(self.singular_values, 1e-12)).T.astype(np.float32)


@dataclass(frozen=True)
class Near:
    """A word or a text that was found, by its row, with its cosine."""

    row: int
    text: str
    cosine: float


def tokens(text: str) -> list[str]:
    """The words of a text, lower-case; hyphens and apostrophes inside stay."""
    return _WORD.findall(text.lower())


def term_document(texts: Sequence[str], least: int = LEAST) -> Terms:
    """The term–document matrix of texts.

    Raises
    ------
    InputError
        When fewer than two words occur in at least `least` texts.
    """
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(tokenizer=tokens, token_pattern=None, stop_words=_stop_words(), min_df=least)
    try:
        counts = csr_array(counter.fit_transform(texts))
    except ValueError:  # an empty vocabulary
        counts = csr_array((len(texts), 0), dtype=int)
    if counts.shape[1] < 2:
        raise InputError(f"Fewer than two words occur in {least} or more of the {len(texts)} texts; give more texts.")
    places = counter.vocabulary_
    return Terms(counter.get_feature_names_out().tolist(), counts, [np.array([places.get(word, -1) for word in tokens(text)], int) for text in texts])


def lsa(terms: Terms, rank: int) -> Lsa:
    """Latent semantic analysis: the truncated singular value decomposition of tf-idf.

    Raises
    ------
    InputError
        When the rank is not between 1 and one less than the number of words and of texts.
    """
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import TfidfTransformer

    weights = csr_array(TfidfTransformer(sublinear_tf=True).fit_transform(terms.counts))
    left, values, right = _decomposed(weights, rank)
    space = WordSpace(terms.words, (right.T * values).astype(np.float32))
    return Lsa(space, (left * values).astype(np.float32), weights, values, float((values**2).sum() / weights.power(2).sum()))


def cooccurrence(terms: Terms, window: int) -> csr_array:
    """How often two words stand at most `window` places apart in a text, `(words, words)`, sparse and symmetric.

    Raises
    ------
    InputError
        For a window below 1.
    """
    from scipy.sparse import coo_array

    if window < 1:
        raise InputError(f"The window is {window} and must be at least 1; widen it.")
    apart = np.full(window, -1)  # so that no window reaches into the next text
    line = np.concatenate([part for text in terms.positions for part in (text, apart)])
    pairs = [(line[:-step], line[step:]) for step in range(1, window + 1)]
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    known = (first >= 0) & (second >= 0)
    size = len(terms.words)
    once = coo_array((np.ones(known.sum()), (first[known], second[known])), shape=(size, size)).tocsr()
    return once + once.T


def ppmi(counts: csr_array) -> csr_array:
    """Positive pointwise mutual information: ln p(a, b) / (p(a) p(b)) where it is above 0, sparse."""
    found = counts.tocoo().astype(np.float64)
    of_word = np.asarray(counts.sum(axis=1)).ravel()
    rows, columns = found.coords
    found.data = np.maximum(np.log(found.data * of_word.sum() / (of_word[rows] * of_word[columns])), 0)
    result = found.tocsr()
    result.eliminate_zeros()
    return result


def factorized(matrix: csr_array, words: list[str], rank: int) -> WordSpace:
    """Word vectors from a matrix of words by words: left singular vectors times the root of the singular values.

    Raises
    ------
    InputError
        As in `lsa`, and for a matrix of zeros.
    """
    if not matrix.count_nonzero():
        raise InputError("No two words of these texts stand near each other more often than by accident; widen the window or give more texts.")
    left, values, _ = _decomposed(matrix, rank)
    vectors = (left * np.sqrt(values)).astype(np.float32)
    vectors[np.asarray(abs(matrix).sum(axis=1)).ravel() == 0] = 0  # rounding is no meaning
    return WordSpace(words, vectors)


def nearest_words(space: WordSpace, weighted: Sequence[tuple[float, str]], k: int) -> list[Near]:
    """The k words nearest to a weighted sum of texts, nearest first; the words of those texts are left out.

    Parameters
    ----------
    weighted
        (weight, text): a − b + c is (1, a), (−1, b), (1, c).

    Raises
    ------
    InputError
        For a text without a known word, and for a sum that is zero.
    """
    given = {word for _, text in weighted for word in tokens(text)}
    query = _sum(space, weighted)
    used = np.flatnonzero(space.vectors.any(axis=1))
    left_out = [place for place, row in enumerate(used) if space.words[row] in given]
    hits = search(query[None], normalize(space.vectors[used]), k, left_out)
    return [Near(int(used[place]), space.words[used[place]], cosine) for place, cosine in zip(hits.indices[0], hits.cosines[0].tolist(), strict=True)]


def kindred_texts(found: Lsa, terms: Terms, texts: Sequence[str], weighted: Sequence[tuple[float, str]], k: int) -> list[Near]:
    """The k texts nearest to a weighted sum that share no word with it, nearest first; equal texts are given once."""
    query, used = _sum(found.space, weighted), np.flatnonzero(found.texts.any(axis=1))
    given = {word for _, text in weighted for word in tokens(text)}
    columns = [column for column, word in enumerate(terms.words) if word in given]
    common = np.flatnonzero(np.asarray(terms.counts[used][:, columns].sum(axis=1)).ravel())
    hits = search(query[None], normalize(found.texts[used]), min(4 * k, len(used)), common)
    near = [Near(int(used[place]), texts[used[place]], cosine) for place, cosine in zip(hits.indices[0], hits.cosines[0].tolist(), strict=True)]
    return list({each.text: each for each in reversed(near)}.values())[::-1][:k]


def _sum(space: WordSpace, weighted: Sequence[tuple[float, str]]) -> np.ndarray:
    total = sum(weight * space.vector(text) for weight, text in weighted)
    if np.linalg.norm(total) < 1e-6:
        raise InputError("The sum has length 0: its terms cancel out; change a term or a weight.")
    return total


def _decomposed(matrix: csr_array, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The largest singular triplets, `(n, k)`, `(k,)` falling, `(k, m)`; of each pair the entry of largest size on the right is positive."""
    from scipy.sparse.linalg import svds

    if not 1 <= rank < min(matrix.shape):
        raise InputError(f"The rank is {rank}; with {matrix.shape[0]} by {matrix.shape[1]} it can be 1 to {min(matrix.shape) - 1}.")
    left, values, right = svds(matrix.astype(np.float64), k=rank, v0=np.ones(min(matrix.shape)))
    order = np.argsort(-values)
    left, values, right = left[:, order], values[order], right[order]
    signs = np.sign(np.take_along_axis(right, np.abs(right).argmax(axis=1, keepdims=True), axis=1))
    return left * signs.T, values, right * signs


def _stop_words() -> list[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return sorted(ENGLISH_STOP_WORDS)
