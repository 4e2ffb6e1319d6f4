"""What a browser says it has kept: anything may come."""

import pytest

from clipexplore.ui import browser, lessons


@pytest.fixture
def state(monkeypatch):
    state = {"visitor": "somebody"}
    monkeypatch.setattr(lessons.st, "session_state", state)
    return state


def sent(state, kept):
    state["on-device"] = {"kept": kept}
    browser._tell("on-device", "kept", lessons._take)


def test_a_device_is_known_by_the_name_it_gave_itself(state):
    assert lessons.device() == "somebody"
    sent(state, {"device": "1-2-3", "predictions": {"hat": 1}})
    assert lessons.device() == "1-2-3" and lessons.predictions() == {"hat": 1}


def test_what_was_predicted_now_wins_over_what_was_kept(state):
    lessons.predictions()["hat"] = 2
    sent(state, {"device": "1", "predictions": {"hat": 0, "gap": 1}})
    assert lessons.predictions() == {"hat": 2, "gap": 1}


@pytest.mark.parametrize(
    "kept", [None, {}, {"device": 3, "predictions": {}}, {"device": "1"}, {"device": "1", "predictions": [1]}]
)
def test_what_is_no_answer_is_left_alone(state, kept):
    sent(state, kept)
    assert lessons.device() == "somebody" and lessons.predictions() == {}


def test_only_numbers_are_predictions_and_names_are_short(state):
    sent(state, {"device": "x" * 1000, "predictions": {"hat": "1", "gap": True, "pca": 0}})
    assert lessons.predictions() == {"pca": 0} and len(lessons.device()) == 64
