"""What an operator expects of a web server: headers that keep a browser from trusting too much, no way in by another
site's page or another name, no more uploads than fit, and answers to "are you well?".
"""

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clipexplore.language import _

# Streamlit's frontend evaluates and inlines scripts and styles of its own; nothing may come from, or go to, another
# host.
POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "font-src": "'self' data:",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "connect-src": "'self' ws: wss: blob: data:",
    "worker-src": "'self' blob:",
    "frame-src": "'self' blob: data:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{what} {sources}" for what, sources in POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
PATH = "/_stcore/upload_file/"
STALLED = 20.0  # seconds after which an upload of which nothing comes is given up
SLOWEST = 50_000  # bytes a second that an upload has to reach after that
FIRST_MESSAGE = 60.0  # seconds in which a session says something

log = logging.getLogger(__name__)


class SecurityHeaders:
    """ASGI middleware: the security headers on every answer."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class Gate:
    """ASGI middleware: answers only to its own names, and only to its own pages where a session begins.

    A name that somebody else made lead here (DNS rebinding), or a page of another site, would act with the rights of
    whoever sits at the browser. Streamlit would also ask a host outside for this machine's address before it decided.
    Sessions that begin and say nothing are closed.

    Parameters
    ----------
    public_url
        The address that visitors use, where the operator has set one; its host is one of the names.
    """

    def __init__(self, app: ASGIApp, public_url: str = ""):
        self.app, self.public = app, urlsplit(public_url).netloc.lower()
        own = socket.gethostname().lower()
        self.names = {"localhost", own, f"{own}.local", _host(self.public)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        host, origin = headers.get("host", "").lower(), headers.get("origin")
        if not self._is_own(host):
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 1008})
            sentence = _("This server does not answer to {host!r}. Whoever runs it can set public_url to its address.")
            return await PlainTextResponse(sentence.format(host=host[:100]), 421)(scope, receive, send)
        if scope["type"] == "http":
            return await self.app(scope, receive, send)
        if origin is not None:
            if (netloc := _netloc(origin)) not in {host, self.public} - {""}:
                return await send({"type": "websocket.close", "code": 1008})
            # a proxy may have changed the host; what follows compares the two
            scope = {**scope, "headers": _with_host(scope["headers"], netloc)}
        return await self.app(scope, _impatient(receive), send)

    def _is_own(self, netloc: str) -> bool:
        host = _host(netloc)
        return host in self.names or _is_address(host)


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _host(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _with_host(headers: list[tuple[bytes, bytes]], netloc: str) -> list[tuple[bytes, bytes]]:
    return [(name, netloc.encode("latin-1", "replace") if name == b"host" else value) for name, value in headers]


def _impatient(receive: Receive) -> Receive:
    """`receive` of a websocket that ends the session where its first message does not come in time."""
    messages = 0

    async def receive_in_time() -> Message:
        nonlocal messages
        messages += 1
        if messages != 2:  # the first is the handshake
            return await receive()
        try:
            return await asyncio.wait_for(receive(), FIRST_MESSAGE)
        except TimeoutError:
            return {"type": "websocket.disconnect", "code": 1008}

    return receive_in_time


class Quota:
    """ASGI middleware: refuses an upload that would take its session, or all sessions together, past the limit.

    What is announced counts until it has come, is cut off, or comes too slowly.

    Parameters
    ----------
    session, total
        The limits in bytes.
    held
        Given the name of a session, the bytes that it holds and those that all hold.
    """

    def __init__(self, app: ASGIApp, session: int, total: int, held: Callable[[str], tuple[int, int]]):
        self.app, self.session, self.total, self.held = app, session, total, held
        self.coming: Counter[str] = Counter()  # bytes on their way, by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("PUT", "POST") or PATH not in scope["path"]:
            return await self.app(scope, receive, send)
        session = scope["path"].partition(PATH)[2].partition("/")[0]
        length = dict(scope["headers"]).get(b"content-length", b"")
        if not length.isdigit():
            return await PlainTextResponse(_("Say how long the file is."), 411)(scope, receive, send)
        receive = _in_time(receive, size := int(length))
        if refusal := self._refusal(session, size):
            while (await receive()).get("more_body"):  # whoever is cut off while sending never reads why
                pass
            return await PlainTextResponse(refusal, 413)(scope, receive, send)
        return await self._take(session, size, scope, receive, send)

    async def _take(self, session: str, size: int, scope: Scope, receive: Receive, send: Send) -> None:
        self.coming[session] += size
        try:
            await self.app(scope, receive, send)
        except ClientDisconnect:
            log.info("an upload was cut off")
        finally:
            self.coming[session] -= size
            self.coming += Counter()  # drops sessions with nothing on its way

    def _refusal(self, session: str, size: int) -> str | None:
        own, everybodys = self.held(session)
        if own + self.coming[session] + size > self.session:
            return _(
                "With this file the session would hold more than {most:.0f} MB. Remove some of its files first."
            ).format(most=self.session / 1e6)
        if everybodys + self.coming.total() + size > self.total:
            return _("The server holds as many uploads as it may. Try again when others have finished.")
        return None


def _in_time(receive: Receive, size: int) -> Receive:
    """`receive` that takes an upload for cut off once nothing comes any more, or it comes too slowly."""
    end = time.monotonic() + STALLED + size / SLOWEST

    async def receive_in_time() -> Message:
        try:
            return await asyncio.wait_for(receive(), min(STALLED, max(0.0, end - time.monotonic())))
        except TimeoutError:
            return {"type": "http.disconnect"}

    return receive_in_time


def health_routes(ready: Callable[[], bool]) -> list[Route]:
    """`/healthz`: the process answers. `/readyz`: 200 once `ready()`, when a first question is answered at once; 503
    before.
    """

    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def is_ready(request: Request) -> Response:
        return JSONResponse({"status": "ready"} if ready() else {"status": "warming up"}, 200 if ready() else 503)

    return [Route("/healthz", alive), Route("/readyz", is_ready)]


def fonts_route(folder: Path) -> Mount:
    """`/fonts/NAME`: the files of this folder, for the theme in `.streamlit/config.toml`, and nothing outside it."""
    return Mount("/fonts", StaticFiles(directory=folder))
