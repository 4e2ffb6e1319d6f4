"""The batcher: whose items share a call, whose answers they are, and that a bad item fails alone."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from clipexplore import batcher as batching
from clipexplore.batcher import Batcher, SharedEmbedder
from clipexplore.errors import InputError
from clipexplore.models.embedder import Embedder
from clipexplore.models.residents import Residents
from clipexplore.models.revisions import Revisions
from clipexplore.settings import settings

LONG = 30  # seconds after which a test that hangs fails


class Doubler:
    """Doubles numbers, refuses negative ones, keeps the sizes of its calls; its first call waits for `opened`."""

    def __init__(self, held: bool = False):
        self.calls, self.started, self.opened = [], threading.Event(), threading.Event()
        if not held:
            self.opened.set()

    def __call__(self, items):
        self.calls.append(list(items))
        self.started.set()
        assert self.opened.wait(LONG)
        if min(items) < 0:
            raise InputError(f"{min(items)} is negative; give a positive number.")
        return [2 * item for item in items]


@pytest.fixture
def threads():
    with ThreadPoolExecutor(40) as threads:
        yield threads


def until_waiting(batcher, count):
    with batcher._lock:
        assert batcher._lock.wait_for(lambda: batcher._waiting() == count, LONG)


def test_each_caller_gets_its_own_answers_in_order():
    with closing(Batcher(Doubler())) as batcher:
        assert batcher.call([3, 1, 2]) == [6, 2, 4] and batcher.call([]) == [] and batcher.call((5,)) == [10]


def test_those_who_ask_meanwhile_share_the_next_call(threads):
    double = Doubler(held=True)
    with closing(Batcher(double)) as batcher:
        first = threads.submit(batcher.call, [0])
        assert double.started.wait(LONG)
        others = [threads.submit(batcher.call, [n, 10 * n]) for n in range(1, 11)]
        until_waiting(batcher, 20)
        double.opened.set()
        assert first.result(LONG) == [0]
        assert [other.result(LONG) for other in others] == [[2 * n, 20 * n] for n in range(1, 11)]
    assert len(double.calls) == 2 and sorted(double.calls[1]) == sorted([*range(1, 11), *range(10, 101, 10)])


def test_no_call_is_larger_than_allowed_and_the_longest_waiting_come_first():
    double = Doubler()
    with closing(Batcher(double, max_batch=8)) as batcher:
        assert batcher.call(range(30)) == [2 * n for n in range(30)]
    assert [len(call) for call in double.calls] == [8, 8, 8, 6]
    assert [item for call in double.calls for item in call] == list(range(30))


def test_callers_have_their_turns_however_much_each_brings(threads):
    """Of somebody with a thousand questions no more than a call's worth is answered before somebody with three."""
    double = Doubler(held=True)
    with closing(Batcher(double, max_batch=8)) as batcher:
        first = threads.submit(batcher.call, [0])
        assert double.started.wait(LONG)
        greedy = threads.submit(batcher.call, range(1000, 2000))
        until_waiting(batcher, 1000)
        modest = [threads.submit(batcher.call, [n, n + 1, n + 2]) for n in (1, 11)]
        until_waiting(batcher, 1006)
        double.opened.set()
        assert [each.result(LONG) for each in (first, *modest)] == [[0], [2, 4, 6], [22, 24, 26]]
        assert greedy.result(LONG) == [2 * n for n in range(1000, 2000)]
    turns = [item for item in double.calls[1] + double.calls[2] if item < 1000]
    assert {1, 2, 11, 12} < set(turns) and len(turns) == 6
    assert [item for call in double.calls[1:] for item in call if item >= 1000] == [*range(1000, 2000)]


def test_a_full_batch_does_not_wait_for_the_window():
    with closing(Batcher(Doubler(), max_batch=4, window=LONG)) as batcher:
        assert batcher.call([1, 2, 3, 4]) == [2, 4, 6, 8]


def test_who_asks_within_the_window_shares_the_call(threads):
    double = Doubler()
    with closing(Batcher(double, max_batch=2, window=LONG)) as batcher:
        first, second = threads.submit(batcher.call, [1]), threads.submit(batcher.call, [2])
        assert (first.result(LONG), second.result(LONG)) == ([2], [4])
    assert sorted(double.calls[0]) == [1, 2]


def test_a_bad_item_fails_alone(threads):
    double = Doubler(held=True)
    with closing(Batcher(double)) as batcher:
        first = threads.submit(batcher.call, [0])
        assert double.started.wait(LONG)
        good, bad, also_good = (threads.submit(batcher.call, items) for items in ([1, 2], [3, -4], [5]))
        until_waiting(batcher, 5)
        double.opened.set()
        assert (first.result(LONG), good.result(LONG), also_good.result(LONG)) == ([0], [2, 4], [10])
        with pytest.raises(InputError, match="-4 is negative"):
            bad.result(LONG)
        assert batcher.call([6]) == [12]


@pytest.mark.parametrize("error", [ValueError, MemoryError, SystemExit])
def test_the_thread_outlives_whatever_is_raised(error):
    def fail_on_one(items):
        if 1 in items:
            raise error("one")
        return items

    with closing(Batcher(fail_on_one)) as batcher:
        for items in ([1], [1, 1, 2]):
            with pytest.raises(error, match="one"):
                batcher.call(items)
        assert batcher.call([2]) == [2]


def test_a_function_that_loses_an_item_is_found_out():
    with closing(Batcher(lambda items: items[:1])) as batcher:
        assert batcher.call([7, 8]) == [7, 8]  # one by one it loses none
    with closing(Batcher(lambda items: [])) as batcher, pytest.raises(RuntimeError, match="0 results for 1 items"):
        batcher.call([7])


def test_rows_of_an_array_are_results():
    with closing(Batcher(lambda items: np.eye(3)[items])) as batcher:
        np.testing.assert_array_equal(batcher.call([2, 0]), np.eye(3)[[2, 0]])


def test_close_answers_what_was_asked_and_refuses_the_rest(threads):
    double = Doubler(held=True)
    batcher = Batcher(double, max_batch=2)
    answers = [threads.submit(batcher.call, [0])]
    assert double.started.wait(LONG)
    answers += [threads.submit(batcher.call, [n]) for n in range(1, 6)]
    until_waiting(batcher, 5)
    batcher.close(timeout=0)
    with pytest.raises(InputError, match="The server is stopping"):
        batcher.call([1])
    double.opened.set()
    batcher.close()
    assert not batcher._thread.is_alive() and [answer.result(LONG) for answer in answers] == [[2 * n] for n in range(6)]


def test_thirty_visitors_typing_at_once(threads):
    double = Doubler()

    def visit(seed):
        rng = random.Random(seed)
        for _ in range(20):
            items = [rng.randrange(1000) for _ in range(rng.randrange(1, 40))]
            assert batcher.call(items) == [2 * item for item in items]

    with closing(Batcher(double, window=0.001)) as batcher:
        done, late = wait([threads.submit(visit, seed) for seed in range(30)], LONG)
        assert not late and not any(visitor.exception() for visitor in done)
    assert max(map(len, double.calls)) <= 32


# SharedEmbedder


@pytest.fixture
def loads(monkeypatch) -> list:
    """Every loading of a model, in order."""
    seen, load = [], Embedder.load
    monkeypatch.setattr(
        batching.Embedder, "load", lambda folder, **more: (seen.append(folder), load(folder, **more))[1]
    )
    return seen


def test_a_shared_embedder_gives_what_the_model_gives(tiny_clip):
    shared, own = SharedEmbedder(tiny_clip), Embedder.load(tiny_clip)
    texts = ["a cat", "two red apples", "a dog in the snow at night", "a cat"]
    pictures = [Image.new("RGB", (20 + n, 30), (60 * n, 0, 200)) for n in range(3)]
    np.testing.assert_allclose(shared.embed_texts(texts), own.embed_texts(texts), atol=1e-5)
    np.testing.assert_allclose(shared.embed_images(pictures), own.embed_images(pictures), atol=1e-5)
    assert shared.embed_texts([]).shape == (0, own.dim) == shared.embed_images([]).shape
    assert (shared.max_tokens, shared.revision, shared.count_tokens(texts)) == (
        own.max_tokens,
        own.revision,
        own.count_tokens(texts),
    )


def test_a_model_is_loaded_once_by_whoever_first_needs_it(tiny_clip, loads, threads):
    shared = SharedEmbedder(tiny_clip, residents=Residents())
    assert not loads, "the first page is painted before"
    asked = [threads.submit(shared.embed_texts, [f"{n} cats", "a dog"]) for n in range(20)]
    asked += [
        threads.submit(shared.embed_images, [Image.new("RGB", (8, 8))]),
        threads.submit(lambda: shared.max_tokens),
    ]
    done, late = wait(asked, LONG)
    assert not late and loads == [tiny_clip]
    alone = Embedder.load(tiny_clip)
    for n, each in enumerate(asked[:20]):
        np.testing.assert_allclose(each.result(), alone.embed_texts([f"{n} cats", "a dog"]), atol=1e-5)


def test_a_model_that_was_unloaded_is_loaded_again(tiny_clip, loads):
    residents = Residents()
    shared = SharedEmbedder(tiny_clip, revisions=Revisions(*["here"] * 3), residents=residents)
    first = shared.embed_texts(["a cat"])
    for key in residents.keys():  # noqa: SIM118 – not a dict
        residents.drop(key)
    np.testing.assert_array_equal(shared.embed_texts(["a cat"]), first)
    assert loads == [tiny_clip] * 2 and shared.revision == "here"


def test_a_model_that_cannot_be_loaded_is_told_to_everybody_and_tried_again(tmp_path, tiny_clip):
    folder = tmp_path / "clip"
    shared = SharedEmbedder(folder)
    for _ in range(2):
        with pytest.raises(InputError, match="clip"):
            shared.embed_texts(["a cat"])
    folder.symlink_to(tiny_clip)
    assert shared.embed_texts(["a cat"]).shape == (1, 24)


def test_a_picture_that_cannot_be_embedded_fails_alone(tiny_clip, threads):
    shared = SharedEmbedder(tiny_clip)
    asked = [
        threads.submit(shared.embed_images, [each])
        for each in (Image.new("RGB", (8, 8)), "no picture", Image.new("RGB", (9, 9)))
    ]
    wait(asked, LONG)
    assert asked[0].result().shape == (1, 24) == asked[2].result().shape and asked[1].exception()


def test_what_others_ask_meanwhile_changes_the_last_digits_at_most(threads):
    """Of the bundled model, in whatever company a text is embedded: far below what a page shows of a cosine."""
    folder = settings().assets / "models/emoji/clip"
    texts = [
        f"{number} {thing} {place}"
        for number in range(12)
        for thing in ("cats", "a red hat")
        for place in ("", "in snow")
    ]
    alone = Embedder.load(folder)
    expected = {text: alone.embed_texts([text])[0] for text in texts}
    embedder = SharedEmbedder(folder)

    def visit(seed):
        rng = random.Random(seed)
        for _ in range(6):
            asked = rng.sample(texts, rng.randrange(1, 9))
            for text, vector in zip(asked, embedder.embed_texts(asked), strict=True):
                np.testing.assert_allclose(vector, expected[text], atol=1e-5)

    done, late = wait([threads.submit(visit, seed) for seed in range(10)], 10 * LONG)
    assert not late
    for visitor in done:
        visitor.result()
