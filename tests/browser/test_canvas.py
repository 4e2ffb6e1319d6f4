"""The cloud of the map in a real browser: pointing, clicking, the lasso, zooming, and what is exported."""

from urllib.parse import parse_qs

import numpy as np
import pytest
from views import open_view, query, settle

from clipexplore import Space
from clipexplore.images import open_picture

WORLD = Space.open().collection
COUNT = len(WORLD)
# The mean colour of the picture in the tip.
TIP = """() => { 
  const find = (node) => {
    for (const each of node.querySelectorAll("*"))
      if (each.shadowRoot?.querySelector(".tip canvas")) return each.shadowRoot.querySelector(".tip canvas");
  };
  const values = find(document).getContext("2d").getImageData(0, 0, 96, 96).data, sums = [0, 0, 0];
  values.forEach((value, at) => { if (at % 4 < 3) sums[at % 4] += value / (96 * 96); }); return sums; }"""

# Whether the points are drawn by WebGL.
BY_CARD = """() => {
  for (const each of document.querySelectorAll("*")) {
    const found = each.shadowRoot?.querySelector(".cloud canvas");
    if (found) return !!found.getContext("webgl");
  }
}"""


@pytest.fixture
def window(visitor, server):
    """The map by UMAP, drawn, its thumbnails there; `middle` is that of the canvas."""
    page = open_view(visitor(), f"{server.url}/map?method=umap&points=")
    drawn(page, COUNT)
    page.wait_for_function("window.clipexploreSheets?.size > 0")
    settle(page)
    return page


def drawn(page, count: int) -> None:
    page.locator(f".cloud[data-drawn='{count}']").wait_for()


def middle(page) -> tuple[float, float]:
    page.locator(".cloud").scroll_into_view_if_needed()
    box = page.locator(".cloud").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def seek(page) -> tuple[float, float]:
    """Moves until a point is pointed at, and says where that is."""
    x, y = middle(page)
    for line in sorted(range(-240, 241, 24), key=abs):
        for column in range(-260, 261, 13):
            page.mouse.move(x + column, y + line)
            if page.locator(".tip").is_visible():
                return x + column, y + line
    raise AssertionError("no point was found")


def tip(page) -> str:
    """What stands beside what is pointed at, "" where that is nothing."""
    return page.locator(".tip span").inner_text() if page.locator(".tip").is_visible() else ""


def mean_colour(id: str) -> np.ndarray:
    return np.asarray(open_picture(WORLD.picture(id)).convert("RGB"), float).mean(axis=(0, 1))


def pointed_at(page) -> str:
    """Points at something, clicks it, and says which picture that was."""
    seek(page)
    said, seen = tip(page), page.evaluate(TIP)
    page.mouse.down()
    page.mouse.up()
    page.get_by_text("in the true space").first.wait_for()
    settle(page)
    (region,) = parse_qs(query(page))["region"]
    assert said.startswith(WORLD.captions[WORLD.row(region[1:])]), "the tip says what was chosen"
    np.testing.assert_allclose(seen, mean_colour(region[1:]), atol=6, err_msg="the tip shows what was chosen")
    return region[1:]


def pixels(page, address: str) -> np.ndarray:
    """What is seen of the map at an address, `(height, width, 3)` in [0, 255]."""
    open_view(page, address)
    page.locator(".cloud[data-drawn]").scroll_into_view_if_needed()
    return np.asarray(open_picture(page.locator(".cloud").screenshot()).convert("RGB"), float)


def test_a_graphics_card_and_the_processor_draw_the_same(carded, visitor, server):
    """Points, colours, and what is outside a region; without the region the map is another."""
    address = f"{server.url}/map?points=&region=-0.3 -0.3, 0.3 -0.3, 0.3 0.1, -0.3 0.1"
    by_card, here = pixels(carded, address), visitor()
    by_processor, whole = pixels(here, address), pixels(here, f"{server.url}/map?points=")
    assert carded.evaluate(BY_CARD) and not here.evaluate(BY_CARD)
    assert np.abs(by_card - by_processor).mean() < 0.5 < 2 < np.abs(by_card - whole).mean()


def test_what_is_pointed_at_shows_its_picture_and_a_click_chooses_it(window):
    assert pointed_at(window) in WORLD
    assert window.get_by_text("of them are among its 15 nearest").count()


def test_groups_have_names_and_faces(visitor, server):
    page = open_view(visitor(), f"{server.url}/map?method=umap&color=groups&points=")
    page.locator(".cloud[data-faces]").wait_for()
    assert int(page.locator(".cloud").get_attribute("data-faces")) >= 3


def test_a_filtered_map_never_shows_the_wrong_picture(visitor, server):
    """Of the 2,600 only those on snow are there; were rows mistaken for places in the list, another picture would be
    shown.
    """
    page = open_view(visitor(), f"{server.url}/map?method=umap&points=&facet=place&only=snow")
    drawn(page, int((WORLD.fields["place"] == "snow").sum()))
    page.wait_for_function("window.clipexploreSheets?.size > 0")
    settle(page)
    found = pointed_at(page)
    assert WORLD.fields["place"][WORLD.row(found)] == "snow" and WORLD.row(found) > 60


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
    lassoed = query(window)
    assert 3 <= len(parse_qs(lassoed)["region"][0].split(",")) <= 40
    window.go_back()
    window.get_by_text("pictures in the region").wait_for(state="detached")
    assert "region" not in query(window)
    window.go_forward()
    window.get_by_text("pictures in the region").wait_for()
    assert query(window) == lassoed
    settle(window)
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
        assert data.startswith(b"<svg") and data.count(b"<circle") == COUNT


@pytest.fixture
def phone(chromium, server, watched):
    """The same on a phone."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    context.set_default_timeout(60_000)
    page = context.new_page()
    watched.follow(page)
    open_view(page, f"{server.url}/map?method=umap&points=")
    drawn(page, COUNT)
    yield page
    context.close()


def swipe(page, corners: list[tuple[float, float]]) -> None:
    """One finger along corners, in parts of the canvas."""
    page.locator(".cloud").scroll_into_view_if_needed()
    box, hand = page.locator(".cloud").bounding_box(), page.context.new_cdp_session(page)
    at = [{"x": box["x"] + box["width"] * x, "y": box["y"] + box["height"] * y} for x, y in corners]
    hand.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at[:1]})
    for spot in at[1:]:
        hand.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [spot]})
        page.wait_for_timeout(30)
    hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_finger_scrolls_the_page_and_draws_a_loop_when_it_is_asked_to(phone):
    top = "document.querySelector('[data-testid=stMain]').scrollTop"
    phone.locator(".cloud").scroll_into_view_if_needed()
    before = phone.evaluate(top)
    swipe(phone, [(0.5, 0.8 - step / 20) for step in range(10)])
    phone.wait_for_timeout(800)
    assert phone.evaluate(top) > before + 50 and "region" not in query(phone)
    phone.locator(".bar button[data-does=lasso]").tap()
    swipe(phone, [(0.1, 0.2), (0.5, 0.15), (0.9, 0.2), (0.9, 0.8), (0.5, 0.85), (0.1, 0.8)])
    phone.get_by_text("pictures in the region").wait_for()
    settle(phone)
    assert len(parse_qs(query(phone))["region"][0].split(",")) >= 3


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


def test_after_zooming_nothing_is_pointed_at_that_has_moved_away(window):
    x, y = seek(window)
    for _ in range(8):
        window.mouse.wheel(0, -250)
        window.wait_for_timeout(40)
    window.wait_for_timeout(300)
    zoomed = tip(window)
    window.mouse.move(x + 1, y)
    window.mouse.move(x, y)
    assert tip(window) == zoomed
