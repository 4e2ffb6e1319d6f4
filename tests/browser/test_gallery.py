"""The gallery by mouse and by keyboard, and a picture of it shown large."""

import re

from views import open_view, query, settle, shown


def typed(window) -> str:
    return window.get_by_label("Expression", exact=True).input_value()


def name(window) -> str:
    """The picture that has the focus."""
    return window.evaluate("document.activeElement.closest('li')?.dataset.id")


def test_arrows_walk_enter_opens_and_back_closes(visitor, server):
    window = open_view(visitor(), f"{server.url}/search?k=7")
    tiles = window.locator(".gallery li")
    ids = tiles.evaluate_all("each => each.map((li) => li.dataset.id)")
    assert len(set(tiles.evaluate_all("each => each.map((li) => li.offsetHeight)"))) == 1
    tiles.first.locator(".open").focus()
    for key, expected in (("ArrowRight", 1), ("End", 6), ("ArrowRight", 6), ("Home", 0), ("ArrowLeft", 0)):
        window.keyboard.press(key)
        assert name(window) == ids[expected], key
    window.keyboard.press("Enter")
    window.get_by_role("dialog").wait_for()
    settle(window)
    assert query(window) == f"k=7&open={ids[0]}"
    window.keyboard.press("ArrowRight")
    window.wait_for_url(f"**open={ids[1]}")
    settle(window)
    window.keyboard.press("Escape")
    window.get_by_role("dialog").wait_for(state="detached")
    settle(window)
    assert query(window) == "k=7"
    window.go_back()
    window.get_by_role("dialog").wait_for()
    assert query(window) == f"k=7&open={ids[1]}"


def test_what_stands_on_a_picture_rewrites_the_expression(visitor, server):
    window = open_view(visitor(), f"{server.url}/search?q=lion&k=4")
    for sign, expected in (("−", r"lion - @[\w.-]+"), ("+", r"lion - @[\w.-]+ \+ @[\w.-]+")):
        tile = window.locator(".gallery li").nth(1)
        tile.hover()
        tile.get_by_text(sign, exact=True).click()
        settle(window)
        assert re.fullmatch(expected, typed(window))
        assert window.evaluate("new URLSearchParams(location.search).get('q')") == typed(window)


def test_pictures_are_chosen_across_searches_and_summed(visitor, server):
    window = open_view(visitor(), f"{server.url}/search?q=lion&k=4")
    chosen = []
    for example in ("lion + snow", "words near a penguin", "three cats"):
        window.get_by_role("button", name=example).click()
        settle(window)
        if window.locator(".gallery li").count():
            tile = window.locator(".gallery li").first
            chosen.append(tile.get_attribute("data-id"))
            tile.hover()
            tile.get_by_role("checkbox").check()
            settle(window)
    assert len(chosen) == 2 and "2 pictures chosen" in window.locator("body").inner_text()
    window.get_by_role("button", name="Their sum").click()
    settle(window)
    assert typed(window) == " + ".join(f"@{id}" for id in chosen) and shown(window)["pictures"]
