"""The language of a page: that of the link, else the browser's, in fragments and callbacks too."""

import gettext

import pytest
from helpers import APP
from streamlit.testing.v1 import AppTest

from clipexplore import language as speech
from clipexplore.ui.speech import speaking


class Loud(gettext.NullTranslations):
    def gettext(self, message):
        return f"»{message}"


@pytest.fixture
def german(monkeypatch):
    """A German in which everything is English with a mark."""
    plain = speech._catalogue
    monkeypatch.setattr(speech, "_catalogue", lambda code: Loud() if code == "de" else plain("en"))
    monkeypatch.setitem(speech.LANGUAGES, "de", "Deutsch")


def opened(**link):
    app = AppTest.from_file(APP, default_timeout=120)
    for key, value in link.items():
        app.query_params[key] = value
    return app.switch_page("pages/search.py").run()


@pytest.mark.parametrize(("link", "title"), [({"lang": "de"}, "»Search"), ({}, "Search"), ({"lang": "xx"}, "Search")])
def test_the_link_chooses_the_language(german, link, title):
    assert opened(**link).title[0].value == title


def test_a_choice_is_spoken_at_once(german):
    app = opened()
    app.selectbox(key="lang").set_value("de").run()
    assert app.title[0].value == "»Search" and not app.exception


def test_without_a_choice_the_browser_is_asked(german, monkeypatch):
    monkeypatch.setattr("streamlit.runtime.context.ContextProxy.locale", property(lambda self: "de-AT"))
    assert opened().title[0].value == "»Search" and opened(lang="en").title[0].value == "Search"


def test_what_runs_alone_speaks_it_too(german, monkeypatch):
    monkeypatch.setattr(
        "clipexplore.ui.speech.st", type("St", (), {"session_state": {"lang": "de"}, "query_params": {}})
    )
    token = speech.language.set("en")
    try:
        assert speaking(lambda word: speech._(word))("again") == "»again"
    finally:
        speech.language.reset(token)
