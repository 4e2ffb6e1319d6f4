"""Who is the operator, by every way in which a server is reached, and what follows from that."""

from dataclasses import replace

import pytest

from clipexplore import access
from clipexplore.access import Access, Attempts, Caller, is_right
from clipexplore.settings import settings

LOCAL = {"Host": "localhost:8501", "Origin": "http://localhost:8501"}


def access_of(address, headers, code_typed=False, **changed):
    return Access.of(Caller(address, headers), code_typed, replace(settings(), **changed))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.0.0.9"])
@pytest.mark.parametrize(
    "headers",
    [
        LOCAL,
        {"host": "127.0.0.1:8501"},  # no browser: no origin
        {"HOST": "[::1]:8501", "ORIGIN": "http://[::1]:8501"},
    ],
)
@pytest.mark.parametrize("passcode", ["", "lion"])
def test_whoever_comes_from_this_machine_is_the_operator(address, headers, passcode):
    assert access_of(address, headers, passcode=passcode).operator


@pytest.mark.parametrize(
    "address, headers",
    [
        ("192.168.7.31", LOCAL),  # from the network, whatever it says of itself
        ("2001:db8::7", LOCAL),
        ("172.17.0.1", LOCAL),  # the published port of a container
        ("127.0.0.1", LOCAL | {"X-Forwarded-For": "203.0.113.9"}),  # a reverse proxy
        ("127.0.0.1", LOCAL | {"x-forwarded-for": "127.0.0.1"}),
        ("127.0.0.1", LOCAL | {"Forwarded": "for=203.0.113.9"}),
        ("127.0.0.1", LOCAL | {"X-Real-IP": "203.0.113.9"}),
        ("127.0.0.1", LOCAL | {"Via": "1.1 proxy"}),
        ("127.0.0.1", {"Host": "clip.example.org", "Origin": "https://clip.example.org"}),  # one that adds no header
        ("127.0.0.1", {"Host": "127.0.0.1:8501", "Origin": "https://clip.example.org"}),  # or rewrites the host
        ("127.0.0.1", {"Host": "localhost:8501", "Origin": "null"}),
        ("127.0.0.1", {"Host": "evil.example:8501", "Origin": "http://evil.example:8501"}),  # a name that leads here
        ("127.0.0.1", {"Host": "[::1", "Origin": "http://[::1"}),
        ("127.0.0.1", {}),
        (None, LOCAL),
        ("", LOCAL),
        ("localhost.evil.example", LOCAL),
    ],
)
@pytest.mark.parametrize("passcode", ["", "lion"])
def test_everybody_else_is_a_visitor(address, headers, passcode):
    assert not access_of(address, headers, passcode=passcode).operator


def test_with_a_public_address_nobody_is_the_operator_without_the_code():
    assert not access_of("127.0.0.1", LOCAL, public_url="https://clip.example.org").operator
    assert access_of("127.0.0.1", LOCAL, code_typed=True, public_url="https://clip.example.org").operator
    assert access_of("203.0.113.9", {}, code_typed=True).operator


def test_what_follows_for_a_visitor():
    visitor = access_of("192.168.7.31", {}, session_pictures=5, session_megabytes=2, safety_checker="auto")
    assert visitor.may_change("own", False) and visitor.may_change("shared", True)
    assert not visitor.may_change("shared", False)
    assert visitor.may_cancel(own=True) and not visitor.may_cancel(own=False)
    assert visitor.must_check and (visitor.most_items, visitor.most_bytes) == (5, 2_000_000)


def test_what_follows_for_the_operator():
    operator = access_of("127.0.0.1", LOCAL, safety_checker="auto")
    assert operator.may_change("shared", False) and operator.may_cancel(own=False)
    assert not operator.must_check and operator.most_items == operator.most_bytes == float("inf")
    assert not operator.may_change("bundled", True)


@pytest.mark.parametrize("operator", [True, False])
def test_what_the_settings_say_holds_for_everybody(operator):
    def found(**changed):
        return Access(operator, replace(settings(), **changed))

    assert found(safety_checker="on").must_check and not found(safety_checker="off").must_check
    assert found(downloads=True).may_fetch and not found(downloads=False).may_fetch


def test_a_secret_is_guessed_slowly_and_by_each_on_their_own(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(access.time, "monotonic", lambda: now[0])
    attempts = Attempts(most=3, within=60)
    for _ in range(3):
        assert attempts.allow("a")
        attempts.note_wrong("a")
    assert not attempts.allow("a") and attempts.allow("b")
    now[0] = 61
    assert attempts.allow("a")


@pytest.mark.parametrize(
    "guess, secret, right",
    [
        (" lion ", "lion", True),
        ("tiger", "lion", False),
        ("\ud800", "lion", False),
        ("", "", False),
        ("löwe", "löwe", True),
    ],
)
def test_a_guess_is_right_or_wrong(guess, secret, right):
    assert is_right(guess, secret) == right
