"""What the browser tests share: waiting until a page has settled, and reading what it shows."""

import re

# The server has answered, what its widgets are drawn by has been fetched, and nothing on the page has changed for a
# third of a second.
STILL = """() => {
  if (!window.watching) {
    window.watching = new MutationObserver(() => (window.changed = performance.now()));
    window.watching.observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true });
  }
  const app = document.querySelector("[data-testid=stApp]")?.dataset ?? {};
  const done = app.testScriptState === "notRunning" && app.testConnectionState === "CONNECTED"
    && !document.querySelector("[data-testid=stSkeleton]") && [...document.images].every((each) => each.complete);
  window.changed = done ? (window.changed ?? performance.now()) : undefined;
  return done && performance.now() - window.changed > 300;
}"""

# The server has taken what was sent before: on a busy machine it may take longer than the page must be still. A server
# that is gone takes nothing.
HEARD = """async () => {
  await fetch(new URL("/_stcore/health", location)).catch(() => {});
  window.changed = performance.now();
}"""

# Everything a visitor sees of the page's own part: texts, pictures by their address, charts by their labels, and what
# the widgets are set to.
SHOWN = """() => {
  const main = document.querySelector("[data-testid=stMain]"), all = (what) => [...main.querySelectorAll(what)];
  return {
    text: main.innerText.replace(/\\s+/g, " "),
    pictures: all("[data-testid=stImage] img, .gallery img").map((each) => new URL(each.src).pathname),
    bars: all(":is(.js-plotly-plot, .bars) text").map((each) => each.textContent),
    typed: all("input[type=text], textarea").map((each) => each.value),
    chosen: all("[aria-checked=true], [aria-pressed=true], [kind=segmented_controlActive]")
      .map((each) => each.innerText),
    sliders: all("[role=slider]").map((each) => each.getAttribute("aria-valuenow")),
  };
}"""

DONE = "() => !document.querySelector('[data-testid=stProgress]')"  # nothing is being drawn or computed any more
MISSING = (
    "() => [...document.images].filter((each) => each.complete && each.src && "
    "!each.naturalWidth).map((each) => each.src)"
)


def settle(page) -> None:
    """Until what was done has reached the server, and its answer the page."""
    page.evaluate(HEARD)
    page.wait_for_function(STILL)


def open_view(page, address: str):
    """Goes to an address and waits for the last thing a page draws."""
    arrive(page, address)
    page.get_by_text("Show code").or_(page.get_by_text("Something went wrong")).first.wait_for()
    settle(page)
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
    page.wait_for_function(DONE, timeout=120_000)
    settle(page)
    assert not page.evaluate(MISSING), "a picture on screen is missing"
    return page.evaluate(SHOWN)


def comes_to_show(page, expected: dict) -> dict:
    """What a page shows, as soon as it is what was expected; else what it shows after a while."""
    for _ in range(20):
        if (view := shown(page)) == expected:
            break
        page.wait_for_timeout(250)
    return view


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
    page.wait_for_timeout(300)  # a slider waits for more
    settle(page)


def shared_link(page) -> str:
    """The link in the share box."""
    page.get_by_role("button", name=re.compile("Share this view")).click()
    box = page.get_by_test_id("stPopoverBody").get_by_test_id("stCode")
    box.wait_for()
    settle(page)  # what opens is of the run before
    link = box.inner_text().strip()
    page.keyboard.press("Escape")
    return link
