from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from clipexplore.errors import InputError
from clipexplore.labs.semantics import (
    cooccurrence,
    factorized,
    kindred_texts,
    lsa,
    nearest_words,
    ppmi,
    term_document,
    tokens,
)

# Cars and autos never meet, but keep the same company.
TEXTS = [
    "the car drives on the road",
    "a fast car on a road",
    "an auto drives fast on the road",
    "an auto on the wet road",
    "the cat eats fish",
    "a cat likes fish",
    "kitten eats fish",
    "the kitten likes milk",
    "a cat drinks milk",
    "kitten drinks milk",
]


@pytest.fixture
def terms():
    return term_document(TEXTS, least=2)


@pytest.fixture(scope="module")
def real(test_data):
    return (test_data / "captions_coco_10k.txt").read_text(encoding="utf-8").splitlines()[:1500]


def test_words_are_as_written_but_for_case_and_marks():
    assert tokens("A T-shirt, “rock-n-roll” & the cat's pyjamas_ 7!") == [
        "a",
        "t-shirt",
        "rock-n-roll",
        "the",
        "cat's",
        "pyjamas",
        "7",
    ]
    assert tokens("Ünïcode – été") == ["ünïcode", "été"] and tokens("— - '") == []


def test_the_matrix_counts(terms):
    assert "the" not in terms.words and "wet" not in terms.words and terms.words == sorted(terms.words)
    dense = terms.counts.toarray()
    for row, text in enumerate(TEXTS):
        assert {word: count for word, count in zip(terms.words, dense[row], strict=True) if count} == {
            w: n for w, n in Counter(tokens(text)).items() if w in terms.words
        }
    assert [terms.words[i] for i in terms.positions[0] if i >= 0] == ["car", "drives", "road"] and (
        terms.positions[0] < 0
    ).sum() == 3


def test_lsa_is_the_best_approximation_of_tf_idf(real):
    terms = term_document(real)
    found = lsa(terms, 20)
    weights = (
        TfidfVectorizer(vocabulary=terms.words, tokenizer=tokens, token_pattern=None, sublinear_tf=True)
        .fit_transform(real)
        .toarray()
    )
    np.testing.assert_allclose(found.weights.toarray(), weights, atol=1e-9)
    left, values, right = np.linalg.svd(weights, full_matrices=False)
    np.testing.assert_allclose(found.singular_values, values[:20], rtol=1e-6)
    best = (left[:, :20] * values[:20]) @ right[:20]
    np.testing.assert_allclose(found.approximated(np.arange(len(real)), np.arange(len(terms.words))), best, atol=1e-4)
    assert found.kept == pytest.approx((values[:20] ** 2).sum() / (values**2).sum())


def test_the_whole_rank_loses_nothing(terms):
    rank = min(terms.counts.shape) - 1
    assert lsa(terms, 1).kept < lsa(terms, rank).kept <= 1 + 1e-9


def test_company_makes_words_alike_that_never_meet(terms):
    found = lsa(terms, 2)
    assert nearest_words(found.space, [(1, "car")], 3)[0].text in ("auto", "drives", "road", "fast")
    alike = cosine_similarity(found.space.vectors)
    place = terms.words.index
    assert alike[place("car"), place("auto")] > 0.9 > alike[place("car"), place("fish")] + 0.5


def counted_by_hand(terms, window):
    found = np.zeros((len(terms.words), len(terms.words)))
    for text in terms.positions:
        for i, a in enumerate(text):
            for j in range(max(0, i - window), min(len(text), i + window + 1)):
                if i != j and a >= 0 and text[j] >= 0:
                    found[a, text[j]] += 1
    return found


@pytest.mark.parametrize("window", [1, 2, 5, 50])
def test_neighbours_are_counted_within_the_window_and_the_text(terms, window):
    found = cooccurrence(terms, window).toarray()
    np.testing.assert_array_equal(found, counted_by_hand(terms, window))
    np.testing.assert_array_equal(found, found.T)


def test_ppmi_by_its_definition(real):
    counts = cooccurrence(term_document(real), 3)
    p = counts.toarray() / counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.nan_to_num(np.maximum(np.log(p / np.outer(p.sum(1), p.sum(0))), 0), nan=0, neginf=0)
    np.testing.assert_allclose(ppmi(counts).toarray(), expected, atol=1e-9)


def test_a_factorization_of_full_rank_gives_cosines_of_the_root(terms):
    """U √S has the inner products of the root of M Mᵀ; checked by numpy's decomposition."""
    matrix = ppmi(cooccurrence(terms, 3))
    found = factorized(matrix, terms.words, 4)
    left, values, _ = np.linalg.svd(matrix.toarray())
    expected = (left[:, :4] * np.sqrt(values[:4])) @ (left[:, :4] * np.sqrt(values[:4])).T
    np.testing.assert_allclose(found.vectors @ found.vectors.T, expected, atol=1e-4)


def test_an_analogy_leaves_its_inputs_out(real):
    terms = term_document(real)
    space = factorized(ppmi(cooccurrence(terms, 4)), terms.words, 50)
    found = nearest_words(space, [(1, "man"), (-1, "boy"), (1, "girl")], 10)
    assert not {"man", "boy", "girl"} & {near.text for near in found} and len(found) == 10
    assert [near.cosine for near in found] == sorted((near.cosine for near in found), reverse=True)
    place = {word: row for row, word in enumerate(space.words)}
    unit = space.vectors / np.maximum(np.linalg.norm(space.vectors, axis=1, keepdims=True), 1e-12)
    query = unit[place["man"]] - unit[place["boy"]] + unit[place["girl"]]
    assert found[0].cosine == pytest.approx(float(unit[place[found[0].text]] @ query / np.linalg.norm(query)), abs=1e-5)


def test_texts_without_a_common_word(terms):
    found = kindred_texts(lsa(terms, 2), terms, TEXTS, [(1, "cat")], 3)
    assert all("cat" not in tokens(near.text) for near in found)
    assert found[0].text.split()[0] in ("kitten", "the") and "kitten" in found[0].text and found[0].cosine > 0.9


def test_equal_texts_are_given_once():
    texts = TEXTS + TEXTS[6:7] * 5
    found = kindred_texts(lsa(term_document(texts, 2), 2), term_document(texts, 2), texts, [(1, "cat")], 4)
    assert len({near.text for near in found}) == len(found)


def test_the_same_texts_give_the_same_vectors(real):
    terms = term_document(real)
    np.testing.assert_array_equal(lsa(terms, 5).space.vectors, lsa(terms, 5).space.vectors)


def apart(window):
    """Words that never stand next to each other: what is between them is left out."""
    terms = term_document(["cat and dog", "dog and cat", "cat or dog"])
    return factorized(ppmi(cooccurrence(terms, window)), terms.words, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda terms: term_document([]), "Fewer than two words"),
        (lambda terms: term_document(["a b c", "the of"]), "Fewer than two words"),
        (lambda terms: lsa(terms, 0), "rank is 0"),
        (lambda terms: lsa(terms, 1000), "it can be 1 to"),
        (lambda terms: cooccurrence(terms, 0), "window is 0"),
        (lambda terms: apart(1), "more than by chance"),
        (lambda terms: nearest_words(lsa(terms, 2).space, [(1, "zebra")], 3), "'zebra' does not occur"),
        (lambda terms: nearest_words(lsa(terms, 2).space, [(1, "cat"), (-1, "cat")], 3), "length 0"),
    ],
)
def test_what_has_no_meaning_says_why(terms, call, message):
    with pytest.raises(InputError, match=message):
        call(terms)
