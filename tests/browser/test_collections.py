"""A drop in a real browser: progress, cancel, going on, and the first search in what came of it."""

import re
import zipfile

import pytest
from fixtures_imports import jpeg
from views import settle, shown


@pytest.mark.timeout(900)
def test_a_drop_is_cancelled_goes_on_and_is_explored(visitor, server, tmp_path):
    with zipfile.ZipFile(tmp_path / "birds.zip", "w") as archive:
        for number in range(520):
            archive.writestr(f"p{number}.jpg", jpeg(number))
    window = visitor()
    window.goto(f"{server.url}/collections")
    window.get_by_text("Show code").wait_for()
    settle(window)
    if not window.get_by_test_id("stFileUploaderDropzone").first.is_visible():
        window.get_by_text("Add pictures, captions or vectors").click()
    window.locator("input[type=file]").first.set_input_files(tmp_path / "birds.zip")
    window.get_by_text("birds.zip").wait_for()
    window.get_by_role("button", name="Import").click()
    card = window.get_by_text(re.compile(r"\d+ of 520"))
    card.first.wait_for()
    window.get_by_role("button", name="Cancel").first.click()
    window.get_by_text("Stopped; what was done is kept.").wait_for()
    window.get_by_role("button", name="Continue").first.click()
    window.get_by_text(re.compile("there already")).wait_for(timeout=240_000)
    done = window.get_by_text(re.compile(r"[\d,]+ added.*there already")).first.inner_text()
    added, known = (int(found.replace(",", "")) for found in re.findall(r"([\d,]+) (?:added|there already)", done))
    assert added + known == 520 and known % 256 == 0, "what was stored is not embedded again"
    settle(window)
    window.get_by_role("button", name="Explore").last.click()
    window.wait_for_url(re.compile("collection="))
    settle(window)
    window.goto(f"{server.url}/search?collection={re.search('collection=([^&]+)', window.url)[1]}&q=%40p7")
    window.get_by_text("Show code").wait_for()
    assert len(shown(window)["pictures"]) >= 24
