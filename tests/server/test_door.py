"""The door: nothing but the form and the health checks without the passcode, everything with it, and no way around."""

import re
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from clipexplore.server import door
from clipexplore.server.door import Door

PASSCODE = "042137"


async def _answer(request):
    return PlainTextResponse(f"inside {request.url.path}?{request.url.query}")


async def _socket(websocket):
    await websocket.accept()
    await websocket.send_text("inside")
    await websocket.close()


def client(passcode=PASSCODE, **options):
    inside = Starlette(routes=[WebSocketRoute("/_stcore/stream", _socket), Route("/{path:path}", _answer, methods=["GET", "POST", "PUT"])])
    return TestClient(Door(inside, passcode), follow_redirects=False, **options)


@pytest.mark.parametrize("path", ["/", "/search?q=cat", "/media/0a1b.png", "/_stcore/health", "/_stcore/upload_file/x/y", "/healthz/../media/x", "/enter/", "//enter", "/ENTER"])
def test_without_a_ticket_there_is_only_the_form(path):
    for method in ("get", "post", "put"):
        answer = getattr(client(), method)(path)
        assert answer.status_code == 401 and "inside" not in answer.text and "Passcode" in answer.text


def test_health_checks_need_no_ticket():
    assert client().get("/healthz").text.startswith("inside") and client().get("/readyz").text.startswith("inside")


def test_the_passcode_leads_to_where_the_visitor_wanted_to_go():
    visitor = client()
    wanted = "/search?q=lion%20%2B%20snow&k=5"
    form = visitor.get(wanted)
    (hidden,) = re.findall(r'name="next" value="([^"]*)"', form.text)
    answer = visitor.get("/enter", params={"code": PASSCODE, "next": hidden.replace("&amp;", "&")})
    assert answer.status_code == 303 and answer.headers["location"] == wanted
    assert "HttpOnly" in answer.headers["set-cookie"] and PASSCODE not in answer.headers["set-cookie"]
    assert visitor.get(wanted).text == f"inside {wanted}"


def test_the_websocket_is_behind_the_door():
    visitor = client()
    with pytest.raises(WebSocketDisconnect), visitor.websocket_connect("/_stcore/stream"):
        pass
    with pytest.raises(WebSocketDisconnect), visitor.websocket_connect("/enter"):
        pass
    visitor.get("/enter", params={"code": f" {PASSCODE} "})
    with visitor.websocket_connect("/_stcore/stream") as socket:
        assert socket.receive_text() == "inside"


@pytest.mark.parametrize("code", ["42137", "0421370", PASSCODE[::-1], "٠٤٢١٣٧", "%00", "é" * 5000])
def test_a_wrong_passcode_is_told_and_gives_nothing(code):
    visitor = client()
    answer = visitor.get("/enter", params={"code": code})
    assert answer.status_code == 403 and "not the passcode" in answer.text and "set-cookie" not in answer.headers
    assert visitor.get("/").status_code == 401


@pytest.mark.parametrize("ticket", ["", "0" * 64, "é", PASSCODE])
def test_a_made_up_ticket_is_none(ticket):
    assert client().get("/", headers={"Cookie": f"{door.COOKIE}={quote(ticket)}"}).status_code == 401


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", "/x\r\nSet-Cookie: a=b", "evil"])
def test_nobody_is_sent_to_another_host(target):
    assert client().get("/enter", params={"code": PASSCODE, "next": target}).headers["location"] == "/"


def test_what_stands_in_the_link_is_no_html():
    page = client().get("/enter", params={"next": '/"><script>x</script>'}).text
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_many_wrong_passcodes_have_to_wait_and_then_may_go_on(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(door.time, "monotonic", lambda: now[0])
    visitor = client()
    for _ in range(door.TRIES):
        assert visitor.get("/enter", params={"code": "1"}).status_code == 403
    answer = visitor.get("/enter", params={"code": PASSCODE})
    assert answer.status_code == 429 and "wait" in answer.text and "set-cookie" not in answer.headers
    other = TestClient(visitor.app, follow_redirects=False, client=("10.0.0.7", 1))
    assert other.get("/enter", params={"code": PASSCODE}).status_code == 303
    now[0] = door.WITHIN + 1
    assert visitor.get("/enter", params={"code": PASSCODE}).status_code == 303


def test_a_server_that_was_started_again_knows_its_visitors_unless_the_passcode_changed():
    visitor = client()
    ticket = visitor.get("/enter", params={"code": PASSCODE}).cookies[door.COOKIE]
    assert client(cookies={door.COOKIE: ticket}).get("/").status_code == 200
    assert client("another", cookies={door.COOKIE: ticket}).get("/").status_code == 401


def test_without_a_passcode_the_door_stands_open():
    assert client("").get("/search?q=cat").text == "inside /search?q=cat"
