"""Reading a source: in its order whatever the threads do, each content once, no more ahead than fits, all counted."""

import time

import numpy as np
import pytest
from fixtures_imports import jpeg, silent

from clipexplore.sources.entries import Entry, Rejected, Source
from clipexplore.store import importing
from clipexplore.store.importing import Outcome, fresh


def pictures(count, read=lambda number: jpeg(number)):
    """A source of so many pictures, each read when it is asked for."""
    entries = (Entry(f"p{number}", read=lambda number=number: read(number)) for number in range(count))
    return Source("pictures", count, lambda: entries)


def read(source, known=(), room=None, report=silent):
    outcome = Outcome()
    return list(fresh(source, dict.fromkeys(known, ""), outcome, room, report)), outcome


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    monkeypatch.setattr(importing, "WINDOW", 4)


def test_items_come_in_the_order_of_the_source_although_some_take_longer():
    def slow_at_first(number):
        time.sleep(0.02 * (number % 4 == 0))
        return jpeg(number)

    items, outcome = read(pictures(19, slow_at_first))
    assert [item.entry.name for item in items] == [f"p{number}" for number in range(19)]
    assert outcome.seen == 0, "what is new is counted once it is stored"


def test_what_is_there_already_is_counted_and_what_comes_twice_too():
    first, _ = read(pictures(5))
    items, outcome = read(pictures(12, lambda number: jpeg(number % 9)), known={item.source for item in first})
    assert [item.entry.name for item in items] == ["p5", "p6", "p7", "p8"] and outcome.known == 8


def test_what_cannot_be_read_and_what_is_too_much_is_refused():
    entries = [Rejected("notes.doc", "It is no picture."), Entry("bad", read=lambda: b"bad"), *pictures(6).stream()]
    items, outcome = read(Source("pictures", len(entries), lambda: iter(entries)), room=4)
    assert len(items) == 4 and [each.name for each in outcome.rejected] == ["notes.doc", "bad", "p4", "p5"]
    assert "cannot be read" in outcome.rejected[1].reason and "as many items as it may" in outcome.rejected[2].reason


def test_what_is_read_ahead_is_bounded():
    asked = []
    stream = fresh(pictures(400, lambda number: asked.append(number) or jpeg(number)), {}, Outcome(), None, silent)
    next(stream)
    time.sleep(0.3)
    stream.close()
    assert len(asked) <= 4 * 4


def test_a_report_may_stop_it():
    def stop(progress, stage):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(pictures(9), report=stop)


def test_a_vector_is_told_apart_by_its_name_and_its_numbers():
    rows = np.eye(3, dtype=np.float32)
    told = [("a", 0), ("a", 1), ("b", 0), ("a", 0)]
    entries = [Entry(name, vectors={"captions": rows[row]}) for name, row in told]
    items, outcome = read(Source("captions", 4, lambda: iter(entries), dim=3))
    assert len(items) == 3 and outcome.known == 1
