"""What the tests of the recipe need beyond Python: the emoji font and Unicode's tables, which are not installed
everywhere.
"""

import functools

import pytest
from fixtures_drawing_recipe import autoencoder, cache, conditions, recipe, small_clip  # noqa: F401
from PIL import features

from clipexplore.training.things import ANNOTATIONS, EMOJI_TEST, FONT

SMALL_CLIP = {"VOCABULARY": 1024, "WIDTH": 32, "VISION_LAYERS": 1, "TEXT_LAYERS": 1, "HEADS": 2, "PROJECTION": 16}


@pytest.fixture(scope="session")
def world():
    """Emoji World can be drawn here; tests that draw or name its things ask for this, and skip elsewhere."""
    missing = [str(path) for path in (FONT, EMOJI_TEST, *ANNOTATIONS) if not path.exists()]
    if missing:
        pytest.skip(
            f"the world cannot be drawn without {missing[0]}: "
            "apt-get install fonts-noto-color-emoji unicode-cldr-core unicode-data"
        )
    if not features.check("raqm"):
        pytest.skip(
            "the world cannot be drawn without Raqm, which joins the parts of an emoji: apt-get install libfribidi0"
        )


@pytest.fixture(scope="session")
def sources(world):
    """What people call things can be read here; tests of the words ask for this."""
    from clipexplore.training import words

    missing = [
        str(path)
        for path in (words.SOURCES / "emojilib", words.SOURCES / "emojibase-data", words.WORDNET)
        if not path.exists()
    ]
    if missing:
        pytest.skip(f"words cannot be learned without {missing[0]}; see clipexplore/training/words.py")


@pytest.fixture(scope="session")
def train_clip(world):
    """The module, with a model small enough for a test; imported here, since it imports what takes seconds."""
    from clipexplore.training import clip_model, train_clip

    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL_CLIP.items():
            assert getattr(clip_model, name) > value
            patch.setattr(clip_model, name, value)
        patch.setattr(train_clip, "train_tokenizer", functools.partial(clip_model.train_tokenizer, scenes=300))
        yield train_clip


@pytest.fixture(scope="session")
def tokenizer(train_clip, tmp_path_factory):
    return train_clip.train_tokenizer(tmp_path_factory.mktemp("tokenizer"))
