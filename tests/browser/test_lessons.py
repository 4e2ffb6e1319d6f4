"""Lessons in a browser: what was predicted stays on the device, and nowhere else."""

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
