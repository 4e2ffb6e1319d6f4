"""The three people of the product walk through it as they would: somebody curious, a teacher with a class, and a
researcher with pictures of their own. What each sees at the turning points is compared with pictures that are kept.

REDRAW=1 pytest tests/browser/test_roles.py    # keeps what is seen now, to be looked at before it is committed
"""

import os
import re
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from views import arrive, open_view, settle, shown, write

from benchmarks.serving import free_port

KEPT = Path(__file__).with_name("pictures")
SIDE = 8  # pixels of a window that are one of a kept picture
FAR = 24  # grey levels by which a kept pixel counts as another: fonts are drawn otherwise here and there by fewer
SHARE = 0.04  # of the pixels that may
CODE = "class-of-nine"
COLOURS = ["red", "green", "blue"]
PHONE = {"width": 390, "height": 844}


def reduced(window) -> np.ndarray:
    """The window in grey, in squares of `SIDE` pixels, `(height, width)`."""
    picture = Image.open(BytesIO(window.screenshot(animations="disabled", caret="hide"))).convert("L")
    return np.asarray(picture.reduce(SIDE), int)


def unlike(a: np.ndarray, b: np.ndarray) -> float:
    """The share of pixels that are others."""
    return 1.0 if a.shape != b.shape else float((abs(a - b) > FAR).mean())


def assert_looks(window, name: str) -> None:
    """Whether a window comes to look as the picture that is kept by this name."""
    file = KEPT / f"{name}.png"
    window.mouse.move(0, 0)
    window.evaluate("document.activeElement.blur()")
    if os.environ.get("REDRAW"):
        window.wait_for_timeout(2000)
        return Image.fromarray(reduced(window).astype(np.uint8)).save(file, optimize=True)
    kept = np.asarray(Image.open(file), int)
    for _ in range(40):
        if (far := unlike(reduced(window), kept)) <= SHARE:
            return None
        window.wait_for_timeout(500)
    raise AssertionError(f"{far:.1%} of {name} look otherwise")


def test_kept_pictures_are_told_apart():
    kept = {file.stem: np.asarray(Image.open(file), int) for file in KEPT.glob("*.png")}
    assert len(kept) >= 3
    for name, picture in kept.items():
        assert all(unlike(picture, other) > 2 * SHARE for each, other in kept.items() if each != name), name


# Somebody curious


@pytest.mark.timeout(600)
def test_somebody_curious(stranger, server):
    """Subtracts a man from a man with a hat, walks from the jungle to the snow, and comes back by the browser."""
    window = open_view(stranger, server.url)
    assert "top hat" in shown(window)["bars"][0], "the first answer is there before anything was done"
    assert_looks(window, "curious-start")
    window.get_by_role("button", name="cat + crown").click()
    window.wait_for_url("**q=*crown*")
    settle(window)
    assert "crown" in shown(window)["bars"][0]
    write(window, "Expression", "@frog-crown")
    window.get_by_test_id("stMain").get_by_role("link", name="Arithmetic", exact=True).first.click()
    window.wait_for_url("**/arithmetic?q=*frog-crown*")
    settle(window)
    assert window.get_by_label("Expression", exact=True).input_value() == "@frog-crown", "nothing is lost on the way"
    window.go_back()
    window.wait_for_url("**/?q=*frog-crown*")
    settle(window)
    window.locator(".gallery li").first.locator(".open").click()
    window.get_by_role("dialog").wait_for()
    settle(window)
    window.keyboard.press("Escape")
    window.get_by_role("dialog").wait_for(state="detached")
    window.goto(f"{server.url}/interpolate")
    frames = window.locator("img[alt^='Frame ']")
    frames.nth(8).wait_for(timeout=240_000)
    view = shown(window)
    assert frames.count() == 9 and view["typed"][0] == "@lion-jungle-07\n@lion-snow-07"


def test_somebody_curious_is_told_what_is_not_known(stranger, server):
    window = open_view(stranger, f"{server.url}/search")
    write(window, "Expression", "quantum chromodynamics")
    assert "never learned “quantum”, “chromodynamics”" in shown(window)["text"]
    write(window, "Expression", "frog-crown")
    assert "write @frog-crown to mean it" in shown(window)["text"], "what was meant is offered"
    window.set_viewport_size(PHONE)
    write(window, "Expression", "a red car")
    window.evaluate("scrollTo(0, 0)")
    assert_looks(window, "curious-phone")


# A teacher


@pytest.fixture(scope="module")
def school(new_server):
    """A server that a class reaches, and its own machine by another name."""
    return new_server(CLIPEXPLORE_PUBLIC_URL=f"http://127.0.0.1:{free_port()}", CLIPEXPLORE_OPERATOR_CODE=CODE)


def become_the_teacher(window, school):
    arrive(window, f"{school.url}/status")
    window.get_by_text("Are you the operator?").click()
    window.get_by_label("Operator code", exact=True).fill(CODE)
    with window.expect_response("**/operator"):
        window.get_by_role("button", name="Become the operator").click()
    window.reload()  # the browser is remembered, by what no script reads
    window.get_by_text("You are the operator").wait_for()
    assert "clipexplore" not in window.evaluate("() => document.cookie") and CODE not in window.url
    window.get_by_test_id("stTopNav").get_by_role("link", name=re.compile("Lessons")).first.click()
    window.get_by_role("button", name="Ask the class").wait_for()
    settle_in_class(window)


def settle_in_class(window) -> None:
    """As `settle`, where the page looks at the class twice a second."""
    window.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")
    window.wait_for_timeout(800)


@pytest.mark.timeout(600)
def test_a_teacher_and_a_class(visitor, chromium, watched, school):
    """Asks, sees the answers come, opens them; a phone in German, in the dark, answers, and one comes late."""
    front = visitor()
    become_the_teacher(front, school)
    context = chromium.new_context(viewport=PHONE, color_scheme="dark", locale="de-DE", is_mobile=True, has_touch=True)
    phone, late = context.new_page(), context.browser.new_context(viewport=PHONE, locale="fr-FR").new_page()
    watched.follow(phone)
    watched.follow(late)
    phone.goto(f"{school.url}/lessons")
    phone.get_by_text("Sag zuerst voraus:", exact=True).wait_for()
    assert not phone.get_by_text("Die Seite zeigt:").count()
    front.get_by_role("button", name="Ask the class").click()
    front.get_by_text("0 answers so far").wait_for()
    settle_in_class(phone)
    assert phone.evaluate("() => document.documentElement.lang") == "de", "which screen readers go by"
    assert_looks(phone, "class-question-phone")
    phone.locator("[class*=st-key-option-match-] button").first.click()
    phone.get_by_text("Deine Antwort:").wait_for()
    front.get_by_text("1 answer so far").wait_for()
    front.get_by_role("button", name="Show the answers").click()
    phone.get_by_test_id("stProgress").first.wait_for()
    front.get_by_test_id("stProgress").first.wait_for()
    late.goto(f"{school.url}/lessons")
    late.locator("[class*=st-key-option-match-] button").first.wait_for()
    settle_in_class(late)
    assert not late.get_by_test_id("stProgress").count(), "it is asked first"
    late.locator("[class*=st-key-option-match-] button").first.click()
    late.get_by_test_id("stProgress").first.wait_for()
    front.get_by_text(re.compile(r"· 2$")).wait_for()
    front.get_by_role("button", name="End the question").click()
    front.get_by_test_id("stProgress").first.wait_for(state="detached")
    phone.get_by_test_id("stProgress").first.wait_for(state="detached")
    context.close()
    late.context.close()
    arrive(front, f"{school.url}/status")
    with front.expect_response("**/operator"):
        front.get_by_role("button", name="Forget this browser").click()
    front.reload()
    front.get_by_text("Are you the operator?").wait_for()


def test_the_code_for_a_room_is_whole_on_the_screen_and_nothing_lies_over_it(visitor, new_server):
    reached = new_server(CLIPEXPLORE_PUBLIC_URL="http://classroom.example:8501")
    front = open_view(visitor(), f"{reached.url}/search?q=cat")
    front.get_by_role("button", name="Share this view").click()
    front.get_by_role("button", name="Show it to the room").click()
    code = front.locator(".st-key-room-code img")
    code.wait_for()
    front.get_by_test_id("stPopoverBody").wait_for(state="detached")
    front.keyboard.press("r")  # the page runs again, as it does for whatever its widgets tell later
    settle(front)
    box = code.bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] < front.viewport_size["height"]
    for across, down in ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)):
        point = [box["x"] + across * box["width"], box["y"] + down * box["height"]]
        assert front.evaluate("([x, y]) => document.elementFromPoint(x, y).tagName", point) == "IMG"
    front.keyboard.press("Escape")
    code.wait_for(state="detached")
    settle(front)
    front.keyboard.press("r")  # the page runs again, and the code stays closed
    settle(front)
    assert not code.count()


# A researcher


@pytest.mark.timeout(600)
def test_a_researcher(visitor, stranger, server, tmp_path):
    """Brings pictures with captions, finds and measures, and sends a colleague what is on screen."""
    with zipfile.ZipFile(tmp_path / "plates.zip", "w") as archive:
        for number, colour in enumerate(COLOURS * 4):
            file = BytesIO()
            Image.new("RGB", (64, 48 + number), colour).save(file, "PNG")
            archive.writestr(f"{colour}/{colour}-{number}.png", file.getvalue())
    window = open_view(visitor(), f"{server.url}/collections")
    if not window.get_by_test_id("stFileUploaderDropzone").first.is_visible():
        window.get_by_text("Add pictures, captions or vectors").click()
    window.locator("input[type=file]").first.set_input_files(tmp_path / "plates.zip")
    window.get_by_text("plates.zip").wait_for()
    window.get_by_role("button", name="Look first").click()
    window.get_by_text(f"{4 * len(COLOURS)} entries, of which these come first:").wait_for()
    window.get_by_role("button", name="Import").click()
    window.get_by_text(re.compile(rf"{4 * len(COLOURS)} added")).first.wait_for(timeout=240_000)
    settle(window)
    window.get_by_role("button", name="Explore").last.click()
    window.wait_for_url(re.compile("collection="))
    settle(window)
    name = re.search("collection=([^&]+)", window.url)[1]
    window.goto(f"{server.url}/search?collection={name}&q=red&k=4")
    window.get_by_text("Show code").wait_for()
    found = shown(window)
    assert len(found["pictures"]) == 4
    open_view(window, f"{server.url}/classify?collection={name}&task=collection")
    assert "Something went wrong" not in shown(window)["text"]
    window.goto(f"{server.url}/search?collection={name}&q=red&k=4")
    window.get_by_text("Show code").wait_for()
    arrive(stranger, window.url)  # who imports on the server's own machine is its operator, and shares with everybody
    stranger.get_by_text("Show code").wait_for()
    assert shown(stranger)["pictures"] == found["pictures"]
