"""Choosing a model: one that an operator added, one whose weights are missing, one that a visitor fetches."""

import re
import shutil
import threading
import time

import numpy as np
import pytest
import streamlit as st
from fixtures_drawing import build_tiny_diffusion
from fixtures_families import build
from fixtures_models import build_tiny_clip
from helpers import APP, buttons, captions, errors, open_page, pictures, unescaped, visit

from clipexplore import Space
from clipexplore.closing import close_all
from clipexplore.models import catalog
from clipexplore.retrieval.shared_search import _together
from clipexplore.server import machine
from clipexplore.settings import settings
from clipexplore.ui import fetching
from clipexplore.ui import models as ui_models

REPO = "someone/clip"


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Gives the server a configuration file, with assets of few items."""

    def configure(text):
        (tmp_path / "clipexplore.toml").write_text(text, encoding="utf-8")
        monkeypatch.setenv("CLIPEXPLORE_CONFIG", str(tmp_path / "clipexplore.toml"))
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        settings.cache_clear()
        st.cache_resource.clear()  # spaces of the test before, whose vectors are gone

    yield configure
    close_all()  # what still goes on in the background
    _together.cache_clear()  # which is closed
    st.cache_resource.clear()


def run_until(app, done, seconds=120):
    """Runs the page again, as its panel does, until something is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, (
            errors(app),
            [each.value for each in app.markdown],
            [each.value for each in app.info],
            [each.value for each in app.warning],
            [each.value for each in app.caption][:14],
            [each.key for each in app.button][:40],
        )
        time.sleep(0.3)
        app.run()
        assert not app.exception, app.exception
    return app


def test_a_model_of_the_operator_embeds_the_collection_once(configured, tmp_path):
    build_tiny_clip(tmp_path / "tiny")
    configured('[[models]]\nkey = "tiny"\ntitle = "Tiny"\nclip = "./tiny"')
    app = visit("search", {"model": "tiny", "q": "lion + a very new text"})
    assert app.title[0].value == "Search" and not pictures(app, "search")
    assert any("Tiny" in each.value and "embedding this collection" in each.value for each in app.markdown)
    run_until(app, lambda: pictures(app, "search"))
    assert app.session_state["model"] == "tiny" and len(pictures(app, "search")) == 24
    assert "average is" in captions(app)  # the context of scores is that of this model
    again = open_page("search", {"model": "tiny", "q": "lion"})
    assert pictures(again, "search")  # at once


def test_a_model_of_many_languages_offers_an_example_in_another(configured, tmp_path):
    build("metaclip2", tmp_path / "many")
    build("tips2", tmp_path / "english")
    configured("\n".join(f'[[models]]\nkey = "{key}"\nclip = "./{key}"' for key in ("many", "english")))
    offered = {}
    for key in ("english", "many"):
        app = visit("search", model=key)
        run_until(app, lambda app=app: pictures(app, "search"))
        offered[key] = [each.label for each in app.button]
    assert "雪の中のライオン" in offered["many"] and "猫" in offered["many"]
    assert "雪の中のライオン" not in offered["english"] and "猫" in offered["english"]
    (button,) = [each for each in app.button if each.label == "雪の中のライオン"]
    assert button.click().run().session_state["q"] == "雪の中のライオン" and pictures(app, "search")


def test_a_large_collection_is_shown_before_the_model_has_embedded_it(configured, tmp_path, monkeypatch):
    """Through a bridge from the bundled model, which says so, until its own vectors are there."""
    gate = threading.Event()
    embed = ui_models.embed
    monkeypatch.setattr(ui_models, "WORTH", 1000)
    monkeypatch.setattr(ui_models, "embed", lambda *given: gate.wait(120) and embed(*given))
    build_tiny_clip(tmp_path / "tiny")
    configured('[[models]]\nkey = "tiny"\ntitle = "Tiny"\nclip = "./tiny"')
    app = visit("search", {"model": "tiny", "q": "@lion-snow-07"})
    run_until(app, lambda: pictures(app, "search"))
    (told,) = [each.value for each in app.markdown if "carried over" in each.value]
    assert "**Tiny** is still embedding" in told and "fitted on 300 of its items" in told
    assert re.search(r"captions -?0\.\d\d, pictures -?0\.\d\d", told) and app.get("progress")
    (own,) = [each.collection for each in ui_models.early_spaces().values()]
    bridge, theirs = own.bridge, Space.open().collection.embeddings("emoji", "pictures")
    np.testing.assert_allclose(own.embeddings("tiny", "pictures"), bridge.carry(theirs, "pictures"))
    gate.set()
    run_until(app, lambda: not [each for each in app.markdown if "carried over" in each.value])
    assert pictures(app, "search") and not ui_models.early_spaces() and not app.get("progress")
    true = Space.open("tiny").collection.embeddings("tiny", "pictures")
    assert not np.allclose(true, own.embeddings("tiny", "pictures"), atol=0.01)


@pytest.mark.slow
def test_the_background_and_its_map_follow(configured, tmp_path):
    build_tiny_clip(tmp_path / "tiny")
    configured('[[models]]\nkey = "tiny"\nclip = "./tiny"')
    app = visit("map", {"model": "tiny", "method": "umap"})
    told = set()
    run_until(app, lambda: not told.update(errors(app)) and app.get("bidi_component"), 280)
    assert not errors(app)
    assert all("in the background, come back in" in each for each in told)


def test_missing_weights_are_one_sentence_and_everything_else_works(configured):
    configured("")
    app = visit("search", {"model": "clip-b32"})
    (told,) = errors(app)
    assert (
        told == "The weights openai/clip-vit-base-patch32 are not on this machine; fetch them with: python "
        "-m clipexplore models get clip-b32"
    )
    assert not buttons(app, "fetch")
    app.button(key="with-emoji").click().run()  # the way back
    assert not errors(app) and pictures(app, "search") and "model" not in app.query_params
    assert visit("status", {"model": "clip-b32"}).title[0].value == "Status"


def test_a_visitor_fetches_them_where_the_operator_allows(configured, hub, tmp_path, monkeypatch):
    folder = build_tiny_clip(tmp_path / "tiny")
    hub.add(REPO, {path.name: path.read_bytes() for path in folder.iterdir()})
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("PYTHONPATH", str(APP.parent))
    configured(f'downloads = true\n[[models]]\nkey = "tiny"\nclip = "{REPO}"\nterms = "Not for ducks."')
    app = visit("search", {"model": "tiny", "q": "lion"})
    assert (
        "Not for ducks" in captions(app)
        and app.button(key="fetch-tiny-all").label == "Fetch the weights · size unknown"
    )
    app.button(key="fetch-tiny-all").click().run()
    run_until(app, lambda: pictures(app, "search"))
    assert catalog.get("tiny").present and "model.safetensors" in hub.downloads()


def table_of_models(app):
    """What the sidebar shows once its popover is opened."""
    app.session_state["models-table"] = True
    return app.run().sidebar.dataframe[0].value


def test_sizes_times_and_terms_are_said_before(configured):
    configured("downloads = true")
    app = visit("search", {"model": "clip-l14"})
    assert [each.label for each in buttons(app, "fetch")] == [
        "Fetch the CLIP alone · 1.7 GB, 2 min at 100 Mbit/s",
        "Fetch all, to draw · 7.7 GB, 10 min at 100 Mbit/s",
    ]
    for said in (
        "clip-vit-large-patch14: MIT",
        "stable-diffusion-v1-5, stable-diffusion-2-1-unclip-small: CreativeML OpenRAIL-M, CreativeML "
        "Open RAIL++-M. Not for anything",
    ):
        assert any(said in unescaped(each.value) for each in app.main.caption)
    fetching._speed()["bytes"] = 10_000_000.0  # what the last download reached
    assert [each.label for each in app.run().button if each.key == "fetch-clip-l14-clip"] == [
        "Fetch the CLIP alone · 1.7 GB, 3 min"
    ]
    row = list(catalog.models()).index("clip-b32")
    assert table_of_models(app)["on this machine"][row] == "3.4 GB, 6 min to fetch"


def test_what_draws_is_fetched_where_it_is_missing(configured, hub, tmp_path, monkeypatch):
    made = build_tiny_diffusion(tmp_path / "made", build_tiny_clip(tmp_path / "tiny"))
    hub.add(REPO, {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()})
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("PYTHONPATH", str(APP.parent))
    configured(f'downloads = true\n[[models]]\nkey = "tiny"\nclip = "./tiny"\ndraws_prompts = "{REPO}"')
    app = visit(
        "interpolate",
        {"model": "tiny", "stops": "cat\ndog", "frames": "2", "space": "tokens", "num_inference_steps": "2"},
    )
    run_until(app, lambda: any(each.key == "fetch-tiny-all" for each in app.button))
    assert any("draws this with someone/clip" in unescaped(each.value) for each in app.info)
    app.button(key="fetch-tiny-all").click().run()
    run_until(app, lambda: "fit-walk" in app.session_state)
    assert catalog.get("tiny").draws_prompts.present
    assert app.session_state["fit-walk"].wait(60) and len(app.session_state["fit-walk"].result["slerp"].pngs) == 2


def test_progress_is_that_of_all_parts_by_their_sizes():
    parts = catalog.get("clip-b32").parts
    clip, drawing = (part.name for part in parts)
    assert (
        fetching._share(parts, {"part": clip, "progress": 1.0})
        == fetching._share(parts, {"part": drawing, "stage": "licence"})
        == pytest.approx(608 / 3358)
    )
    assert fetching._share(parts, {"part": drawing, "progress": 0.5}) == pytest.approx((608 + 1375) / 3358)
    assert fetching._share(parts[1:], {"part": clip, "stage": "is here already"}) == 0
    at = {"part": clip, "left": 20.0, "speed": 10e6}
    assert fetching._left(parts, at) == pytest.approx(20 + 2750 / 10) and fetching._left(parts[:1], at) == 20
    assert fetching._left(parts, {"part": clip, "stage": "licence"}) is None


def test_a_download_that_fails_is_told_and_can_be_tried_again(configured, hub, monkeypatch):
    hub.refuse = 403, "GatedRepo"
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("PYTHONPATH", str(APP.parent))
    configured(f'downloads = true\n[[models]]\nkey = "gated"\nclip = "{REPO}"')
    app = visit("search", {"model": "gated"})
    app.button(key="fetch-gated-all").click().run()
    run_until(app, lambda: app.warning)
    assert "is gated: accept its terms at" in unescaped(app.warning[0].value)
    assert [each for each in app.button if each.key == "again-fetch-gated-all"]


def test_the_sidebar_says_terms_and_shows_all_models(configured):
    configured("")
    app = visit("search", {"model": "clip-l14"})
    assert "CreativeML OpenRAIL-M" in captions(app) and "Not for anything unlawful" in captions(app)
    assert not app.sidebar.dataframe
    table = table_of_models(app).set_index("model")
    assert list(table.index) == list(catalog.models()) and table["on this machine"]["emoji"] == "yes"
    assert table["on this machine"]["clip-b32"] == "3.4 GB, 4 min at 100 Mbit/s to fetch"
    draws = table["draws points"]
    assert [draws[key] for key in ("emoji", "clip-b32", "clip-l14", "fast")] == [
        "yes",
        "no",
        "when fetched",
        "when fetched",
    ]


@pytest.mark.parametrize(
    ("memory", "gpu", "expected"), [(1e9, 0, (False, False)), (4e9, 0, (True, False)), (1e9, 24e9, (True, True))]
)
def test_what_fits_goes_by_the_memory_of_the_device(memory, gpu, expected):
    found = machine.Machine("", 1, "", 0, 0, int(memory), 0, int(gpu), 0.0)
    model = catalog.get("clip-l14")
    assert (ui_models.fits((model.clip,), lambda: found), ui_models.fits(model.parts, lambda: found)) == expected


def test_what_was_made_for_a_model_is_gone_with_its_folder(configured, tmp_path):
    """Nothing of it lies in the checkout."""
    build_tiny_clip(tmp_path / "tiny")
    configured('[[models]]\nkey = "tiny"\nclip = "./tiny"')
    run_until(app := visit("search", {"model": "tiny", "q": "lion"}), lambda: pictures(app, "search"))
    shutil.rmtree(settings().home / "vectors")
    assert "tiny" not in (settings().assets / "collections/emoji-world/manifest.json").read_text()
