"""What a model has learned: whole texts, words in other forms, strangers; drawn pictures and grainy ones."""

import numpy as np
import pytest
from PIL import Image

from clipexplore.known import Known, evenness, is_drawn, words_of


@pytest.fixture
def known(tmp_path):
    Known(
        frozenset(
            {"kitten", "cherry", "wolf", "a", "the", "red", "on", "katze", "猫", "tête de chat", "🐱", "3", "dress"}
        )
    ).save(tmp_path)
    return Known.load(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "kitten",
        "Kitten",
        " the  red kittens ",
        "cherries",
        "wolves",
        "dresses",
        "3 kittens",
        "Katze",
        "猫",
        "tête de chat",
        "🐱",
        "a red 🐱",
    ],
)
def test_what_was_learned_is_known_in_any_form(known, text):
    assert text in known and known.share(text) == 1


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("zebra", 0),
        ("a zebra", 1 / 2),
        ("Margaret", 0),
        ("🇩🇪", 0),
        ("", 0),
        ("tête", 0),
        ("the red zebra on the unicycle", 3 / 5),
    ],
)
def test_what_was_not_is_not(known, text, share):
    assert text not in known and known.share(text) == pytest.approx(share)


def test_strangers_are_named_in_their_order_once(known):
    assert known.strangers("A zebra, the red Zebra on my kittens") == ("zebra", "my")
    assert known.strangers("tête de chat") == known.strangers("") == ()


def test_a_model_without_a_list_knows_nothing_of_it(tmp_path):
    assert Known.load(tmp_path) is None


def test_the_same_list_is_the_same_file(known, tmp_path):
    before = (tmp_path / "known.txt.gz").read_bytes()
    known.save(tmp_path)
    assert (tmp_path / "known.txt.gz").read_bytes() == before


def test_words_are_letters_digits_and_emoji():
    assert words_of("the man's t-shirt, 3 lions: 🐱🐶 (café)") == [
        "the",
        "man's",
        "t-shirt",
        "3",
        "lions",
        "🐱🐶",
        "café",
    ]


def test_grain_tells_photographs():
    rows = np.linspace(0, 255, 100).astype(np.uint8)[:, None, None].repeat(100, 1).repeat(3, 2)
    grain = np.random.default_rng(0).normal(0, 8, rows.shape)
    drawn, taken = (Image.fromarray(np.clip(each, 0, 255).astype(np.uint8)) for each in (rows, rows + grain))
    assert evenness(drawn) == 1 and is_drawn(drawn)
    assert evenness(taken) < 0.3 and not is_drawn(taken)
    assert is_drawn(drawn.convert("L")) and is_drawn(drawn.convert("RGBA"))
