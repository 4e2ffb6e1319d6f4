"""From page to page: the point that is explored goes along, and each page is found as it was left."""

import numpy as np
import pytest
from helpers import captions, click, errors, open_page, values
from PIL import Image

from clipexplore import links
from clipexplore.images import encode


def go(app, page: str):
    """As a click in the navigation, which keeps none of the page's own parameters."""
    app.query_params.clear()
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception and not errors(app)
    return app


def test_what_one_explores_goes_along_and_pages_are_as_they_were_left():
    app = open_page("search", {"k": "7"})
    app.text_input(key="q").set_value("@frog-crown").run()
    assert values(go(app, "arithmetic"), "arithmetic") == links.PAGES["arithmetic"] | {"q": "@frog-crown"}
    go(app, "pixels")
    assert values(go(app, "search"), "search") == links.PAGES["search"] | {"q": "@frog-crown", "k": 7}
    app.text_input(key="q").set_value("dog").run()
    assert values(go(app, "start"), "start") == {"q": "dog"}


def test_starting_afresh_is_one_click():
    app = open_page("search", {"k": "7", "q": "dog"})
    assert values(click(app, "Start afresh"), "search") == links.PAGES["search"]
    assert "Start afresh" not in [button.label for button in app.button]
    assert values(go(app, "arithmetic"), "arithmetic") == links.PAGES["arithmetic"]


def test_a_model_that_the_server_does_not_know_is_named():
    app = open_page("search", {"model": "zzz", "q": "cat"})
    assert [each.value for each in app.sidebar.warning] == [
        "The link names the model zzz, which this server does not know, so this is another one."
    ]
    assert values(app, "search")["q"] == "cat" and not open_page("search", {"model": "emoji-2"}).sidebar.warning


@pytest.mark.parametrize(
    ("page", "link", "refused"),
    [
        ("search", {"k": "1000", "in": "x", "q": "cat"}, "`k`, `in`"),
        ("search", {"k": "24", "in": "captions", "draw": "true", "facet": "place", "only": ["snow", "beach"]}, None),
        ("map", {"method": "nonsense", "least": "0.30", "like": "cat", "x": "3"}, "`method`"),
    ],
)
def test_values_that_a_page_does_not_take_are_named(page, link, refused):
    said = [each.value for each in open_page(page, link).info if "The link has no usable value" in each.value]
    assert said == ([f"The link has no usable value for {refused}; the default is shown."] if refused else [])


@pytest.mark.parametrize(
    ("q", "says"),
    [
        ("frog-crown", "write @frog-crown to mean it"),
        ("a zyzzyva", "Emoji World never learned “zyzzyva”"),
        ("@up-ba9876543210", "has only ever seen drawn emoji"),
    ],
)
def test_what_the_model_cannot_know_is_said(q, says, kept_upload):
    assert says in captions(open_page("search", {"q": q}))
    assert says not in captions(open_page("search", {"q": "lion + a frog with a crown + @up-0123456789ab"}))


@pytest.fixture
def kept_upload(monkeypatch, tmp_path):
    from clipexplore import Space
    from clipexplore.store import kept

    monkeypatch.setattr(kept, "kept_folder", lambda: tmp_path)
    (tmp_path / "up-0123456789ab.webp").write_bytes(Space.open().picture("penguin"))
    grain = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    (tmp_path / "up-ba9876543210.webp").write_bytes(encode(Image.fromarray(grain), "WEBP"))
