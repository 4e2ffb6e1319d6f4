"""The pages on pairs of vectors by a model that nobody has named, from the drop on."""

import io
import time

import numpy as np
import pytest
from helpers import captions, errors, open_page, pictures

from clipexplore.__main__ import main
from clipexplore.ui import imports

UNNAMED = {"model": "unnamed", "collection": "pairs"}


def pairs() -> bytes:
    """An NPZ of 30 pairs."""
    shared, one, other = np.random.default_rng(0).normal(size=(3, 30, 16))
    file = io.BytesIO()
    texts = [f"caption {n}" for n in range(30)]
    np.savez(
        file,
        image_vectors=shared + one / 2,
        text_vectors=shared + other / 2,
        caption=texts,
        id=[f"n{n}" for n in range(30)],
    )
    return file.getvalue()


@pytest.fixture
def made(tmp_path):
    (tmp_path / "v.npz").write_bytes(pairs())
    main(["index", str(tmp_path / "v.npz"), "--name", "Pairs", "--model", "unnamed"])


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("start", {}),
        ("search", {"q": "@n1 - @n2"}),
        ("search", {"q": "caption 3", "in": "captions"}),
        ("arithmetic", {"q": "@n1 - @n2"}),
        ("map", {"color": "groups", "region": "@n3"}),
        ("components", {"of": "both", "part": "walk"}),
        ("components", {"part": "fingerprint"}),
        ("interpolate", {}),
        ("match", {}),
        ("pixels", {}),
        ("collections", {"look": "outliers"}),
    ],
)
def test_pages_that_need_no_model_show_what_is_stored(page, link):
    app = open_page(page, {**UNNAMED, **link})
    assert not errors(app) and not app.exception
    assert page == "collections" or "Nobody has said which model made these vectors" in captions(app)


@pytest.mark.usefixtures("made")
def test_the_example_of_a_page_is_one_of_the_collection():
    app = open_page("search", UNNAMED)
    assert pictures(app, "search")[0] == "n0" and "The example in the box needs the model; shown is @n0." in captions(
        app
    )
    app.button(key="own-search-1").click().run()
    assert app.session_state["q"] == "@n0 - @n10" and pictures(app, "search")[0] == "n0" and not errors(app)


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(("page", "key"), [("search", "q"), ("classify", "class_names"), ("apart", "q")])
def test_what_needs_the_model_says_so(page, key):
    (said,) = errors(open_page(page, {**UNNAMED, key: "a dog in the snow"}))
    assert "Nobody has said which model" in said or "no vectors of an unnamed model" in said


@pytest.mark.usefixtures("made")
def test_a_collection_of_another_model_offers_its_own():
    app = open_page("search", {"model": "unnamed"})
    app.button(key="with-emoji").click().run()
    assert app.session_state["model"] == "emoji" and len(pictures(app, "search")) == 24


def test_whose_vectors_are_dropped_is_asked_and_they_are_explored_so():
    app = open_page("collections")
    app.text_input(key="making-title").set_value("Pairs").run()
    app.file_uploader(key="making-files").set_value([("v.npz", pairs(), "application/octet-stream")]).run()
    assert app.selectbox(key="making-made-by").value == "unnamed"
    next(button for button in app.button if button.label == "Import").click().run()
    deadline = time.monotonic() + 120
    while any(job.state in ("queued", "running") for job in imports.jobs().values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    app.run()
    explore = next(button for button in app.button if str(button.key).startswith("explore-") and "pairs" in button.key)
    explore.click().run()
    assert app.session_state["model"] == "unnamed" and not errors(app)
    app.switch_page("pages/search.py").run()
    assert pictures(app, "search")[0] == "n0" and not errors(app)
