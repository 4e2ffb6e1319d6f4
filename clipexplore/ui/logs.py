"""What stands in the server's log: when, how grave, from where – and for which visitor on which page, where a page was being run.

What visitors type is logged at DEBUG only. A visitor is the first letters of the session's random id, not a person.
"""

import logging
from contextvars import ContextVar
from uuid import uuid4

import streamlit as st

from clipexplore.settings import settings

FORMAT = "%(asctime)s %(levelname)-7s %(name)s [%(about)s] %(message)s"
log = logging.getLogger(__name__)
_about: ContextVar[str] = ContextVar("about", default="-")


def visitor() -> str:
    """The random name of this session, by which its jobs are told from those of others."""
    return st.session_state.setdefault("visitor", uuid4().hex)


def note_page(page: str) -> None:
    """Says whom and what the lines that follow in this run are about."""
    _about.set(f"{visitor()[:8]} {page}")
    log.debug("shown with %s", dict(st.query_params))


def start_log() -> None:
    """Writes what the program says to the server's error output, from the level of the settings on; once in a process."""
    logger, handler = logging.getLogger("clipexplore"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.addFilter(_add_about)
    logger.handlers[:] = [handler]
    logger.setLevel(settings().log_level)


def _add_about(record: logging.LogRecord) -> bool:
    record.about = _about.get()
    return True
