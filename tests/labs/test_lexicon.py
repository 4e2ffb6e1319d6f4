"""A shipped lexicon answers like one that is learned now, and only for its own texts."""

import numpy as np
import pytest

from clipexplore.errors import InputError
from clipexplore.labs.lexicon import Lexicon, learn
from clipexplore.labs.semantics import nearest_words
from clipexplore.settings import settings
from clipexplore.space import Space
from clipexplore.vectors import cosine_similarity

NOUNS = ["cat", "dog", "lion", "owl", "hat", "crown", "snow", "jungle", "car", "rose"]


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    return [" and ".join(rng.choice(NOUNS[start : start + 6], 3, replace=False)) for start in rng.integers(0, 5, 200)]


def same(one, other):
    assert one.terms.words == other.terms.words and (one.window, one.rank) == (other.window, other.rank)
    assert (one.terms.counts != other.terms.counts).nnz == 0
    assert all(np.array_equal(a, b) for a, b in zip(one.terms.positions, other.terms.positions, strict=True))
    for a, b in ((one.lsa.space, other.lsa.space), (one.ppmi, other.ppmi)):
        # signs and turns of equal values are free
        np.testing.assert_allclose(a.vectors @ a.vectors.T, b.vectors @ b.vectors.T, atol=1e-4)
    np.testing.assert_allclose(one.lsa.texts @ one.lsa.texts.T, other.lsa.texts @ other.lsa.texts.T, atol=1e-4)
    assert one.lsa.kept == pytest.approx(other.lsa.kept, abs=1e-6)
    rows = np.arange(5)
    np.testing.assert_allclose(one.lsa.approximated(rows, rows), other.lsa.approximated(rows, rows), atol=1e-4)


def test_what_was_saved_is_loaded(texts, tmp_path):
    made = learn(texts, window=2, rank=5)
    made.save(tmp_path / "lexicon.npz")
    same(Lexicon.load(tmp_path / "lexicon.npz", texts), made)


def test_other_texts_have_no_lexicon(texts, tmp_path):
    learn(texts, rank=5).save(tmp_path / "lexicon.npz")
    assert (
        Lexicon.load(tmp_path / "lexicon.npz", [*texts, "one more"]) is None
        and Lexicon.load(tmp_path / "nothing.npz", texts) is None
    )


def test_a_lower_rank_is_the_beginning_of_a_higher_one(texts):
    same(learn(texts, rank=8).cut(3), learn(texts, rank=3))


def test_counts_that_are_known_are_not_counted_again(texts, monkeypatch):
    from clipexplore.labs import lexicon

    made = learn(texts, window=2, rank=4)
    monkeypatch.setattr(lexicon, "term_document", None)
    again = learn(texts, window=4, rank=4, terms=made.terms)
    same(again.cut(4), again)
    assert again.terms is made.terms and not np.allclose(
        cosine_similarity(again.ppmi.vectors, again.ppmi.vectors),
        cosine_similarity(made.ppmi.vectors, made.ppmi.vectors),
    )


def test_a_rank_beyond_the_words_is_lowered_and_progress_told(texts):
    told = []
    assert learn(texts, rank=300, report=told.append).rank == len(NOUNS) - 1
    assert told == sorted(told) and told


def test_texts_that_say_nothing_are_told():
    with pytest.raises(InputError, match="Fewer than two words"):
        learn(["one text"])


def test_the_shipped_one_is_of_the_shipped_captions():
    captions = Space.open().background.captions
    shipped, learned = Lexicon.load(settings().assets / "lexicon.npz", captions), learn(captions)
    assert (shipped.window, shipped.rank) == (learned.window, learned.rank)
    for kind in (lambda one: one.lsa.space, lambda one: one.ppmi):
        for word in ("hat", "lion", "snow"):
            found, expected = (nearest_words(kind(one), [(1.0, word)], 10) for one in (shipped, learned))
            assert [near.text for near in found] == [near.text for near in expected]
            np.testing.assert_allclose([near.cosine for near in found], [near.cosine for near in expected], atol=1e-3)
