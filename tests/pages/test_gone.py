"""A script whose browser has gone: Streamlit asks it to stop, and it does at its next element, whatever it is at."""

import pytest
from fixtures_imports import jpeg
from helpers import PAGES, open_page, visit
from streamlit.runtime.scriptrunner import get_script_run_ctx

from clipexplore.store.kept import Uploads
from clipexplore.ui.calls import Call


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("status", "lessons")])  # they compute nothing
def test_after_the_browser_has_gone_nothing_more_is_computed(page, monkeypatch):
    """It goes while the library computes what the page asks for first."""
    compute, computed = Call.result.fget, []

    def go(call):
        if "result" not in call.__dict__:
            computed.append(call.function.__name__)
            get_script_run_ctx().script_requests.request_stop()  # as the runtime does when a connection closes
        return compute(call)

    monkeypatch.setattr(Call, "result", property(go))
    app = visit(page)
    assert len(computed) == 1 and not app.exception
    assert not app.sidebar.code, "the script has gone on to its end"


def test_of_many_pictures_no_more_are_read_then(monkeypatch):
    app, add, added = open_page("search"), Uploads.add, []

    def go(uploads, data, most):
        added.append(data)
        get_script_run_ctx().script_requests.request_stop()
        return add(uploads, data, most)

    monkeypatch.setattr(Uploads, "add", go)
    given = [(f"{number}.jpg", jpeg(number), "image/jpeg") for number in range(4)]
    app.file_uploader(key="files").set_value(given).run()
    assert len(added) == 1 and not app.exception
