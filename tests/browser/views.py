"""What the browser tests share: waiting until a page has settled, and reading what it shows."""

import re

# The server has answered and the page has been still for a quarter of a second.
STILL = """() => {
  const app = document.querySelector("[data-testid=stApp]")?.dataset ?? {};
  const still = app.testScriptState === "notRunning" && app.testConnectionState === "CONNECTED";
  window.stillSince = still ? (window.stillSince ?? performance.now()) : undefined;
  return still && performance.now() - window.stillSince > 250;
}"""

# Everything a visitor sees of the page's own part: texts, pictures by their address, charts by their labels, and what the widgets are set to.
SHOWN = """() => {
  const main = document.querySelector("[data-testid=stMain]"), all = (what) => [...main.querySelectorAll(what)];
  return {
    text: main.innerText.replace(/\\s+/g, " "),
    pictures: all("[data-testid=stImage] img").map((each) => new URL(each.src).pathname),
    bars: all(".js-plotly-plot text").map((each) => each.textContent),
    typed: all("input[type=text], textarea").map((each) => each.value),
    chosen: all("[aria-checked=true], [aria-pressed=true], [kind=segmented_controlActive]").map((each) => each.innerText),
    sliders: all("[role=slider]").map((each) => each.getAttribute("aria-valuenow")),
  };
}"""


def settle(page) -> None:
    """Until what was done has reached the server, and its answer the page."""
    page.wait_for_timeout(100)
    page.evaluate("window.stillSince = undefined")
    page.wait_for_function(STILL)


def open_view(page, address: str):
    """Goes to an address and waits for the last thing a page draws."""
    arrive(page, address)
    assert page.get_by_text("Show code").count(), page.get_by_test_id("stMain").inner_text()
    return page


def arrive(page, address: str):
    """Goes to an address whose page may end with an error, and waits until it is still."""
    page.goto(address)
    page.get_by_role("heading", level=1).or_(page.get_by_test_id("stException")).first.wait_for()
    settle(page)
    return page


def shown(page) -> dict:
    settle(page)
    return page.evaluate(SHOWN)


def query(page) -> str:
    """What stands behind the address of the page."""
    return page.url.partition("?")[2]


def write(page, label: str, typed: str) -> None:
    """Types into the field with that label, and leaves it."""
    field = page.get_by_label(label, exact=True)
    field.fill(typed)
    field.press("Control+Enter" if field.evaluate("each => each.tagName") == "TEXTAREA" else "Enter")
    field.blur()  # a field in focus counts its characters
    settle(page)


def choose(page, option: str) -> None:
    """Presses one of the options of a segmented control."""
    page.get_by_test_id("stButtonGroup").get_by_text(option, exact=True).click()
    settle(page)


def slide(page, label: str, steps: int) -> None:
    """Moves a slider by some steps with the keyboard."""
    handle = page.get_by_role("slider", name=label)
    handle.focus()
    for _ in range(abs(steps)):
        handle.press("ArrowRight" if steps > 0 else "ArrowLeft")
    settle(page)


def shared_link(page) -> str:
    """The link in the share box."""
    page.get_by_role("button", name=re.compile("Share this view")).click()
    box = page.get_by_test_id("stPopoverBody").get_by_test_id("stCode")
    box.wait_for()
    link = box.inner_text().strip()
    page.keyboard.press("Escape")
    return link
