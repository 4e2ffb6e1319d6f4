"""What is stated of the bundled model was measured with it, and every sentence finds its figures."""

import ast
import json

from clipexplore.settings import settings
from clipexplore.space import Space
from clipexplore.training.labs import BARS, table


def measured():
    return json.loads((settings().assets / "figures.json").read_text(encoding="utf-8"))


def test_the_figures_are_those_of_the_bundled_model():
    assert measured()["revision"] == Space.open().revision, "run python -m clipexplore.training.labs"


def test_every_sentence_finds_its_figures():
    pages = (settings().assets.parent / "pages").glob("*.py")
    calls = [
        node for page in pages for node in ast.walk(ast.parse(page.read_text("utf-8"))) if isinstance(node, ast.Call)
    ]
    stated = [call.args[0].args[0].value for call in calls if getattr(call.func, "attr", "") == "say_figures"]
    assert len(stated) == 6
    for sentence in stated:
        assert "{" not in sentence.format(of=measured()["figures"])


def test_detection_is_above_its_bars():
    assert all(measured()["figures"][name] >= bar for name, bar in BARS.items())


def test_the_papers_have_the_same_table():
    paper = (settings().assets.parent / "docs" / "emoji-world.md").read_text(encoding="utf-8")
    assert table(measured()["figures"]) in paper, (
        "put what python -m clipexplore.training.labs prints into docs/emoji-world.md"
    )
