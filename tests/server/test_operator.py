"""The operator's browser keeps a ticket for the code, and nobody else gets one."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from clipexplore.server.door import Door
from clipexplore.server.operator import COOKIE, HEADER, PATH, is_ticket, operator_route, ticket

CODE = "k3ep-0ut"


def client(code=CODE, **look):
    return TestClient(Starlette(routes=[operator_route(code, **look)]))


def test_who_brings_the_ticket_keeps_it_where_no_script_reads_it_and_gives_it_back():
    browser = client(secure=True)
    answer = browser.post(PATH, headers={HEADER: ticket(CODE)})
    kept = answer.headers["set-cookie"]
    assert answer.status_code == 204 and CODE not in kept
    assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/", "Max-Age=86400"} <= set(kept.split("; "))
    assert is_ticket(kept.partition("=")[2].partition(";")[0], CODE)
    gone = browser.delete(PATH).headers["set-cookie"]
    assert gone.startswith(f'{COOKIE}=""') and "Max-Age=0" in gone


@pytest.mark.parametrize("given", ["", CODE, ticket("another"), ticket(CODE)[:-1], ticket("").upper(), "\xff"])
def test_nobody_else_gets_one(given):
    answer = client().post(PATH, headers={HEADER: given.encode("latin-1")})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers
    assert not is_ticket(given, CODE)


def test_without_a_code_nothing_is_a_ticket():
    assert client("").post(PATH, headers={HEADER: ticket("")}).status_code == 403
    assert not is_ticket("", "") and not is_ticket(ticket(""), "")


def test_the_ticket_opens_no_door_and_that_of_the_door_is_none():
    door = Door(Starlette(), CODE)
    assert not is_ticket(door.ticket, CODE) and not is_ticket(door.key, CODE)


def test_it_is_behind_the_door():
    inside = Starlette(routes=[operator_route(CODE)])
    assert TestClient(Door(inside, "042137")).post(PATH, headers={HEADER: ticket(CODE)}).status_code == 401
