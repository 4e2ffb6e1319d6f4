"""The app for operators: `streamlit run serve.py`, or `python -m clipexplore serve`, which can also open it to a class.

What `app.py` shows, with the settings checked and the models loaded before the first visitor comes, health checks,
security headers, a passcode where one is set, and an orderly end.
"""

from contextlib import asynccontextmanager

import streamlit as st
from starlette.middleware import Middleware

from clipexplore import catalog, ui, worker
from clipexplore.server.door import Door
from clipexplore.server.quota import Quota
from clipexplore.server.web import Headers, health_routes
from clipexplore.settings import settings


@asynccontextmanager
async def lifespan(app):
    """Warms up in the background while the server starts; when it stops, no job is left running."""
    catalog.models()  # a mistake in the configuration is told before anybody comes
    ui.warm_up()
    yield {}
    worker.close_all()


MB = 1_000_000
app = st.App(
    "app.py",
    lifespan=lifespan,
    routes=health_routes(ready=lambda: not ui.warm_up().is_alive()),
    middleware=[
        Middleware(Headers),
        Middleware(Door, passcode=settings().passcode),
        Middleware(Quota, session=settings().session_megabytes * MB, total=settings().uploads_megabytes * MB, held=ui.held_uploads),
    ],
)
