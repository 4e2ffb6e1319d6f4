"""The language of a page: that of the link, else the browser's, in fragments and callbacks too."""

import gettext
import shutil

import pandas as pd
import pytest
from helpers import PAGES, cloud, visit

from clipexplore import Space, links
from clipexplore import language as speech
from clipexplore.models import catalog
from clipexplore.settings import settings
from clipexplore.store.shelves import WORLD, explorable, folders
from clipexplore.ui.filters import facets, values_of
from clipexplore.ui.session import speaking
from clipexplore.ui.titles import _names, _values, terms_of_use, titled

# what is called the same in every language
PROPER = {"PCA", "UMAP", "k-means", "hdbscan", "slerp", "lerp", "pndm", "ddim"}


class Loud(gettext.NullTranslations):
    def gettext(self, message):
        return f"»{message}"


@pytest.fixture
def german(monkeypatch):
    """A German in which everything is English with a mark."""
    plain = speech._catalogue
    monkeypatch.setattr(speech, "_catalogue", lambda code: Loud() if code == "de" else plain("en"))
    monkeypatch.setitem(speech.LANGUAGES, "de", "Deutsch")
    _names.cache_clear()
    yield
    _names.cache_clear()


@pytest.mark.parametrize(("link", "title"), [({"lang": "de"}, "»Search"), ({}, "Search"), ({"lang": "xx"}, "Search")])
def test_the_link_chooses_the_language(german, link, title):
    assert visit("search", link).title[0].value == title


@pytest.mark.parametrize("page", PAGES)
def test_the_options_of_a_choice_are_spoken_and_stand_in_the_link_as_ever(german, page):
    app = visit(page, {"lang": "de", "draw": "false"})
    for choice in app.segmented_control:
        assert {each for each in choice.options if each[0] != "»"} <= PROPER, choice.key
        other = next((each[1:] for each in choice.options if each[0] == "»" and each[1:] != choice.value), None)
        if choice.key in links.PAGES[page] and other:
            chosen = (
                visit(page, {"lang": "de", "draw": "false"}).segmented_control(key=choice.key).set_value(other).run()
            )
            assert chosen.query_params[choice.key] == chosen.session_state[choice.key] == other


def test_a_choice_is_spoken_at_once(german):
    app = visit("search")
    app.selectbox(key="lang").set_value("de").run()
    assert app.title[0].value == "»Search" and not app.exception


def test_without_a_choice_the_browser_is_asked(german, monkeypatch):
    monkeypatch.setattr("streamlit.runtime.context.ContextProxy.locale", property(lambda self: "de-AT"))
    assert visit("search").title[0].value == "»Search" and visit("search", {"lang": "en"}).title[0].value == "Search"


def test_what_runs_alone_speaks_it_too(german, monkeypatch):
    monkeypatch.setattr("clipexplore.ui.session.st", type("St", (), {"session_state": {"lang": "de"}}))
    token = speech.language.set("en")
    try:
        assert speaking(lambda word: speech._(word))("again") == "»again"
    finally:
        speech.language.reset(token)


def test_what_ships_says_of_itself_what_is_translated():
    token = speech.language.set("en")
    try:
        models = catalog.models()
        said = {key: model.description for key, model in models.items()} | {WORLD: explorable(folders())[WORLD]}
        assert _names("en")["shipped"] == said
        assert {*terms_of_use()} == {part.terms for model in models.values() for part in model.parts if part.terms}
        assert all(english == said for english, said in terms_of_use().items())
        assert all(titled(model) == model.title for model in models.values())
    finally:
        speech.language.reset(token)


def test_the_fields_of_the_bundled_collection_are_ours_and_those_of_any_other_are_data(german, home):
    shutil.copytree(settings().assets / "collections" / WORLD, home / "collections" / "mine")
    ours, theirs = (
        visit("map", {"lang": "de", "collection": each}).selectbox(key="facet").options for each in (WORLD, "mine")
    )
    assert "»place" in ours and "place" in theirs and theirs[0] == ours[0] == "»any"


def test_the_values_of_its_fields_have_a_name_in_every_language():
    space = Space.open()
    fields = space.collection.fields
    few = [name for name in facets(space) if not pd.api.types.is_numeric_dtype(fields[name])]
    assert {value for name in few for value in values_of(fields[name])} == _values().keys()
    assert {frozenset(names) for names in _values().values()} == {frozenset(speech.LANGUAGES) - {"en"}}


def test_values_are_spoken_and_stand_in_the_link_as_ever(home):
    shutil.copytree(settings().assets / "collections" / WORLD, home / "collections" / "mine")
    link = {"color": "category", "facet": "place", "only": ["snow", "jungle"]}
    for code, first, grey in (("en", "snow", "others"), ("de", "Schnee", "andere"), ("en", "snow", "others")):
        app = visit("map", {**link, "lang": code})
        chosen = app.multiselect(key="only")
        assert chosen.options[0] == first and chosen.value == app.query_params["only"] == ["snow", "jungle"]
        assert (cloud(app)["names"][0], cloud(app)["rest"]) == ({"en": "animal-mammal", "de": "Säugetiere"}[code], grey)
    chosen.set_value(["beach"]).run()
    assert app.query_params["only"] == "beach" and not app.exception
    assert visit("map", {**link, "lang": "de", "collection": "mine"}).multiselect(key="only").options[0] == "snow"


@pytest.mark.parametrize(
    ("browsers", "read", "format"), [("de-DE", "de", "localized"), ("en-US", "de", "%0.2f"), ("en-US", "en", "%0.2f")]
)
def test_a_slider_has_a_comma_where_the_browser_writes_one(monkeypatch, browsers, read, format):
    monkeypatch.setattr("streamlit.runtime.context.ContextProxy.locale", property(lambda self: browsers))
    slider = visit("map", {"lang": read, "like": "snow"}).slider(key="least")
    assert slider.proto.format == format
