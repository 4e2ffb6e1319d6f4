"""A node is killed in the middle of work: the work goes on, nothing is lost, nothing is there twice."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import pytest
from fixtures_cluster import end, pictures, pixels, points, until, vectors
from fixtures_imports import fill, jpeg, silent

from clipexplore.batcher import shared_embedder
from clipexplore.cluster import connection, driver, local
from clipexplore.cluster.connection import ask
from clipexplore.cluster.deploying import models
from clipexplore.errors import NetworkError
from clipexplore.images import open_picture
from clipexplore.models.embedder import Embedder
from clipexplore.retrieval.nearest import search
from clipexplore.retrieval.shared_search import shared_search
from clipexplore.sources.entries import Entry, Source
from clipexplore.sources.recognise import open_source
from clipexplore.store import importing
from clipexplore.store.collection import Collection
from clipexplore.store.importing import add
from clipexplore.store.stored import Stored

pytestmark = [pytest.mark.long, pytest.mark.cluster, pytest.mark.timeout(600)]


def test_searches_go_on(nodes):
    rows = vectors(60_000)
    expected = search(rows[:3], rows, 5)
    np.testing.assert_array_equal(shared_search(rows[:3], rows, 5).indices, expected.indices)
    gone = nodes.kill_that_runs("Shard")
    for _again in range(3):
        found = shared_search(rows[:3], rows, 5)
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.cosines, expected.cosines)
    until(lambda: not nodes.is_there(gone))


def test_a_drawing_goes_on_and_shows_each_picture_once(nodes, drawer, unclip):
    shown = []

    def show(number, picture):
        shown.append(number)
        if len(shown) == 5:  # the next batch is under way
            nodes.kill_that_runs("Artist")

    drawn = drawer.load().render(embeddings=points(21), num_inference_steps=20, shown=show)
    np.testing.assert_array_equal(pixels(drawn), pixels(unclip.render(embeddings=points(21), num_inference_steps=20)))
    assert sorted(shown) == [*range(21)]


@pytest.mark.parametrize(
    ("share", "actor"), [pytest.param(0.0, "ray::", id="reading"), pytest.param(0.4, "Clip", id="embedding")]
)
def test_an_import_goes_on_and_has_everything_once(nodes, tmp_path, tiny_clip, share, actor):
    fill(tmp_path / "photos", 400)
    for number in range(100):  # which take a while to read
        (tmp_path / f"photos/p{number:04d}.jpg").write_bytes(jpeg(number, (1200, 900)))
    by, own = shared_embedder(tiny_clip), Embedder.load(tiny_clip)
    store = Stored.create(tmp_path / "it", name="it", title="It", kind="pictures")
    killed = threading.Event()

    def report(done, stage):
        if done > share and not killed.is_set():
            killed.set()
            nodes.kill_that_runs(actor)

    outcome = add(store, open_source(tmp_path / "photos"), by, "tiny", by.revision, report)
    found = Collection.open(tmp_path / "it", verify=True)
    assert killed.is_set() and (outcome.added, outcome.known, outcome.refused, len(found)) == (400, 0, 0, 400)
    stored = [open_picture(found.picture(id)) for id in found.ids]
    np.testing.assert_allclose(found.embeddings("tiny", "pictures"), own.embed_images(stored), atol=1e-5)


def test_an_import_that_loses_the_head_goes_on_where_it_was(nodes, tmp_path, tiny_clip, monkeypatch):
    monkeypatch.setattr(importing, "COMMIT", 64)
    fill(tmp_path / "photos", 400)
    by, store = shared_embedder(tiny_clip), Stored.create(tmp_path / "it", name="it", title="It", kind="pictures")
    revision, stopped = by.revision, threading.Event()

    def report(done, stage):
        if done > 0.5 and not stopped.is_set():
            stopped.set()
            nodes.stop()

    with pytest.raises(NetworkError, match="cannot be reached"):
        add(store, open_source(tmp_path / "photos"), by, "tiny", revision, report)
    nodes.start()
    nodes.complete()
    outcome = add(store, open_source(tmp_path / "photos"), by, "tiny", revision, silent)
    assert outcome.known and (outcome.known + outcome.added, outcome.refused) == (400, 0)
    assert len(Collection.open(tmp_path / "it", verify=True)) == 400


def test_texts_asked_meanwhile_are_answered(nodes, tiny_clip):
    """By many at a time, while the node with the model dies."""
    by = shared_embedder(tiny_clip)
    expected = by.embed_texts(["a photo of a cat"])
    with ThreadPoolExecutor(8) as people:
        asked = [people.submit(by.embed_images, pictures(4)) for _person in range(24)]
        nodes.kill_that_runs("Clip")
        answers = [each.result(300) for each in asked]
    assert len(answers) == 24
    for each in answers[1:]:
        np.testing.assert_allclose(each, answers[0], atol=1e-5)
    np.testing.assert_allclose(by.embed_texts(["a photo of a cat"]), expected, atol=1e-6)


CRASHES = """
import os, sys
class Crash:
    def find_spec(self, name, *_arguments):
        if name == {module!r}:
            os.abort()
sys.meta_path.insert(0, Crash())
"""


@pytest.mark.parametrize(
    ("module", "told"),
    [
        pytest.param("transformers", "has ended 3 times", id="when the model is loaded"),
        pytest.param("clipexplore.cluster.embedding", r"cannot .* \(.*process has died", id="when a copy is started"),
        pytest.param("clipexplore.cluster.searching", "has ended 3 times", id="when a shard is started"),
    ],
)
def test_where_the_code_itself_crashes_that_is_told(nodes, tiny_clip, tmp_path, monkeypatch, module, told):
    """On the one node that there is, each process ends as it imports something; on other nodes all goes on."""
    by, rows = shared_embedder(tiny_clip), vectors(60_000)
    ask_for = (
        (lambda: shared_search(rows[:1], rows, 5).indices)
        if module.endswith("searching")
        else (lambda: by.embed_texts(["a photo of a cat"]))
    )
    before = ask_for()
    (tmp_path / "sitecustomize.py").write_text(CRASHES.format(module=module))
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        broken = local.start_node(nodes.port, "broken", cpus=2)
        until(lambda: nodes.is_there("broken"))
        nodes.kill()
        began = time.monotonic()
        with pytest.raises(NetworkError, match=told):
            ask_for()
        assert time.monotonic() - began < 200  # and not only when a request is given up
        end(broken)
    nodes.complete()
    np.testing.assert_allclose(ask_for(), before, atol=1e-6)


def test_an_import_whose_reading_ends_its_process_each_time_is_told_of(nodes, tmp_path, tiny_clip):
    fill(tmp_path / "photos", 300)
    by, store = shared_embedder(tiny_clip), Stored.create(tmp_path / "it", name="it", title="It", kind="pictures")
    found = open_source(tmp_path / "photos")
    entries = [*found][:299] + [Entry("crash.jpg", read=os.abort)]
    with pytest.raises(NetworkError, match="has ended 3 times"):
        add(store, Source("pictures", 300, lambda: iter(entries)), by, "tiny", by.revision, silent)
    assert add(store, found, by, "tiny", by.revision, silent).added + store.rows() >= 300


def test_a_node_without_memory_is_told_of_and_what_it_was_to_do_is_done_elsewhere(nodes, tiny_clip, monkeypatch):
    """Ray kills what runs on a node of which more than a hundredth of the memory is in use."""
    by = shared_embedder(tiny_clip)
    before = by.embed_texts(["a photo of a cat"])
    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as people:
        patch.setenv("RAY_memory_usage_threshold", "0.01")
        full = local.start_node(nodes.port, "full", cpus=2)
        until(lambda: nodes.is_there("full"))
        nodes.kill()
        asked = people.submit(by.embed_texts, ["a photo of a cat"])
        until(lambda: any(each.for_memory for each in ask(models)))
        assert not asked.done()
        patch.undo()
        end(full)
        nodes.complete()
        np.testing.assert_array_equal(asked.result(240), before)
    assert not any(each.fails for each in ask(models))


def test_while_the_head_is_gone_that_is_said_and_afterwards_all_goes_on(nodes, tiny_clip):
    """While pages ask all the time, as Status does: of what is under way when a head starts anew Ray ends a process."""
    by = shared_embedder(tiny_clip)
    before = by.embed_texts(["a photo of a cat"])
    ended, told = threading.Event(), []

    def look():
        while not ended.is_set():
            try:
                ask(driver.nodes)
            except NetworkError as error:
                told.append(str(error))

    with ThreadPoolExecutor(4) as pages:
        looking = [pages.submit(look) for _page in range(4)]
        nodes.stop()
        with pytest.raises(NetworkError, match="cannot be reached"):
            by.embed_texts(["hat"])
        nodes.start()
        nodes.complete()
        np.testing.assert_array_equal(by.embed_texts(["a photo of a cat"]), before)
        ended.set()
        for each in looking:
            each.result(60)
    assert told and all("cannot be reached" in each for each in told)


def test_a_driver_that_ends_is_started_anew(nodes, tiny_clip):
    by = shared_embedder(tiny_clip)
    before = by.embed_texts(["a photo of a cat"])
    under_way = connection.Work(count)
    assert next(under_way) == 0
    under_way._driver.process.kill()
    with pytest.raises(NetworkError, match="the connection has ended"):
        next(under_way)
    np.testing.assert_array_equal(by.embed_texts(["a photo of a cat"]), before)
