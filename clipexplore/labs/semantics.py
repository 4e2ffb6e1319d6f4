"""Words before CLIP: meaning from which words occur in the same text (LSA), or near each other (PPMI), alone.

scikit-learn counts and decomposes.

Sources: Deerwester et al., Indexing by latent semantic analysis, 1990; Levy and Goldberg, Neural word embedding as
implicit matrix factorization, 2014 (PPMI), and Levy et al., Improving distributional similarity, 2015, §3.3 (√σ).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.retrieval.nearest import search
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LEAST = 3  # texts that a word has to occur in
_WORD = re.compile(r"[^\W_][\w'-]*[^\W_]|[^\W_]")


@dataclass(frozen=True, eq=False)
class Terms:
    """Which word occurs how often in which text."""

    words: list[str]  # those in enough texts, alphabetically, without the commonest English ones ("the", "with")
    counts: csr_array  # (texts, words), sparse, int
    positions: list[np.ndarray]  # for each text its words in order, as columns of `counts`; −1 for one left out


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
            message = _(
                "{text!r} does not occur in {least} of the texts, so they say nothing about it; try another word."
            )
            raise InputError(message.format(text=text, least=LEAST))
        return normalize(self.vectors[rows]).mean(axis=0)


@dataclass(frozen=True, eq=False)
class Lsa:
    """Words and texts in one space of k dimensions.

    Word vectors times text vectors is the best approximation of rank k of `weights`, once the singular values have been
    divided out of one of the two.
    """

    space: WordSpace  # the words
    texts: np.ndarray  # (texts, k) float32
    weights: csr_array  # (texts, words), sparse: the tf-idf that was approximated
    singular_values: np.ndarray  # (k,) float64, falling
    kept: float  # the share of the squared weights that rank k keeps

    def approximated(self, texts: np.ndarray, words: np.ndarray) -> np.ndarray:
        """What rank k makes of the weights of some texts and words, `(t, w)` float32."""
        return self.texts[texts] @ (self.space.vectors[words] / np.maximum(self.singular_values, 1e-12)).T.astype(
            np.float32
        )


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
        message = _("Fewer than two words occur in {least} or more of the {count} texts; give more texts.")
        raise InputError(message.format(least=least, count=len(texts)))
    places = counter.vocabulary_
    return Terms(
        counter.get_feature_names_out().tolist(),
        counts,
        [np.array([places.get(word, -1) for word in tokens(text)], int) for text in texts],
    )


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
    texts, values, directions = _decomposed(weights, rank)
    space = WordSpace(terms.words, (directions.T * values).astype(np.float32))
    return Lsa(space, texts.astype(np.float32), weights, values, float((values**2).sum() / weights.power(2).sum()))


def cooccurrence(terms: Terms, window: int) -> csr_array:
    """How often two words stand at most `window` places apart in a text, `(words, words)`, sparse and symmetric.

    Raises
    ------
    InputError
        For a window below 1.
    """
    from scipy.sparse import coo_array

    if window < 1:
        raise InputError(_("The window is {window} and must be at least 1; widen it.").format(window=window))
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
        raise InputError(
            _("No two words of these texts stand near each other more than by chance; widen the window or add texts.")
        )
    rows, values, _directions = _decomposed(matrix, rank)
    vectors = (rows / np.sqrt(np.maximum(values, 1e-12))).astype(np.float32)
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
    return [
        Near(int(used[place]), space.words[used[place]], cosine)
        for place, cosine in zip(hits.indices[0], hits.cosines[0].tolist(), strict=True)
    ]


def kindred_texts(
    found: Lsa, terms: Terms, texts: Sequence[str], weighted: Sequence[tuple[float, str]], k: int
) -> list[Near]:
    """The k texts nearest to a weighted sum that share no word with it, nearest first; equal texts are given once."""
    query, used = _sum(found.space, weighted), np.flatnonzero(found.texts.any(axis=1))
    given = {word for _, text in weighted for word in tokens(text)}
    columns = [column for column, word in enumerate(terms.words) if word in given]
    common = np.flatnonzero(np.asarray(terms.counts[used][:, columns].sum(axis=1)).ravel())
    hits = search(query[None], normalize(found.texts[used]), min(4 * k, len(used)), common)
    near = [
        Near(int(used[place]), texts[used[place]], cosine)
        for place, cosine in zip(hits.indices[0], hits.cosines[0].tolist(), strict=True)
    ]
    return list({each.text: each for each in reversed(near)}.values())[::-1][:k]


def _sum(space: WordSpace, weighted: Sequence[tuple[float, str]]) -> np.ndarray:
    total = np.sum([weight * space.vector(text) for weight, text in weighted], axis=0)
    if np.linalg.norm(total) < 1e-6:
        raise InputError(_("The sum has length 0: its terms cancel out; change a term or a weight."))
    return total


def _decomposed(matrix: csr_array, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the largest singular triplets: rows times values `(n, k)`, values `(k,)` falling, and directions `(k, m)`.

    In each direction the entry of largest size is positive.
    """
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD

    most = min(matrix.shape) - 1
    if not 1 <= rank <= most:
        message = _("The rank is {rank}; with {rows} by {columns} it can be 1 to {most}.")
        raise InputError(message.format(rank=rank, rows=matrix.shape[0], columns=matrix.shape[1], most=most))
    found = TruncatedSVD(rank, algorithm="arpack", random_state=0)
    rows = found.fit_transform(csr_matrix(matrix, dtype=np.float64))
    return rows, found.singular_values_, found.components_


def _stop_words() -> list[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return sorted(ENGLISH_STOP_WORDS)
