"""What stands around the app on the server: the warm-up, the log, health checks, headers, the gate, the door and the
quota of uploads.

In the log a visitor is the first letters of a random id, and what is typed is logged at DEBUG only.
"""

import gc
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import sleep
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from clipexplore.closing import close_all
from clipexplore.jobs import Job, Lane
from clipexplore.models import catalog
from clipexplore.server.arriving import Arriving
from clipexplore.server.door import Door
from clipexplore.server.machine import share_heaps
from clipexplore.server.operator import operator_route
from clipexplore.server.serving import make_operator_code
from clipexplore.server.web import Gate, Quota, SecurityHeaders, fonts_route, health_routes
from clipexplore.settings import settings

from .session import about, embedder

MB = 1_000_000
FORMAT = "%(asctime)s %(levelname)-7s %(name)s [%(about)s] %(message)s"
log = logging.getLogger(__name__)


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
    secure = current.public_url.startswith("https:")
    return {
        "lifespan": _lifespan,
        "routes": [
            *health_routes(ready=is_warm),
            fonts_route(current.assets / "fonts"),
            operator_route(current.operator_code, secure),
        ],
        "middleware": [
            Middleware(SecurityHeaders),
            Middleware(
                Arriving,
                scripts=Path(st.__file__).parent / "static" / "static" / "js",
                style=Path(__file__).with_name("browser").joinpath("window.css").read_text(encoding="utf-8"),
            ),
            Middleware(Gate, public_url=current.public_url),
            Middleware(Door, passcode=current.passcode, secure=secure),
            Middleware(
                Quota,
                session=current.session_megabytes * MB,
                total=current.uploads_megabytes * MB,
                held=held_uploads,
            ),
        ],
    }


@st.cache_resource(show_spinner=False)
def warm_up() -> Job:
    """Starts, once in a process, to import and load what the first question will need; the first page is painted
    before.
    """
    start_log()
    share_heaps()
    return Lane("warm-up", abandon_after=math.inf).submit(lambda job: _load_all())


def is_warm() -> bool:
    """Whether the first question will be answered at once."""
    return warm_up().state not in ("queued", "running")


def _load_all() -> None:
    sleep(1.0)  # let the page that started this be painted first
    try:
        embedder(next(iter(catalog.models()))).embed_texts(["hat"])
    except Exception:
        log.exception("the warm-up failed; the first visitor who needs the model will see why")
    # What is loaded now stays: moved out of the collector's sight, it no longer costs half a second a collection.
    gc.collect()
    gc.freeze()


def start_log() -> None:
    """Writes what the program says to the server's error output, from the level of the settings on; once in a
    process.
    """
    logger, handler = logging.getLogger("clipexplore"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.addFilter(_add_about)
    logger.handlers[:] = [handler]
    logger.setLevel(settings().log_level)


def _add_about(record: logging.LogRecord) -> bool:
    record.about = about.get()
    return True
