"""A link is the state: what one visitor has set by typing, clicking and drawing, another sees by opening the link."""

import json
import re
import zipfile
from io import BytesIO

import numpy as np
import pyarrow.parquet
import pytest
import segno
from PIL import Image
from views import choose, comes_to_show, open_view, query, settle, shared_link, shown, slide, write


def start(window):
    write(window, "Expression", '0.5*@lion-jungle-07 - jungle + "a, b & c – ü猫"')


def search(window):
    write(window, "Expression", "cat + crown")
    choose(window, "captions")
    slide(window, "Results", -3)


def classify(window):
    write(window, "Pictures, one a line", "@penguin\n@lion-snow-07")
    write(window, "Classes, one a line", "lion\npenguin\n100 % & more = ?")
    write(window, "Templates, one a line", "{}\na photo of a {}, please")


def map_(window):
    choose(window, "UMAP")
    write(window, "Your points, one a line", "cat\n@man-top-hat - @man")
    window.locator(".cloud[data-drawn]").scroll_into_view_if_needed()
    box = window.locator(".cloud").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    window.mouse.move(x - 140, y - 90)
    window.mouse.down()
    for corner in ((140, -100), (150, 90), (-150, 80)):
        window.mouse.move(x + corner[0], y + corner[1], steps=8)
    window.mouse.up()
    window.get_by_text("pictures in the region").wait_for()


def interpolate(window):
    write(window, "Stops, one per line", "cat\ndog + snow\n@lion-snow-07")
    choose(window, "lerp")
    slide(window, "Frames", -2)


def arithmetic(window):
    window.get_by_text("Turn around").click()
    # Streamlit writes what a button has set into the address when it has run, over what was set meanwhile
    settle(window)
    choose(window, "captions")
    slide(window, "Results", 4)
    window.get_by_text("Leave the inputs out").click()


def downloaded(window, label: str) -> bytes:
    with window.expect_download() as arriving:
        window.get_by_role("button", name=label).click()
    return arriving.value.path().read_bytes()


@pytest.mark.parametrize(
    "set_up", [start, search, classify, map_, interpolate, arithmetic], ids=lambda set_up: set_up.__name__.strip("_")
)
def test_a_link_shows_others_the_same(visitor, stranger, server, set_up):
    page = set_up.__name__.strip("_")
    window = open_view(visitor(), f"{server.url}/{'' if page == 'start' else page}")
    set_up(window)
    settle(window)
    link, mine = shared_link(window), shown(window)
    assert link.replace(server.url + "/", server.url) == window.url.replace(server.url + "/", server.url) and query(
        window
    )
    assert comes_to_show(open_view(stranger, link), mine) == mine
    assert stranger.url == window.url, "opening a link does not change it"


def test_a_value_that_is_set_back_to_its_default_leaves_the_link(visitor, server):
    window = open_view(visitor(), f"{server.url}/search?k=9&in=words")
    slide(window, "Results", 15)
    choose(window, "pictures")
    assert not query(window) and shared_link(window) == window.url


def test_two_visitors_do_not_see_each_others_state(visitor, stranger, server):
    window, other = open_view(visitor(), f"{server.url}/search"), open_view(stranger, f"{server.url}/search")
    before = shown(other)
    write(window, "Expression", "rain")
    assert shown(other) == before and shown(window) != before


def test_the_copy_button_copies(visitor, server):
    window = open_view(visitor(), f"{server.url}/search?q=rain")
    window.get_by_role("button", name=re.compile("Share this view")).click()
    window.get_by_role("button", name="Copy the link").click()
    window.get_by_role("button", name="Copied").wait_for()
    window.keyboard.press("Escape")
    window.get_by_label("Expression", exact=True).focus()
    window.keyboard.press("Control+A")
    window.keyboard.press("Control+V")
    assert window.get_by_label("Expression", exact=True).input_value() == window.url


@pytest.mark.parametrize("page", ["search", "map"])  # a gallery, and a canvas
def test_a_view_is_a_picture_with_its_link_in_it_and_a_recipe(visitor, server, page):
    window = open_view(visitor(), f"{server.url}/{page}?{'q=cat+%2B+crown&k=5' if page == 'search' else 'x=2&y=3'}")
    shown(window)
    window.get_by_role("button", name=re.compile("Share this view")).click()
    settle(window)
    made = json.loads(downloaded(window, "Recipe (JSON)"))
    assert made["link"] == window.url and made["page"] == page and "Space.open(" in made["code"]
    assert made["values"]["collection"] == "emoji-world" and len(made["model"]["revision"]) >= 12
    with zipfile.ZipFile(BytesIO(downloaded(window, "ZIP"))) as held:  # for other tools: what the page shows
        table = pyarrow.parquet.read_table(BytesIO(held.read(held.namelist()[0])))
    assert len(table) == (5 if page == "search" else 2_626) and {"image", "image_vectors"} <= {*table.column_names}
    pixels = Image.open(BytesIO(downloaded(window, "Picture with the link (PNG)"))).convert("RGB")
    side, pad, file = 132 * 2, 24 * 2, BytesIO()
    segno.make(window.url, error="l").save(file, kind="png", scale=8, border=3)
    code = np.asarray(Image.open(file).convert("L").resize((side, side))) > 127
    low = pixels.height - pad - side
    there = np.asarray(pixels.convert("L").crop((pad, low, pad + side, low + side))) > 127
    assert (code == there).mean() > 0.95
    result = pixels.crop((pad, pad + 80, pixels.width - pad, low))
    assert len(result.getcolors(1 << 24)) > 1000, "the result is on it"


def test_a_shared_view_says_so_and_a_page_of_ones_own_does_not(stranger, server):
    window = open_view(stranger, f"{server.url}/search")
    assert not window.get_by_text("This is a shared view").count()
    window.goto(f"{server.url}/search?q=rain")
    window.get_by_text("This is a shared view").wait_for()
