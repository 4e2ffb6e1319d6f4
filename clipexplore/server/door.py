"""The door of a server that is open to a room: who knows the passcode comes in, everybody else sees a form and
nothing more.

It stands in front of the app, because a page of Streamlit guards only itself: here pictures, uploads and the
websocket are behind the door too. Whoever has said the passcode, or came by a link with the key, holds a ticket,
which the browser keeps in a cookie.
"""

import hashlib
import hmac
import html
from secrets import token_urlsafe
from urllib.parse import quote, urlencode

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from clipexplore.access import Attempts, is_right
from clipexplore.language import _

ENTER = "/enter"
OPEN = ("/healthz", "/readyz")
COOKIE, BROWSER = "clipexplore_ticket", "clipexplore_browser"
A_DAY = 24 * 3600  # seconds that a browser keeps a ticket
# Wrong passcodes in a minute: of one browser, so that nobody is locked out by who sits in the same network, and of
# everybody, since a program may say that it is another browser each time. Half of all six digits then take six days.
WITHIN, TRIES, TRIES_IN_ALL = 60.0, 20, 60

_FORM = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>CLIP Explorer</title><style>:root {{ color-scheme: light dark }}
body {{ font: 1.1rem system-ui; max-width: 22rem; margin: 20vh auto; padding: 0 1rem }} p {{ min-height: 1.5em }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .6rem; margin: .4rem 0 }}</style>
<h1>🧭 CLIP Explorer</h1><form method="get" action="{enter}">
<label>{label}<input name="code" autocomplete="off" autofocus></label>
<input type="hidden" name="next" value="{next}"><button>{button}</button></form><p>{problem}</p></html>"""


def entrance(url: str, passcode: str, target: str = "/") -> str:
    """The address that leads past the door of a server without typing; `target` is the page's path with its query.

    It holds a key that is made from the passcode and too long to be guessed.
    """
    if not passcode:
        return url.rstrip("/") + target
    return f"{url.rstrip('/')}{ENTER}?" + urlencode(
        {"key": made_from(passcode, "link")} | ({"next": target} if target != "/" else {})
    )


class Door:
    """ASGI middleware: passes on what comes with a ticket, and gives a ticket to who says the passcode.

    `/enter?code=…&next=/search?q=cat` is the form; a link or QR code has the key in place of the code. Without a
    passcode the door stands open.

    Parameters
    ----------
    secure
        Whether browsers reach the server by https only, so that they keep the ticket from anything else.
    """

    def __init__(self, app: ASGIApp, passcode: str, secure: bool = False):
        self.app, self.passcode, self.secure = app, passcode, secure
        # Made from the passcode, so that a server that was started again still knows its visitors.
        self.ticket, self.key = made_from(passcode, "ticket"), made_from(passcode, "link")
        self.attempts = Attempts(TRIES, WITHIN), Attempts(TRIES_IN_ALL, WITHIN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.passcode or scope["type"] not in ("http", "websocket") or scope["path"] in OPEN:
            return await self.app(scope, receive, send)
        request = HTTPConnection(scope)
        if scope["path"] == ENTER and scope["type"] == "http":
            return await self._enter(request)(scope, receive, send)
        if hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), self.ticket.encode()):
            return await self.app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return await self._form(request, 401, target)(scope, receive, send)

    def _enter(self, request: HTTPConnection) -> Response:
        """The answer to a passcode or key: a ticket and the way to where the visitor wanted to go, or the form."""
        given, target = request.query_params, _own_path(request.query_params.get("next", "/"))
        if hmac.compare_digest(given.get("key", "").encode(), self.key.encode()):
            return self._let_in(target)
        if not (code := given.get("code", "")):
            return self._form(request, 200, target)
        browser = request.cookies.get(BROWSER) or (request.client.host if request.client else "")
        by_browser, by_all = self.attempts
        if not (by_browser.allow(browser) and by_all.allow("all")):
            problem = _("Too many wrong passcodes. Wait {seconds:.0f} seconds and try again.").format(seconds=WITHIN)
            return self._form(request, 429, target, problem)
        if not is_right(code, self.passcode):
            by_browser.note_wrong(browser)
            by_all.note_wrong("all")
            return self._form(request, 403, target, _("That is not the passcode. Ask whoever runs this server."))
        return self._let_in(target)

    def _let_in(self, target: str) -> Response:
        answer = RedirectResponse(quote(target, safe="/?&=%+:@,;!$'()*~#"), status_code=303)
        answer.set_cookie(COOKIE, self.ticket, httponly=True, samesite="lax", secure=self.secure, max_age=A_DAY)
        return answer

    def _form(self, request: HTTPConnection, status: int, target: str, problem: str = "") -> Response:
        words = {"label": _("Passcode"), "button": _("Come in"), "problem": problem, "next": target}
        page = _FORM.format(enter=ENTER, **{name: html.escape(word) for name, word in words.items()})
        answer = HTMLResponse(page, status_code=status, headers={"Cache-Control": "no-store"})
        if BROWSER not in request.cookies:
            answer.set_cookie(BROWSER, token_urlsafe(16), httponly=True, samesite="lax", secure=self.secure)
        return answer


def made_from(secret: str, purpose: str) -> str:
    """What only who knows a secret can make, too long to be guessed, and another for each purpose."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def _own_path(target: str) -> str:
    """The path of this server that a visitor may be sent on to; anything that could be another host is the first
    page.
    """
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable() else "/"
