"""Lanes and jobs, with real threads: order, sharing, cancelling, and that nothing is left behind."""

import gc
import logging
import math
import random
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from contextvars import copy_context

import pytest

from clipexplore import jobs
from clipexplore.errors import InputError
from clipexplore.jobs import Lane
from clipexplore.language import _ as said
from clipexplore.language import language, ngettext

LONG = 30  # seconds after which a test that hangs fails


class Gate:
    """Work that says when it has started, waits for `open`, reports once and gives a value."""

    def __init__(self, value=None):
        self.value, self.started, self.opened, self.runs = value, threading.Event(), threading.Event(), 0

    def __call__(self, job):
        self.runs += 1
        self.started.set()
        assert self.opened.wait(LONG)
        job.report(0.5, "half")
        return self.value

    def open(self):
        self.opened.set()


@pytest.fixture
def lane():
    with closing(Lane("test", capacity=3)) as lane:
        yield lane


@pytest.fixture
def busy(lane):
    """A job that runs until its gate is opened, and holds up the lane."""
    gate = Gate("busy")
    job = lane.submit(gate)
    assert gate.started.wait(LONG)
    yield job, gate
    gate.open()


@pytest.fixture
def clock(monkeypatch):
    """The time as the lanes see it, in seconds, in a list of one; it stands still."""
    now = [1000.0]
    monkeypatch.setattr(jobs, "monotonic", lambda: now[0])
    return now


def ended(job):
    assert job.wait(LONG)
    return job.state


# One job


def test_a_job_gives_its_result_and_what_it_reported(lane):
    def work(job):
        job.report(0.25, "first", preview=b"small")
        job.report(0.5)
        assert (job.state, job.progress, job.stage, job.preview, job.place) == ("running", 0.5, "first", b"small", 0)
        return 42

    job = lane.submit(work)
    assert ended(job) == "done" and job.result == 42 and job.error is None and not job.cancelled
    assert (job.progress, job.stage, job.preview, job.place, job.eta) == (1.0, "first", b"small", 0, None)


@pytest.mark.parametrize(("reported", "shown"), [(-1, 0.0), (0, 0.0), (7, 1.0), (math.inf, 1.0)])
def test_progress_stays_in_its_range(lane, reported, shown):
    seen = []
    assert ended(lane.submit(lambda job: (job.report(reported), seen.append(job.progress)))) == "done"
    assert seen == [shown]


def test_the_visitor_reads_input_errors_and_no_others(lane, caplog):
    def refuse(job):
        raise InputError("The word 'xyzzy' is unknown; choose another.")

    def stumble(job):
        raise KeyError("secret")

    refused = lane.submit(refuse)
    assert ended(refused) == "failed" and refused.error == "The word 'xyzzy' is unknown; choose another."
    assert not [each for each in caplog.records if each.levelno > logging.INFO and refused.id in each.getMessage()]
    stumbled = lane.submit(stumble)
    assert ended(stumbled) == "failed" and "secret" not in stumbled.error
    assert "KeyError" in caplog.text and stumbled.id in caplog.text


@pytest.mark.parametrize("error", [ValueError, MemoryError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_lane_survives_whatever_a_job_raises(lane, error, caplog):
    caplog.set_level(logging.CRITICAL + 1)

    def fail(job):
        raise error

    failed, next_one = lane.submit(fail, key="k"), lane.submit(lambda job: "fine")
    assert ended(failed) == "failed" and failed.result is None and failed.error
    assert ended(next_one) == "done" and next_one.result == "fine"
    assert ended(lane.submit(lambda job: "second try", key="k")) == "done"  # a failure is not remembered


def test_wait_returns_in_time(busy):
    assert busy[0].wait(0) is False and busy[0].wait(0.001) is False


def test_what_a_job_held_and_made_is_freed(lane):
    class Big:
        pass

    held, made = Big(), Big()
    references = weakref.ref(held), weakref.ref(made)
    job = lane.submit(lambda job, held=held, results=[made]: results.pop())
    del held, made
    assert ended(job) == "done" and isinstance(job.result, Big)
    del job
    for _ in range(1000):  # the thread of the lane may be still on its way out of the job
        gc.collect()
        if references[0]() is references[1]() is None:
            return
        threading.Event().wait(0.01)
    pytest.fail("the lane holds on to a job that nobody else knows")


# The queue


def test_jobs_run_one_at_a_time_in_their_order_and_know_their_place(lane, busy):
    order = []
    jobs = [lane.submit(lambda job, n=n: order.append((n, lane._running is job))) for n in range(3)]
    assert [job.place for job in jobs] == [1, 2, 3] and busy[0].place == 0
    busy[1].open()
    assert [ended(job) for job in jobs] == ["done"] * 3
    assert order == [(n, True) for n in range(3)]


def test_a_full_queue_refuses_with_a_sentence(lane, busy):
    jobs = [lane.submit(Gate()) for _ in range(3)]
    with pytest.raises(InputError, match="3 jobs are waiting, and 3 is the limit"):
        lane.submit(Gate())
    jobs[1].cancel()
    assert jobs[2].place == 2 and lane.submit(Gate()).place == 3
    lane.close(0)


def test_a_newer_job_of_an_owner_replaces_the_queued_older(lane, busy):
    old, other = lane.submit(Gate(), owner="ann"), lane.submit(Gate(), owner="bob")
    new = lane.submit(lambda job: "new", owner="ann")
    assert (old.state, other.place, new.place) == ("cancelled", 1, 2)
    assert [lane.submit(Gate(), owner=name).place for name in ("bob", "ann", "cleo")] == [2, 2, 3]
    lane.submit(lambda job: None, owner="ann")  # even when the queue is full: the older one leaves it
    lane.close(0)


def test_who_asks_twice_for_the_same_stays_in_the_queue(lane, busy):
    job = lane.submit(Gate(), key="k", owner="ann")
    assert lane.submit(Gate(), key="k", owner="ann") is job and job.place == 1
    lane.close(0)


def test_the_running_job_of_an_owner_is_not_replaced(lane):
    gate = Gate("first")
    running = lane.submit(gate, owner="ann")
    assert gate.started.wait(LONG)
    queued = lane.submit(lambda job: "second", owner="ann")
    gate.open()
    assert ended(running) == ended(queued) == "done"


def test_a_refused_job_replaces_nothing(lane, busy):
    shared = lane.submit(Gate(), key="k", owner="ann")
    assert lane.submit(Gate(), key="k", owner="bob") is shared
    for _ in range(2):
        lane.submit(Gate())
    with pytest.raises(InputError):
        lane.submit(Gate(), owner="ann")  # would leave the shared job, but bob keeps its place
    shared.cancel("bob")
    assert shared.state == "queued"  # for ann
    lane.close(0)


# Sharing


def test_equal_keys_share_a_job_queued_running_and_done(lane, busy):
    gate = Gate("shared")
    job = lane.submit(gate, key=("lion", 7), owner="ann")
    assert lane.submit(Gate(), key=("lion", 7), owner="bob") is job
    busy[1].open()
    assert gate.started.wait(LONG)
    assert lane.submit(Gate(), key=("lion", 7), owner="cleo") is job
    gate.open()
    assert ended(job) == "done" and lane.submit(Gate(), key=("lion", 7)) is job and gate.runs == 1


def test_without_a_key_nothing_is_shared(lane):
    first, second = lane.submit(lambda job: 1), lane.submit(lambda job: 2)
    assert ended(first) == ended(second) == "done" and (first.result, second.result) == (1, 2)
    assert first.id != second.id


def test_a_shared_job_goes_when_its_last_owner_goes(lane, busy):
    queued = lane.submit(Gate(), key="k", owner="ann")
    lane.submit(Gate(), key="k", owner="bob")
    queued.cancel("ann")
    queued.cancel("ann")
    queued.cancel("nobody")
    assert queued.state == "queued" and not queued.cancelled
    assert queued.wanted_by("bob") and not queued.wanted_by("ann")
    queued.cancel("bob")
    assert queued.state == "cancelled" and queued.cancelled and queued.place == 0 and not queued.wanted_by("bob")


def test_cancel_without_an_owner_is_for_all(lane, busy):
    queued = lane.submit(Gate(), key="k", owner="ann")
    lane.submit(Gate(), key="k", owner="bob")
    queued.cancel()
    assert queued.state == "cancelled"


def test_few_results_are_kept_those_asked_for_last(lane):
    def asked(key):
        job = lane.submit(lambda job: None, key=key)
        assert ended(job) == "done"
        return job

    first, second, *_ = [asked(key) for key in range(jobs._RECENT)]
    assert asked(0) is first
    asked("one more")
    assert asked(0) is first and asked(1) is not second


# Cancelling


def test_a_running_job_stops_at_its_next_report(lane, busy):
    job, gate = busy
    job.cancel()
    assert job.cancelled and job.state == "running"
    gate.open()
    assert ended(job) == "cancelled" and job.result is None and job.error is None and job.stage is None


def test_no_handler_of_exceptions_keeps_a_cancelled_job_running(lane):
    started, opened = threading.Event(), threading.Event()

    def stubborn(job):
        started.set()
        assert opened.wait(LONG)
        while True:
            with suppress(Exception):
                job.report(0.5)

    job = lane.submit(stubborn)
    assert started.wait(LONG)
    job.cancel()
    opened.set()
    assert ended(job) == "cancelled"


@pytest.mark.parametrize("outcome", ["value", "error"])
def test_a_cancel_before_the_end_wins_over_result_and_error(lane, outcome, caplog):
    def work(job):
        job.cancel()
        return 1 if outcome == "value" else 1 / 0

    job = lane.submit(work, key="k")
    assert ended(job) == "cancelled" and job.result is None and job.error is None
    again = lane.submit(lambda job: "new", key="k")
    assert again is not job and ended(again) == "done"


def test_a_cancel_after_the_end_changes_nothing(lane):
    job = lane.submit(lambda job: 1, key="k")
    assert ended(job) == "done"
    job.cancel()
    assert job.state == "done" and job.result == 1 and not job.cancelled and lane.submit(Gate(), key="k") is job


def test_who_asks_for_what_was_just_cancelled_gets_a_new_job(lane, busy):
    gate, new_gate = Gate("old"), Gate("new")
    old = lane.submit(gate, key="k", owner="ann")
    busy[1].open()
    assert gate.started.wait(LONG)
    old.cancel("ann")
    new = lane.submit(new_gate, key="k", owner="ann")
    old.cancel()
    assert new is not old and lane.submit(Gate(), key="k", owner="bob") is new
    gate.open(), new_gate.open()
    assert ended(old) == "cancelled" and ended(new) == "done" and new.result == "new"


# Abandoned jobs


def test_what_nobody_looks_at_is_dropped(clock, lane, busy):
    running, gate = busy
    left, watched = lane.submit(Gate()), lane.submit(lambda job: "seen")
    clock[0] += 15
    running.touch(), watched.touch()
    clock[0] += 10  # 25 s since anybody looked at `left`
    assert watched.place == 1 and left.state == "cancelled"
    gate.open()
    assert ended(running) == ended(watched) == "done"


def test_who_still_has_a_job_on_screen_need_not_ask_again(clock, lane, busy):
    until = {"ann": math.inf, "bob": clock[0] + 30, "cleo": clock[0] + 15}
    jobs = {name: lane.submit(Gate()) for name in until}
    for name, job in jobs.items():
        job.touch(lambda name=name: min(clock[0], until[name]))
    clock[0] += 40
    busy[0].touch()
    assert [jobs[name].place for name in until] == [1, 2, 0] and jobs["cleo"].state == "cancelled"
    until["ann"] = clock[0]
    clock[0] += 15
    assert [jobs[name].place for name in until] == [1, 0, 0] and jobs["bob"].state == "cancelled"
    lane.close(0)


def test_one_of_several_who_look_is_enough(clock, lane, busy):
    job = lane.submit(Gate(), key="k")
    job.touch(lambda: 0)
    job.touch(lambda: clock[0])
    clock[0] += 1000
    busy[0].touch()
    assert job.place == 1
    lane.close(0)


def test_the_running_job_notices_by_itself_that_it_was_abandoned(clock, lane, busy):
    clock[0] += 20.5
    busy[1].open()
    assert ended(busy[0]) == "cancelled"


def test_an_abandoned_job_is_not_even_started(clock, lane):
    started, opened, left = threading.Event(), threading.Event(), Gate()
    first = lane.submit(lambda job: (started.set(), opened.wait(LONG)))
    assert started.wait(LONG)
    second = lane.submit(left)
    clock[0] += 21
    opened.set()  # nobody has looked, and the first ends without a report
    assert ended(first) == "done" and ended(second) == "cancelled" and not left.runs


def test_who_comes_back_to_an_abandoned_job_gets_a_new_one_and_keeps_it(clock, lane, busy):
    left = lane.submit(Gate(), key="k")
    clock[0] += 21
    back = lane.submit(Gate(), key="k")
    assert left.state == "cancelled" and back.state == "queued"
    clock[0] += 19
    assert lane.submit(Gate(), key="k") is back  # which is a look at it
    clock[0] += 19
    assert back.place == 1 and left.abandoned and not back.abandoned
    lane.close(0)
    assert back.cancelled and not back.abandoned


def test_a_lane_may_wait_for_ever(clock):
    with closing(Lane("import", abandon_after=math.inf)) as lane:
        gate = Gate("kept")
        job, queued = lane.submit(gate), lane.submit(lambda job: "kept too")
        clock[0] += 1e9
        gate.open()
        assert ended(job) == ended(queued) == "done"


def test_waiting_is_looking(clock, lane, busy):
    """The clock goes on by as much as is waited for, until far more than a job without a viewer has."""
    job, gate = busy

    class Ended(threading.Event):
        def wait(self, timeout=None):
            clock[0] += timeout
            if clock[0] > 1100:
                gate.open()
                return super().wait(LONG)
            return False

    real, job._ended = job._ended, Ended()
    assert job.wait() and job.state == "done" and not real.is_set()


# Time left


def test_eta_is_the_median_of_the_last_twenty(clock, lane):
    for seconds in [1000.0] * 5 + [2.0] * 11 + [90.0] * 9:

        def work(job, seconds=seconds):
            clock[0] += seconds

        assert ended(lane.submit(work)) == "done"
    gate = Gate()
    running = lane.submit(gate)
    assert gate.started.wait(LONG)
    queued, last = lane.submit(Gate()), lane.submit(Gate())
    assert (running.eta, queued.eta, last.eta) == (2.0, 4.0, 6.0)
    clock[0] += 1.5
    assert (running.eta, queued.eta) == (0.5, 2.5)
    clock[0] += 5
    assert (running.eta, queued.eta) == (0.0, 2.0)
    lane.close(0)
    gate.open()


def test_eta_of_the_first_job_comes_from_its_own_pace(clock, lane, busy):
    running, queued = busy[0], lane.submit(Gate())
    assert running.eta is None and queued.eta is None
    clock[0] += 3
    running.report(0.25)
    assert running.eta == 9.0 and queued.eta is None
    lane.close(0)
    assert queued.eta is None


def test_work_that_knows_better_says_how_long_it_takes(clock, lane, busy):
    running = busy[0]
    clock[0] += 12
    running.report(0.5, left=4.0)
    assert running.eta == 4.0
    running.report(0.5)
    assert running.eta == 12.0, "it knows no better any more"


def test_failed_and_cancelled_jobs_say_nothing_about_time(clock, lane, caplog):
    caplog.set_level(logging.CRITICAL + 1)

    def fail(job):
        clock[0] += 100
        raise ValueError

    def stop(job):
        clock[0] += 100
        job.cancel()

    ended(lane.submit(fail)), ended(lane.submit(stop))
    gate = Gate()
    job = lane.submit(gate)
    assert gate.started.wait(LONG) and job.eta is None
    gate.open()


# Taking turns


def by_frames(log, name, count, seconds=0.0, clock=None):
    """Work that gives way after each frame."""

    def work(job):
        for number in range(count):
            log.append(name)
            if clock:
                clock[0] += seconds
            job.report((number + 1) / count)
            yield
        return name

    return work


def test_who_gives_way_shares_the_lane_with_those_who_come_later(lane, busy):
    log = []
    long, short = lane.submit(by_frames(log, "long", 6)), lane.submit(by_frames(log, "short", 2))
    whole = lane.submit(lambda job: log.append("whole"))
    assert [long.place, short.place, whole.place] == [1, 2, 3]
    busy[1].open()
    assert [ended(job) for job in (long, short, whole)] == ["done"] * 3
    assert log == ["long", "short", "whole", "long", "short", "long", "long", "long", "long"]
    assert (long.result, short.result) == ("long", "short")


def test_a_job_that_gave_way_counts_as_begun(lane, busy):
    gate = Gate()

    def work(job):
        yield
        gate(job)

    job, other = lane.submit(work), Gate()
    waiting = lane.submit(other)
    busy[1].open()
    assert other.started.wait(LONG)
    assert (job.state, job.place, waiting.state) == ("running", 0, "running")
    newcomer = lane.submit(lambda job: None)
    assert newcomer.place == 1
    other.open(), gate.open()
    assert ended(job) == ended(newcomer) == "done"


@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_a_job_that_gave_way_is_cleaned_up(lane, how):
    closed, other = threading.Event(), Gate()

    def work(job):
        try:
            while True:
                yield
        finally:
            closed.set()

    job = lane.submit(work)
    lane.submit(other)
    assert other.started.wait(LONG)
    job.cancel() if how == "cancelled" else lane.close(0)
    other.open()
    assert ended(job) == "cancelled" and closed.wait(LONG)


def test_what_fails_between_turns_is_told(lane):
    def work(job):
        yield
        raise InputError("no more")

    job = lane.submit(work)
    assert ended(job) == "failed" and job.error == "no more"


@pytest.mark.parametrize("others", [0, 1, 2])
def test_after_the_third_frame_the_estimate_is_right_within_a_factor_of_two(clock, lane, busy, others):
    """Whatever else wants the lane: walks of other lengths that take turns with this one."""
    guessed, log = [], []

    def walk(job):
        clock[0] += 60.0  # the model is loaded
        for number in range(24):
            clock[0] += 7.0
            job.report((number + 1) / 24)
            if number >= 2:
                guessed.append((clock[0], job.eta))
            yield
        guessed.append((clock[0], 0.0))

    job = lane.submit(walk)
    rest = [lane.submit(by_frames(log, number, 8 * (number + 1), 5.0, clock)) for number in range(others)]
    for each in (job, *rest):
        each.touch(lambda: clock[0])
    busy[1].open()
    assert ended(job) == "done"
    end = guessed.pop()[0]
    assert all((end - now) / 2 <= eta <= (end - now) * 2 + 1e-6 for now, eta in guessed), guessed


# Language


def test_a_job_speaks_the_language_of_whoever_asked(lane, busy):
    def ask(code):
        language.set(code)
        return lane.submit(lambda job: language.get())

    asked = {code: copy_context().run(ask, code) for code in ("de", "fr")}
    busy[1].open()
    for code, job in asked.items():
        assert ended(job) == "done" and job.result == code


def test_a_job_tells_its_stage_and_its_error_in_the_language_of_whoever_looks(lane):
    def work(job):
        job.report(0.5, said("Reading {name}").format(name=said("pictures")))
        raise InputError(ngettext("{n} core", "{n} cores", 2000).format(n=0.5))

    def begin(code):
        language.set(code)
        return lane.submit(work)

    def look(code):
        language.set(code)
        return job.stage, job.error

    job = copy_context().run(begin, "de")
    assert job.wait(LONG)
    assert [copy_context().run(look, code) for code in ("de", "en", "fr")] == [
        ("Bilder lesen", "0,5 Kerne"),
        ("Reading pictures", "0.5 cores"),
        ("Lecture de images", "0,5 cœurs"),
    ]


# Shutting down


def test_close_cancels_everything_and_ends_the_thread(lane, busy):
    queued = lane.submit(Gate())
    lane.close(0)
    assert queued.state == "cancelled" and busy[0].cancelled
    busy[1].open()
    lane.close()
    assert not lane._thread.is_alive() and busy[0].state == "cancelled"
    with pytest.raises(InputError, match="The server is stopping"):
        lane.submit(Gate())


def test_an_idle_lane_closes_at_once():
    lane = Lane("idle")
    lane.close()
    assert not lane._thread.is_alive()


# Under load


def test_lanes_do_not_wait_for_each_other(lane, busy):
    with closing(Lane("other")) as other:
        assert ended(other.submit(lambda job: None)) == "done"


def test_a_cancel_at_the_moment_of_the_end_leaves_one_clear_state(lane):
    for _ in range(300):
        start = threading.Barrier(2)
        job = lane.submit(lambda job, start=start: (start.wait(LONG), "made")[1])
        start.wait(LONG)
        job.cancel()
        state = ended(job)
        assert (state, job.result, job.cancelled) in {("done", "made", False), ("cancelled", None, True)}
        assert job.state == state


def test_two_hundred_sequences_of_submit_and_cancel_leave_nothing():
    rng, before = random.Random(3), set(threading.enumerate())
    with closing(Lane("stress", capacity=8)) as lane:
        for _ in range(200):
            jobs = []
            for _ in range(rng.randrange(1, 6)):
                jobs.append(
                    lane.submit(lambda job: [job.report(n / 5) for n in range(5)], owner=rng.choice([None, 1, 2]))
                )
                if rng.random() < 0.6:
                    rng.choice(jobs).cancel(rng.choice([None, 1, 2]))
            for job in jobs:
                job.cancel() if rng.random() < 0.5 else None
            assert all(ended(job) in ("done", "cancelled") for job in jobs)
        assert not lane._line and lane._running is None and set(threading.enumerate()) - before == {lane._thread}
    assert not set(threading.enumerate()) - before


def test_eight_visitors_at_once(caplog):
    caplog.set_level(logging.CRITICAL + 1)
    at_work, errors = threading.Lock(), []

    def work_for(value):
        def work(job):
            if not at_work.acquire(blocking=False):
                errors.append("two jobs at once")
            try:
                job.report(0.5, preview=value)
                return value if value % 7 else 1 / 0
            finally:
                at_work.release()

        return work

    def visit(owner):
        rng, mine = random.Random(owner), []
        for _ in range(150):
            value = rng.randrange(40)
            try:
                job = lane.submit(work_for(value), key=rng.choice([value, None]) and value, owner=owner)
            except InputError:
                continue
            mine.append((value, job))
            job.touch()
            if job.place < 0 or (job.eta or 0) < 0:
                errors.append("a negative place or time")
            if rng.random() < 0.4:
                rng.choice(mine)[1].cancel(owner)
        return mine

    with closing(Lane("class", capacity=5)) as lane:
        with ThreadPoolExecutor(8) as threads:
            jobs = [pair for visitor in threads.map(visit, range(8)) for pair in visitor]
        for value, job in jobs:
            state = ended(job)
            assert state == ("cancelled" if job.cancelled else "done" if value % 7 else "failed")
            assert job.result == (value if state == "done" else None)
        assert not lane._line and lane._running is None and not errors
