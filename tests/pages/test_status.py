"""Status: the machine and the queues, and nothing about who visits."""

import threading
from dataclasses import replace

import pytest
from helpers import open_page

from clipexplore import jobs
from clipexplore.access import Caller
from clipexplore.settings import settings
from clipexplore.ui import session, status


def test_the_machine_is_there_at_once():
    app = open_page("status")
    assert {metric.label for metric in app.metric} == {"Device", "Memory of the server", "Running for"}


def test_a_running_job_and_those_that_wait_are_counted():
    begun, go_on = threading.Event(), threading.Event()

    def work(job):
        job.report(0.25, "drawing")
        begun.set()
        go_on.wait(30)

    lane = jobs.Lane("slow")
    lane.submit(work)
    lane.submit(work, owner="second")
    assert begun.wait(10)
    (row,) = open_page("status").dataframe[0].value.query("queue == 'slow'").to_dict("records")
    go_on.set()
    lane.close()
    assert row == {"queue": "slow", "at work": "drawing", "done": 0.25, "waiting": 1}


CODE = "violet-otter"


@pytest.fixture
def stranger(monkeypatch):
    """Who comes from the network, to a server whose operator has set a code."""
    changed = replace(settings(), operator_code=CODE)
    for module in (session, status):
        monkeypatch.setattr(module, "settings", lambda: changed)
    monkeypatch.setattr(session, "caller", lambda: Caller("192.168.7.31"))
    monkeypatch.setattr(status, "caller", lambda: Caller("192.168.7.31"))
    status._attempts.clear()


def enter(app, code):
    app.main.text_input[-1].set_value(code)
    app.main.button[-1].click().run()


def is_operator(app):
    return any("You are the operator" in caption.value for caption in app.main.caption)


def test_who_types_the_code_is_the_operator_in_this_session_alone(stranger):
    app = open_page("status")
    enter(app, "wrong")
    assert not is_operator(app) and "not the operator code" in app.error[0].value
    enter(app, CODE)
    assert is_operator(app) and not is_operator(open_page("status"))


def test_the_code_cannot_be_guessed_fast(stranger):
    app = open_page("status")
    for number in range(11):
        enter(app, f"guess {number}")
    assert "Too many" in app.error[0].value
    enter(app, CODE)
    assert not is_operator(app)


def test_who_is_at_this_machine_is_the_operator():
    assert is_operator(open_page("status"))


def buttons(app):
    return [button.label for button in app.main.button if button.label.startswith("Stop")]


def test_the_operator_can_stop_the_job_of_another_and_a_visitor_cannot(monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def work(job):
        begun.set()
        go_on.wait(30)
        job.report(0.5)

    lane = jobs.Lane("stopped")
    job = lane.submit(work, owner="another")
    assert begun.wait(10)
    monkeypatch.setattr(session, "caller", lambda: Caller("192.168.7.31"))
    assert not buttons(open_page("status"))
    monkeypatch.setattr(session, "caller", lambda: Caller("127.0.0.1", {"host": "localhost"}))
    app = open_page("status")
    app.button(key=f"stop-{job.id}").click().run()
    assert job.cancelled and f"Stop {job.id}" not in buttons(app)
    go_on.set()
    lane.close()
    assert job.state == "cancelled"
