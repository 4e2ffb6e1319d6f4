"""Whatever a link carries is shown as it was typed: it runs nothing, fetches nothing, and formats nothing."""

import itertools
from urllib.parse import urlencode

import pytest
from views import arrive, open_view, settle

PWN = "window.__pwn=1"
STRINGS = (
    f"<script>{PWN}</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    f"<img src=x onerror={PWN}>",
    f"<img/src=x/onerror={PWN}>",
    "<img src=http://evil.example/i.png>",
    f"<svg onload={PWN}>",
    f"<svg><script>{PWN}</script></svg>",
    f"<svg><a xlink:href=javascript:{PWN}>x</a></svg>",
    f"<body onload={PWN}>",
    f"<iframe src=javascript:{PWN}></iframe>",
    "<iframe src=//evil.example></iframe>",
    f"<details open ontoggle={PWN}>x</details>",
    f"<input autofocus onfocus={PWN}>",
    f"<video><source onerror={PWN}></video>",
    f"<audio src=x onerror={PWN}>",
    f"<marquee onstart={PWN}>x</marquee>",
    f"<math><mi xlink:href=javascript:{PWN}>x</mi></math>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css';</style>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<base href=//evil.example/>",
    "<object data=//evil.example/x></object>",
    "<embed src=//evil.example/x>",
    f"<form action=javascript:{PWN}><button>x</button></form>",
    "<a href=//evil.example>x</a>",
    f"[x](javascript:{PWN})",
    "![x](http://evil.example/m.png)",
    "![x](//evil.example/n.png)",
    "![x][y]",
    "[y]: http://evil.example/r.png",
    "[x](http://evil.example)",
    "<http://evil.example>",
    "http://evil.example/auto",
    "www.evil.example",
    "![x](data:image/svg+xml,<svg/onload=window.__pwn=1>)",
    f"&lt;script&gt;{PWN}&lt;/script&gt;",
    f"&#60;script&#62;{PWN}&#60;/script&#62;",
    f'"><script>{PWN}</script>',
    f"'><img src=x onerror={PWN}>",
    f"`<img src=x onerror={PWN}>`",
    f"$\\href{{javascript:{PWN}}}{{x}}$",
    "$\\includegraphics{http://evil.example/l.png}$",
    ":material/home: :smile: :red[x]",
    "| a | b |",
    "# heading",
    "- item",
    "**bold** ~~struck~~",
    f"{{{{constructor.constructor('{PWN}')()}}}}",
    f"${{{PWN}}}",
    f"</textarea><script>{PWN}</script>",
)
FIELDS = (
    ("start", "q"),
    ("search", "q"),
    ("classify", "class_names"),
    ("classify", "image templates"),
    ("map", "points region heat"),
    ("interpolate", "stops"),
    ("arithmetic", "q pairs"),
    ("components", "points q"),
    ("match", "image captions"),
    ("properties", "values before after"),
)

DANGEROUS = """() => [...document.querySelectorAll("*")].filter((each) => [...each.attributes].some(({name, value}) =>
  /^on/i.test(name) || /^\\s*javascript:/i.test(value) ||
  (["href", "src", "data"].includes(name) && new URL(value, location).hostname === "evil.example")))
  .map((each) => each.outerHTML)"""


def written(key: str, strings: list[str]) -> str:
    """As many of the strings as a link may hold for this key: a sum of quoted texts, or one a line."""
    if key == "q":
        parts = itertools.accumulate(('"' + each.replace('"', '""') + '"' for each in strings[:32]), "{} + {}".format)
    else:
        parts = itertools.accumulate(
            (each if key != "templates" else f"{{}} {each}" for each in strings), "{}\n{}".format
        )
    return [part for part in parts if len(part) <= 2000][-1]


def test_there_are_enough_strings_and_all_are_tried():
    assert len(set(STRINGS)) >= 40
    assert all(any(each in written("class_names", order) for order in (STRINGS, STRINGS[::-1])) for each in STRINGS)


@pytest.mark.parametrize("number", range(len(FIELDS)), ids=lambda number: " ".join(FIELDS[number]))
def test_hostile_texts_in_a_link_are_only_texts(visitor, server, number):
    page, keys = FIELDS[number]
    order = STRINGS[::-1] if number % 2 else STRINGS
    spread = [each for start in range(6) for each in order[start::6]]  # of all kinds where few are taken
    link = urlencode({key: written(key, spread) for key in keys.split()})
    window = arrive(visitor(), f"{server.url}/{'' if page == 'start' else page}?{link}")
    assert window.evaluate("window.__pwn === undefined")
    assert not window.evaluate(DANGEROUS)


def test_hostile_texts_are_shown_as_typed_also_in_an_error(visitor, server):
    window = open_view(visitor(), f"{server.url}/search?{urlencode({'q': STRINGS[2]})}")
    assert STRINGS[2] in window.get_by_test_id("stMain").inner_text()
    for typed in (
        f"{STRINGS[26]} + ",
        f"cat + @{STRINGS[2]}",
        f'"{STRINGS[0]}',
        f"0*{STRINGS[5]}",
        STRINGS[26] + " - " + STRINGS[26],
    ):
        field = window.get_by_label("Expression", exact=True)
        field.fill(typed)
        field.press("Enter")
        settle(window)
        assert window.get_by_test_id("stAlertContentError").count() == 1
        assert window.evaluate("window.__pwn === undefined") and not window.evaluate(DANGEROUS)
