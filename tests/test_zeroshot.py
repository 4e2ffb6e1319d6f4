import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.metrics.pairwise import cosine_similarity

from clipexplore.errors import InputError
from clipexplore.zeroshot import class_embeddings, classify


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
