"""Pages of a large collection: what goes through all of it is done on a lane, with a cancel, and is the same then."""

import importlib
import threading
from functools import wraps

import pytest
from helpers import errors, open_page

from clipexplore.ui import calls


@pytest.mark.parametrize(
    ("page", "function", "slot", "link"),
    [
        ("map", "map.lay_out", "layout", {}),
        ("map", "map.lay_out", "layout", {"solid": "true"}),
        ("map", "map.lay_out", "layout", {"method": "umap"}),
        (
            "interpolate",
            "interpolate.walk",
            "way",
            {"frames": "240", "draw": "false", "names": "top = cat", "stops": "@top\nsnow"},
        ),
    ],
)
def test_a_script_waits_for_no_look_at_all_of_a_large_collection(page, function, slot, link, monkeypatch):
    module = importlib.import_module(f"clipexplore.explore.{function.partition('.')[0]}")
    name, threads, going = function.partition(".")[2], [], threading.Event()
    real = getattr(module, name)

    @wraps(real)
    def noting(*given, **named):
        threads.append(threading.current_thread().name)
        assert going.wait(60)
        return real(*given, **named)

    going.set()
    expected = open_page(page, link)
    monkeypatch.setattr(calls, "LARGE", 100)
    monkeypatch.setattr(module, name, noting)
    going.clear()
    app = open_page(page, link)
    assert app.button(key=f"cancel-{slot}") and len(shown(app)) < len(shown(expected))
    going.set()
    assert app.session_state[f"fit-{slot}"].wait(60)
    app.run()
    assert threads == ["lane-large"] and not errors(app) and shown(app) == shown(expected)


def shown(app):
    """The charts and components of a page."""
    charts = {each.proto.id: each.proto.spec for each in app.get("plotly_chart")}
    return charts | {each.proto.component_name: each.proto.json for each in app.get("bidi_component")}
