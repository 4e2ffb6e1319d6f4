"""The page of concepts."""

import numpy as np
from helpers import (
    buttons,
    captions,
    click,
    errors,
    examples,
    figure,
    follow,
    metrics,
    numbers,
    open_page,
    pictures,
    the_error,
)

from clipexplore.explore.concepts import concept, concepts
from clipexplore.explore.turned import turn


def sliders(app) -> dict[int, float]:
    return {int(each.key.removeprefix("turn-")): each.value for each in app.slider if each.key.startswith("turn-")}


def listed(app) -> list[int]:
    """The numbers of the cards that are shown."""
    return [int(each.key.removeprefix("look-")) for each in buttons(app, "look-")]


def test_cards_the_table_and_one_concept(space):
    app = open_page("concepts")
    found = concepts(space)
    assert listed(app) == [card.number for card in found.cards[:12]]
    shown = metrics(app)
    assert shown["concepts"] == f"{found.count:,}" and shown["stability"] == f"{found.stability:.2f}"
    (table,) = [each.value for each in app.table]
    assert table.index.tolist() == ["concept", "principal component", "dimension of the vector"]
    assert float(table["F1"]["concept"]) > 0.9 > 0.6 > float(table["F1"]["principal component"])
    assert "judged on new scenes" in captions(app)
    one = concept(space, found.cards[0].number)
    rest, lit = figure(app, "concept-places")["data"]
    there = one.amounts > 0
    np.testing.assert_allclose(numbers(lit["x"]), one.coordinates[there, 0])
    np.testing.assert_allclose(numbers(rest["y"]), one.coordinates[~there, 1])


def test_concepts_are_found_and_looked_at(space):
    app = open_page("concepts", {"find": "snow", "k": "3"})
    found = concepts(space, find="snow")
    assert listed(app) == [card.number for card in found.cards[:3]]
    app.button(key=f"look-{found.cards[2].number}").click().run()
    assert app.session_state["concept"] == found.cards[2].number and not errors(app)
    assert listed(follow(app, "concepts")) == listed(app)


def test_a_slider_turns_a_concept_and_the_link_says_so(space):
    app = open_page("concepts")
    before = sliders(app)
    number = next(iter(before))
    app.slider(key=f"turn-{number}").set_value(0.0).run()
    assert app.session_state["turned"] == f"{number} 0" and sliders(app)[number] == 0
    found = turn(space, "@lion-jungle-07", f"{number} 0")
    assert pictures(app, "turned-after") == [hit.id for hit in found.after]
    assert f"is {found.cosine:.2f}" in captions(app)
    assert sliders(follow(app, "concepts")) == sliders(app)
    click(app, "As it was")
    assert app.session_state["turned"] == "" and sliders(app) == before


def test_a_concept_is_added_from_its_card_and_by_its_word(space):
    app = open_page("concepts", {"find": "snow"})
    snow = concepts(space, find="snow").cards[0]
    app.button(key=f"up-{snow.number}").click().run()
    assert app.session_state["turned"] == f"{snow.number} 1.5" and sliders(app)[snow.number] == 1.5
    box = app.selectbox(key="add-concept")
    other = concepts(space, find="top hat").cards[0]
    box.set_value(f"{other.words[0]} · {other.number}").run()
    assert sliders(app)[other.number] == 1 and app.session_state["turned"] == f"{snow.number} 1.5, {other.number} 1"
    assert not errors(app)


def test_what_cannot_be_turned_is_a_sentence_and_a_card_begins_anew():
    app = open_page("concepts", {"turned": "more snow"})
    assert "is not the number of a concept" in the_error(app)
    number = listed(app)[0]
    app.button(key=f"up-{number}").click().run()
    assert app.session_state["turned"] == f"{number} 1.5" and not errors(app)


def test_every_example_shows_what_it_says():
    for example in examples("concepts"):
        app = open_page("concepts")
        click(app, example["label"])
        assert not errors(app)
        if "snow" in example["label"]:
            assert all(id.startswith("lion-snow") for id in pictures(app, "turned-after"))
        if "top hat" in example["label"]:
            assert pictures(app, "turned-after")[0] == "panda-top-hat"
