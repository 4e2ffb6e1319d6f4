"""Every page holds what shows it once it stands; nothing else is touched."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from clipexplore.server.arriving import HEAD, Arriving

PAGE = "<html><head><title>é</title></head><body>" + "a page " * 1000 + "</body></html>"


@pytest.fixture
def client(tmp_path):
    (tmp_path / "Button.aB-1.js").write_text('import{a}from"./lib.c2.js";import("./Later.x.js")')
    (tmp_path / "lib.c2.js").write_text("import`./Button.aB-1.js`")
    routes = [Route("/", lambda _: HTMLResponse(PAGE)), Route("/text", lambda _: PlainTextResponse("</head>"))]
    app = Starlette(
        routes=routes, middleware=[Middleware(Arriving, scripts=tmp_path, style="p {}"), Middleware(GZipMiddleware)]
    )
    return TestClient(app, headers={"accept": "text/html", "accept-encoding": "gzip"})


def test_a_page_has_it_at_the_end_of_its_head(client):
    answer = client.get("/")
    link = b'<link rel="modulepreload" crossorigin href="./static/js/%s">'
    wanted = (
        HEAD + b"<style>p {}</style>" + link % b"Button.aB-1.js" + link % b"lib.c2.js"
    )  # with what it imports, each once
    assert answer.content == PAGE.encode().replace(b"</head>", wanted + b"</head>")
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_nothing_else_has_it(client):
    assert client.get("/text").text == "</head>"
    assert client.get("/", headers={"accept": "*/*"}).text == PAGE
