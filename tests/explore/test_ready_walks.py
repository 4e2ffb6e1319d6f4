"""Walks that are shipped: found by their recipe, equal to what is drawn, and never taken for others."""

import json
import logging

import numpy as np
import pytest

from clipexplore import Space
from clipexplore.draw.drawer import Drawer
from clipexplore.draw.ready import FOLDER
from clipexplore.explore.draw_walk import draw_walk
from clipexplore.models import catalog
from clipexplore.training.build_drawings import build, examples

WALK = {"stops": ["cat + snow", "@lion-snow-07"], "frames": 3, "seed": 3, "guidance_scale": 2.0}
TEXTS = {"stops": ["cat", "dog"], "frames": 3, "curve": "lerp", "easing": "smooth"}


@pytest.fixture
def space(drawing_assets) -> Space:
    return Space.open()


@pytest.fixture
def drawings(drawing_assets):
    """The folder of what a small drawing model has drawn beforehand."""
    return drawing_assets / "models/emoji/drawings"


def pixels(drawn):
    return np.stack([np.asarray(picture) for picture in drawn.pictures])


@pytest.mark.parametrize("given", [WALK, TEXTS], ids=["joint", "tokens"])
def test_a_shipped_walk_is_what_is_drawn_and_needs_no_drawing_model(given, space, drawings, monkeypatch):
    (fresh,) = draw_walk(space, **given).drawn.values()
    build(space, {"walk": given})
    monkeypatch.setattr(Drawer, "load", lambda drawer: pytest.fail("it is drawn"))
    walk, seen = draw_walk(space, **given), []
    ((curve, shipped),) = walk.drawn.items()
    np.testing.assert_array_equal(pixels(shipped), pixels(fresh))
    np.testing.assert_array_equal(shipped.changes, fresh.changes)
    if fresh.embeddings is None:
        assert shipped.embeddings is None and shipped.targets is None
    else:
        np.testing.assert_allclose(shipped.embeddings, fresh.embeddings, atol=1e-3)
        np.testing.assert_array_equal(shipped.targets, fresh.targets)
    list(walk.drawing(shown=lambda *each: seen.append(each)))
    assert [(name, number) for name, number, _picture in seen] == [(curve, number) for number in range(3)]


@pytest.mark.parametrize(
    "other",
    [
        {"stops": ["dog + snow", "@lion-snow-07"]},
        {"stops": ["cat + 0.9*snow", "@lion-snow-07"]},
        {"stops": ["cat + snow", "@lion-snow-07", "@man"]},
        {"frames": 4},
        {"curve": "lerp"},
        {"curve": "both"},
        {"curve": "even"},
        {"easing": "smooth"},
        {"shift": False},
        {"seed": 4},
        {"num_inference_steps": 3},
        {"guidance_scale": 2.5},
        {"scheduler": "ddim"},
    ],
    ids=str,
)
def test_another_walk_is_not_ready(other, space, drawings):
    build(space, {"walk": WALK})
    assert draw_walk(space, **WALK).ready and not draw_walk(space, **WALK | other).ready


def test_a_walk_is_ready_however_it_is_asked_for(space, drawings):
    build(space, {"walk": WALK})
    said = {"num_inference_steps": 4, "draw_from": "joint", "stops": ["snow + cat", "2*@lion-snow-07"]}
    assert draw_walk(space, **WALK | said).ready


def test_what_another_decoder_drew_is_not_used_and_goes_when_it_is_drawn_anew(space, drawings):
    build(space, {"walk": WALK})
    (before,) = drawings.iterdir()
    facts = drawings.parent / "unclip/drawing.json"
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"norm": 3.0}))
    assert not draw_walk(space, **WALK).ready
    build(space, {"walk": WALK})
    (after,) = drawings.iterdir()
    assert after != before and draw_walk(space, **WALK).ready


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
        lambda data: b"\xff" * 64 + data[64:],
    ],
    ids=["empty", "cut", "a bit", "head"],
)
def test_a_damaged_file_is_logged_once_and_drawn_anew(damage, space, drawings, caplog):
    build(space, {"walk": WALK})
    (whole,) = draw_walk(space, **WALK).drawn.values()
    (path,) = drawings.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING, "clipexplore"):
        walks = [draw_walk(space, **WALK) for _ in range(2)]
        assert not any(walk.ready for walk in walks)
    # a job that another test left may log meanwhile
    (told,) = [record.getMessage() for record in caplog.records if record.name == "clipexplore.draw.ready"]
    assert str(path) in told and "damaged" in told
    np.testing.assert_array_equal(pixels(walks[0].drawn["slerp"]), pixels(whole))
    build(space, {"walk": WALK})
    assert draw_walk(space, **WALK).ready


def test_building_goes_on_where_it_was(space, drawings, capsys):
    build(space, {"one": WALK})
    (one,) = drawings.iterdir()
    made = one.stat().st_mtime_ns
    (drawings / "two-0123456789ab.safetensors.partial").write_bytes(b"killed")
    build(space, {"one": WALK, "two": TEXTS, "even": WALK | {"curve": "even"}})
    assert [path.name.partition("-")[0] for path in sorted(drawings.iterdir())] == ["one", "two"]
    assert one.stat().st_mtime_ns == made
    told = capsys.readouterr().out.splitlines()
    assert told[1] == "one: 3 frames lie ready" and told[3].startswith("even: no walk that can be shipped")


@pytest.fixture(scope="module")
def shipped():
    """The arguments of the walks that are shipped, by name, where they were drawn."""
    if not list((catalog.get("emoji").draws_embeddings.folder.parent / FOLDER).glob("*")):
        pytest.skip("no drawings are here: python -m clipexplore.training.build_drawings")
    return examples()


def test_every_example_lies_ready(shipped):
    """All of today's weights, collection and examples: what changes these has to draw them anew."""
    space = Space.open()
    assert not [name for name, given in shipped.items() if not draw_walk(space, **given).ready]


@pytest.mark.long
def test_the_default_walk_as_it_is_shipped_is_what_this_machine_draws(shipped):
    """Its first and last frame, drawn anew; the last bits are another machine's."""
    space = Space.open()
    (ready,) = draw_walk(space, **shipped["default"]).ready.values()
    (ends,) = draw_walk(space, **shipped["default"] | {"frames": 2}).drawn.values()
    difference = np.abs(pixels(ready)[[0, -1]].astype(float) - pixels(ends)).mean(axis=(1, 2, 3))
    assert difference.max() <= 2, difference
    np.testing.assert_allclose(ready.embeddings, space.embedder.embed_images(ready.pictures), atol=5e-3)
