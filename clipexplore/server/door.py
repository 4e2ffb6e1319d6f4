"""The door of a server that is open to a room: who knows the passcode comes in, everybody else sees a form and nothing more.

Separate from the app, and in front of it, because a page of Streamlit guards only itself: here pictures, uploads and the
websocket are behind the door too. Whoever has said the passcode holds a ticket, which the browser keeps in a cookie.
"""

import hashlib
import hmac
import html
import time
from collections import defaultdict, deque
from urllib.parse import quote

ENTER = "/enter"
OPEN = ("/healthz", "/readyz")
COOKIE = "clipexplore_ticket"
TRIES, WITHIN = 20, 60.0  # wrong passcodes from one address, and in how many seconds; six digits then last for a month
_MOST_ADDRESSES = 10_000

_FORM = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>CLIP Explorer</title><style>:root {{ color-scheme: light dark }} body {{ font: 1.1rem system-ui; max-width: 22rem; margin: 20vh auto; padding: 0 1rem }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .6rem; margin: .4rem 0 }} p {{ min-height: 1.5em }}</style>
<h1>🧭 CLIP Explorer</h1><form method="get" action="{enter}"><label>Passcode<input name="code" autocomplete="off" autofocus></label>
<input type="hidden" name="next" value="{next}"><button>Come in</button></form><p>{said}</p></html>"""


class Door:
    """ASGI middleware: passes on what comes with a ticket, and gives a ticket to who says the passcode.

    `/enter?code=…&next=/search?q=cat` is the form and also what a QR code holds. Wrong passcodes are limited by address.
    Without a passcode the door stands open.
    """

    def __init__(self, app, passcode: str):
        self.app, self.passcode = app, passcode
        # Made from the passcode, so that a server that was started again still knows its visitors.
        self.ticket = hmac.new(passcode.encode(), b"ticket", hashlib.sha256).hexdigest()
        self.wrong: defaultdict[str, deque[float]] = defaultdict(deque)

    async def __call__(self, scope, receive, send) -> None:
        from starlette.requests import HTTPConnection

        if not self.passcode or scope["type"] not in ("http", "websocket") or scope["path"] in OPEN:
            return await self.app(scope, receive, send)
        asked = HTTPConnection(scope)
        if scope["path"] == ENTER and scope["type"] == "http":
            return await self._enter(asked)(scope, receive, send)
        if hmac.compare_digest(asked.cookies.get(COOKIE, "").encode(), self.ticket.encode()):
            return await self.app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        target = asked.url.path + (f"?{asked.url.query}" if asked.url.query else "")
        return await _form(401, target)(scope, receive, send)

    def _enter(self, asked):
        """The answer to a passcode: a ticket and the way to where the visitor wanted to go, or the form again."""
        from starlette.responses import RedirectResponse

        code, target = asked.query_params.get("code", ""), _own_path(asked.query_params.get("next", "/"))
        if not code:
            return _form(200, target)
        address = asked.client.host if asked.client else ""
        if self._tried_too_often(address):
            return _form(429, target, f"Too many wrong passcodes; wait {WITHIN:.0f} seconds and try again.")
        if not hmac.compare_digest(code.strip().encode(), self.passcode.encode()):
            self.wrong[address].append(time.monotonic())
            return _form(403, target, "That is not the passcode; ask who runs this server.")
        answer = RedirectResponse(quote(target, safe="/?&=%+:@,;!$'()*~#"), status_code=303)
        answer.set_cookie(COOKIE, self.ticket, httponly=True, samesite="lax", max_age=24 * 3600)
        return answer

    def _tried_too_often(self, address: str) -> bool:
        if len(self.wrong) > _MOST_ADDRESSES:
            self.wrong.clear()
        tries = self.wrong[address]
        while tries and time.monotonic() - tries[0] > WITHIN:
            tries.popleft()
        return len(tries) >= TRIES


def _own_path(target: str) -> str:
    """The path of this server that a visitor may be sent on to; anything that could be another host is the first page."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable() else "/"


def _form(status: int, target: str, said: str = ""):
    from starlette.responses import HTMLResponse

    page = _FORM.format(enter=ENTER, next=html.escape(target), said=html.escape(said))
    return HTMLResponse(page, status_code=status, headers={"Cache-Control": "no-store"})
