"""The cloud of the map in a real browser: pointing, clicking, the lasso, zooming, and what is exported."""

import re
from urllib.parse import parse_qs

import pytest
from views import open_view, query, settle


@pytest.fixture
def window(visitor, server):
    """The map by UMAP, drawn, its thumbnails there; `middle` is that of the canvas."""
    page = open_view(visitor(), f"{server.url}/map?method=umap&points=")
    page.locator(".cloud[data-drawn='2622']").wait_for()
    page.wait_for_function("window.clipexploreSheets?.size > 0")
    settle(page)
    return page


def middle(page) -> tuple[float, float]:
    page.locator(".cloud").scroll_into_view_if_needed()
    box = page.locator(".cloud").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def seek(page) -> str:
    """Moves until a point is pointed at; says what its tip says."""
    x, y = middle(page)
    for step in range(400):
        page.mouse.move(x - 200 + step % 100 * 4, y + step // 100 * 9)
        if page.locator(".tip").is_visible():
            return page.locator(".tip span").inner_text()
    raise AssertionError("no point was found")


def test_what_is_pointed_at_shows_its_picture_and_a_click_chooses_it(window):
    assert seek(window)
    drawn = window.evaluate("""() => { const canvas = document.querySelector("[data-testid=stMain]"); const find = (node) => { for (const each of node.querySelectorAll("*")) {
        if (each.shadowRoot?.querySelector(".tip canvas")) return each.shadowRoot.querySelector(".tip canvas"); } }; const tip = find(document);
        return [...tip.getContext("2d").getImageData(0, 0, 96, 96).data].some((value) => value) }""")
    assert drawn, "the thumbnail is not empty"
    window.mouse.down()
    window.mouse.up()
    window.get_by_text("in the true space").first.wait_for()
    settle(window)
    assert re.search(r"region=(@|%40)[\w.-]+$", query(window))
    assert window.get_by_text("of them are among its 15 nearest").count()


def test_a_lasso_is_in_the_link_and_shows_what_is_inside(window, watched):
    watched.forgiven = ("/media/",)  # pictures that are no longer shown when the browser gets round to them
    x, y = middle(window)
    window.mouse.move(x - 150, y - 100)
    window.mouse.down()
    for corner in ((150, -110), (170, 80), (-160, 90)):
        window.mouse.move(x + corner[0], y + corner[1], steps=15)
    window.mouse.up()
    window.get_by_text("pictures in the region").wait_for()
    settle(window)
    assert 3 <= len(parse_qs(query(window))["region"][0].split(",")) <= 40
    window.locator(".cloud .over").dblclick(position={"x": 5, "y": 300})
    window.get_by_text("pictures in the region").wait_for(state="detached")
    assert "region" not in query(window)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_map_can_be_taken_away(window, kind):
    with window.expect_download() as arriving:
        window.locator(f".bar button[data-does={kind}]").click()
    data = arriving.value.path().read_bytes()
    if kind == "png":
        assert data.startswith(b"\x89PNG") and len(data) > 10_000
    else:
        assert data.startswith(b"<svg") and data.count(b"<circle") == 2622


def test_zooming_turns_points_into_pictures(window):
    before = window.locator(".cloud").screenshot()
    window.mouse.move(*middle(window))
    for _ in range(12):
        window.mouse.wheel(0, -250)
        window.wait_for_timeout(40)
    window.wait_for_timeout(300)
    assert window.locator(".cloud").screenshot() != before
    window.locator(".bar button[data-does=home]").click()
    window.wait_for_timeout(200)
