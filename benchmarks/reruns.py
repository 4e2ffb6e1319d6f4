"""What one change on a page costs the server: milliseconds of the script's own CPU time, and those of a chart beside
Plotly's own classes.

    python -m benchmarks.reruns              # every page that answers an expression or a slider
    python -m benchmarks.reruns search map

Every figure is the least of several runs, each after another change of the page's own text or slider, all answered from
stored vectors. What the web server does with the elements comes on top; `python -m benchmarks.load` measures both, for
a room.
"""

import sys
import time
import warnings
from pathlib import Path

import plotly.graph_objects
import streamlit.runtime.scriptrunner.script_runner as runner
from plotly.io import to_json
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from clipexplore.ui import spec

APP = Path(__file__).parent.parent / "app.py"
CHANGES = {
    "start": ("q", "cat", "dog - cat"),
    "search": ("q", "cat", "lion + snow"),
    "classify": ("class_names", "lion\ncat", "hat\ncrown"),
    "map": ("points", "cat\nlion", "dog\nhat"),
    "interpolate": ("stops", "cat\ndog", "dog\nhat"),
    "arithmetic": ("q", "cat", "dog - hat"),
    "components": ("rank", 5, 20),
    "pixels": ("picture", "@cat", "@man-top-hat"),
    "match": ("n", 5, 7),
    "properties": ("objects", "rose\nguitar", "house\nrose"),
    "words": ("q", "cat", "dog - hat"),
}
ROUNDS = 5


def script_seconds() -> list[float]:
    """A list that grows by the CPU seconds of every run of the app from now on."""
    seconds, run = [], runner.exec_func_with_error_handling

    def timed(*args, **more):
        begun = time.thread_time()
        try:
            return run(*args, **more)
        finally:
            seconds.append(time.thread_time() - begun)

    runner.exec_func_with_error_handling = timed
    return seconds


def as_a_server_does() -> None:
    """Every run goes through app.py; AppTest would run a page of pages/ alone."""
    began = PagesManager.__init__

    def begin(self, *args, **more):
        began(self, *args, **more)
        PagesManager.uses_pages_directory = False

    PagesManager.__init__ = begin


def change(app: AppTest, key: str, value: object) -> None:
    (widget,) = [
        each
        for kind in ("text_input", "text_area", "slider", "number_input")
        for each in getattr(app, kind)
        if each.key == key
    ]
    widget.set_value(value).run()


def page_milliseconds(page: str, seconds: list[float]) -> float:
    key, *values = CHANGES[page]
    app = AppTest.from_file(APP, default_timeout=300).switch_page(f"pages/{page}.py").run()
    for value in values:
        change(app, key, value)
    seconds.clear()
    for _ in range(ROUNDS):
        for value in values:
            change(app, key, value)
    assert not app.exception and not app.error, page
    return 1000 * min(seconds)


def chart_milliseconds(go) -> float:
    """Twelve bars with notes, as Arithmetic draws them, to the JSON that is sent."""
    taken = []
    for _ in range(50):
        begun = time.thread_time()
        figure = go.Figure(
            go.Bar(
                x=[0.5] * 12,
                y=list(range(12)),
                orientation="h",
                text=["0.5"] * 12,
                textposition="outside",
                marker_color=["#6c63d8"] * 12,
            )
        )
        figure.update_layout(xaxis=dict(title="cosine", range=[0, 1]))
        figure.update_layout(yaxis=dict(autorange="reversed", tickvals=list(range(12)), ticktext=["cat"] * 12))
        figure.update_layout(height=400, margin=dict(l=8, r=8))
        to_json(figure.to_dict(), validate=False)
        taken.append(time.thread_time() - begun)
    return 1000 * min(taken)


def main() -> None:
    warnings.simplefilter("ignore")
    as_a_server_does()
    seconds = script_seconds()
    for page in sys.argv[1:] or CHANGES:
        print(f"{page:12} {page_milliseconds(page, seconds):6.1f} ms", flush=True)
    ours, theirs = chart_milliseconds(spec), chart_milliseconds(plotly.graph_objects)
    print(f"a chart      {ours:6.2f} ms, by plotly.graph_objects {theirs:.2f} ms: {theirs / ours:.0f} ×")


if __name__ == "__main__":
    main()
