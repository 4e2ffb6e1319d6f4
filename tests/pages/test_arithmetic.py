import numpy as np
import pytest
from helpers import (
    captions,
    click,
    errors,
    examples,
    figure,
    figures,
    follow,
    labels,
    numbers,
    open_page,
    pictures,
    scores,
    the_error,
    values,
)

from clipexplore import Space, direction, links


def test_hat_minus_no_hat_is_about_hats():
    app, space = open_page("arithmetic"), Space.open()
    hits = space.search(space.point("@man-top-hat - @man").vector, "words", 12)
    assert labels(app, "arithmetic-bars") == [hit.caption for hit in hits]
    np.testing.assert_allclose(
        numbers(figure(app, "arithmetic-bars")["values"]), [hit.cosine for hit in hits], atol=1e-5
    )
    assert "hat" in labels(app, "arithmetic-bars")[:5]
    assert values(app, "arithmetic") == links.PAGES["arithmetic"] and len(pictures(app, "arithmetic-pictures")) == 9
    assert f"Among {len(space.words):,} words" in captions(app) and "length of the sum" in captions(app)


def test_a_link_gives_its_widgets_and_its_result():
    link = {
        "q": "@woman-glasses - @woman",
        "k": "5",
        "bank": "captions",
        "exclude": "true",
        "pairs": "@man-glasses - @man",
    }
    app, space = open_page("arithmetic", link), Space.open()
    assert values(app, "arithmetic") == {**links.PAGES["arithmetic"], **link, "k": 5, "exclude": True}
    pair = np.stack([space.point(each).vector for each in ("@woman-glasses - @woman", "@man-glasses - @man")])
    hits = space.search(direction(pair).vector, "captions", 5, exclude=space.point(link["q"]))
    assert labels(app, "arithmetic-bars") == [
        hit.caption if len(hit.caption) <= 32 else hit.caption[:31] + "…" for hit in hits
    ]
    assert app.metric[0].value == f"{direction(pair).agreement:.2f}"


@pytest.mark.parametrize("example", examples("arithmetic"), ids=lambda example: example["label"])
def test_examples(example):
    app = click(open_page("arithmetic"), example["label"])
    shown = values(app, "arithmetic")
    assert {**shown, **example["set"]} == shown and not errors(app)
    there = follow(app, "arithmetic")
    assert labels(there, "arithmetic-bars") == labels(app, "arithmetic-bars")
    assert len(app.metric) == bool(example["set"]["pairs"])


def test_turning_around_turns_the_order_around():
    app = click(open_page("arithmetic"), "Turn around")
    assert values(app, "arithmetic")["q"] == "@man - @man-top-hat" and "hat" not in labels(app, "arithmetic-bars")
    assert values(click(app, "Turn around"), "arithmetic")["q"] == "@man-top-hat - @man"


def test_inputs_are_left_out_where_asked():
    link = {"q": "@penguin", "bank": "pictures"}
    with_it, without = (
        pictures(open_page("arithmetic", {**link, **more}), "arithmetic") for more in ({}, {"exclude": "true"})
    )
    assert with_it[0] == "penguin" and without[:11] == with_it[1:]
    words = labels(open_page("arithmetic", {"q": "cat", "exclude": "true"}), "arithmetic-bars")
    assert words and "cat" not in words


@pytest.mark.parametrize(
    ("key", "typed", "says"),
    [
        ("q", "", "is empty"),
        ("q", "cat - cat", "length 0"),
        ("q", "hat - ", "Nothing follows"),
        ("q", "@nope - @man", "There is no @nope"),
        ("pairs", "@woman-top-hat - @nope", "There is no @nope"),
        ("pairs", "cat - cat", "length 0"),
        ("pairs", "@man - @man-top-hat", "cancel out"),
    ],
)
def test_what_has_no_direction_is_told_and_the_page_stays(key, typed, says):
    app = open_page("arithmetic")
    field = app.text_input if key == "q" else app.text_area
    field(key=key).set_value(typed).run()
    assert (
        says in the_error(app)
        and [slider.key for slider in app.slider] == ["k"]
        and "exclude" in {toggle.key for toggle in app.toggle}
    )
    field = app.text_input if key == "q" else app.text_area
    field(key=key).set_value(links.PAGES["arithmetic"][key]).run()
    assert not errors(app) and "arithmetic-bars" in figures(app)


def test_a_picture_below_is_added_to_the_expression():
    first = pictures(open_page("arithmetic"), "arithmetic-pictures")[0]
    app = open_page("arithmetic", {"open": first})
    app.button(key="picture-more").click().run()
    assert values(app, "arithmetic")["q"] == f"@man-top-hat - @man + @{first}" and len(scores(app)) == 9
