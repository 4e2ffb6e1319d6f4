"""Headers on every answer, the two answers to "are you well?", and who is let near."""

import asyncio
import socket
import tomllib

import pytest
from fixtures_async import run
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from clipexplore.paths import BUNDLE
from clipexplore.server import web
from clipexplore.server.web import HEADERS, POLICY, Gate, SecurityHeaders, fonts_route, health_routes
from clipexplore.settings import settings


def client(ready=lambda: True):
    return TestClient(Starlette(routes=health_routes(ready), middleware=[Middleware(SecurityHeaders)]))


def test_every_answer_carries_the_headers_also_one_that_something_is_missing():
    for path in ("/healthz", "/missing"):
        assert HEADERS.items() <= {name.title(): value for name, value in client().get(path).headers.items()}.items()


def test_nothing_may_be_fetched_from_another_host():
    allowed = {"'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "blob:", "data:", "ws:", "wss:"}
    assert {source for sources in POLICY.values() for source in sources.split()} <= allowed
    assert POLICY["default-src"] == POLICY["frame-ancestors"] == "'self'" and POLICY["object-src"] == "'none'"


def test_a_server_is_alive_before_it_is_ready():
    state = [False]
    visitor = client(lambda: state[0])
    assert (visitor.get("/healthz").status_code, visitor.get("/readyz").status_code) == (200, 503)
    state[0] = True
    assert visitor.get("/readyz").json() == {"status": "ready"}


# Fonts


def asked(path):
    """The status of a path as a client sends it: others make `..` of it what it means before they send it."""
    sent, app = [], Starlette(routes=[fonts_route(settings().assets / "fonts")])

    async def receive():
        await asyncio.Event().wait()  # nothing more comes

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": "", "headers": []}
    run(app(scope | {"query_string": b"", "http_version": "1.1", "scheme": "http"}, receive, send))
    return sent[0]["status"]


def test_every_font_of_the_theme_is_served():
    theme = tomllib.loads((BUNDLE / ".streamlit/config.toml").read_text())["theme"]
    assert {asked(face["url"]) for face in theme["fontFaces"]} == {200}
    shipped = {path.name for path in (settings().assets / "fonts").glob("*.woff2")}
    assert {face["url"].removeprefix("/fonts/") for face in theme["fontFaces"]} == shipped


@pytest.mark.parametrize(
    "path",
    [
        "/fonts/../examples.json",
        "/fonts/..\\examples.json",
        "/fonts/./../examples.json",
        "/fonts//etc/hostname",
        f"/fonts/{settings().assets}/examples.json",
        "/fonts/../../README.md",
        "/fonts/",
        "/fonts",
        "/fonts/..",
        "/fonts/" + "a" * 5000,
    ],
)
def test_nothing_outside_the_folder_of_fonts_is_served(path):
    assert (settings().assets / "examples.json").is_file()  # what the paths would lead to
    assert asked(path) in (307, 404, 405)


# The gate


async def _page(request):
    return PlainTextResponse("inside")


async def _session(websocket):
    await websocket.accept()
    try:
        await websocket.send_text(f"{await websocket.receive_text()} {websocket.headers['host']}")
    except WebSocketDisconnect:
        closed.append(True)


closed = []


def gate(public_url="", host="localhost:8501"):
    inside = Starlette(routes=[Route("/", _page), WebSocketRoute("/_stcore/stream", _session)])
    return TestClient(Gate(inside, public_url), base_url=f"http://{host}")


@pytest.mark.parametrize(
    "host",
    ["localhost:8501", "127.0.0.1", "[::1]:8501", "192.168.7.20:8501", "LOCALHOST", f"{socket.gethostname()}.local"],
)
def test_it_answers_to_its_own_names(host):
    assert gate(host=host).get("/").text == "inside"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "clip.example.org"]
)
def test_it_answers_to_no_other_name(host):
    answer = gate(host=host).get("/")
    assert answer.status_code == 421 and "public_url" in answer.text
    with pytest.raises(WebSocketDisconnect):
        say_hello(gate(host=host), None)


def test_the_public_address_is_one_of_its_names():
    assert gate("https://clip.example.org", host="clip.example.org").get("/").text == "inside"


def session(client):
    return str(client.base_url.copy_with(scheme="ws", path="/_stcore/stream"))


def say_hello(client, origin):
    with client.websocket_connect(session(client), headers={"Origin": origin} if origin else {}) as socket:
        socket.send_text("hello")
        return socket.receive_text()


@pytest.mark.parametrize("origin", [None, "http://localhost:8501", "https://localhost:8501"])
def test_a_session_begins_from_its_own_page_and_from_programs(origin):
    assert say_hello(gate(), origin) == "hello localhost:8501"


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:9999", "null", "", "http://[", "file://"])
def test_no_session_begins_from_another_page(origin):
    """Streamlit would ask an address outside for this machine's own before it decides."""
    with pytest.raises(WebSocketDisconnect):
        say_hello(gate(), origin or " ")


def test_behind_a_proxy_that_changes_the_host_sessions_begin_from_the_public_address():
    """What is inside compares the two names, and finds them equal."""
    client = gate("https://clip.example.org", host="127.0.0.1:8501")
    assert say_hello(client, "https://clip.example.org") == "hello clip.example.org"
    with pytest.raises(WebSocketDisconnect):
        say_hello(client, "https://evil.example")


def test_a_session_that_says_nothing_is_closed(monkeypatch):
    monkeypatch.setattr(web, "FIRST_MESSAGE", 0.0)
    closed.clear()
    client = gate()
    with client.websocket_connect(session(client)):
        pass
    assert closed
