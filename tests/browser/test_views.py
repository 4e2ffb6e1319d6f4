"""Each page as a visitor sees it and works with it: whole, on a phone too, and everything on it does what it says."""

import re
import zipfile

import numpy as np
import pytest
from PIL import Image
from views import arrive, comes_to_show, open_view, query, settle, shown, write

from benchmarks.first_paint import WATCH
from clipexplore import links

FITS = """() => [
    document.documentElement,
    ...document.querySelectorAll("[data-testid=stMain], [data-testid=stMainBlockContainer]"),
  ]
  .every((each) => each.scrollWidth <= innerWidth)"""


# What a page answers first, which on a phone begins on the first screen.
FIRST = {
    "start": ".bars",
    "search": ".gallery",
    "map": ".cloud",
    "interpolate": ".player",
    "arithmetic": ".bars",
    "match": "[data-testid=stMetric]",
}

# By how many pixels the navigation on top cuts off its last name, which may also be that of what it folds away.
CUT = """() => {
  const top = document.querySelector("[data-testid=stTopNav]");
  const right = document.querySelector("[data-testid=stMainMenu]").getBoundingClientRect().left;
  const shown = [...top.children].filter((each) => getComputedStyle(each).opacity !== "0" && each.offsetWidth);
  return Math.max(...shown.map((each) => each.getBoundingClientRect().right)) - right;
}"""


def address(server, page: str) -> str:
    return f"{server.url}/{'' if page == 'start' else page}"


def error(window) -> str:
    return window.get_by_test_id("stMain").get_by_test_id("stAlert").first.inner_text()


@pytest.mark.parametrize("page", links.PAGES)
def test_the_default_view(visitor, server, page):
    window = open_view(visitor(), address(server, page))
    view = shown(window)
    assert (
        view["pictures"]
        or view["bars"]
        or window.locator("canvas").count()
        or window.get_by_test_id("stMetric").count()
        or window.get_by_text("Predict first:").count()
    )
    assert not window.get_by_test_id("stAlertContentError").count() and not window.get_by_test_id("stException").count()
    assert not query(window), "a default is absent from the link"
    window.set_viewport_size({"width": 390, "height": 844})
    window.wait_for_function(FITS)  # a phone need not scroll sideways
    if page in FIRST:
        settle(window)
        assert window.locator(FIRST[page]).first.bounding_box()["y"] < 780


@pytest.mark.parametrize("page", ["start", "search", "classify", "map", "interpolate", "arithmetic"])
def test_an_example_is_a_link_and_back_undoes_it(visitor, server, page):
    window = open_view(visitor(), address(server, page))
    before = shown(window)
    window.get_by_test_id("stMain").get_by_test_id("stButton").nth(1).click()
    window.wait_for_function("location.search.length > 1")
    after = shown(window)
    assert (after["typed"], after["chosen"]) != (before["typed"], before["chosen"]) and after["text"] != before["text"]
    for _ in range(6):  # Streamlit makes an entry for each value that changed
        if not query(window):
            break
        window.go_back()
        settle(window)
    assert comes_to_show(window, before) == before


def test_open_in_carries_the_expression_and_back_returns(visitor, server):
    window = open_view(visitor(), f"{server.url}/search?q=cat+%2B+crown")
    there = shown(window)
    window.get_by_test_id("stMain").get_by_role("link", name="Arithmetic").click()
    window.get_by_text("Turn around").wait_for()
    settle(window)
    assert (
        "/arithmetic?q=" in window.url and window.get_by_label("Expression", exact=True).input_value() == "cat + crown"
    )
    for _ in range(6):
        if "/search?" in window.url:
            break
        window.go_back()
        settle(window)
    assert comes_to_show(window, there) == there


def test_a_name_goes_from_page_to_page_and_into_the_link(visitor, server):
    window = open_view(visitor(), f"{server.url}/properties?objects=rose%0Aguitar&values=red%0Ablue")
    window.get_by_role("button", name="Name it").click()
    window.get_by_label("Name", exact=True).fill("blueness")
    window.get_by_label("Name", exact=True).press("Enter")
    window.get_by_role("button", name="Keep", exact=True).click()
    settle(window)
    window.wait_for_function("new URLSearchParams(location.search).get('names')?.startsWith('blueness = a blue rose')")
    window.keyboard.press("Escape")
    window.get_by_test_id("stMain").get_by_role("link", name="Search").click()
    window.get_by_text("Search in").wait_for()
    settle(window)
    write(window, "Expression", "@lion + 2*@blueness")
    here = shown(window)
    assert "2 × @blueness" in here["text"] and "There is no" not in here["text"]
    assert comes_to_show(open_view(visitor(), window.url), here) == here


@pytest.mark.parametrize(
    ("page", "files"), [("search", 3), ("arithmetic", 2), ("classify", 1), ("interpolate", 6), ("map", 1)]
)
def test_every_download_arrives(visitor, server, page, files):
    window = open_view(visitor(), address(server, page))
    buttons = window.get_by_test_id("stDownloadButton").get_by_role("button")
    buttons.nth(files - 1).wait_for()
    for number in range(buttons.count()):
        with window.expect_download() as arriving:
            buttons.nth(number).click()
        path, name = arriving.value.path(), arriving.value.suggested_filename
        if name.endswith(".npy"):
            assert np.isfinite(np.load(path, allow_pickle=False)).all()
        elif name.endswith((".png", ".gif", ".webp")):
            assert Image.open(path).format == name.rpartition(".")[2].upper()
        elif name.endswith(".zip"):
            assert zipfile.ZipFile(path).testzip() is None
        elif name.endswith(".mp4"):
            assert path.read_bytes()[4:8] == b"ftyp"
        else:
            assert path.read_text(encoding="utf-8-sig").count("\n") > 3


def test_a_picture_of_ones_own(visitor, stranger, server, tmp_path):
    window, file = (
        open_view(visitor(), f"{server.url}/search"),
        tmp_path / "![x](http:evil) <img src=x onerror=window.__pwn=1>.png",
    )
    Image.new("RGB", (90, 60), (200, 30, 30)).save(file)
    window.get_by_role("button", name="Add a picture").click()
    window.locator("input[type=file]").set_input_files(file)
    window.get_by_role("button", name="Keep for links").click()
    window.mouse.move(0, 0)  # off its tooltip
    settle(window)
    window.get_by_role("button", name="Use it").click()
    window.wait_for_url(re.compile(r"q=(%40|@)up-[0-9a-f]{12}"))
    window.get_by_test_id("stPopoverBody").wait_for(state="detached")
    mine = [each for each in shown(window)["pictures"] if each]
    theirs = shown(open_view(stranger, window.url))["pictures"]
    assert len(theirs) >= 25 and theirs == [each for each in mine if each in theirs]
    assert window.evaluate("window.__pwn === undefined")


def test_the_navigation_cuts_off_no_name_however_wide_the_window_is(visitor, server):
    window = visitor()
    window.set_viewport_size({"width": 1900, "height": 700})  # nothing is folded away yet
    arrive(window, f"{server.url}/status?lang=de")
    for width in range(1440, 1300, -7):
        window.set_viewport_size({"width": width, "height": 700})
        window.wait_for_timeout(100)
        window.wait_for_function(f"() => ({CUT})() <= 0", timeout=5000)
    window.get_by_test_id("stTopNav").get_by_role("button", name="Mehr", exact=True).wait_for()
    window.set_viewport_size({"width": 1400, "height": 700})
    arrive(window, f"{server.url}/arithmetic?lang=de")  # measured before the name is there
    window.wait_for_function(f"() => ({CUT})() <= 0", timeout=5000)
    assert window.get_by_test_id("stTopNav").evaluate("top => getComputedStyle(top).overflow") == "visible"


def test_what_is_late_makes_nothing_jump(visitor, server):
    """A script that takes seven seconds: by then what stands above its widgets is shown, and stays where it is."""
    window = visitor()
    window.set_viewport_size({"width": 390, "height": 844})
    window.add_init_script(WATCH)
    window.route(re.compile(r"/Slider\."), lambda route: (window.wait_for_timeout(7000), route.continue_()))
    window.goto(f"{server.url}/match")
    window.wait_for_function("document.documentElement.classList.contains('late')")
    assert window.get_by_role("heading", level=1).is_visible()
    settle(window)
    assert window.get_by_role("slider", name="Pairs").is_visible() and window.evaluate("window.shift ?? 0") <= 0.05


def test_an_error_on_a_phone(visitor, server):
    window = visitor()
    window.set_viewport_size({"width": 390, "height": 844})
    open_view(window, f"{server.url}/search")
    write(window, "Expression", "cat + " + "a_word_without_an_end" * 20 + " - ")
    assert "Nothing follows" in error(window) and window.evaluate(FITS)


def test_a_browser_that_reads_from_right_to_left_sees_a_page_whose_parts_run_one_way(chromium, watched, server):
    context = chromium.new_context(locale="ar")
    window = context.new_page()
    watched.follow(window)
    open_view(window, f"{server.url}/search?q=أسد")
    slider = window.get_by_test_id("stSlider").first
    track, handle = slider.bounding_box(), window.get_by_role("slider", name="Results").bounding_box()
    assert handle["x"] < track["x"] + track["width"] / 2, "24 of 100 results, counted from the left"
    assert window.evaluate("() => document.documentElement.lang") == "en" and window.evaluate(FITS)
    context.close()
