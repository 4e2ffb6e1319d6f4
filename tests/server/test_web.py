"""Headers on every answer, and the two answers to "are you well?"."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from clipexplore.server.web import HEADERS, POLICY, Headers, health_routes


def client(ready=lambda: True):
    return TestClient(Starlette(routes=health_routes(ready), middleware=[Middleware(Headers)]))


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
