"""What is stated of the bundled model was measured with it, and every sentence finds its figures."""

import json

from clipexplore.settings import settings
from clipexplore.space import Space
from clipexplore.training.labs import BARS, table
from clipexplore.ui.texts import TEXTS, text


def measured():
    return json.loads((settings().assets / "figures.json").read_text(encoding="utf-8"))


def test_the_figures_are_those_of_the_bundled_model():
    assert measured()["revision"] == Space.open().revision, "run python -m clipexplore.training.labs"


def test_every_sentence_finds_its_figures():
    keys = [key for key in TEXTS if key.startswith("figures.") and "{of" in TEXTS[key]]
    assert len(keys) == 4
    for key in keys:
        assert "{" not in text(key, of=measured()["figures"])


def test_detection_is_above_its_bars():
    assert all(measured()["figures"][name] >= bar for name, bar in BARS.items())


def test_the_readme_has_the_same_table():
    readme = (settings().assets.parent / "README.md").read_text(encoding="utf-8")
    assert table(measured()["figures"]) in readme, "put what python -m clipexplore.training.labs prints into the README"
