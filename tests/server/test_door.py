"""The door: nothing but the form and the health checks without the passcode, everything with it, and no way around."""

import re
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from clipexplore import access
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
    inside = Starlette(
        routes=[
            WebSocketRoute("/_stcore/stream", _socket),
            Route("/{path:path}", _answer, methods=["GET", "POST", "PUT"]),
        ]
    )
    return TestClient(Door(inside, passcode), follow_redirects=False, **options)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/search?q=cat",
        "/media/0a1b.png",
        "/_stcore/health",
        "/_stcore/upload_file/x/y",
        "/healthz/../media/x",
        "/enter/",
        "//enter",
        "/ENTER",
    ],
)
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
    assert answer.status_code == 403 and "not the passcode" in answer.text and door.COOKIE not in answer.cookies
    assert visitor.get("/").status_code == 401


@pytest.mark.parametrize("ticket", ["", "0" * 64, "é", PASSCODE])
def test_a_made_up_ticket_is_none(ticket):
    assert client().get("/", headers={"Cookie": f"{door.COOKIE}={quote(ticket)}"}).status_code == 401


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "",
        "/x\r\nSet-Cookie: a=b",
        "evil",
    ],
)
def test_nobody_is_sent_to_another_host(target):
    assert client().get("/enter", params={"code": PASSCODE, "next": target}).headers["location"] == "/"


def test_what_stands_in_the_link_is_no_html():
    page = client().get("/enter", params={"next": '/"><script>x</script>'}).text
    assert "<script>" not in page and "&lt;script&gt;" in page


@pytest.fixture
def now(monkeypatch):
    seconds = [0.0]
    monkeypatch.setattr(access.time, "monotonic", lambda: seconds[0])
    return seconds


def guess(visitor, code, **headers):
    return visitor.get("/enter", params={"code": code}, headers=headers)


def test_many_wrong_passcodes_have_to_wait_and_then_may_go_on(now):
    visitor = client()
    visitor.get("/")  # the form, and with it what tells browsers apart
    for _ in range(door.TRIES):
        assert guess(visitor, "1").status_code == 403
    answer = guess(visitor, PASSCODE)
    assert answer.status_code == 429 and "Wait" in answer.text and door.COOKIE not in answer.cookies
    now[0] = door.WITHIN + 1
    assert guess(visitor, PASSCODE).status_code == 303


def test_one_who_guesses_does_not_lock_out_those_behind_the_same_address(now):
    one = client()
    other = TestClient(one.app, follow_redirects=False)
    for visitor in (one, other):
        visitor.get("/")
    for _ in range(door.TRIES + 5):
        guess(one, "1")
    assert guess(one, PASSCODE).status_code == 429 and guess(other, PASSCODE).status_code == 303


def test_whatever_a_program_says_of_itself_it_guesses_slowly(now):
    """A new browser and a new forwarded address with every guess."""
    visitor = client()
    for number in range(door.TRIES_IN_ALL):
        visitor.cookies.clear()
        headers = {"X-Forwarded-For": f"10.0.0.{number}", "Cookie": f"{door.BROWSER}={number}"}
        assert guess(visitor, str(number), **headers).status_code == 403
    assert guess(visitor, PASSCODE, Cookie=f"{door.BROWSER}=new").status_code == 429
    link = door.entrance("http://testserver", PASSCODE)
    assert visitor.get(link).status_code == 303, "who has the link need not guess"


def test_a_link_or_qr_code_leads_in_without_typing():
    link = door.entrance("http://testserver/", PASSCODE, "/search?q=a%20%2B%20b&k=5")
    assert PASSCODE not in link
    answer = client().get(link)
    assert answer.status_code == 303 and answer.headers["location"] == "/search?q=a%20%2B%20b&k=5"
    assert (
        client("another").get(link).status_code == 200
        and door.entrance("http://a:1/", "", "/x?q=1") == "http://a:1/x?q=1"
    )


@pytest.mark.parametrize("secure", [True, False])
def test_where_the_address_is_https_the_ticket_goes_by_https_alone(secure):
    visitor = TestClient(Door(client().app.app, PASSCODE, secure), follow_redirects=False)
    for answer in (visitor.get("/"), guess(visitor, PASSCODE)):
        assert ("Secure" in answer.headers["set-cookie"]) == secure


def test_a_server_that_was_started_again_knows_its_visitors_unless_the_passcode_changed():
    visitor = client()
    ticket = visitor.get("/enter", params={"code": PASSCODE}).cookies[door.COOKIE]
    assert client(cookies={door.COOKIE: ticket}).get("/").status_code == 200
    assert client("another", cookies={door.COOKIE: ticket}).get("/").status_code == 401


def test_without_a_passcode_the_door_stands_open():
    assert client("").get("/search?q=cat").text == "inside /search?q=cat"
