"""How much visitors may have uploaded at a time. Streamlit keeps uploads in memory and limits a file, but neither a session nor the room.

Separate from `ui.uploads`, which counts pictures once they are here: what is too much is refused before it is in memory.
"""

from collections import Counter
from collections.abc import Callable

PATH = "/_stcore/upload_file/"


class Quota:
    """ASGI middleware: refuses an upload that would take its session, or all sessions together, past the limit.

    Parameters
    ----------
    session, total
        The limits in bytes.
    held
        Given the name of a session, the bytes that it holds and those that all hold.
    """

    def __init__(self, app, session: int, total: int, held: Callable[[str], tuple[int, int]]):
        self.app, self.session, self.total, self.held = app, session, total, held
        self.coming: Counter[str] = Counter()  # bytes on their way, by session

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("PUT", "POST") or PATH not in scope["path"]:
            return await self.app(scope, receive, send)
        from starlette.responses import PlainTextResponse

        session, size = scope["path"].partition(PATH)[2].partition("/")[0], dict(scope["headers"]).get(b"content-length")
        if size is None:
            return await PlainTextResponse("Say how long the file is.", 411)(scope, receive, send)
        if said := self._refusal(session, int(size)):
            while (await receive()).get("more_body"):  # whoever is cut off while sending never reads why
                pass
            return await PlainTextResponse(said, 413)(scope, receive, send)
        self.coming[session] += int(size)
        try:
            return await self.app(scope, receive, send)
        finally:
            self.coming[session] -= int(size)
            self.coming += Counter()  # drops sessions with nothing on its way

    def _refusal(self, session: str, size: int) -> str | None:
        own, everybodys = self.held(session)
        if own + self.coming[session] + size > self.session:
            return f"With this file the session would hold more than {self.session / 1e6:.0f} MB; remove some of its files first."
        if everybodys + self.coming.total() + size > self.total:
            return "The server holds as many uploads as it may; try again when others have finished."
        return None
