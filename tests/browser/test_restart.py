"""A fresh server is asked for a page in the middle first, is killed, and comes back: nobody loses what is on screen."""

import pytest
from views import comes_to_show, open_view, shown, write


@pytest.fixture(scope="module")
def fresh(new_server):
    return new_server()


def test_the_first_request_of_a_server_is_a_deep_link(visitor, fresh):
    window = open_view(visitor(), f"{fresh.url}/search?q=rain&k=5")
    assert window.get_by_label("Expression", exact=True).input_value() == "rain"
    assert len(shown(window)["pictures"]) == 5 and window.locator("h1").inner_text() == "Search"
    assert window.get_by_test_id("stSidebar").get_by_text("Share this view").count()


def test_a_killed_server_comes_back_under_five_open_pages(visitor, fresh, watched):
    watched.forgiven = ("console:",)  # on which a page tells that its server is gone
    links = (
        "search?k=5",
        "arithmetic?bank=captions",
        "map?points=cat",
        "interpolate?frames=5",
        "classify?class_names=lion%0Acat",
    )
    windows = [open_view(visitor(), f"{fresh.url}/{link}") for link in links]
    search = windows[0]
    write(search, "Expression", "cat + crown")
    before = [shown(window) for window in windows]
    fresh.kill()
    search.wait_for_selector("[data-testid=stApp]:not([data-test-connection-state=CONNECTED])")
    fresh.start()
    for window in windows:
        window.wait_for_selector("[data-testid=stApp][data-test-connection-state=CONNECTED]", timeout=20_000)
    assert [comes_to_show(*each) for each in zip(windows, before, strict=True)] == before
    write(search, "Expression", "dog + crown")
    assert shown(search)["pictures"] != before[0]["pictures"]
