import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics import log_loss, top_k_accuracy_score
from sklearn.neighbors import NearestNeighbors

from clipexplore.errors import InputError
from clipexplore.labs.contrast import (
    close_gap,
    guessing,
    hardest_negatives,
    match_pairs,
    modality_gap,
    pictures_on_top,
    recall_at,
    rotated,
)


@pytest.fixture(scope="module")
def pairs(test_data):
    found = np.load(test_data / "genuine_vitb16_coco_pairs.npz")
    return found["image_vectors"].astype(np.float64), found["text_vectors"].astype(np.float64)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(7, 12))
    return images, images + rng.normal(size=(7, 12))


def test_the_loss_is_scikit_learns_cross_entropy(pairs):
    images, texts = pairs
    found = match_pairs(images, texts, 100)
    truth = np.arange(len(images))
    assert found.image_loss == pytest.approx(log_loss(truth, found.image_probs, labels=truth), abs=1e-6)
    assert found.text_loss == pytest.approx(log_loss(truth, found.text_probs.T, labels=truth), abs=1e-6)
    assert found.loss == pytest.approx((found.image_loss + found.text_loss) / 2)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in pairs]
    assert found.image_loss == pytest.approx(
        -log_softmax(100 * unit[0] @ unit[1].T, axis=1).diagonal().mean(), abs=1e-4
    )
    assert found.loss < found.chance / 2 and found.chance == pytest.approx(np.log(300))


def test_with_a_bias_the_loss_is_that_of_each_pair_by_itself(pairs):
    """Zhai et al. 2023, algorithm 1: scikit-learn's binary cross-entropy of all pairs, by picture."""
    unit = [x[:40] / np.linalg.norm(x[:40], axis=1, keepdims=True) for x in pairs]
    found = match_pairs(*unit, 60, logit_bias=-16)
    probs = 1 / (1 + np.exp(16 - 60 * unit[0] @ unit[1].T))
    np.testing.assert_allclose(found.image_probs, probs, rtol=1e-4)
    assert found.text_probs is found.image_probs and abs(probs.sum(axis=1) - 1).max() > 0.01, "no softmax"
    assert found.loss == pytest.approx(40 * log_loss(np.eye(40).ravel(), probs.ravel()), rel=1e-4)
    assert found.matched_loss == pytest.approx(-np.log(np.diag(probs)).mean(), rel=1e-4)
    assert found.image_loss == found.text_loss == found.loss > found.matched_loss
    assert match_pairs(*unit, 60).matched_loss is None


def test_no_pair_is_too_wrong_for_a_number():
    found = match_pairs(np.eye(3), -np.eye(3), 1000, logit_bias=-10)
    assert found.matched_loss == pytest.approx(1010) and np.isfinite(found.gradient).all()


def test_guessing_by_a_sigmoid_costs_what_the_best_constant_does():
    probs = np.linspace(0.001, 0.999, 999)
    assert guessing(20, by_sigmoid=True) == pytest.approx(min(-np.log(probs) - 19 * np.log(1 - probs)))
    same = np.ones((20, 3))
    found = match_pairs(same, same, 1, logit_bias=-1 - np.log(19))  # the logit of 1 / 20
    assert found.loss == pytest.approx(found.chance) == pytest.approx(guessing(20, by_sigmoid=True))


@pytest.mark.parametrize("bias", [None, -0.7])
def test_the_gradient_is_that_of_the_loss(bias):
    """By finite differences of the logits, through a scale of 1 and dot products."""
    images, texts = np.eye(5), np.random.default_rng(1).normal(size=(5, 5))
    logits, step = texts.T.copy(), 1e-3
    found = match_pairs(images, texts, 1, normalized=False, logit_bias=bias)
    for cell in np.ndindex(5, 5):
        moved = [logits.copy(), logits.copy()]
        moved[0][cell] += step
        moved[1][cell] -= step
        plus, minus = (match_pairs(images, each.T, 1, normalized=False, logit_bias=bias).loss for each in moved)
        assert found.gradient[cell] == pytest.approx((plus - minus) / (2 * step), abs=1e-4)
    assert (abs(found.gradient.sum()) < 1e-9) == (bias is None)
    assert (np.diag(found.gradient) < 0).all() and (found.gradient[~np.eye(5, dtype=bool)] > 0).all()


def test_guessing_costs_ln_n():
    same = np.ones((8, 3))
    found = match_pairs(same, same, 100)
    assert found.loss == pytest.approx(np.log(8)) == pytest.approx(found.chance)
    np.testing.assert_allclose(found.image_probs, 1 / 8)


def test_lengths_count_only_on_request(batch):
    images, texts = batch
    texts[0] *= 50
    np.testing.assert_allclose(
        match_pairs(images, texts, 10).cosines, match_pairs(images, batch[1] / 3, 10).cosines, atol=1e-6
    )
    np.testing.assert_allclose(match_pairs(images, texts, 10, normalized=False).cosines, images @ texts.T, rtol=1e-5)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_recall_is_scikit_learns_top_k_accuracy(pairs, k):
    cosines = match_pairs(*pairs, 100).cosines
    truth = np.arange(len(cosines))
    assert recall_at(cosines, k) == pytest.approx(top_k_accuracy_score(truth, cosines, k=k))
    assert recall_at(cosines.T, k) == pytest.approx(top_k_accuracy_score(truth, cosines.T, k=k))


def test_a_space_in_which_all_is_equal_finds_nothing():
    assert recall_at(np.ones((10, 10)), 1) == pytest.approx(0.1)
    assert recall_at(np.ones((10, 10)), 3) == pytest.approx(0.3)


def test_hardest_negatives_by_hand():
    cosines = np.array([[0.9, 0.8, 0.1], [0.2, 0.5, 0.6], [0.0, 0.1, 0.7]], np.float32)
    found = hardest_negatives(cosines, 3)
    assert [(each.image, each.text) for each in found] == [(1, 2), (0, 1), (1, 0)]
    assert found[0].margin == pytest.approx(0.1) and found[0].cosine == pytest.approx(0.6)
    assert len(hardest_negatives(cosines, 100)) == 6


def test_swapping_captions_raises_the_loss_step_by_step(pairs):
    images, texts = pairs[0][:20], pairs[1][:20]
    losses = [match_pairs(images, texts[rotated(20, wrong)], 100).loss for wrong in (0, 1, 2, 10, 20)]
    assert losses[0] == losses[1] < losses[2] < losses[3] < losses[4]
    assert losses[4] > np.log(20)  # surely wrong is worse than guessing
    assert sorted(rotated(20, 10)) == list(range(20)) and (rotated(20, 10)[10:] == np.arange(10, 20)).all()


def test_the_gap_of_genuine_pairs(pairs):
    images, texts = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in pairs)
    expected = images.mean(0) - texts.mean(0)
    np.testing.assert_allclose(modality_gap(*pairs), expected, atol=1e-6)
    assert 0.7 < np.linalg.norm(expected) < 1
    # of directions, whatever the lengths
    np.testing.assert_allclose(modality_gap(images * 3, texts / 5), expected, atol=1e-6)


def test_closing_the_gap(pairs):
    images, texts = close_gap(*pairs, 1)
    assert np.linalg.norm(modality_gap(images, texts)) < np.linalg.norm(modality_gap(*pairs)) / 4
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=1e-6)
    unmoved = close_gap(*pairs, 0)
    np.testing.assert_allclose(unmoved[0], pairs[0] / np.linalg.norm(pairs[0], axis=1, keepdims=True), atol=1e-6)
    lengths = [np.linalg.norm(modality_gap(*close_gap(*pairs, share))) for share in (-1, -0.5, 0, 0.5, 1)]
    assert lengths == sorted(lengths, reverse=True)
    losses = [match_pairs(*close_gap(*pairs, share), 100).loss for share in (0, 0.5, 1)]
    assert losses == sorted(losses)  # the model was trained with its gap: closing it costs


def test_a_text_finds_texts_across_a_gap(pairs):
    """scikit-learn's neighbours as another implementation; and FACTS: not one picture among the ten nearest."""
    for share in (0, 1):
        images, texts = close_gap(*pairs, share)
        pool = np.concatenate([images, texts])
        near = (
            NearestNeighbors(n_neighbors=11, metric="cosine", algorithm="brute")
            .fit(pool)
            .kneighbors(texts, return_distance=False)
        )
        own = len(images) + np.arange(len(texts))
        kept = [[j for j in row if j != me][:10] for row, me in zip(near, own, strict=True)]
        assert pictures_on_top(images, texts) == pytest.approx((np.array(kept) < len(images)).mean(), abs=2e-3)
    assert pictures_on_top(*pairs) == 0
    # closed on average, and still texts are mostly nearer to texts
    assert pictures_on_top(*close_gap(*pairs, 1)) > 0.05


def test_without_a_gap_half_of_the_nearest_are_pictures():
    rng = np.random.default_rng(0)
    assert pictures_on_top(rng.normal(size=(400, 30)), rng.normal(size=(400, 30))) == pytest.approx(0.5, abs=0.03)


def test_what_cannot_be_compared_says_why():
    three = np.eye(3)
    for call, message in [
        (lambda: match_pairs(three, three[:2], 100), "one caption for each"),
        (lambda: match_pairs(three[:1], three[:1], 100), "at least two pairs"),
        (lambda: match_pairs(three, three, 0), "above 0"),
        (lambda: match_pairs(three, three, float("nan")), "above 0"),
        (lambda: pictures_on_top(three, three, 6), "k is 6"),
    ]:
        with pytest.raises(InputError, match=message):
            call()
