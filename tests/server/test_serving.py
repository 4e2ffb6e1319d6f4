"""`python -m clipexplore serve`: what it starts, on which address, and what a teacher shows."""

from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from clipexplore.__main__ import main
from clipexplore.errors import InputError
from clipexplore.server import serving


@pytest.fixture
def started(monkeypatch):
    """The commands that would have been run, with their environments."""
    found = []
    monkeypatch.setattr(serving.subprocess, "call", lambda command, env, cwd: found.append(SimpleNamespace(command=command, env=env)) or 0)
    monkeypatch.setattr(serving, "_own_address", lambda: "192.168.7.20")
    return found


def test_alone_it_is_reached_from_this_machine_only_and_asks_for_nothing(started):
    assert main(["serve", "--port", "9000"]) == 0
    command, env = started[0].command, started[0].env
    assert command[command.index("--server.address") + 1] == "127.0.0.1" and command[command.index("--server.port") + 1] == "9000"
    assert command[command.index("run") + 1].endswith("serve.py") and env["CLIPEXPLORE_PASSCODE"] == ""


def test_a_class_gets_an_address_a_passcode_and_a_code_for_phones(started, capsys):
    main(["serve", "--class"])
    command, env = started[0].command, started[0].env
    passcode, said = env["CLIPEXPLORE_PASSCODE"], capsys.readouterr().out
    assert command[command.index("--server.address") + 1] == "0.0.0.0"
    assert len(passcode) == 6 and passcode.isdigit() and passcode in said
    assert env["CLIPEXPLORE_PUBLIC_URL"] == "http://192.168.7.20:8501" and env["CLIPEXPLORE_PUBLIC_URL"] in said and "█" in said


def test_every_class_has_a_passcode_of_its_own_unless_one_is_given(started):
    for _ in range(3):
        main(["serve", "--class"])
    main(["serve", "--class", "--passcode", "lion"])
    codes = [each.env["CLIPEXPLORE_PASSCODE"] for each in started]
    assert len(set(codes)) > 2 and codes[-1] == "lion"


def test_the_printed_code_is_the_entrance():
    segno = pytest.importorskip("segno")
    lines = serving.invitation("http://192.168.7.20:8501", "123456").splitlines()[3:]
    upper, lower = {" ": 1, "▄": 1, "▀": 0, "█": 0}, {" ": 1, "▀": 1, "▄": 0, "█": 0}
    rows = [[table[each] for each in line] for line in lines for table in (upper, lower)]
    expected = [list(map(bool, row)) for row in segno.make("http://192.168.7.20:8501/enter?code=123456", error="l").matrix_iter(border=2)]
    assert [list(map(bool, row)) for row in rows[: len(expected)]] == expected


def test_a_mistake_is_one_sentence(started, monkeypatch, capsys):
    def fail():
        raise InputError("no network here")

    monkeypatch.setattr(serving, "_own_address", fail)
    assert main(["serve", "--class"]) == 2 and not started
    assert capsys.readouterr().err == "no network here\n"


def test_an_entrance_leads_to_the_page_past_the_door():
    assert serving.entrance("http://a:1/", "", "/search?q=cat") == "http://a:1/search?q=cat"
    assert parse_qs(urlsplit(serving.entrance("http://a:1", "12 3", "/search?q=a%20%2B%20b&k=5")).query) == {"code": ["12 3"], "next": ["/search?q=a%20%2B%20b&k=5"]}
