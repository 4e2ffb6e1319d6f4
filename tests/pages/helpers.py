"""What the tests of the pages share: opening a page by its link, and reading what it shows."""

import base64
import json
import re
import time
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
from plotly.graph_objects import Figure
from streamlit.testing.v1 import AppTest

from clipexplore import links

APP = Path(__file__).parents[2] / "app.py"
PAGES = tuple(links.PAGES)
TITLES = {"start": "CLIP Explorer", "apart": "Take apart", "two": "Two models"}

# What a link may carry by mistake or malice, for any key.
HOSTILE = (
    "",
    " ",
    "inf",
    "-inf",
    "nan",
    "1e309",
    "-1",
    "0",
    "٣",
    "9" * 400,
    "\0",
    "a\0b",
    "\u202etxt.exe",
    "\ufffd",
    "\ud7ff\U0010ffff",
    "x" * 10_000,
    "\n" * 500,
    "cat - cat",
    "-",
    "+ + +",
    '"',
    "0*cat",
    "1e999*cat",
    "@",
    "@@",
    "@nope",
    "@../../etc/passwd",
    "@up-../../x",
    "@up-000000000000",
    "{}",
    "{0.__class__}",
    "%s%n",
    "<script>alert(1)</script>",
    "![x](http://evil.example/x.png)",
    "None",
    "[]",
    "true",
    "__proto__",
    "emoji-world",
    "words",
    "background",
)


def open_page(page: str, link: dict | None = None) -> AppTest:
    """The page as the first thing a visitor opens, by a link with these parameters (a list for a repeated one).

    What shows more only when it is opened is open.
    """
    app = visit(page, link, **{box: True for box in ("show-code", "show-code-large", "search-all")})
    assert_whole(app, page)
    return app


def visit(page: str, link: dict | None = None, **state: object) -> AppTest:
    """The same, whatever comes of it; `state` is what the session begins with."""
    app = AppTest.from_file(APP, default_timeout=120)
    for key, value in state.items():
        app.session_state[key] = value
    for key, value in (link or {}).items():
        app.query_params[key] = value
    return app.switch_page(f"pages/{page}.py").run()


def open_link(page: str, query: str) -> AppTest:
    """As `open_page`, for a link as it is written."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return open_page(page, {key: [value for name, value in pairs if name == key] for key, _ in pairs})


def assert_whole(app: AppTest, page: str) -> None:
    """Nothing was raised, and what stands around a page is there: title, sidebar and share box."""
    assert not app.exception, [each.value for each in app.exception]
    assert not [each for each in errors(app) if "went wrong" in each], "the error boundary caught a defect"
    assert app.title[0].value == TITLES.get(page, page.capitalize())
    assert [box.key for box in app.sidebar.selectbox] == ["model", "collection", "lang"]
    assert app.sidebar.code, "the share box shows no link"
    for chart in app.get("plotly_chart"):
        Figure(json.loads(chart.proto.spec))  # raises where a property is none of Plotly's


def errors(app: AppTest) -> list[str]:
    return [unescaped(each.value) for each in app.error]


def the_error(app: AppTest) -> str:
    """The one error on the page, which has to be one sentence in plain words."""
    (found,) = errors(app)
    assert found[0].isupper() or found[0] in "'\"", found
    assert found.endswith((".", "?")) and "Traceback" not in found and "\n" not in found, found
    return found


def unescaped(markdown: str) -> str:
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown).replace("\u2060", "")


def captions(app: AppTest) -> str:
    return "\n".join(unescaped(each.value) for each in app.caption)


def markdown(app: AppTest) -> str:
    return "\n".join(each.value for each in app.markdown)


def metrics(app: AppTest) -> dict[str, str]:
    """The figures of a page by their label."""
    return {each.label: each.value for each in app.metric}


def buttons(app: AppTest, prefix: str) -> list:
    """The buttons whose keys begin so, in the order of the page."""
    return [each for each in app.button if (each.key or "").startswith(prefix)]


def pictures(app: AppTest, key: str) -> list[str]:
    """The ids of a gallery, in order."""
    return [item["id"] for item in galleries(app).get(f"{key}-gallery", ())]


def galleries(app: AppTest) -> dict[str, list[dict]]:
    """What each gallery was given to show, by key."""
    return {each.key: json.loads(each.proto.json)["items"] for each in components(app, "gallery")}


def player(app: AppTest) -> dict:
    """What the player of a walk was given to show."""
    (found,) = components(app, "player")
    return json.loads(found.proto.json)


def components(app: AppTest, name: str) -> list:
    """Our own components of a page that are called so."""
    return [each for each in app.get("bidi_component") if each.proto.component_name == f"clipexplore_{name}"]


def figure(app: AppTest, key: str) -> dict:
    """What a chart was given to draw."""
    (found,) = [each for each in [*app.get("plotly_chart"), *components(app, "bars")] if each.key == key]
    return json.loads(found.proto.json if found.type == "bidi_component" else found.proto.spec)


def figures(app: AppTest) -> list[str]:
    return [each.key for each in [*app.get("plotly_chart"), *components(app, "bars")]]


def labels(app: AppTest, key: str) -> list[str]:
    """The labels of a bar chart, the longest bar first."""
    return figure(app, key)["labels"]


def numbers(values: object) -> np.ndarray:
    """Numbers of a figure, however Plotly wrote them."""
    return (
        np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
        if isinstance(values, dict)
        else np.array(values)
    )


def values(app: AppTest, page: str) -> dict[str, object]:
    """What the widgets of a page that are part of its link show."""
    return {key: app.session_state[key] for key in links.PAGES[page] if key in app.session_state}


def scores(app: AppTest) -> list[float]:
    """The cosines under pictures, those in galleries last, in the order of the page."""
    shown = [item["score"] for items in galleries(app).values() for item in items]
    notes = [each.value for each in app.caption]
    return [float(found[1]) for each in notes + shown if (found := re.fullmatch(r"(-?\d\.\d{3}) · z -?\d+\.\d", each))]


def click(app: AppTest, label: str) -> AppTest:
    (button,) = [each for each in app.button if each.label == label]
    return button.click().run()


def settled(app: AppTest) -> AppTest:
    """The page when nothing is being worked out any more."""
    for _ in range(300):
        if not app.get("progress"):
            return app
        time.sleep(0.1)
        app.run()
    raise AssertionError("the page never settles")


def follow(app: AppTest, page: str) -> AppTest:
    """The same view for somebody else: a new session, opened by what this one has in its link."""
    return open_page(
        page,
        {
            key: value if isinstance(value, list) else str(value)
            for key, value in values(app, page).items()
            if value != links.PAGES[page][key]
        },
    )


def examples(page: str) -> list[dict]:
    """Those that a page offers under every model: one in another language needs a model that reads it."""
    every = json.loads((APP.parent / "assets" / "examples.json").read_text(encoding="utf-8"))[page]
    return [example for example in every if "language" not in example]


def cloud(app: AppTest) -> dict:
    """What the map's canvas was given to draw: the head of cloud.py, with `places`, `colors` and `rows`."""
    (head,) = [json.loads(each.proto.json) for each in components(app, "cloud")]
    blocks = dict(block(each.proto.bytes) for each in components(app, "block"))
    kinds = {"places": "<f4", "colors": "u1", "rows": "<u4"}
    found = {
        slot: np.frombuffer(blocks[f"{head['key']}-{slot}", name], kinds[slot]) for slot, name in head["blocks"].items()
    }
    return {"rows": None, **head, **found, "places": found["places"].reshape(-1, 2)}


def block(data: bytes) -> tuple[tuple[str, str], bytes]:
    """Slot and name of a block, and what is in it, as block.js reads them."""
    start = 4 + int.from_bytes(data[:4], "little")
    head = json.loads(data[4:start])
    return (head["slot"], head["name"]), data[start:]
