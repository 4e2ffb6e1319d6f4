"""Bridges between spaces whose relation is known, and between the bundled model and its judge."""

import time

import numpy as np
import pytest

from clipexplore.errors import DamagedError, InputError
from clipexplore.models.bridge import ROTATION, Bridge, fit_bridge
from clipexplore.vectors import normalize

KINDS = ("pictures", "captions")


def turned(count=400, dim=24, other=24, noise=0.0, seed=0):
    """Two spaces of the same things, one the other turned about and moved by kind; of other sizes, cut or filled up."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(max(dim, other),) * 2))[0][:dim, :other]
    ours, theirs = {}, {}
    for kind in KINDS:
        x = rng.normal(size=(count, dim))
        ours[kind] = normalize(x + 5 * rng.normal(size=dim))
        moved = ours[kind] @ rotation + rng.normal(size=other) * 0.1 + noise * rng.normal(size=(count, other))
        theirs[kind] = moved.astype(np.float32)
    return ours, theirs


def test_a_turned_space_is_turned_back():
    ours, theirs = turned()
    bridge = fit_bridge(ours, theirs)
    for kind in KINDS:
        carried = bridge.carry(ours[kind], kind)
        np.testing.assert_allclose(carried, normalize(theirs[kind]), atol=1e-4)
        assert carried.dtype == np.float32 and bridge.held_out[kind] > 0.99
    np.testing.assert_allclose(bridge.map @ bridge.map.T, np.eye(24), atol=1e-5)


@pytest.mark.parametrize(("dim", "other"), [(32, 20), (20, 32)])
def test_spaces_may_have_other_dimensions(dim, other):
    ours, theirs = turned(dim=dim, other=other)
    bridge = fit_bridge(ours, theirs)
    assert bridge.carry(ours["pictures"]).shape == (400, other) and bridge.map.shape == (dim, other)
    rotation = bridge.map / np.linalg.norm(bridge.map, 2)
    small = rotation if dim < other else rotation.T
    np.testing.assert_allclose(small @ small.T, np.eye(min(dim, other)), atol=1e-5)


def sheared(count):
    """Two spaces of 32 dimensions, one the other turned and stretched differently along each of them, with noise."""
    rng = np.random.default_rng(0)
    map = np.linalg.qr(rng.normal(size=(32, 32)))[0] * np.linspace(0.3, 2, 32)
    ours = {kind: normalize(rng.normal(size=(count, 32))) for kind in KINDS}
    noise = {kind: rng.normal(size=(count, 32)) * 0.05 for kind in KINDS}
    return ours, {kind: normalize(ours[kind] @ map + noise[kind]) for kind in KINDS}


def test_many_anchors_give_a_map_nearer_than_a_rotation_and_few_a_rotation():
    ours, theirs = sheared(1000)

    def fitted(count, **options):
        bridge = fit_bridge(*({kind: each[kind][:count] for kind in KINDS} for each in (ours, theirs)), **options)
        carried = bridge.carry(ours["pictures"][800:])
        return bridge, np.vecdot(carried, theirs["pictures"][800:]).mean()

    (few, _), (many, near), (rotation, less) = fitted(12), fitted(800), fitted(800, pulls=ROTATION)
    for each in (few, rotation):
        turn = each.map / np.linalg.norm(each.map, 2)
        np.testing.assert_allclose(turn @ turn.T, np.eye(32), atol=1e-5)
    stretched = np.linalg.svd(many.map)[1]
    assert stretched[0] > 3 * stretched[-1] and near > less + 0.05 and many.held_out["pictures"] > 0.95


def test_what_is_carried_is_as_long_about_its_mean_as_what_is_there():
    ours, theirs = turned(noise=0.1)
    bridge = fit_bridge(ours, theirs)
    x, y = (np.concatenate([each[kind] - each[kind].mean(0) for kind in KINDS]) for each in (ours, theirs))
    assert np.linalg.norm(x @ bridge.map) == pytest.approx(np.linalg.norm(y), rel=1e-5)


def test_a_bridge_of_before_is_fitted_again(tmp_path):
    """Bridges were a rotation and a scale once: such a file is not one, and `explore.bridges` fits another."""
    from safetensors.numpy import save_file

    about = {"scale": "1.0", "held_out": '{"pictures": 0.9}', "models": '["one", "two"]', "anchors": "[]"}
    tensors = {"rotation": np.eye(4), "pictures.from": np.ones(4), "pictures.to": np.ones(4)}
    save_file(tensors, tmp_path / "old", metadata=about)
    with pytest.raises(DamagedError):
        Bridge.load(tmp_path / "old")


def test_what_is_held_out_judges_it_honestly():
    """Of noise a bridge fitted on few things fits those, and says that it carries no others."""
    rng = np.random.default_rng(0)
    noise = [{"pictures": normalize(rng.normal(size=(40, 64)))} for _ in range(2)]
    bridge = fit_bridge(*noise)
    fitted = (bridge.carry(noise[0]["pictures"]) * noise[1]["pictures"]).sum(1).mean()
    assert fitted > 0.5 and bridge.held_out["pictures"] < 0.3


def test_what_is_written_is_read(tmp_path):
    ours, theirs = turned()
    bridge = fit_bridge(ours, theirs, ("one", "two"), [f"a{n}" for n in range(400)])
    bridge.save(tmp_path / "bridges" / "a.safetensors")
    again = Bridge.load(tmp_path / "bridges" / "a.safetensors")
    np.testing.assert_array_equal(again.carry(ours["captions"], "captions"), bridge.carry(ours["captions"], "captions"))
    assert (again.models, again.anchors, again.held_out) == (bridge.models, bridge.anchors, bridge.held_out)
    (tmp_path / "b").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read .*; delete it"):
        Bridge.load(tmp_path / "b")


@pytest.mark.parametrize("linear", [True, False])
def test_a_gap_is_crossed_as_in_the_other_space(linear):
    """In a space that is the other turned, of texts of any weight: across and carried is carried and across."""
    rng = np.random.default_rng(5)
    ours, theirs = turned()
    bridge = fit_bridge(ours, theirs)
    offset = rng.normal(size=24) * 0.1
    map = np.vstack([rng.normal(size=(24, 24)) * 0.2, offset]) if linear else np.vstack([np.eye(24), offset])
    crossing = bridge.crossing(map if linear else offset)
    texts = np.hstack([ours["captions"][:5], np.ones((5, 1))])
    there = theirs["captions"][:5] @ map[:-1] + map[-1]  # as this space's texts cross
    back = (texts @ crossing - bridge.means["pictures"][0]) @ bridge.map + bridge.means["pictures"][1]
    np.testing.assert_allclose(back, there, atol=2e-3)
    assert crossing.shape == (25, 24) and crossing.dtype == np.float32


@pytest.mark.parametrize(
    ("ours", "theirs", "says"),
    [
        ({"pictures": np.eye(12)}, {"captions": np.eye(12)}, "same things"),
        ({"pictures": np.eye(12)}, {"pictures": np.eye(13)}, "same things"),
        ({"pictures": np.eye(9)}, {"pictures": np.eye(9)}, "at least 10"),
        ({}, {}, "same things"),
    ],
)
def test_what_makes_no_bridge_is_told(ours, theirs, says):
    with pytest.raises(InputError, match=says):
        fit_bridge(ours, theirs)


def test_what_it_cannot_carry_is_told():
    bridge = fit_bridge(*turned())
    for vectors, kind in ((np.ones((1, 7), np.float32), "pictures"), (np.ones((1, 24), np.float32), "words")):
        with pytest.raises(InputError, match="The bridge carries pictures and captions of 24 dimensions"):
            bridge.carry(vectors, kind)


def test_ten_thousand_vectors_are_carried_within_six_seconds_of_work():
    rng = np.random.default_rng(0)
    ours, theirs = ({"pictures": normalize(rng.normal(size=(100, dim)))} for dim in (768, 512))
    bridge = fit_bridge(ours, theirs)
    many, start = np.tile(ours["pictures"], (100, 1)), time.process_time()
    assert bridge.carry(many).shape == (10_000, 512) and time.process_time() - start < 6


@pytest.mark.slow
def test_two_trainings_find_the_same_geometry_turned():
    """The bundled model and its judge, trained from another seed: 300 scenes are anchors, 400 others are carried."""
    from clipexplore import Space
    from clipexplore.models.embedder import Embedder
    from clipexplore.settings import settings

    space = Space.open()
    judge = Embedder.load(settings().assets / "training" / "judge", device="cpu")
    rows = np.random.default_rng(0).permutation(len(space.collection.ids))[:700]
    ids, captions = ([each[row] for row in rows] for each in (space.collection.ids, space.collection.captions))
    ours = {kind: space.collection.embeddings("emoji", kind)[rows] for kind in KINDS}
    theirs = {
        "pictures": judge.embed_images([space.picture(id) for id in ids]),
        "captions": judge.embed_texts(captions),
    }
    anchors, others = slice(0, 300), slice(300, None)
    bridge = fit_bridge(*({kind: each[kind][anchors] for kind in KINDS} for each in (ours, theirs)))
    carried = {kind: bridge.carry(ours[kind][others], kind) for kind in KINDS}

    def recall(texts, pictures):
        return float(np.mean(np.argmax(texts @ pictures.T, axis=1) == np.arange(len(texts))))

    native = recall(theirs["captions"][others], theirs["pictures"][others])
    assert native > 0.9 and recall(carried["captions"], carried["pictures"]) >= 0.95 * native
    for kind in KINDS:
        true = float((carried[kind] * theirs[kind][others]).sum(1).mean())
        assert abs(true - bridge.held_out[kind]) < 0.05, "what it says of itself"
