"""Every page, light and dark, by axe: nothing that keeps somebody out, which it calls serious or critical."""

import pytest
from views import open_view, settle

from clipexplore import links

GRAVE = {"serious", "critical"}
LIGHTNESS = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor.match(/\\d+/)[0]"


@pytest.fixture(scope="session")
def axe():
    """Runs axe on a page; gives what is grave, each with the first element it was found on."""
    base = pytest.importorskip("axe_playwright_python.base", reason="axe-playwright-python is not installed")

    def run(window) -> list[tuple]:
        window.evaluate(base.AXE_SCRIPT)
        found = window.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
        return [(each["id"], each["nodes"][0]["html"][:200]) for each in found if each["impact"] in GRAVE]

    return run


def test_axe_finds_what_is_grave(visitor, server, axe):
    window = open_view(visitor(), f"{server.url}/search")
    window.evaluate("document.querySelector('[data-testid=stMain] h1').outerHTML = '<button></button><img src=x>'")
    assert {"button-name", "image-alt"} <= {name for name, _ in axe(window)}


@pytest.mark.parametrize("page", links.PAGES)
def test_nothing_grave_light_or_dark(visitor, server, axe, page):
    window = open_view(visitor(), f"{server.url}/{'' if page == 'start' else page}")
    assert not axe(window)
    light = int(window.evaluate(LIGHTNESS))
    window.emulate_media(color_scheme="dark")
    window.wait_for_function(f"{LIGHTNESS} < 100")
    settle(window)
    assert light > 200 and not axe(window)
