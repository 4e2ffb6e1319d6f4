"""Points taken apart into words: by hand, against other implementations, and on genuine CLIP vectors."""

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.linear_model import LassoLars, orthogonal_mp

from clipexplore.errors import InputError
from clipexplore.labs.apart import PENALTY, pursue, take_apart
from clipexplore.training.taken_apart import genuine_pairs, genuine_texts


@pytest.fixture(scope="module")
def words():
    """Far more words than dimensions, of many lengths."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(900, 40)) * rng.uniform(0.5, 2, size=(900, 1))).astype(np.float32)


def points(number=20):
    return np.random.default_rng(1).normal(size=(number, 40)).astype(np.float32)


def test_a_sum_of_words_is_found_again():
    words = np.eye(50, dtype=np.float32)
    found = take_apart(0.2 * words[7] + 0.8 * words[3] + 0.5 * words[40], words)
    assert found.rows.tolist() == [3, 40, 7]
    np.testing.assert_allclose(found.weights, [0.8, 0.5, 0.2], atol=1e-6)
    assert found.cosines[-1] == pytest.approx(1) and np.abs(found.remainder).max() < 1e-6


def test_weights_are_those_of_the_words_as_given():
    words = np.diag([2.0, 0.5, 1.0]).astype(np.float32)
    np.testing.assert_allclose(take_apart(np.array([2.0, 1.0, 0.0]), words).weights, [1, 2], atol=1e-6)


@pytest.mark.parametrize("signed", [False, True])
def test_the_words_are_those_that_least_angle_regression_chooses(words, signed):
    """Another solver of the LASSO, over all words at once."""
    unit = (words / np.linalg.norm(words, axis=1, keepdims=True)).astype(np.float64)
    for point in points():
        target = point / np.linalg.norm(point)
        pull = unit @ target
        penalty = PENALTY * (np.abs(pull) if signed else pull).max()
        lars = LassoLars(penalty / len(target), positive=not signed, fit_intercept=False)
        other = lars.fit(unit.T, target.astype(np.float64)).coef_
        found = take_apart(point, words, 6, signed)
        assert set(found.rows) <= set(np.argsort(-np.abs(other))[:7])


def test_weights_are_those_of_least_squares(words):
    for point in points(5):
        found = take_apart(point, words, 6)
        np.testing.assert_allclose(found.weights, nnls(words[found.rows].T.astype(float), point)[0], atol=1e-3)
        free = take_apart(point, words, 6, signed=True)
        np.testing.assert_allclose(free.weights, np.linalg.lstsq(words[free.rows].T, point)[0], atol=1e-3)


def test_cosines_are_of_the_best_sums_of_the_first_words(words):
    for point in points():
        found = take_apart(point, words, 10)
        whole = found.weights @ words[found.rows]
        assert found.cosines[-1] == pytest.approx(whole @ point / np.linalg.norm(whole) / np.linalg.norm(point))
        assert found.cosines[0] == pytest.approx(
            words[found.rows[0]] @ point / np.linalg.norm(words[found.rows[0]]) / np.linalg.norm(point), abs=1e-6
        )
        assert (np.diff(found.cosines) >= -1e-6).all() and found.cosines[0] > 0 and found.cosines[-1] <= 1
        np.testing.assert_allclose(found.remainder, point - whole, atol=1e-5)
        assert (found.weights > 0).all() and len(found.rows) <= 10


def test_more_terms_begin_with_the_same_words(words):
    few, many = take_apart(points()[0], words, 3), take_apart(points()[0], words, 9)
    assert many.rows[:3].tolist() == few.rows.tolist()
    np.testing.assert_allclose(many.cosines[:3], few.cosines)


def test_a_word_that_may_not_be_used_is_not(words):
    for point in points(5):
        first = take_apart(point, words).rows[0]
        assert first not in take_apart(point, words, without=[first]).rows
        assert first not in pursue(point, words, without=[first]).rows


def test_pursuit_is_scikit_learns_where_no_weight_would_be_negative():
    rng = np.random.default_rng(2)
    words = np.linalg.qr(rng.normal(size=(40, 40)))[0][:20].astype(np.float32)
    point = np.abs(rng.normal(size=20)).astype(np.float32) @ words
    other = orthogonal_mp(words.T, point, n_nonzero_coefs=6)
    found = pursue(point, words, 6)
    assert sorted(found.rows) == np.flatnonzero(other).tolist()
    np.testing.assert_allclose(found.weights, other[found.rows], atol=1e-5)


def test_pursuit_stops_when_nothing_is_left():
    assert pursue(np.array([1.0, 2.0]), np.eye(2, dtype=np.float32), 8).rows.tolist() == [1, 0]


def test_what_cannot_be_taken_apart_is_a_sentence(words):
    with pytest.raises(InputError, match="Nothing is left of this point"):
        take_apart(np.zeros(40), words)
    with pytest.raises(InputError, match="A sum of 0 terms is none"):
        take_apart(points()[0], words, 0)
    for method in (take_apart, pursue):
        with pytest.raises(InputError, match="No word points the way of this point; allow negative weights"):
            method(-np.ones(3), np.eye(3, dtype=np.float32))
    found = take_apart(-np.ones(3), np.eye(3, dtype=np.float32), signed=True)
    np.testing.assert_allclose(found.weights, -1, atol=1e-6)


def test_genuine_names_are_made_of_their_neighbours(test_data):
    figures, written = genuine_texts(test_data)
    assert figures["B/32 texts: cosine of eight terms"] > 0.75
    assert figures["B/32 texts: cosine of that of pursuit"] > 0.95
    (dog,) = [each for each in written if each.startswith("dog ≈")]
    assert "puppy" in dog.split(" + ")[0] and "*dog" not in dog.replace("*dog_", "")


def test_genuine_photographs_are_made_of_words_of_their_captions(test_data):
    figures, _ = genuine_pairs(test_data)
    assert figures["B/16 photographs: a word of its caption in five terms"] > 0.7
    assert figures["B/16 photographs: a word of another’s caption"] < 0.2
