"""Status: the machine and the queues, and nothing about who visits."""

import threading

from helpers import open_page

from clipexplore import worker


def test_the_machine_is_there_at_once():
    app = open_page("status")
    assert {metric.label for metric in app.metric} == {"Device", "Memory of the server", "Running for"}


def test_a_running_job_and_those_that_wait_are_counted():
    begun, go_on = threading.Event(), threading.Event()

    def work(job):
        job.report(0.25, "drawing")
        begun.set()
        go_on.wait(30)

    lane = worker.Lane("slow")
    lane.submit(work)
    lane.submit(work, owner="second")
    assert begun.wait(10)
    (row,) = open_page("status").dataframe[0].value.query("queue == 'slow'").to_dict("records")
    go_on.set()
    lane.close()
    assert row == {"queue": "slow", "at work": "drawing", "done": 0.25, "waiting": 1}
