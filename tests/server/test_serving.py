"""`python -m clipexplore serve`: what it starts, on which address, and what a teacher shows."""

import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from clipexplore.__main__ import main
from clipexplore.errors import InputError, NetworkError
from clipexplore.server import serving
from clipexplore.server.door import entrance


@pytest.fixture
def started(monkeypatch):
    """The commands that would have been run, with their environments."""
    found = []
    monkeypatch.setattr(
        serving, "_run", lambda command, env: found.append(SimpleNamespace(command=command, env=env)) or 0
    )
    monkeypatch.setattr(serving, "own_address", lambda: "192.168.7.20")
    check = serving._check_free
    monkeypatch.setattr(serving, "_check_free", lambda address, port: check(address, port if port > 32768 else 0))
    return found


def test_alone_it_is_reached_from_this_machine_only_and_asks_for_nothing(started):
    assert main(["serve", "--port", "9000"]) == 0
    command, env = started[0].command, started[0].env
    assert (
        command[command.index("--server.address") + 1] == "127.0.0.1"
        and command[command.index("--server.port") + 1] == "9000"
    )
    assert command[command.index("run") + 1].endswith("app.py") and env["CLIPEXPLORE_PASSCODE"] == ""


def test_a_class_gets_an_address_a_passcode_and_a_code_for_phones(started, capsys):
    main(["serve", "--class"])
    command, env = started[0].command, started[0].env
    passcode, said = env["CLIPEXPLORE_PASSCODE"], capsys.readouterr().out
    assert command[command.index("--server.address") + 1] == "0.0.0.0"
    assert len(passcode) == 6 and passcode.isdigit() and passcode in said
    assert (
        env["CLIPEXPLORE_PUBLIC_URL"] == "http://192.168.7.20:8501"
        and env["CLIPEXPLORE_PUBLIC_URL"] in said
        and "█" in said
    )


@pytest.mark.skipif(os.name != "posix", reason="Windows ends a process without a signal")
def test_whoever_ends_the_command_ends_the_server():
    server = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    script = f"""
import os, sys
from clipexplore.server import serving
sys.exit(serving._run([sys.executable, "-c", {server!r}], dict(os.environ)))
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as command:
        child = psutil.Process(int(command.stdout.readline()))
        command.terminate()
        assert command.wait(60) and not child.is_running()


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
    expected = [
        list(map(bool, row))
        for row in segno.make(entrance("http://192.168.7.20:8501", "123456"), error="l").matrix_iter(border=2)
    ]
    assert [list(map(bool, row)) for row in rows[: len(expected)]] == expected


def test_a_mistake_is_one_sentence(started, monkeypatch, capsys):
    def fail():
        raise InputError("no network here")

    monkeypatch.setattr(serving, "own_address", fail)
    assert main(["serve", "--class"]) == 2 and not started
    assert capsys.readouterr().err == "no network here\n"


@pytest.mark.parametrize("port", ["99999", "0", "-1", "http", "٨٥٠١", ""])
def test_a_port_that_is_none_is_told(started, port, capsys):
    with pytest.raises(SystemExit):
        main(["serve", "--port", port])
    assert "is no port; give a number from 1 to 65535" in capsys.readouterr().err and not started


def test_a_port_that_is_taken_is_told(started, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "cannot be used" in capsys.readouterr().err and not started


def test_a_passcode_is_what_can_be_typed(started, capsys):
    main(["serve", "--passcode", " lion "])
    assert started[0].env["CLIPEXPLORE_PASSCODE"] == "lion"
    assert main(["serve", "--passcode", "  "]) == 2 and "give what people can type" in capsys.readouterr().err


@pytest.mark.parametrize(
    "address, public_url, made",
    [
        ("127.0.0.1", "", False),
        ("0.0.0.0", "", True),
        ("127.0.0.1", "https://clip.example.org", True),
        ("::1", "", False),
    ],
)
def test_where_its_owner_may_be_a_stranger_an_operator_code_is_made(monkeypatch, capsys, address, public_url, made):
    """As in a container behind a published port, for a class, or behind a proxy."""
    environ = {"CLIPEXPLORE_PUBLIC_URL": public_url}
    monkeypatch.setattr(serving.os, "environ", environ)
    serving.make_operator_code(address)
    code = environ.get("CLIPEXPLORE_OPERATOR_CODE", "")
    assert bool(code) == made and (not made or code in capsys.readouterr().out)


def test_an_operator_code_that_is_set_stays(monkeypatch, capsys):
    environ = {"CLIPEXPLORE_OPERATOR_CODE": "violet-otter"}
    monkeypatch.setattr(serving.os, "environ", environ)
    serving.make_operator_code("0.0.0.0")
    assert environ == {"CLIPEXPLORE_OPERATOR_CODE": "violet-otter"} and not capsys.readouterr().out


@pytest.mark.parametrize(
    ("seen", "listens_at", "shown"),
    [
        ("http://localhost:8501", "127.0.0.1", None),
        ("http://127.0.0.1:8501", "localhost", None),
        ("http://localhost:8501", "0.0.0.0", "http://192.168.7.20:8501"),
        ("http://[::1]:8501", None, "http://192.168.7.20:8501"),
        ("http://192.168.7.31:8501", "0.0.0.0", "http://192.168.7.31:8501"),
        ("https://clip.example.org", "127.0.0.1", "https://clip.example.org"),
    ],
)
def test_a_room_is_never_shown_an_address_of_this_machine_alone(started, seen, listens_at, shown):
    assert serving.address_for_others(seen, listens_at, 8501) == shown


def test_without_a_network_there_is_no_address_for_others(monkeypatch):
    def fail():
        raise NetworkError("no network")

    monkeypatch.setattr(serving, "own_address", fail)
    assert serving.address_for_others("http://localhost:8501", None, 8501) is None
