"""The first second of a page: it is shown when it stands, not while it is put together.

Streamlit mounts a page piece by piece, fetches the script of each kind of widget when it meets the first, and learns
last that there is a sidebar, so that what one reads jumps by a third of the screen.
"""

import re
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A page that does not stand five seconds after the server was reached is shown from its top down to the first part that
# is missing, since all below that would jump. Nothing is hidden for longer than a minute, nor where there is no server.
HEAD = b"""
<style>
  .arriving:not(.late) :is([data-testid=stMain], [data-testid=stSidebar]) *,
  .late [data-testid=stHorizontalBlock]:has([data-testid=stSkeleton]),
  .late [data-testid=stHorizontalBlock]:has([data-testid=stSkeleton]) *,
  .late :is([data-testid=stElementContainer], [data-testid=stLayoutWrapper]):has([data-testid=stSkeleton]) ~ *,
  .late :is([data-testid=stElementContainer], [data-testid=stLayoutWrapper]):has([data-testid=stSkeleton]) ~ * * {
    visibility: hidden !important;
  }
  @media (min-width: 768px) { /* where the sidebar stands beside the page */
    .arriving [data-testid=stAppViewContainer]:not(:has([data-testid=stSidebar])) > div { margin-left: 300px; }
  }
</style>
<script>
  document.documentElement.classList.add("arriving");
  (() => {
    let reached, whole;
    const look = (now) => {
      const app = document.querySelector("[data-testid=stApp]")?.dataset ?? {};
      const main = document.querySelector("[data-testid=stMain]");
      if (app.testConnectionState === "CONNECTED") reached ??= now;
      const done = app.testScriptState === "notRunning" && main?.querySelector("[data-testid=stElementContainer]")
        && !document.querySelector("[data-testid=stSkeleton]");
      whole = done ? (whole ?? now) : undefined;
      document.documentElement.classList.toggle("late", now - reached > 5000);
      const over = now - whole > 60 || now - reached > 60000 || !reached && now > 15000;
      if (over) document.documentElement.classList.remove("arriving", "late");
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  })();
</script>
"""


# Scripts of what nearly every page has: fetched at once, not each when a page is found to need it.
USUAL = ("BidiComponent", "Button", "ButtonGroup", "ImageList", "PageLink", "Selectbox", "TextArea", "TextInput")
_IMPORTS = re.compile(r"""(?:from|import)\s*["'`]\./([\w.~-]+\.js)["'`]""")


class Arriving:
    """ASGI middleware: puts a `HEAD` into every page that Streamlit answers with.

    Parameters
    ----------
    scripts
        Where Streamlit's are.
    style
        CSS for what every page has, there before anything it is for.
    """

    def __init__(self, app: ASGIApp, scripts: Path, style: str):
        self.app = app
        links = [f'<link rel="modulepreload" crossorigin href="./static/js/{name}">' for name in _usual(scripts)]
        self.head = HEAD + f"<style>{style}</style>{''.join(links)}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self.app(scope, receive, send)
            return
        # as it is: neither packed nor left out because the browser has it
        asked = [each for each in scope["headers"] if each[0] not in (b"accept-encoding", b"if-none-match")]
        start: Message = {}

        async def send_with_head(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start and "text/html" in Headers(raw=start["headers"]).get("content-type", ""):
                message, size = self._with_head(message)
                headers = MutableHeaders(raw=start["headers"])
                if size and "content-length" in headers:
                    headers["content-length"] = str(int(headers["content-length"]) + size)
            if start:
                await send(start)
                start = {}
            await send(message)

        await self.app({**scope, "headers": asked}, receive, send_with_head)

    def _with_head(self, message: Message) -> tuple[Message, int]:
        """The first piece of a page, which holds its head, with ours in it, and how many bytes longer it is."""
        before, end, after = message.get("body", b"").partition(b"</head>")
        return ({**message, "body": before + self.head + end + after}, len(self.head)) if end else (message, 0)


def _usual(scripts: Path) -> list[str]:
    """The files of what is usual, with all that they import."""
    found = [path.name for name in USUAL for path in scripts.glob(f"{name}.*.js")]
    for name in found:  # grows meanwhile
        imported = _IMPORTS.findall((scripts / name).read_text(encoding="utf-8"))
        found += [each for each in dict.fromkeys(imported) if each not in found and (scripts / each).is_file()]
    return found
