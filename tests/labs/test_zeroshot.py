import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    classification_report,
    log_loss,
    top_k_accuracy_score,
)
from sklearn.metrics.pairwise import cosine_similarity

from clipexplore.errors import InputError
from clipexplore.labs.zeroshot import (
    ENSEMBLE,
    best_scale,
    best_sigmoid,
    by_template_count,
    class_embeddings,
    classify,
    none_of_these,
    refused_below,
    reliability,
    report,
)


@pytest.fixture(scope="module")
def pairs(test_data):
    return np.load(test_data / "genuine_vitb16_coco_pairs.npz")


def test_a_class_is_the_normalised_mean_of_its_normalised_templates():
    vectors = np.random.default_rng(0).normal(size=(6, 8))
    asked = []

    def embed_texts(texts):
        asked.append(texts)
        return vectors

    found = class_embeddings(embed_texts, ["cat", "dog"], ["a {}.", "no {}.", "{}"])
    assert asked == [["a cat.", "no cat.", "cat", "a dog.", "no dog.", "dog"]]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = [unit[:3].sum(axis=0), unit[3:].sum(axis=0)]
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)


def test_templates_average_out_what_they_do_not_share(axes):
    single = class_embeddings(axes.embed_texts, ["cat"], ["a big {}"])
    both = class_embeddings(axes.embed_texts, ["cat"], ["a big {}", "a small {}"])
    cat = axes.embed_texts(["cat"])[0]
    assert single[0] @ cat == pytest.approx(0.5**0.5, abs=1e-6)
    assert both[0] @ cat == pytest.approx((2 / 3) ** 0.5, abs=1e-6)  # of (2, 1, 1)


@pytest.mark.parametrize("name", ["{0.__class__}", "a {} b", "50 %", "{"])
def test_a_class_name_is_only_text(axes, name):
    seen = []
    class_embeddings(lambda texts: seen.extend(texts) or axes.embed_texts(["cat"]), [name], ["it is {}."])
    assert seen == [f"it is {name}."]


@pytest.mark.parametrize("template", ["a photo", "{} and {}", "{0}", ""])
def test_a_template_holds_its_place_once(axes, template):
    with pytest.raises(InputError, match="template .* times"):
        class_embeddings(axes.embed_texts, ["cat"], ["{}", template])


def test_nothing_to_choose_from_is_an_error(axes):
    with pytest.raises(InputError, match="class name"):
        class_embeddings(axes.embed_texts, [], ["{}"])
    with pytest.raises(InputError, match="no template"):
        class_embeddings(axes.embed_texts, ["cat"], [])


def test_scores_by_hand(axes):
    scores = classify(axes.embed_texts(["a cat in snow"]), axes.embed_texts(["cat", "dog"]), logit_scale=10)
    np.testing.assert_allclose(scores.cosines, [[0.5**0.5, 0]], atol=1e-6)
    np.testing.assert_allclose(scores.logits, [[10 * 0.5**0.5, 0]], atol=1e-5)
    odds = np.exp(10 * 0.5**0.5)
    np.testing.assert_allclose(scores.probs, [[odds / (1 + odds), 1 / (1 + odds)]], rtol=1e-4)


def test_scores_agree_with_scipy_and_scikit_learn_on_real_pairs(pairs):
    scores = classify(pairs["image_vectors"], pairs["text_vectors"], logit_scale=100)
    cosines = cosine_similarity(pairs["image_vectors"].astype(float), pairs["text_vectors"].astype(float))
    np.testing.assert_allclose(scores.cosines, cosines, atol=1e-6)
    np.testing.assert_allclose(scores.logits, 100 * cosines, atol=1e-4)
    np.testing.assert_allclose(scores.probs, softmax(100 * cosines, axis=1), atol=1e-4)
    assert all(part.dtype == np.float32 for part in (scores.cosines, scores.logits, scores.probs))
    loss = -np.log(scores.probs.diagonal()).mean()
    assert loss == pytest.approx(-log_softmax(100 * cosines, axis=1).diagonal().mean(), abs=1e-3)
    assert loss < np.log(300) / 2  # far better than chance: the pairs are in the same order


def test_probabilities_survive_a_large_scale(pairs):
    probs = classify(pairs["image_vectors"][:5], pairs["text_vectors"], logit_scale=1e5).probs
    assert np.isfinite(probs).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)


@pytest.fixture
def case():
    """300 pictures of 6 classes that are told apart more or less."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, 300)
    return 0.2 * np.eye(6)[truth] + rng.normal(scale=0.12, size=(300, 6)), truth


def test_the_report_is_scikit_learns(case):
    scores, truth = case
    found, predicted = report(scores, truth), scores.argmax(1)
    expected = classification_report(truth, predicted, output_dict=True)
    assert found.accuracy == pytest.approx(accuracy_score(truth, predicted)) == pytest.approx(expected["accuracy"])
    for label in range(6):
        row = expected[str(label)]
        assert [found.precision[label], found.recall[label], found.f1[label], found.count[label]] == pytest.approx(
            list(row.values())
        )
    for k in (1, 3, 5):
        assert found.top[k] == pytest.approx(top_k_accuracy_score(truth, scores, k=k))
    assert found.confusion.sum() == 300 and np.trace(found.confusion) == pytest.approx(300 * found.accuracy)


def test_a_report_by_hand():
    found = report(np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0]]), np.array([0, 1, 1]))
    assert found.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert (
        found.recall.tolist() == [1, 0.5, 0]
        and found.precision.tolist() == [0.5, 1, 0]
        and found.top == {1: pytest.approx(2 / 3)}
    )


def test_equal_scores_give_the_first_class_everywhere():
    found = report(np.ones((4, 4)), np.arange(4))
    assert found.accuracy == 0.25 and found.top == {1: 0.25, 3: 0.75}


def test_reliability_is_scikit_learns_calibration_curve(case):
    scores, truth = case
    probs = softmax(15 * scores, axis=1)
    found = reliability(probs, truth)
    right, sure = calibration_curve(probs.argmax(1) == truth, probs.max(1), n_bins=10)
    np.testing.assert_allclose(found.accuracy, right)
    np.testing.assert_allclose(found.confidence, sure)
    assert found.error == pytest.approx((np.abs(right - sure) * found.count).sum() / 300)


def test_whoever_is_always_right_and_sure_is_reliable():
    found = reliability(np.eye(3), np.arange(3))
    assert found.error == 0 and found.confidence.tolist() == [1] and found.count.tolist() == [3]


def test_the_best_scale_is_where_the_loss_does_not_change(case):
    scores, truth = case
    best = best_scale(scores, truth)

    def loss(scale):
        return log_loss(truth, softmax(scale * scores, axis=1), labels=range(6))

    assert best == pytest.approx(brentq(lambda s: loss(s * 1.001) - loss(s / 1.001), 1, 100), rel=0.02)
    assert (
        reliability(softmax(best * scores, axis=1), truth).error
        < reliability(softmax(100 * scores, axis=1), truth).error
    )


def test_none_of_these_tells_both_kinds_apart():
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(0.3, 0.05, 400), rng.normal(0.2, 0.05, 300)
    found = none_of_these(inside, outside)
    assert found.kept == pytest.approx((inside >= found.cosine).mean()) and found.refused == pytest.approx(
        (outside < found.cosine).mean()
    )
    both, truth = np.concatenate([inside, outside]), np.repeat([1, 0], [400, 300])
    best = max(balanced_accuracy_score(truth, both >= each) for each in both)
    assert (found.kept + found.refused) / 2 == pytest.approx(best)
    assert found.auroc == pytest.approx((inside[:, None] > outside).mean())
    assert none_of_these(np.array([0.5, 0.6]), np.array([0.1])).cosine == 0.5


def test_templates_are_counted_from_the_first(axes):
    names, truth = ["cat", "dog", "fish"], np.array([0, 1, 2])
    images = axes.embed_texts([f"a {name} photo" for name in names])
    found = by_template_count(axes.embed_texts, names, images, truth, (1, 4))
    for count in (1, 4):
        classes = class_embeddings(axes.embed_texts, names, ENSEMBLE[:count])
        assert found[count] == (classify(images, classes, 1).cosines.argmax(1) == truth).mean() == 1


def test_the_ensemble_is_of_different_templates():
    assert len(set(ENSEMBLE)) == len(ENSEMBLE) == 25 and all(each.count("{}") == 1 for each in ENSEMBLE)


def test_what_cannot_be_judged_says_why():
    with pytest.raises(InputError, match="No picture has a label"):
        report(np.empty((0, 3)), np.empty(0, int))
    with pytest.raises(InputError, match="do not fit"):
        report(np.ones((2, 3)), np.array([0, 3]))
    with pytest.raises(InputError, match="pictures of none"):
        none_of_these(np.array([0.1]), np.array([]))


def test_with_a_bias_each_probability_stands_by_itself():
    """SigLIP's sigmoid: none of the classes may be right, or two."""
    pictures, classes = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[:2]
    scores = classify(pictures, classes, 100.0, -10.0)
    np.testing.assert_allclose(scores.logits, [[90, -10], [-10, 90], [-10, -10]], atol=1e-4)
    np.testing.assert_allclose(scores.probs, 1 / (1 + np.exp(-scores.logits.astype(float))), atol=1e-6)
    assert scores.probs[2].max() < 1e-3, "none of these"
    assert classify(pictures, classes, 100.0).probs[2].sum() == pytest.approx(1), "a softmax always names one"


def test_the_best_sigmoid_is_scikit_learns_logistic_regression(case):
    cosines, truth = case
    scale, bias = best_sigmoid(cosines, truth)
    right = np.arange(6) == truth[:, None]
    fitted = LogisticRegression(C=np.inf, tol=1e-8).fit(cosines.reshape(-1, 1), right.ravel())
    assert (scale, bias) == pytest.approx((fitted.coef_[0, 0], fitted.intercept_[0]), rel=1e-3)
    logits = scale * cosines + bias
    assert (1 / (1 + np.exp(-logits))).mean() == pytest.approx(1 / 6, abs=1e-3), "as sure as it is right"


def test_classes_that_are_told_apart_without_a_mistake_have_a_finite_sigmoid():
    scale, bias = best_sigmoid(np.eye(4, dtype=np.float32), np.arange(4))
    assert 0.1 <= scale <= 1000 and np.isfinite(bias)


def test_refusing_below_a_cosine_by_hand():
    found = refused_below(0.3, np.array([0.2, 0.3, 0.4, 0.5]), np.array([0.1, 0.3]))
    assert (found.cosine, found.kept, found.refused) == (0.3, 0.75, 0.5)
    assert found.auroc == pytest.approx(6.5 / 8)
