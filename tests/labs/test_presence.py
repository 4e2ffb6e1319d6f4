"""Whether texts are here: by hand, on planted pictures, and against another implementation."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from clipexplore.errors import InputError
from clipexplore.labs.presence import ALIKE, calibrate, said_in, says, signs
from clipexplore.vectors import normalize

SCALE = 30.0


@pytest.fixture(scope="module")
def world():
    """Things, five pictures and one text of each; and which pictures show the thing of a text, `(q, n)`."""
    rng = np.random.default_rng(0)
    things = rng.normal(size=(200, 64))
    shown = np.repeat(np.arange(200), 5)
    pictures = normalize(things[shown] + rng.normal(size=(1000, 64)) + 5)
    return normalize(things + 0.3 * rng.normal(size=things.shape)), pictures, shown == np.arange(200)[:, None]


def test_signs_by_hand(world):
    texts, pictures, true = world
    found = signs(texts[:5], pictures, texts, SCALE, true[:5])
    centred = normalize(texts - texts.mean(axis=0))
    for row in range(5):
        left = pictures[~true[row]]
        cosines = left @ texts[row]
        rivals = [word for word, each in enumerate(centred) if each @ centred[row] <= ALIKE]
        answers = left[cosines.argmax()] @ texts[[row, *rivals]].T * SCALE
        chance = np.exp(answers[0]) / np.exp(answers).sum()
        np.testing.assert_allclose(
            found[row], [cosines.max(), cosines.mean(), cosines.std(), np.log(chance)], rtol=1e-4
        )


def test_what_was_planted_is_told_from_what_was_held_out(world):
    texts, pictures, true = world
    here, held_out = signs(texts, pictures, texts, SCALE), signs(texts, pictures, texts, SCALE, true)
    learned = calibrate(here, held_out)
    assert learned.kept > 0.95 and learned.false < 0.1 and learned.texts == 200
    assert learned.here(here).mean() > 0.95 and learned.here(held_out).mean() == pytest.approx(0.05, abs=0.006)
    for asked in (here, held_out):
        np.testing.assert_array_equal(asked[:, 0] >= learned.least(asked), learned.here(asked))


def test_signs_weigh_as_another_logistic_regression_has_it():
    rng = np.random.default_rng(1)
    here, held_out = (
        rng.normal(size=(3000, 4)) * [0.02, 0.01, 0.01, 2] + [mean, 0.2, 0.1, mean * 20] for mean in (0.32, 0.29)
    )
    learned = calibrate(here, held_out, false=0.2)
    both = np.concatenate([here, held_out])
    spread = both.std(axis=0)
    theirs = LogisticRegression(C=1e6, max_iter=5000).fit(both / spread, np.repeat([1, 0], 3000)).coef_[0]
    np.testing.assert_allclose(learned.weights[:4] * spread / theirs[0], theirs / theirs[0], atol=0.15)
    assert learned.false == pytest.approx(0.2, abs=0.03)


def test_nothing_is_said_where_nothing_can_be_learned(world):
    texts, pictures, _ = world
    same = signs(texts, pictures, texts, SCALE)
    with pytest.raises(InputError, match="nothing can be said"):
        calibrate(same, same)
    with pytest.raises(InputError, match="too few"):
        calibrate(same[:39], same[:39])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cat", True),
        ("The Cats", True),
        ("a cat in the snow", True),
        ("snow cat", True),
        ("catfish", False),
        ("three cats", False),
        ("the", False),
        ("", False),
    ],
)
def test_a_caption_says_a_text_of_whose_words_none_is_missing(text, said):
    assert says("A cat, in snow", text) is said


def test_what_captions_say():
    captions = ["a lion in the snow", "two lions", "a cat", "a snow-white cat", *["a thing"] * 20]
    said, shares = said_in(["lions", "lion in the snow", "a dog", "a cat in the snow", "a"], captions)
    assert said.tolist() == [True, True, False, False, False]
    assert [np.flatnonzero(each).tolist() for each in shares.toarray()] == [[0, 1], [0, 1], [], [0, 2, 3], []]
