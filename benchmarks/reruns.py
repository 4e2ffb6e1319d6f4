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
from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects
import streamlit.runtime.scriptrunner.script_runner as runner
from plotly.io import to_json
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from clipexplore.ui import plots

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
BARS = dict(x=[0.5] * 12, y=list(range(12)), orientation="h", text=["0.5"] * 12, textposition="outside")
AXES = dict(
    xaxis=dict(title="cosine", range=[0, 1]),
    yaxis=dict(autorange="reversed", tickvals=list(range(12)), ticktext=["cat"] * 12),
)


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


def ours() -> dict:
    """Twelve bars with notes, as Arithmetic might draw them."""
    bars = dict(type="bar", **BARS, marker=dict(color=["#6c63d8"] * 12))
    return plots.figure(bars, 400, x=AXES["xaxis"], y=AXES["yaxis"])


def by_plotly() -> dict:
    """The same by Plotly's own classes."""
    figure = plotly.graph_objects.Figure(plotly.graph_objects.Bar(**BARS, marker_color=["#6c63d8"] * 12))
    figure.update_layout(**AXES, height=400, margin=dict(l=8, r=8))
    return figure.to_dict()


def chart_milliseconds(draw: Callable[[], dict]) -> float:
    """Until the JSON that is sent."""
    taken = []
    for _ in range(50):
        begun = time.thread_time()
        to_json(draw(), validate=False)
        taken.append(time.thread_time() - begun)
    return 1000 * min(taken)


def main() -> None:
    warnings.simplefilter("ignore")
    as_a_server_does()
    seconds = script_seconds()
    for page in sys.argv[1:] or CHANGES:
        print(f"{page:12} {page_milliseconds(page, seconds):6.1f} ms", flush=True)
    here, theirs = chart_milliseconds(ours), chart_milliseconds(by_plotly)
    print(f"a chart      {here:6.2f} ms, by plotly.graph_objects {theirs:.2f} ms: {theirs / here:.0f} ×")


if __name__ == "__main__":
    main()
