"""A link is the state: what one visitor has set by typing, clicking and drawing, another sees by opening the link."""

import re

import pytest
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
    choose(window, "umap")
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
    write(window, "Stops, one a line", "cat\ndog + snow\n@lion-snow-07")
    choose(window, "lerp")
    slide(window, "Frames", -2)


def arithmetic(window):
    window.get_by_text("Turn around").click()
    settle(window)  # Streamlit writes what a button has set into the address when it has run, over what was set meanwhile
    choose(window, "captions")
    slide(window, "Results", 4)
    window.get_by_text("Leave the inputs out").click()


@pytest.mark.parametrize("set_up", [start, search, classify, map_, interpolate, arithmetic], ids=lambda set_up: set_up.__name__.strip("_"))
def test_a_link_shows_others_the_same(visitor, stranger, server, set_up):
    page = set_up.__name__.strip("_")
    window = open_view(visitor(), f"{server.url}/{'' if page == 'start' else page}")
    set_up(window)
    settle(window)
    link, mine = shared_link(window), shown(window)
    assert link.replace(server.url + "/", server.url) == window.url.replace(server.url + "/", server.url) and query(window)
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
