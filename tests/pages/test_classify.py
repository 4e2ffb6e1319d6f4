import time

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
    metrics,
    numbers,
    open_page,
    settled,
    the_error,
    values,
)

from clipexplore import Space, class_embeddings, classify, links
from clipexplore.models.catalog import Model
from clipexplore.models.families import Scale


def probabilities(app, row: int = 0) -> dict[str, float]:
    """What the bars of a picture show."""
    shown = numbers(figure(app, f"classes-{row}")["values"])
    return dict(zip(labels(app, f"classes-{row}"), shown, strict=True))


def test_the_default_view_is_that_of_the_library():
    app, space = open_page("classify"), Space.open()
    names = links.PAGES["classify"]["class_names"].split("\n")
    classes = class_embeddings(space.embed_texts, names, ["a photo of a {}"])
    expected = classify(space.point("@man-top-hat").vector[None], classes, space.model.logit_scale).probs[0]
    shown = probabilities(app)
    assert sum(shown.values()) == pytest.approx(1, abs=1e-5) and list(shown.values()) == sorted(
        shown.values(), reverse=True
    )
    np.testing.assert_allclose([shown[name] for name in names], expected, atol=1e-5)
    assert {**links.PAGES["classify"], **values(app, "classify")} == links.PAGES["classify"]
    assert f"scale, {space.model.logit_scale:.1f}" in captions(app)


def test_a_link_gives_its_widgets_and_its_result():
    link = {"image": "@penguin\n@lion-snow-07", "class_names": "lion\npenguin", "templates": "{}\na {} in the snow"}
    app, space = open_page("classify", link), Space.open()
    assert values(app, "classify") == link | {"task": "pictures"} and figures(app) == ["classes-0", "classes-1"]
    classes = class_embeddings(space.embed_texts, ["lion", "penguin"], ["{}", "a {} in the snow"])
    expected = classify(
        np.stack([space.point(f"@{id}").vector for id in ("penguin", "lion-snow-07")]), classes, space.model.logit_scale
    ).probs
    for row in (0, 1):
        assert [probabilities(app, row)[name] for name in ("lion", "penguin")] == pytest.approx(expected[row], abs=1e-4)


@pytest.mark.parametrize(
    "example",
    [each for each in examples("classify") if each["set"]["task"] == "pictures"],
    ids=lambda example: example["label"],
)
def test_examples(example):
    app = click(open_page("classify"), example["label"])
    assert example["set"] | values(app, "classify") == example["set"] and not errors(app)
    there = follow(app, "classify")
    assert figures(there) == figures(app) and len(figures(app)) == len(example["set"]["image"].split("\n"))
    assert [probabilities(there, row) for row in range(len(figures(app)))] == [
        probabilities(app, row) for row in range(len(figures(app)))
    ]


@pytest.mark.parametrize(
    ("key", "typed", "says"),
    [
        ("image", "", "at least 1"),
        ("image", "@nope", "There is no @nope"),
        ("image", "@man - @man", "length 0"),
        ("class_names", "", "at least 1"),
        ("class_names", " \n\t\n", "at least 1"),
        ("templates", "", "at least 1"),
        ("templates", "a photo", "{} 0 times"),
        ("templates", "{} and {}", "{} 2 times"),
        ("templates", "{0.__class__}", "{} 0 times"),
    ],
)
def test_what_cannot_be_classified_is_told_and_the_page_stays(key, typed, says):
    app = open_page("classify")
    app.text_area(key=key).set_value(typed).run()
    assert says in the_error(app) and [area.key for area in app.main.text_area] == ["image", "class_names", "templates"]
    assert figures(app.text_area(key=key).set_value(links.PAGES["classify"][key]).run()) == ["classes-0"]


def test_one_bad_picture_leaves_the_others():
    app = open_page("classify", {"image": "@man-top-hat\n@nope\n@penguin"})
    assert "@nope" in the_error(app) and figures(app) == ["classes-0", "classes-1"]


def test_more_than_is_allowed_is_said_and_left_out():
    app = open_page("classify", {"image": "\n".join(f"0.{n}*@man + @penguin" for n in range(1, 20))})
    assert "only the first 12" in app.warning[0].value and len(figures(app)) == 12


def test_long_lists_are_cut_at_what_a_link_may_hold():
    app = open_page("classify")
    app.text_area(key="class_names").set_value("x" * 10_000).run()
    assert not errors(app) and figures(app) == ["classes-0"] and len(values(app, "classify")["class_names"]) <= 2000


def test_repeated_class_names_are_one():
    assert probabilities(open_page("classify", {"class_names": "lion\nlion\n lion "})) == {"lion": pytest.approx(1)}


# A whole collection, and where in a picture: both are worked out on a lane


@pytest.mark.parametrize(
    "example",
    [each for each in examples("classify") if each["set"]["task"] != "pictures"],
    ids=lambda example: example["label"],
)
def test_examples_that_take_a_while(example):
    app = settled(click(open_page("classify"), example["label"]))
    assert example["set"] | values(app, "classify") == example["set"] and not errors(app) and not app.warning
    shown = [figure(app, key) for key in figures(app)]
    assert shown and figures(settled(follow(app, "classify"))) == figures(app)


def test_a_collection_is_judged_as_by_hand():
    app, space = settled(open_page("classify", {"task": "collection", "field": "place", "using": "bare"})), Space.open()
    known = space.collection.fields["place"].notna().to_numpy()
    truth = space.collection.fields["place"][known].to_numpy()
    names = sorted(set(truth))
    classes = class_embeddings(space.embed_texts, names, ["{}"])
    cosines = space.collection.embeddings("emoji", "pictures")[known] @ classes.T
    accuracy = (np.array(names)[cosines.argmax(1)] == truth).mean()
    assert metrics(app)["bare names"] == f"{accuracy:.1%}"
    assert f"{known.sum():,} labelled pictures, {len(names)} classes" in captions(app)
    assert "judge-confusion" in figures(app) and "judge-none" in figures(app)


def test_a_field_that_everything_has_leaves_nothing_for_none_of_these():
    app = settled(open_page("classify", {"task": "collection", "field": "group", "using": "one"}))
    assert (
        "judge-none" not in figures(app) and any("none of them" in each.value for each in app.info) and not errors(app)
    )


def test_a_collection_without_labels_is_told(monkeypatch):
    monkeypatch.setattr("clipexplore.ui.judged.label_fields", lambda space: [])
    assert "have no labels to be judged by" in the_error(open_page("classify", {"task": "collection"}))


def test_a_field_with_too_few_values_is_told():
    app = settled(open_page("classify", {"task": "collection", "field": "relation"}))
    assert not errors(app)
    space = Space.open()
    assert space.collection.fields["relation"].nunique() == 4


def test_where_shows_a_map_for_each_class_and_knows_the_true_boxes():
    link = {
        "task": "where",
        "image": "@peacock-right-tiger-face-meadow-01",
        "class_names": "peacock\ntiger\nguitar",
        "templates": "a {}",
    }
    app = settled(open_page("classify", link))
    assert figures(app) == ["where-0", "where-1", "where-2"] and not errors(app)
    assert captions(app).count("with the true box") == 2 and "not known" in captions(app)
    shapes = figure(app, "where-1")["layout"]["shapes"]
    assert len(shapes) == 2 and (shapes[0]["x0"], shapes[0]["y0"]) == (5, 34)  # the tiger's, as the collection has it


@pytest.mark.parametrize("image", ["lion", "@man + @penguin"])
def test_where_needs_one_picture(image):
    assert "is not one picture" in the_error(open_page("classify", {"task": "where", "image": image}))


def test_where_is_judged_on_scenes_with_known_boxes(monkeypatch):
    monkeypatch.setattr("clipexplore.explore.where.judge_where.__defaults__", (2, lambda share, stage: None))
    app = settled(
        open_page(
            "classify", {"task": "where", "image": "@panda-top-hat", "class_names": "panda\ntop hat", "judge": "true"}
        )
    )
    shown = metrics(app)
    assert 0 <= float(shown["mean IoU"]) <= 1 and shown["on the right thing"].endswith("%") and not errors(app)
    assert "4 boxes in 2 scenes" in captions(app)


def test_many_texts_are_embedded_beside_the_page_which_shows_progress_and_can_be_cancelled():
    link = {
        "class_names": "\n".join(f"thing {number}" for number in range(20)),
        "templates": "\n".join(f"{number} photos of a {{}}" for number in range(20)),
    }
    app = open_page("classify", link)
    assert app.get("progress") and [button for button in app.main.button if button.label == "Cancel"]
    assert len(probabilities(settled(app))) == 12


def test_where_of_many_texts_waits_for_them_beside_the_page():
    templates = "\n".join(f"{number} photos of a {{}}" for number in range(80))
    app = open_page("classify", {"task": "where", "class_names": "lion\njungle\nsnow\nhat", "templates": templates})
    for _ in range(600):
        if "fit-classes" in app.session_state:
            break
        time.sleep(0.1)
        app.run()
    job = app.session_state["fit-classes"]
    assert job.id.startswith("classes-") and job.wait(60)
    assert [key for key in figures(app.run()) if key.startswith("where-")] == [f"where-{n}" for n in range(4)]


# A model trained with a sigmoid: here the bundled one as if it had been, so that a cosine of .2 has a probability of ½


@pytest.fixture
def by_sigmoid(monkeypatch):
    monkeypatch.setattr(Model, "scale", property(lambda model: Scale(60.0, -12.0)))


def test_under_a_sigmoid_none_of_these_is_an_answer(by_sigmoid):
    link = {"image": "@man-top-hat\n@penguin", "class_names": "a man with a top hat\na guitar", "templates": "{}"}
    app, space = open_page("classify", link), Space.open()
    classes = space.embed_texts(["a man with a top hat", "a guitar"])
    for row, id in enumerate(("man-top-hat", "penguin")):
        expected = 1 / (1 + np.exp(12 - 60.0 * classes @ space.point(f"@{id}").vector))
        shown = probabilities(app, row)
        assert [shown[name] for name in ("a man with a top hat", "a guitar")] == pytest.approx(expected, abs=1e-4)
        assert "by itself" in figure(app, f"classes-{row}")["title"]
    assert [each.value for each in app.markdown].count("**None of these**: no class has a probability of 50 %.") == 1
    assert "do not sum to 1" in captions(app) and "cosine of 0.200" in captions(app) and "softmax" not in captions(app)


def test_a_collection_is_judged_with_the_models_own_none_of_these(by_sigmoid):
    link = {
        "task": "collection",
        "field": "place",
        "using": "bare",
        "templates": "a scene: {}",
    }  # judged by no other test
    app = settled(open_page("classify", link))
    assert "where no class reaches 50 %, lies at a cosine of 0.200" in captions(app) and not errors(app)
    assert "own probabilities (scale 60.0, bias -12.0)" in captions(app)
    assert [each["x0"] for each in figure(app, "judge-none")["layout"]["shapes"]][1] == pytest.approx(0.2)


def test_a_scale_that_nobody_learned_is_told(monkeypatch):
    monkeypatch.setattr(Model, "scale", property(lambda model: Scale(197.4, learned=False)))
    assert "the scale 197.4, which the model’s configuration names" in captions(open_page("classify"))
