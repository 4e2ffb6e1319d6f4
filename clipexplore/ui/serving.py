"""What stands around the app on the server: the warm-up, health checks, headers, the gate, the door and the quota of
uploads.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from clipexplore.closing import close_all
from clipexplore.models import catalog
from clipexplore.server.arriving import Arriving
from clipexplore.server.door import Door
from clipexplore.server.serving import make_operator_code
from clipexplore.server.web import Gate, Headers, Quota, fonts_route, health_routes
from clipexplore.settings import settings

from .session import is_warm, warm_up

MB = 1_000_000


@asynccontextmanager
async def _lifespan(app: object) -> AsyncIterator[dict]:
    """Warms up in the background while the server starts; when it stops, no job is left running."""
    catalog.models()  # a mistake in the configuration is reported before anybody comes
    warm_up()
    yield {}
    close_all()


def held_uploads(session: str) -> tuple[int, int]:
    """The bytes of uploaded files that Streamlit holds in memory, of one of its sessions and of all."""
    storage = st.runtime.get_instance().uploaded_file_mgr.file_storage
    sizes = {owner: sum(len(file.data) for file in list(files.values())) for owner, files in list(storage.items())}
    return sizes.get(session, 0), sum(sizes.values())


def around_the_app() -> dict[str, Any]:
    """The parameters of `st.App`; prints an operator code where its owner needs one."""
    make_operator_code(str(st.get_option("server.address") or "0.0.0.0"))
    current = settings()
    return {
        "lifespan": _lifespan,
        "routes": [*health_routes(ready=is_warm), fonts_route(current.assets / "fonts")],
        "middleware": [
            Middleware(Headers),
            Middleware(Arriving, scripts=Path(st.__file__).parent / "static" / "static" / "js"),
            Middleware(Gate, public_url=current.public_url),
            Middleware(Door, passcode=current.passcode, secure=current.public_url.startswith("https:")),
            Middleware(
                Quota,
                session=current.session_megabytes * MB,
                total=current.uploads_megabytes * MB,
                held=held_uploads,
            ),
        ],
    }
