"""A drawn walk in a real browser: frames arrive, the film plays, the scrubber and the plane move it."""

import pytest
from fixtures_drawing import build_drawing_assets

from clipexplore.settings import settings


@pytest.fixture(scope="module")
def drawing_server(new_server, tmp_path_factory):
    return new_server(
        CLIPEXPLORE_ASSETS=str(build_drawing_assets(tmp_path_factory.mktemp("assets") / "assets", settings().assets))
    )


def test_a_walk_arrives_and_plays(drawing_server, visitor):
    page = visitor()
    page.goto(f"{drawing_server.url}/interpolate?frames=5&num_inference_steps=8")
    nearest = page.locator(".screens figcaption", has_text="nearest pictures")
    nearest.wait_for()  # there before anything is drawn
    page.locator(".screens figcaption", has_text="slerp").wait_for()
    page.get_by_role("button", name="WebP").wait_for()
    image, said = page.locator(".screens img"), page.locator(".controls output")
    first = image.get_attribute("src")
    assert first.startswith("data:image/webp") and said.inner_text().startswith("1 ·")
    page.locator(".plane canvas").press("ArrowRight")
    assert said.inner_text().startswith("2 ·") and image.get_attribute("src") != first
    page.locator(".controls input").fill("4")
    assert said.inner_text().startswith("5 ·")
    page.locator(".controls .play").click()
    page.wait_for_function("element => !element.innerText.startsWith('5 ·')", arg=said.element_handle())
    page.locator(".controls .play").click()
    stopped = said.inner_text()
    page.wait_for_timeout(600)
    assert said.inner_text() == stopped
