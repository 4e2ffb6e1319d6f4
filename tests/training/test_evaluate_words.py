"""The table of words, for models whose figures are known: one that reads, one that guesses."""

import numpy as np
import pytest
from PIL import Image

from clipexplore.images import encode
from clipexplore.vectors import normalize

pytestmark = pytest.mark.usefixtures("sources")


@pytest.fixture(scope="module")
def words(sources):
    from clipexplore.training import evaluate_words

    return evaluate_words


class Reader:
    """Knows some texts by the number of their thing, whose picture is an axis; of others it makes the middle of all."""

    def __init__(self, known, dim):
        self.known, self.dim = known, dim

    def embed_texts(self, texts):
        rows = [np.eye(self.dim)[self.known[text]] if text in self.known else np.ones(self.dim) for text in texts]
        return normalize(np.stack(rows).astype(np.float32))


def test_a_text_is_answered_by_the_nearest_pictures(words):
    said = [
        words.Said("a", "en", (1,), True),
        words.Said("b", "en", (2, 4), True),
        words.Said("c", "en", (0,), True),
        words.Said("d", "en", (3,), True),
    ]
    reader, pictures = Reader({"a": 1, "b": 4, "c": 3, "d": 3}, 8), np.eye(8)
    assert words.in_first(reader, pictures, said, 1) == 0.75  # "c" is taken for another thing
    assert words.in_first(reader, pictures, said, 8) == 1


def test_of_many_texts_some_are_asked_for_evenly(words, monkeypatch):
    monkeypatch.setattr(words, "MOST", 5)
    asked = []
    reader = Reader({}, 4)
    monkeypatch.setattr(
        reader, "embed_texts", lambda texts: asked.extend(texts) or np.ones((len(texts), 4)), raising=False
    )
    words.in_first(reader, np.eye(4), [words.Said(str(number), "en", (0,), True) for number in range(12)], 1)
    assert asked == ["0", "3", "6", "9"]


def test_who_adds_genders_solves_analogies_of_genders(words, monkeypatch):
    axes = {
        "king": [0, 1, 0],
        "queen": [0, 0, 1],
        "man": [1, 1, 0],
        "woman": [1, 0, 1],
        "hat": [5, 0, 0],
        "red": [0, 0, 0.1],
    }
    adds = type("Adds", (), {"embed_texts": lambda self, texts: np.array([axes[text] for text in texts], float)})()
    monkeypatch.setattr("clipexplore.training.words.bank", lambda: list(axes))
    monkeypatch.setattr(
        words,
        "analogy_list",
        lambda: [
            ([(1, "king"), (-1, "man"), (1, "woman")], {"queen"}),
            ([(1, "hat"), (-1, "man"), (1, "woman")], {"king"}),
        ],
    )
    assert words.analogies(adds)["analogies in three"] in (0.5, 1.0)
    monkeypatch.setattr(
        words, "analogy_list", lambda: [([(1, "king"), (-1, "man"), (1, "woman")], {"man", "king", "woman"})]
    )
    assert words.analogies(adds)["analogies in three"] == 0  # what is asked with is no answer


def test_how_often_one_exceeds_another(words):
    assert words.auc(np.array([2, 3]), np.array([0, 1])) == 1 and words.auc(np.array([0, 1]), np.array([2, 3])) == 0
    assert words.auc(np.array([1, 1]), np.array([1, 1])) == 0.5
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    high, low = rng.integers(0, 9, 50) + 2, rng.integers(0, 9, 70)
    assert words.auc(high, low) == pytest.approx(roc_auc_score([1] * 50 + [0] * 70, np.concatenate([high, low])))


def test_grain_is_told_from_scenes(words, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    (tmp_path / "a.jpg").write_bytes(encode(Image.fromarray(noise), "JPEG"))
    figures = words.photographs(tmp_path, 40)
    assert (
        figures["scenes against photographs, AUC"] == 1
        and figures["scenes taken for photographs"] < 0.1
        and figures["photographs taken for scenes"] == 0
    )
