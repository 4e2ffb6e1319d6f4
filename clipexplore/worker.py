"""Lanes and jobs: what is slow runs on threads of its own; a page only submits, looks and cancels.

Separate because Streamlit ends the thread of a page at any moment, and because one model serves all visitors: a lane is
one thread with one queue, so its jobs never overlap, and lanes do not wait for each other.
"""

import logging
import math
import threading
import weakref
from collections import deque
from collections.abc import Callable, Hashable
from statistics import median
from time import monotonic

from clipexplore.errors import InputError

log = logging.getLogger(__name__)

_lanes: "weakref.WeakSet[Lane]" = weakref.WeakSet()
_DURATIONS = 20  # of the last jobs done; their median is the estimate for the next
_RECENT = 8  # results that a lane keeps for whoever asks for the same thing next
_FAILED = "Something went wrong on the server, which has noted it in its log; try again, or change what you asked for."


class _Cancelled(BaseException):
    """Ends a cancelled job at its next report; a BaseException, so that no `except Exception` on the way keeps it."""


class Job:
    """One piece of work of a lane, to be looked at from any thread; only `Lane.submit` makes one.

    `state` is "queued", "running" and in the end "done" with a `result`, "failed" with an `error` (a sentence for the
    visitor) or "cancelled". `progress` is in [0, 1]; `stage` and `preview` are whatever the work last reported. Whoever
    shows a job calls `touch` each time: one that nobody has looked at for as long as its lane waits is cancelled, and
    `abandoned`.
    """

    def __init__(self, lane: "Lane", number: int, function: Callable, key: Hashable, owner: Hashable):
        self.id = f"{lane.name}-{number}"
        self.key = key
        self.state = "queued"
        self.progress = 0.0
        self.stage = self.preview = self.result = self.error = None
        self._left: float | None = None
        self._lane, self._function, self._owners = lane, function, {owner}
        self.abandoned, self._cancelled, self._ended = False, False, threading.Event()
        self._seen = self._started = monotonic()
        self._watchers: set[Callable[[], float]] = set()

    @property
    def cancelled(self) -> bool:
        """Whether the job was told to stop; until it has reached its next report its state is still "running"."""
        return self._cancelled

    @property
    def place(self) -> int:
        """Place in the queue, 1 for the next; 0 for a job that runs or has ended."""
        with self._lane._lock:
            self._lane._drop_abandoned()
            return self._lane._queue.index(self) + 1 if self.state == "queued" else 0

    @property
    def eta(self) -> float | None:
        """Seconds until the job is done, as far as the lane can tell; None when it cannot, or the job has ended."""
        with self._lane._lock:
            return None if self._ended.is_set() else self._lane._seconds_left(self)

    def touch(self, watcher: Callable[[], float] | None = None) -> None:
        """Say that somebody looks at this job: now, and until the time by `time.monotonic` that `watcher()` gives, whenever it is asked."""
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
        """Withdraw `owner`, or everybody if None; a job without owners leaves the queue, or stops at its next report."""
        with self._lane._lock:
            self._owners = set() if owner is None else self._owners - {owner}
            if not self._owners:
                self._lane._stop(self)

    def report(self, progress: float, stage: str | None = None, preview: object = None, left: float | None = None) -> None:
        """For the work itself, at each step: how far it is, and the seconds left if it can tell better than by its progress so far; stage and
        preview stay as they were where they are None. Ends the work if cancelled."""
        with self._lane._lock:
            self._lane._drop_abandoned()
            if self._cancelled:
                raise _Cancelled
            self.progress, self._left = min(max(float(progress), 0.0), 1.0), left
            self.stage = self.stage if stage is None else stage
            self.preview = self.preview if preview is None else preview


def lanes() -> "list[Lane]":
    """All lanes of the process, by name."""
    return sorted(_lanes, key=lambda lane: lane.name)


def close_all() -> None:
    """Cancel everything on every lane, before the process ends."""
    for lane in lanes():
        lane.close()


class Lane:
    """A thread that does one job after the other, in the order in which they came; all sessions share it.

    Parameters
    ----------
    capacity : how many jobs may wait
    abandon_after : seconds after which a job that nobody looks at is cancelled; math.inf for work without an audience
    """

    def __init__(self, name: str, capacity: int = 64, abandon_after: float = 20.0):
        self.name, self.capacity, self.abandon_after = name, capacity, abandon_after
        self._lock = threading.Condition()  # guards all below and every change of a job of this lane
        self._queue: deque[Job] = deque()
        self._running: Job | None = None
        self._recent: deque[Job] = deque(maxlen=_RECENT)  # done, the last asked for at the end
        self._durations: deque[float] = deque(maxlen=_DURATIONS)
        self._submitted = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"lane-{name}", daemon=True)
        self._thread.start()
        _lanes.add(self)

    @property
    def running(self) -> Job | None:
        """The job at work, if any."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many jobs are queued."""
        return len(self._queue)

    def submit(self, function: Callable[[Job], object], key: Hashable = None, owner: Hashable = None) -> Job:
        """The job that will call `function(job)`, or the job that does or did the same.

        Parameters
        ----------
        function : its value becomes the result; it calls `job.report` at each step and can be cancelled there
        key : everything the result depends on; equal keys share a job that is queued, running or just done
        owner : who asks, such as a session; has one queued job in this lane, where a newer one replaces the older

        Raises
        ------
        InputError
            When `capacity` jobs are waiting already, or the lane is closed.
        """
        with self._lock:
            self._drop_abandoned()
            older = None if owner is None else next((job for job in self._queue if owner in job._owners), None)
            job = self._find(key)
            if job is None:
                self._check_room(leaving=older is not None and older._owners == {owner})
                job = self._enqueue(function, key, owner)
            elif job in self._recent:
                self._recent.remove(job)
                self._recent.append(job)
            job._owners.add(owner)
            job.touch()
            if older not in (None, job):
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
        return [*self._queue] if self._running is None else [*self._queue, self._running]

    def _find(self, key: Hashable) -> Job | None:
        same = (job for job in [*self._jobs(), *self._recent] if job.key == key and not job._cancelled)
        return None if key is None else next(same, None)

    def _check_room(self, leaving: bool) -> None:
        if self._closed:
            raise InputError("The server is stopping and takes no new work; try again in a minute.")
        if len(self._queue) - leaving >= self.capacity:
            raise InputError(f"{len(self._queue)} jobs are waiting, and no more than {self.capacity} can; "
                             "try again in a minute.")

    def _enqueue(self, function: Callable, key: Hashable, owner: Hashable) -> Job:
        self._submitted += 1
        self._queue.append(Job(self, self._submitted, function, key, owner))
        self._lock.notify()
        return self._queue[-1]

    def _drop_abandoned(self) -> None:
        """Cancel what nobody looks at; whoever looks at any job of the lane, or adds one, brings this about."""
        for job in (each for each in self._jobs() if not each._cancelled):
            job._watchers = {watcher for watcher in job._watchers if monotonic() - watcher() <= self.abandon_after}
            if not job._watchers and monotonic() - job._seen > self.abandon_after:
                job.abandoned = True
                self._stop(job)

    def _stop(self, job: Job) -> None:
        """Cancel a job, unless it has ended; whoever asks for the same from now on gets a new one."""
        if job._ended.is_set():
            return
        job._cancelled = True
        if job.state == "queued":
            self._queue.remove(job)
            self._end(job, "cancelled")

    def _end(self, job: Job, state: str, result: object = None, error: str | None = None) -> None:
        job._function = None  # and with it whatever it holds on to
        job.result, job.error, job.state = result, error, state
        job._ended.set()

    def _seconds_left(self, job: Job) -> float | None:
        typical = median(self._durations) if self._durations else None
        left = 0.0
        if running := self._running:
            elapsed = monotonic() - running._started
            if running._left is not None:
                left = running._left
            elif running.progress > 0:  # its own pace, once it has one
                left = elapsed * (1 - running.progress) / running.progress
            else:
                left = None if typical is None else max(typical - elapsed, 0.0)
        if job is running:
            return left
        return None if left is None or typical is None else left + typical * (self._queue.index(job) + 1)

    def _run(self) -> None:
        while (job := self._take()) is not None:
            self._work(job)
            del job  # or its result would live until the next job comes

    def _take(self) -> Job | None:
        """The next job, marked as running; None when the lane is closed."""
        with self._lock:
            while not self._closed:
                self._drop_abandoned()
                if self._queue:
                    self._running = job = self._queue.popleft()
                    job.state, job._started = "running", monotonic()
                    return job
                self._lock.wait()
            return None

    def _work(self, job: Job) -> None:
        state, result, error = "failed", None, None
        try:
            result, state = job._function(job), "done"
        except _Cancelled:
            state = "cancelled"
        except InputError as problem:
            error = str(problem)
        except BaseException:  # the lane outlives whatever its work raises, sys.exit included
            log.exception("%s failed", job.id)
            error = _FAILED
        self._finish(job, state, result, error)

    def _finish(self, job: Job, state: str, result: object, error: str | None) -> None:
        with self._lock:
            self._running = None
            log.info("%s %s after %.1f s", job.id, "cancelled" if job._cancelled else state, monotonic() - job._started)
            if job._cancelled:  # a cancel that came first wins, whatever the work made of it
                state, result, error = "cancelled", None, None
            elif state == "done":
                job.progress = 1.0
                self._durations.append(monotonic() - job._started)
                if job.key is not None:
                    self._recent.append(job)
            self._end(job, state, result, error)
