"""What the tests of the recipe need beyond Python: the emoji font and Unicode's tables, which are not installed everywhere."""

import pytest
from fixtures_drawing_recipe import autoencoder, cache, conditions, recipe, small_clip  # noqa: F401
from PIL import features

from clipexplore.training.things import ANNOTATIONS, EMOJI_TEST, FONT


@pytest.fixture(scope="session")
def world():
    """Emoji World can be drawn here; tests that draw or name its things ask for this, and skip with a word elsewhere."""
    missing = [str(path) for path in (FONT, EMOJI_TEST, *ANNOTATIONS) if not path.exists()]
    if missing:
        pytest.skip(f"the world cannot be drawn without {missing[0]}: apt-get install fonts-noto-color-emoji unicode-cldr-core unicode-data")
    if not features.check("raqm"):
        pytest.skip("the world cannot be drawn without Raqm, which joins the parts of an emoji: apt-get install libfribidi0")
