"""The link format, frozen; and that pages, examples and table agree on it.

Whoever has a link of last year opens it today: a key or a default that changes here changes what they see. If this is
meant, change the table below with the one in `links.py`, and say so in the changelog.
"""

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

from clipexplore import links
from clipexplore.expression import parse
from clipexplore.language import LANGUAGES
from clipexplore.models import catalog
from clipexplore.settings import settings
from clipexplore.store import shelves

ROOT = Path(__file__).parent.parent
EXPRESSIONS = {"q", "image", "points", "stops", "pairs", "onto", "edited"}  # keys that hold expressions, one a line

# A copy, on purpose: a value equal to its default is left out of a link, so the default is part of every link.
FROZEN_ALL = {"model": "emoji", "collection": "emoji-world", "names": "", "lang": "auto"}
FROZEN = {
    "start": {"q": "@man-top-hat - @man"},
    "lessons": {"lesson": "match"},
    "search": {
        "q": "lion + snow",
        "k": 24,
        "in": "pictures",
        "facet": "any",
        "only": [],
        "matching": False,
        "draw": False,
    },
    "classify": {
        "image": "@man-top-hat",
        "class_names": "top hat\ncrown\nhelmet\nbaseball cap\nsunglasses",
        "templates": "a photo of a {}",
        "task": "pictures",
        "field": "headwear",
        "using": "many",
        "judge": False,
    },
    "map": {
        "method": "pca",
        "points": "hat\nlion\nsnow\n@man-top-hat",
        "color": "group",
        "region": "",
        "x": 1,
        "y": 2,
        "solid": False,
        "heat": "hat",
        "by": "k-means",
        "groups": 12,
        "fit": "background",
        "n_neighbors": 15,
        "min_dist": 0.1,
        "seed": 0,
        "metric": "cosine",
        "fitter": "torch",
        "placing": "neighbours",
        "facet": "any",
        "only": [],
        "like": "",
        "least": 0.25,
        "draw": False,
    },
    "components": {
        "of": "pictures",
        "center": True,
        "standardize": False,
        "part": "spectrum",
        "rank": 10,
        "x": 1,
        "y": 2,
        "z": 3,
        "solid": False,
        "component": 1,
        "points": "hat\nlion\nsnow\n@man-top-hat",
        "q": "@lion-jungle-07",
    },
    "pixels": {"source": "collection", "picture": "@lion-jungle-07", "digit": 0, "rank": 10},
    "interpolate": {
        "stops": "@lion-jungle-07\n@lion-snow-07",
        "frames": 9,
        "curve": "slerp",
        "easing": "linear",
        "places": "",
        "draw": True,
        "space": "auto",
        "shift": True,
        "num_inference_steps": None,
        "guidance_scale": None,
        "scheduler": "own",
        "seed": 0,
    },
    "arithmetic": {
        "q": "@man-top-hat - @man",
        "k": 12,
        "bank": "words",
        "exclude": False,
        "pairs": "",
        "draw": False,
        "onto": "@dog-face",
    },
    "apart": {"q": "@penguin-snow-01", "terms": 8, "signed": False, "edited": "", "draw": False},
    "concepts": {
        "find": "",
        "order": "stability",
        "k": 12,
        "concept": None,
        "q": "@lion-jungle-07",
        "turned": "",
        "learn": False,
        "draw": False,
    },
    "match": {
        "n": 12,
        "seed": 0,
        "swap": 0,
        "logit_scale": None,
        "dot": False,
        "image": "",
        "captions": "",
        "show": "cosines",
        "closed": 0,
    },
    "properties": {
        "objects": "automobile\nrose\nbutterfly\nguitar\nhouse\nballoon",
        "values": "red\nbrown\nyellow\ngreen\nblue\npurple\npink\nblack",
        "cell": "a {value} {object}",
        "before": "red",
        "after": "blue",
    },
    "two": {
        "q": "lion + snow",
        "other": "emoji-2",
        "in": "pictures",
        "k": 12,
        "of": "pictures",
        "n_neighbors": 10,
        "method": "pca",
        "region": "",
    },
    "words": {"q": "man - boy + girl", "k": 10, "window": 4, "rank": 100},
    "collections": {"look": "sample", "near": 0.95, "seed": 0},
    "status": {},
}


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def page_file(page):
    return ROOT / "pages" / f"{page}.py"


def sidebar():
    """The function of app.py that makes what all pages share."""
    (main,) = [node for node in tree(ROOT / "app.py").body if isinstance(node, ast.FunctionDef)]
    return main


def keyword(call, name):
    return next((each.value for each in call.keywords if each.arg == name), None)


def calls(node):
    """All calls that a script or function makes itself, not those of functions defined in it."""
    own = [each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.FunctionDef)]
    return [node] * isinstance(node, ast.Call) + [call for each in own for call in calls(each)]


def is_bound(call):
    """By Streamlit, or by `ui.widgets.linked`, which keeps what it is called on screen out of the link."""
    if ast.unparse(call.func) == "linked":
        return True
    return (value := keyword(call, "bind")) is not None and ast.literal_eval(value) == "query-params"


@cache
def helpers():
    """The functions of the interface, which may make widgets for a page."""
    files = (ROOT / "clipexplore" / "ui").glob("*.py")
    return {node.name: node for path in files for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)}


def bound(node, given=None, trail=()):
    """(key, what makes the widget) of every value in the link, of a script or of a function that was given a key."""
    for call in calls(node):
        helper = helpers().get(ast.unparse(call.func).removeprefix("ui."))
        if is_bound(call):
            key = call.args[1] if ast.unparse(call.func) == "linked" else keyword(call, "key")
            yield ast.literal_eval(given if isinstance(key, ast.Name) else key), [*trail, call]
        elif helper and helper not in trail:
            passed = key_given(call, helper)
            yield from bound(helper, given if isinstance(passed, ast.Name) else passed, (*trail, call, helper))


def key_given(call, function):
    """What a call gives a function as its argument `key`, if there is one."""
    names = [each.arg for each in function.args.args]
    defaults = dict(zip(names[::-1], function.args.defaults[::-1], strict=False))
    return keyword(call, "key") or dict(zip(names, call.args, strict=False)).get("key") or defaults.get("key")


@cache
def examples():
    return json.loads((settings().assets / "examples.json").read_text(encoding="utf-8"))


def assert_parses(lines):
    assert all(parse(line).terms for line in lines.splitlines())


# The table


def test_what_all_pages_share_is_what_it_was():
    assert links.ALL == FROZEN_ALL and links.OPEN == "open"


@pytest.mark.parametrize("page", sorted({*links.PAGES, *FROZEN}))
def test_the_format_is_what_it_was(page):
    """By `repr`: True == 1 in Python, and not in a link."""
    assert repr(sorted(links.PAGES[page].items())) == repr(sorted(FROZEN[page].items()))


def test_a_key_is_short_and_lower_case_and_none_of_the_sidebars():
    for keys in links.PAGES.values():
        assert not set(keys) & {*links.ALL, links.OPEN}
        assert all(key.isidentifier() and key == key.lower() and len(key) <= 20 for key in keys)


def test_a_key_is_of_one_type_on_all_pages():
    types = {}
    for keys in links.PAGES.values():
        for key, value in keys.items():
            assert types.setdefault(key, type(value)) is type(value), key


@pytest.mark.parametrize("page", links.PAGES)
def test_default_expressions_parse(page):
    for key in EXPRESSIONS & set(links.PAGES[page]):
        assert_parses(links.PAGES[page][key])


# Pages


@pytest.mark.parametrize("page", links.PAGES)
def test_a_page_binds_exactly_its_keys(page):
    assert sorted(key for key, _ in bound(tree(page_file(page)))) == sorted(links.PAGES[page])


@pytest.mark.parametrize("page", links.PAGES)
def test_a_widget_starts_with_the_default_of_its_key(page):
    for key, sources in bound(tree(page_file(page))):
        used = {ast.unparse(node) for source in sources for node in ast.walk(source) if isinstance(node, ast.Subscript)}
        asked = {ast.unparse(node) for source in sources for node in ast.walk(source) if isinstance(node, ast.Call)}
        tables = ("DEFAULTS", "defaults", f"links.PAGES[{page!r}]")
        wanted = {f"{table}[{each}]" for table in tables for each in (repr(key), "key")}
        assert used & wanted or "default_of(key)" in asked, f"the widget {key} does not start with its default"


@pytest.mark.parametrize("page", links.PAGES)
def test_defaults_are_those_of_the_page(page):
    found = [
        node
        for node in ast.walk(tree(page_file(page)))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DEFAULTS"
    ]
    assert [ast.unparse(node.value) for node in found] in ([f"links.PAGES[{page!r}]"], [])


def test_the_sidebar_binds_what_all_pages_share():
    assert sorted(key for key, _ in bound(sidebar())) == sorted(links.ALL)


def test_the_sidebar_starts_with_the_first_of_its_options_which_is_the_default(tmp_path, monkeypatch):
    """Also on a server with collections whose names come before."""
    assert not [key for key, (*_, call) in bound(sidebar()) if keyword(call, "index")]
    assert next(iter(catalog.models())) == links.ALL["model"]
    for name in ("a-collection", links.ALL["collection"], "z-collection", "words"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps({"title": name.title()}))
    monkeypatch.setattr(shelves, "folders", lambda owner=None: {path.name: path for path in sorted(tmp_path.iterdir())})
    assert list(shelves.explorable(shelves.folders())) == [links.ALL["collection"], "a-collection", "z-collection"]


def test_links_between_pages_name_known_keys():
    """`open_in` writes an expression into another page's link."""
    source = tree(ROOT / "clipexplore" / "ui" / "expressions.py")
    (function,) = [node for node in ast.walk(source) if isinstance(node, ast.FunctionDef) and node.name == "open_in"]
    (table,) = [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "links"
    ]
    for page, keys in zip(table.keys, table.values, strict=True):
        assert {ast.literal_eval(key) for key in keys.keys} <= set(links.PAGES[ast.literal_eval(page)])


# Examples


def test_every_page_with_something_to_set_has_examples():
    with_keys = {page for page, keys in links.PAGES.items() if keys} - {"lessons"}  # whose list is its examples
    assert set(examples()) == with_keys and all(examples().values())


@pytest.mark.parametrize("page", links.PAGES)
def test_examples_set_what_the_page_has(page):
    for example in examples().get(page, ()):
        spoken = {*LANGUAGES} - {"en"} if re.search("[a-z]", example["label"]) else set()
        assert example.keys() - {"language"} == {"label", "set"} | spoken and all(
            map(str.strip, {**example, "set": "."}.values())
        )
        assert example["set"].keys() <= links.PAGES[page].keys(), example["label"]
        for key, value in example["set"].items():
            default = links.PAGES[page][key]
            assert default is None or type(value) is type(default), f"{example['label']}: {key}"
            if key in EXPRESSIONS:
                assert_parses(value)


@pytest.mark.parametrize("page", links.PAGES)
def test_labels_are_unique_on_a_page(page):
    for code in ("label", *LANGUAGES):
        labels = [example.get(code, example["label"]) for example in examples().get(page, ())]
        assert len(set(labels)) == len(labels), code
