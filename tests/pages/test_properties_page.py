import numpy as np
import pytest
from helpers import captions, click, errors, examples, figure, figures, follow, labels, open_page, the_error, values

from clipexplore import Space, links
from clipexplore.labs.properties import additive, parallelism
from clipexplore.names import define

FIGURES = [
    "properties-ranks",
    "properties-cosines",
    "properties-energy",
    "properties-shared",
    "properties-sizes",
    "properties-shares",
]


def metrics(app) -> list[str]:
    return [each.value for each in app.metric]


def expected(link: dict) -> list[str]:
    space = Space.open()
    cells = [
        [link["cell"].replace("{object}", thing).replace("{value}", value) for value in link["values"].split("\n")]
        for thing in link["objects"].split("\n")
    ]
    grid = np.stack([[space.point(cell).vector for cell in row] for row in cells])
    whole = parallelism(grid)
    return [f"{whole.cosine:.3f}", f"{whole.shuffled:.3f} ± {whole.spread:.3f}", f"{additive(grid).r2:.1%}"]


def test_the_default_view_is_that_of_the_library():
    app = open_page("properties")
    assert figures(app) == FIGURES and not errors(app) and values(app, "properties") == links.PAGES["properties"]
    assert metrics(app)[:3] == expected(links.PAGES["properties"])
    assert "a blue automobile - a red automobile" in app.main.code[0].value
    space = Space.open()
    found = space.point(app.main.code[0].value)
    for sign in (1, -1):
        for hit in space.search(sign * found.vector, "pictures", 6):
            assert f"@{hit.id}  \n{hit.cosine:.3f} · z {hit.z:.1f}" in captions(app)
    assert "chance would be 0.78" in captions(app)


def test_the_direction_goes_to_other_pages():
    app = open_page("properties", {"objects": "automobile\nrose", "values": "red\nblue"})
    (code,) = [each.value for each in app.main.code[:1]]
    assert code == "a blue automobile - a red automobile + a blue rose - a red rose"
    assert all("a+blue+automobile" in link.proto.query_string for link in app.page_link if link.label != "Properties")


@pytest.mark.parametrize("example", examples("properties"), ids=lambda example: example["label"])
def test_examples(example):
    app = click(open_page("properties"), example["label"])
    assert values(app, "properties") == example["set"] and not errors(app) and figures(app) == FIGURES
    assert metrics(follow(app, "properties")) == metrics(app)
    assert metrics(app)[:3] == expected(example["set"])


def test_a_value_that_is_gone_is_not_chosen_any_more():
    app = open_page("properties", {"before": "green", "after": "black"})
    app.text_area(key="values").set_value("red\nyellow\nwhite").run()
    assert not errors(app) and figures(app) == FIGURES
    assert {values(app, "properties")["before"], values(app, "properties")["after"]} <= {"red", "yellow", "white"}


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ({"objects": "automobile"}, "at least 2"),
        ({"values": "red"}, "at least 2"),
        ({"cell": "a {value}"}, "{object} 0 times"),
        ({"cell": "{object} {object} {value}"}, "{object} 2 times"),
        ({"cell": "@{value}-{object}", "objects": "automobile\nnothing"}, "There is no @red-nothing"),
        ({"before": "red", "after": "red"}, "two different values"),
    ],
)
def test_what_is_no_grid_is_told_and_the_page_stays(link, says):
    app = open_page("properties", link)
    assert says in the_error(app) and len(app.main.text_area) == 2


def test_many_objects_make_a_direction_of_those_that_fit():
    things = "\n".join(
        [
            "automobile",
            "rose",
            "butterfly",
            "guitar",
            "house",
            "balloon",
            "lion",
            "cat",
            "dog",
            "car",
            "bus",
            "tree",
            "apple",
            "shoe",
            "fish",
            "bird",
        ]
    )
    app = open_page("properties", {"objects": things, "values": "red\nblue", "cell": "a {value} {object} + {object} "})
    assert "{object} 2 times" in the_error(app)
    assert not errors(open_page("properties", {"objects": things, "values": "red\nblue"}))


def test_a_direction_gets_a_name_that_every_page_knows():
    app = open_page("properties", {"objects": "automobile\nrose", "values": "red\nblue"})
    app.text_input(key="name-properties").set_value("to blue").run()
    app.button(key="keep-name-properties").click().run()
    names = app.session_state["names"]
    assert names == "to-blue = a blue automobile - a red automobile + a blue rose - a red rose" and not errors(app)
    assert app.text_input(key="name-properties").value == ""
    there = open_page("search", {"q": "@red-house + 2*@to-blue", "names": names, "in": "words"})
    assert not errors(there)
    space = Space.open()
    point = space.with_names(define(names)).point("@red-house + 2*@to-blue")
    expected = [hit.caption for hit in space.search(point.vector, "words", 24)]
    assert labels(there, "search-bars") == expected
    code, variables = next(each.value for each in there.main.code if "Space.open" in each.value), {}
    exec(code, variables)
    np.testing.assert_allclose(variables["result"].point.vector, point.vector, atol=1e-6)


@pytest.mark.parametrize(
    ("page", "key"),
    [
        ("search", "q"),
        ("arithmetic", "q"),
        ("classify", "image"),
        ("interpolate", "stops"),
        ("map", "points"),
        ("words", "q"),
        ("match", "captions"),
    ],
)
def test_a_name_stands_wherever_a_picture_can(page, key):
    link = {
        key: "@bluer\ncat" if key in ("stops", "points", "captions") else "@bluer",
        "names": "bluer = a blue rose - a red rose",
    }
    app = open_page(page, link | ({"image": "@lion\n@penguin"} if page == "match" else {}))
    assert not errors(app)


def test_a_name_too_many_is_told():
    names = "\n".join(f"n{number} = a very long way of saying cat number {number}" for number in range(80))
    app = open_page("search", {"names": names})
    app.text_input(key="name-search").set_value("x" * 40).run()
    for _ in range(40):
        app.button(key="keep-name-search").click().run()
        if app.toast:
            break
        app.text_input(key="name-search").set_value(f"name-{len(app.session_state['names'])}").run()
    assert "no room" in app.toast[0].value and 3900 < len(app.session_state["names"]) <= 4000 and not errors(app)


def test_names_of_a_link_are_in_sight():
    for names in ("", "man = lion - cat", "blueness = blue - red"):
        (box,) = (each for each in open_page("search", {"names": names}).sidebar.expander if each.label == "Names")
        assert box.proto.expanded == bool(names)


def test_names_that_are_none_are_told_beside_them():
    app = open_page("search", {"names": "two words = cat"})
    assert "Line 1 of the names" in errors(app)[0] and app.sidebar.error and not app.main.error


def test_figures_hold_what_is_said():
    app = open_page("properties")
    shares = figure(app, "properties-shares")["values"]
    assert len(shares) == 3 and sum(shares) == pytest.approx(1)
