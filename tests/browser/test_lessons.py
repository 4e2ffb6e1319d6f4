"""Lessons in a browser: what was predicted stays on the device, and nowhere else; a clicker leads through them."""

from views import open_view, settle


def test_a_prediction_is_kept_on_the_device(visitor, stranger, server):
    window = open_view(visitor(), f"{server.url}/lessons?lesson=hat")
    assert not window.get_by_text("The page shows:").or_(window.get_by_text("As you predicted:")).count()
    window.locator("[class*=st-key-option-hat-] button").first.click()
    answer = window.get_by_text("The page shows:").or_(window.get_by_text("As you predicted:"))
    answer.wait_for()
    settle(window)
    window.reload()
    answer.wait_for()
    window.get_by_text("1 of ").wait_for()  # as the list counts it
    open_view(stranger, f"{server.url}/lessons?lesson=hat")
    assert stranger.get_by_text("Predict first:").count() and not stranger.get_by_text("The page shows:").count()


def test_a_clicker_leads_through_what_is_presented(visitor, server):
    window = open_view(visitor(), f"{server.url}/lessons?lesson=matrix")
    window.get_by_role("button", name="Share this view").click()
    window.get_by_role("button", name="Present", exact=True).click()
    window.get_by_test_id("stSidebar").wait_for(state="hidden")
    settle(window)
    for key, lesson in (("PageDown", "gap"), ("ArrowRight", "hat"), ("PageUp", "gap")):
        window.keyboard.press(key)
        window.wait_for_url(f"**lesson={lesson}")
        settle(window)
    assert not window.get_by_test_id("stSidebar").is_visible()
    window.keyboard.press("Escape")
    window.get_by_test_id("stSidebar").wait_for()
