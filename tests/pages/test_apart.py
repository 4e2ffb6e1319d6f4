"""The page that takes points apart."""

import numpy as np
from helpers import (
    captions,
    click,
    errors,
    figure,
    follow,
    metrics,
    numbers,
    open_page,
    pictures,
    the_error,
    unescaped,
    values,
)

from clipexplore.explore.apart import apart, beside


def equation(app) -> str:
    """The point and its sum, as they stand on the page."""
    (found,) = [each.value for each in app.main.code if " ≈ " in each.value]
    return found


def sliders(app) -> dict[str, float]:
    return {unescaped(each.label): each.value for each in app.slider if each.key.startswith("weight-")}


def slide(app, word: str, weight: float):
    (slider,) = [each for each in app.slider if each.key.startswith("weight-") and unescaped(each.label) == word]
    return slider.set_value(weight).run()


def test_a_point_and_the_sum_that_stands_for_it(space):
    app = open_page("apart")
    found = apart(space, "@penguin-snow-01")
    assert equation(app) == f"@penguin-snow-01 ≈ {found.sum}"
    assert sliders(app) == {term.text: term.weight for term in found.sum.terms}
    np.testing.assert_allclose(numbers(figure(app, "apart-curve")["data"][0]["y"]), found.cosines)
    table = app.table[0].value
    assert table.index.tolist() == [each.word for each in found.without]
    assert pictures(app, "apart-left") == [hit.id for hit in found.pictures]
    assert "the first five words name" in captions(app)


def test_a_slider_changes_the_sum_and_the_link(space):
    app = open_page("apart", {"q": "@man-top-hat", "terms": "3"})
    before = app.session_state["edited"], equation(app)
    word = next(iter(sliders(app)))
    slide(app, word, 0.0)
    edited = app.session_state["edited"]
    assert before[0] == "" and edited and word not in edited and sliders(app)[word] == 0
    assert equation(app) == f"@man-top-hat ≈ {edited}"
    shown = metrics(app)
    assert shown["cosine"] == f"{beside(space, '@man-top-hat', edited).cosine:.3f}"
    assert equation(follow(app, "apart")) == equation(app) and sliders(follow(app, "apart")) == sliders(app)
    app.text_input(key="edited").set_value("").run()
    assert equation(app) == before[1]


def test_a_sum_can_be_written_and_has_its_sliders():
    first, second = sliders(open_page("apart", {"q": "@man-top-hat", "terms": "2"}))
    app = open_page("apart", {"q": "@man-top-hat", "terms": "2", "edited": "0.5*@penguin - 3*snow + snow"})
    assert sliders(app) == {first: 0.0, second: 0.0, "@penguin": 0.5, "snow": -2.0}
    slide(app, first, 0.25)
    assert app.session_state["edited"] == f"0.25*{first} + 0.5*@penguin - 2*snow"


def test_a_sum_is_never_left_without_a_term_nor_too_long():
    app = open_page("apart", {"q": "lion", "terms": "1"})
    slide(app, "lion", 0.0)
    assert not errors(app) and equation(app) == "lion ≈ lion" and sliders(app) == {"lion": 1.0}
    many = " + ".join(f"{number}*word{number}" for number in range(2, 34))
    app = open_page("apart", {"q": "lion", "terms": "1", "edited": many})
    slide(app, "lion", 0.5)
    assert not errors(app) and app.session_state["edited"] == many


def test_what_was_changed_belongs_to_its_point():
    app = open_page("apart", {"q": "@man-top-hat", "terms": "3", "edited": "man"})
    assert equation(app) == "@man-top-hat ≈ man"
    app.text_input(key="q").set_value("@penguin").run()
    assert app.session_state["edited"] == "" and "@penguin ≈ " in equation(app) and "penguin" in sliders(app)
    slide(app, "penguin", 0.1)
    app.slider(key="terms").set_value(2).run()
    assert app.session_state["edited"] == "" and len(sliders(app)) == 2


def test_a_sum_that_is_none_is_explained_and_the_one_found_is_shown():
    app = open_page("apart", {"q": "@man-top-hat", "terms": "3", "edited": "cat - cat"})
    assert "has length 0" in the_error(app) and "≈ 0." in equation(app)


def test_signed_weights_and_terms_are_in_the_link():
    app = open_page("apart", {"signed": "true", "terms": "5"})
    assert " - " in equation(app) and len(sliders(app)) <= 5 and min(sliders(app).values()) < 0
    assert values(follow(app, "apart"), "apart") == values(app, "apart")


def test_every_example_is_taken_apart():
    app = open_page("apart")
    for label in ("A panda with a cap", "hat − no hat", "A sum of pictures", "With negative weights"):
        click(app, label)
        assert not errors(app) and " ≈ " in equation(app)
