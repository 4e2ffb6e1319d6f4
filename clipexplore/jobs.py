"""Lanes and jobs: what is slow runs on threads of its own; a page only submits, looks and cancels.

Streamlit ends the thread of a page at any moment, and one model serves all visitors: so a lane is one thread with one
line of jobs, which never overlap, and lanes do not wait for each other.
"""

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Generator, Hashable
from contextvars import copy_context
from statistics import median
from time import monotonic
from typing import Any, TypeVar

from clipexplore.closing import closed_with_process
from clipexplore.errors import InputError, NoRoomError
from clipexplore.language import _, again

log = logging.getLogger(__name__)
T = TypeVar("T")

_DURATIONS = 20  # of the last jobs done; their median is the estimate for the next
_RECENT = 8  # results that a lane keeps for whoever asks for the same thing next


class _Cancelled(BaseException):
    """Ends a cancelled job at its next report; a BaseException, so that no `except Exception` on the way keeps it."""


class Job:
    """One piece of work of a lane, to be looked at from any thread; only `Lane.submit` makes one.

    `state` is "queued", "running" and in the end "done" with a `result`, "failed" with an `error` (a sentence for the
    visitor) or "cancelled". `progress` is in [0, 1]; `stage` and `preview` are whatever the work last reported. Stage
    and error are said in the language of whoever looks.
    Whoever shows a job calls `touch` each time: one that nobody has looked at for as long as its lane waits is
    cancelled, and `abandoned`.
    """

    def __init__(self, lane: "Lane", number: int, function: Callable[["Job"], Any], key: Hashable, owner: Hashable):
        self.id = f"{lane.name}-{number}"
        self.key = key
        self.state = "queued"
        self.progress = 0.0
        self._stage: str | None = None
        self._error: str | None = None
        self.preview: Any = None
        self.result: Any = None
        self.abandoned = False
        self._lane, self._owners = lane, {owner}
        self._steps: Any = self._work(function)
        self._context: Any = copy_context()  # so that the work speaks the language of whoever asked
        self.cancelled = False  # told to stop; the state is still "running" until the next report
        self._ended = threading.Event()
        self._left: float | None = None
        self._first: tuple[float, float] | None = None  # progress and seconds at the first report of progress
        self._gives_way, self._worked = False, 0.0  # in turns, and the seconds of those before this one
        self._seen = self._began = monotonic()
        self._watchers: set[Callable[[], float]] = set()

    @property
    def stage(self) -> str | None:
        return None if self._stage is None else again(self._stage)

    @property
    def error(self) -> str | None:
        return None if self._error is None else again(self._error)

    @property
    def place(self) -> int:
        """Place among the jobs that wait, 1 for the next; 0 for a job that has begun or ended."""
        with self._lane._lock:
            self._lane._drop_abandoned()
            return self._lane._waiting().index(self) + 1 if self.state == "queued" else 0

    @property
    def eta(self) -> float | None:
        """Seconds until the job is done, as far as the lane can tell; None when it cannot, or the job has ended."""
        with self._lane._lock:
            return None if self._ended.is_set() else self._lane._seconds_left(self)

    @property
    def span(self) -> float | None:
        """Seconds that all the work takes at its own pace, without what was loaded before; None until it has one."""
        with self._lane._lock:
            if self._first and self.progress > self._first[0]:
                return (self._lane._seconds_worked(self) - self._first[1]) / (self.progress - self._first[0])
            return None

    def touch(self, watcher: Callable[[], float] | None = None) -> None:
        """Somebody looks at this job: now, and until the time (`time.monotonic`) that `watcher()` gives when asked."""
        with self._lane._lock:
            self._seen = monotonic()
            if watcher:
                self._watchers.add(watcher)

    def wanted_by(self, owner: Hashable) -> bool:
        """Whether `owner` has asked for this job and not withdrawn since; it may go on for others."""
        return owner in self._owners

    def wait(self, timeout: float = math.inf) -> bool:
        """Whether the job ends within `timeout` seconds; waiting counts as looking."""
        end = monotonic() + timeout
        while not self._ended.wait(max(0, min(1, self._lane.abandon_after / 2, end - monotonic()))):
            if monotonic() >= end:
                return False
            self.touch()
        return True

    def cancel(self, owner: Hashable = None) -> None:
        """Withdraw `owner`, or all if None; without owners a job leaves the queue, or stops at its next report."""
        with self._lane._lock:
            self._owners = set() if owner is None else self._owners - {owner}
            if not self._owners:
                self._lane._stop(self)

    def report(
        self, progress: float, stage: str | None = None, preview: object = None, left: float | None = None
    ) -> None:
        """For the work itself, at each step: the share of it that is done, and the seconds left if it can tell better
        than by its pace. Stage and preview stay as they were where they are None. Ends work that was cancelled.
        """
        with self._lane._lock:
            self._lane._drop_abandoned()
            if self.cancelled:
                raise _Cancelled
            self.progress, self._left = min(max(float(progress), 0.0), 1.0), left
            if self._first is None and self.progress > 0:
                self._first = self.progress, self._lane._seconds_worked(self)
            self._stage = self._stage if stage is None else stage
            self.preview = self.preview if preview is None else preview

    def _work(self, function: Callable[["Job"], Any]) -> Generator[None, None, Any]:
        """The steps of the work, a single one where it does not give way."""
        outcome = function(self)
        self._gives_way = isinstance(outcome, Generator)
        return (yield from outcome) if self._gives_way else outcome

    def _turn(self) -> tuple[str, Any]:
        """Goes on with the work, to its end or to where it gives way; the state then, and the result."""
        if self.cancelled:
            self._steps.close()
            raise _Cancelled
        try:
            next(self._steps)
        except StopIteration as end:
            return "done", end.value
        return "running", None


def run_through(steps: Generator[None, None, T]) -> T:
    """What work returns that gives way at each `yield`, where nothing waits for it to do so."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def lanes() -> "list[Lane]":
    """All lanes of the process, by name."""
    return sorted((each for each in closed_with_process if isinstance(each, Lane)), key=lambda lane: lane.name)


class Lane:
    """A thread that does one job after the other, in the order in which they came; all sessions share it.

    A job whose function is a generator gives way at each `yield`: those that wait have a turn before it goes on. Its
    result is what the generator returns. `capacity` jobs may wait; one that nobody looks at for `abandon_after` seconds
    is cancelled (`math.inf` for work without an audience).
    """

    def __init__(self, name: str, capacity: int = 64, abandon_after: float = 20.0):
        self.name, self.capacity, self.abandon_after = name, capacity, abandon_after
        self._lock = threading.Condition()  # guards all below and every change of a job of this lane
        self._line: deque[Job] = deque()  # those that wait, and those that gave way
        self._running: Job | None = None
        self._recent: deque[Job] = deque(maxlen=_RECENT)  # done, the last asked for at the end
        self._durations: deque[float] = deque(maxlen=_DURATIONS)
        self._submitted = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"lane-{name}", daemon=True)
        self._thread.start()
        closed_with_process.add(self)

    @property
    def jobs(self) -> list[Job]:
        """The job at work, if any, then all others in the order of their next turns."""
        with self._lock:
            return self._jobs()

    def submit(self, function: Callable[[Job], Any], key: Hashable = None, owner: Hashable = None) -> Job:
        """The job that will call `function(job)`, or the job that does or did the same.

        The function calls `job.report` at each step and can be cancelled there; its value becomes the result. `key` is
        everything the result depends on: equal keys share a job that is queued, running or just done. Of `owner`, such
        as a session, one job is queued in this lane: a newer one replaces the older. Raises a NoRoomError when
        `capacity` jobs are waiting already, or the lane is closed.
        """
        with self._lock:
            self._drop_abandoned()
            older = None if owner is None else next((job for job in self._waiting() if owner in job._owners), None)
            job = self._find(key)
            if job is None:
                self._check_room(leaving=older is not None and older._owners == {owner})
                self._submitted += 1
                job = Job(self, self._submitted, function, key, owner)
                self._line.append(job)
                self._lock.notify()
            elif job in self._recent:
                self._recent.remove(job)
                self._recent.append(job)
            job._owners.add(owner)
            job.touch()
            if older is not None and older is not job:
                older.cancel(owner)
            return job

    def close(self, timeout: float = 5.0) -> None:
        """Cancel everything and end the thread; waits at most `timeout` seconds for the running job to notice."""
        with self._lock:
            self._closed = True
            for job in self._jobs():
                self._stop(job)
            self._lock.notify()
        self._thread.join(timeout)

    # The methods below are called with the lock held, up to `_run`, which is the thread.

    def _jobs(self) -> list[Job]:
        return [*self._line] if self._running is None else [self._running, *self._line]

    def _waiting(self) -> list[Job]:
        return [job for job in self._line if job.state == "queued"]

    def _find(self, key: Hashable) -> Job | None:
        same = (job for job in [*self._jobs(), *self._recent] if job.key == key and not job.cancelled)
        return None if key is None else next(same, None)

    def _check_room(self, leaving: bool) -> None:
        if self._closed:
            raise NoRoomError(_("The server is stopping and takes no new work. Try again in a minute."))
        if (waiting := len(self._waiting())) - leaving >= self.capacity:
            sentence = _("{waiting} jobs are waiting, and {capacity} is the limit. Try again in a minute.")
            raise NoRoomError(sentence.format(waiting=waiting, capacity=self.capacity))

    def _drop_abandoned(self) -> None:
        """Cancel what nobody looks at; whoever looks at any job of the lane, or adds one, brings this about."""
        for job in (each for each in self._jobs() if not each.cancelled):
            job._watchers = {watcher for watcher in job._watchers if monotonic() - watcher() <= self.abandon_after}
            if not job._watchers and monotonic() - job._seen > self.abandon_after:
                job.abandoned = True
                self._stop(job)

    def _stop(self, job: Job) -> None:
        """Cancel a job, unless it has ended; whoever asks for the same from now on gets a new one."""
        if job._ended.is_set():
            return
        job.cancelled = True
        if job.state == "queued":
            self._line.remove(job)
            self._end(job, "cancelled")

    def _end(self, job: Job, state: str, result: object = None, error: str | None = None) -> None:
        job._steps = job._context = None  # and with them whatever they hold on to
        job.result, job._error, job.state = result, error, state
        job._ended.set()

    def _seconds_left(self, job: Job) -> float | None:
        """Its own work, that of the jobs ahead of it, and the turns of those that it shares the lane with."""
        own = self._work_left(job)
        if own is None:
            return None
        total, ahead = own, True
        for other in self._jobs():
            if other is job:
                ahead = False
                continue
            theirs = self._work_left(other)
            if other._gives_way or job._gives_way:  # in turns: the shorter one ends first
                total += own if theirs is None else min(own, theirs)
            elif ahead and theirs is None:
                return None
            elif ahead and theirs is not None:
                total += theirs
        return total

    def _work_left(self, job: Job) -> float | None:
        """As it says itself, else by its own pace once it has one, else as long as jobs usually take; in seconds."""
        typical = median(self._durations) if self._durations else None
        if job.state == "queued":
            return typical
        worked = self._seconds_worked(job)
        if job._left is not None:
            return job._left
        if job.span is not None:
            return job.span * (1 - job.progress)
        if job.progress > 0:
            return worked * (1 - job.progress) / job.progress
        return None if typical is None else max(typical - worked, 0.0)

    def _seconds_worked(self, job: Job) -> float:
        return job._worked + (monotonic() - job._began if job is self._running else 0.0)

    def _run(self) -> None:
        while (job := self._take()) is not None:
            self._work(job)
            del job  # or its result would live until the next job comes

    def _take(self) -> Job | None:
        """The next job, marked as running; None when the lane is closed and all jobs that had begun have ended."""
        with self._lock:
            while True:
                self._drop_abandoned()
                if self._line:
                    self._running = job = self._line.popleft()
                    job.state, job._began = "running", monotonic()
                    return job
                if self._closed:
                    return None
                self._lock.wait()

    def _work(self, job: Job) -> None:
        """One turn of a job."""
        state, result, error = "failed", None, None
        try:
            state, result = job._context.run(job._turn)
        except _Cancelled:
            state = "cancelled"
        except InputError as problem:
            error = str(problem)
        except BaseException:  # the lane outlives whatever its work raises, sys.exit included
            log.exception("%s failed", job.id)
            error = _(
                "Something went wrong on the server, which has logged it. Try again, or change what you asked for."
            )
        with self._lock:
            job._worked = self._seconds_worked(job)
            self._running = None
            if state == "running":
                self._line.append(job)
            else:
                self._finish(job, state, result, error)

    def _finish(self, job: Job, state: str, result: object, error: str | None) -> None:
        log.info("%s %s after %.1f s", job.id, "cancelled" if job.cancelled else state, job._worked)
        if job.cancelled:  # a cancel that came first wins, whatever the work made of it
            state, result, error = "cancelled", None, None
        elif state == "done":
            job.progress = 1.0
            self._durations.append(job._worked)
            if job.key is not None:
                self._recent.append(job)
        self._end(job, state, result, error)
