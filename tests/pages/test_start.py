from random import Random

import pytest
from helpers import click, errors, examples, follow, labels, open_page, pictures, the_error, values

from clipexplore import Space, links
from clipexplore.explore.search import surprise
from clipexplore.expression import parse


def test_the_default_view_is_that_of_the_library():
    app, space = open_page("start"), Space.open()
    vector = space.point("@man-top-hat - @man").vector
    assert labels(app, "start-words") == [hit.caption for hit in space.search(vector, "words", 14)]
    assert "hat" in labels(app, "start-words")[:5]
    assert pictures(app, "start-pictures") == [hit.id for hit in space.search(vector, "pictures", 9)]
    assert values(app, "start") == links.PAGES["start"]


def test_the_other_pages_are_a_click_away():
    assert {link.proto.page for link in open_page("start").page_link} >= {
        "search",
        "classify",
        "map",
        "interpolate",
        "arithmetic",
    }


def test_a_link_gives_its_widgets_and_its_result():
    app, space = open_page("start", {"q": "cat"}), Space.open()
    assert values(app, "start") == {"q": "cat"}
    assert labels(app, "start-words") == [hit.caption for hit in space.search(space.point("cat").vector, "words", 14)]
    assert 'q="cat"' in app.main.code[-1].value


@pytest.mark.parametrize("example", examples("start"), ids=lambda example: example["label"])
def test_examples(example):
    app = click(open_page("start"), example["label"])
    assert values(app, "start") == example["set"] and not errors(app)
    there = follow(app, "start")
    assert labels(there, "start-words") == labels(app, "start-words") and pictures(there, "start-pictures") == pictures(
        app, "start-pictures"
    )


@pytest.mark.parametrize(
    ("typed", "says"),
    [("", "is empty"), ("cat - cat", "length 0"), ("@nope", "There is no @nope"), ("cat - - dog", "another '-'")],
)
def test_what_is_no_expression_is_told_and_the_page_stays(typed, says):
    app = open_page("start")
    app.text_input(key="q").set_value(typed).run()
    assert says in the_error(app) and len(app.page_link) >= 5
    assert labels(app.text_input(key="q").set_value("cat").run(), "start-words")


def test_what_a_link_holds_for_no_widget_here_is_left_alone():
    assert values(open_page("start", {"q": "cat", "nothing": ["1", "2"], "k": "5", "region": "@"}), "start") == {
        "q": "cat"
    }


def test_a_surprise_is_an_expression_of_this_collection():
    app = click(open_page("start"), "Surprise me")
    expression = parse(values(app, "start")["q"])
    assert all(term.is_id and Space.open().has_picture(term.text) for term in expression.terms) and not errors(app)
    assert pictures(follow(app, "start"), "start-pictures") == pictures(app, "start-pictures")


def test_surprises_differ_by_their_seed_alone():
    space = Space.open()
    assert len({surprise(space, Random(seed)) for seed in range(20)}) == 20
    assert surprise(space, Random(3)) == surprise(space, Random(3))


def test_a_collection_without_pictures_surprises_with_words():
    space = Space.open()
    texts = Space(space.model, space.words, space.words, space.background)
    assert all(term.text in set(space.words.captions) for term in parse(surprise(texts, Random(0))).terms)
