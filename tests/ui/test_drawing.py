"""Drawing on the lane with a real pipeline: shared by who asks for the same, stopped within a step, alive after
whatever happens.
"""

import threading
from functools import partial

import numpy as np
import pytest
from fixtures_drawing import DIM

from clipexplore.draw.drawer import Drawn
from clipexplore.draw.renderer import Renderer
from clipexplore.errors import InputError
from clipexplore.explore.memory import Recent
from clipexplore.images import open_picture
from clipexplore.jobs import Lane
from clipexplore.ui.drawing import Look, Track, draw_tracks, size_of

POINTS = np.random.default_rng(0).normal(size=(5, DIM)).astype(np.float32)
SETTINGS = {"seed": 1, "num_inference_steps": 4, "guidance_scale": 3.0}


@pytest.fixture(scope="module")
def renderer(tiny_unclip, tiny_clip):
    return Renderer.load(tiny_unclip, tiny_clip, device="cpu")


@pytest.fixture
def lane():
    lane = Lane("test-render", abandon_after=20)
    yield lane
    lane.close()


def work(load, points=POINTS, keep=lambda drawn: None, tracks=("slerp",), settings=SETTINGS):
    def draw(report, shown):
        renderer, drawings = load(), {}
        for name in tracks:
            watch = {"report": report, "shown": partial(shown, name)}
            drawings[name] = Drawn((yield from renderer.drawing(embeddings=points, **settings, **watch)))
        return drawings

    return partial(draw_tracks, draw=draw, names=tracks, keep=keep)


def evaluations(renderer):
    """Counts the U-Net's calls."""
    calls = []
    handle = renderer.pipeline.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls, handle


def test_a_job_gives_what_the_renderer_gives_and_keeps_it(renderer, lane):
    kept = []
    job = lane.submit(work(lambda: renderer, keep=kept.append, tracks=("slerp", "lerp")), "key", "me")
    assert job.wait(60) and job.state == "done" and kept == [job.result]
    expected = renderer.render(embeddings=POINTS, **SETTINGS)
    for name in ("slerp", "lerp"):
        for png, picture in zip(job.result[name].pngs, expected, strict=True):
            np.testing.assert_array_equal(np.asarray(open_picture(png)), np.asarray(picture))


def test_frames_are_there_before_the_job_is_done_the_ends_first(renderer, lane):
    looks, waiting, going = [], threading.Event(), threading.Event()

    def watch():
        going.set()
        waiting.wait(10)
        return renderer

    job = lane.submit(work(watch), "key", "me")
    going.wait(10)
    handle = renderer.pipeline.unet.register_forward_pre_hook(lambda *_: looks.append(job.preview))
    waiting.set()
    assert job.wait(60)
    handle.remove()
    seen = [sorted(look.frames["slerp"]) for look in looks if isinstance(look, Look)]
    assert [] in seen and [0] in seen and all(set(a) <= set(b) for a, b in zip(seen, seen[1:], strict=False))
    assert any(look.emerging for look in looks if isinstance(look, Look))


def test_who_asks_for_the_same_shares_one_drawing(renderer, lane):
    calls, handle = evaluations(renderer)
    block = threading.Event()
    lane.submit(lambda job: block.wait(10), "block", "other")
    jobs = [lane.submit(work(lambda: renderer), "same", f"student {n}") for n in range(10)]
    block.set()
    assert all(job.wait(60) for job in jobs) and len(set(map(id, jobs))) == 1
    handle.remove()
    assert len(calls) == 2 * SETTINGS["num_inference_steps"]  # a batch of one and a batch of four


def test_a_cancelled_drawing_stops_within_a_step(renderer, lane):
    calls, handle = evaluations(renderer)
    job = lane.submit(work(lambda: renderer, np.repeat(POINTS, 40, 0)), "long", "me")
    stop = renderer.pipeline.unet.register_forward_pre_hook(lambda *_: job.cancel() if len(calls) == 2 else None)
    assert job.wait(60) and job.state == "cancelled"
    handle.remove(), stop.remove()
    assert len(calls) == 2
    assert lane.submit(work(lambda: renderer), "next", "me").wait(60)


def test_drawings_come_in_the_order_of_asking_one_queued_for_each_visitor(renderer, lane):
    order, block = [], threading.Event()
    lane.submit(lambda job: block.wait(10), "block", "a")

    def noting(name):
        return work(lambda: order.append(name) or renderer, POINTS[:1])

    old = lane.submit(noting("a1"), "a1", "a")
    jobs = [lane.submit(noting(name), name, name[0]) for name in ("b1", "a2", "c1")]  # a changes its mind
    block.set()
    assert all(job.wait(60) for job in jobs)
    assert order == ["b1", "a2", "c1"] and old.state == "cancelled"


def test_a_short_walk_does_not_wait_for_a_long_one_and_both_have_the_pixels_they_have_alone(renderer, lane):
    """They take turns batch by batch, with other settings each."""
    long_settings, short_settings = SETTINGS | {"scheduler": "ddim"}, SETTINGS | {"num_inference_steps": 3, "seed": 7}
    block, ended = threading.Event(), []
    lane.submit(lambda job: block.wait(10), "block", "other")
    long_walk = np.repeat(POINTS, 9, 0)
    noted = {"keep": lambda drawn: ended.append("long")}, {"keep": lambda drawn: ended.append("short")}
    long = lane.submit(work(lambda: renderer, long_walk, settings=long_settings, **noted[0]), "long", "greedy")
    short = lane.submit(work(lambda: renderer, settings=short_settings, **noted[1]), "short", "modest")
    block.set()
    assert long.wait(120) and short.wait(60) and ended == ["short", "long"]
    for job, points, settings in [(long, long_walk, long_settings), (short, POINTS, short_settings)]:
        expected = renderer.render(embeddings=points, **settings)
        for png, picture in zip(job.result["slerp"].pngs, expected, strict=True):
            np.testing.assert_array_equal(np.asarray(open_picture(png)), np.asarray(picture))


def test_what_goes_wrong_is_a_sentence_and_the_lane_goes_on(renderer, lane):
    import torch

    def full(*_):
        raise torch.OutOfMemoryError("injected")

    handle = renderer.pipeline.unet.register_forward_pre_hook(full)
    job = lane.submit(work(lambda: renderer), "full", "me")
    assert job.wait(60) and job.state == "failed" and "too little memory" in job.error
    handle.remove()

    def broken():
        raise SystemExit("a model that takes the thread with it")

    job = lane.submit(work(broken), "broken", "me")
    assert job.wait(60) and job.state == "failed" and job.error.endswith(".")

    def refused():
        raise InputError("There is no model.")

    job = lane.submit(work(refused), "refused", "me")
    assert job.wait(60) and job.error == "There is no model."
    assert lane.submit(work(lambda: renderer), "next", "me").wait(60)


def track(count):
    return Track([b"x"] * count, np.zeros(count), None)


def test_the_longest_unused_are_forgotten_first():
    kept = Recent(5, size_of)
    for name in "abc":
        kept.put(name, {"slerp": track(2)})
        kept.get("a")
    assert kept.get("a") and kept.get("c") and kept.get("b") is None
    kept.put("large", {"slerp": track(9)})
    assert len(kept.get("large")["slerp"].pngs) == 9 and kept.get("a") is None
