import numpy as np
import pytest
from helpers import (
    captions,
    click,
    errors,
    examples,
    figure,
    figures,
    follow,
    numbers,
    open_page,
    player,
    the_error,
    values,
)

from clipexplore import Space, links, path


def shown(app) -> list[str]:
    """The pictures of the frames, by what they are said to show."""
    return [each.proto.imgs[0].alt for each in app.image if not each.proto.imgs[0].alt.startswith("@")]


def test_the_default_view_is_that_of_the_library():
    app, space = open_page("interpolate"), Space.open()
    stops = np.stack([space.point(f"@{id}").vector for id in ("lion-jungle-07", "lion-snow-07")])
    walk = path(stops, 9, "slerp").points
    curves = figure(app, "curves")["data"]
    for stop, curve in zip(stops, curves, strict=False):
        np.testing.assert_allclose(numbers(curve["y"]), walk @ stop, atol=1e-5)
    np.testing.assert_allclose(numbers(curves[2]["y"]), 1, atol=1e-5)
    assert len(player(app)["way"]) == 9 and values(app, "interpolate") == links.PAGES["interpolate"]
    for vector in walk:
        assert space.search(vector, "captions", 1)[0].caption in captions(app)


def test_a_link_gives_its_widgets_and_its_result():
    link = {"stops": "cat\ndog\nsnow", "frames": "5", "curve": "lerp"}
    app, space = open_page("interpolate", link), Space.open()
    assert values(app, "interpolate") == {**links.PAGES["interpolate"], **link, "frames": 5}
    walk = path(np.stack([space.point(stop).vector for stop in ("cat", "dog", "snow")]), 5, "lerp").points
    np.testing.assert_allclose(numbers(figure(app, "curves")["data"][3]["y"]), np.linalg.norm(walk, axis=1), atol=1e-5)


@pytest.mark.parametrize("example", examples("interpolate"), ids=lambda example: example["label"])
def test_examples(example):
    app = click(open_page("interpolate"), example["label"])
    assert values(app, "interpolate") == {**links.PAGES["interpolate"], **example["set"]} and not errors(app)
    curves = figure(app, "curves")  # the same however much of the walk is drawn by now
    assert figure(follow(app, "interpolate"), "curves") == curves
    assert len(numbers(curves["data"][0]["y"])) == example["set"]["frames"]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "at least 2"),
        ("cat", "at least 2"),
        ("cat\ncat", "at least 2"),
        ("cat\n-cat", "opposite"),
        ("cat\n@nope", "There is no @nope"),
        ("cat\ndog - dog", "length 0"),
        ("cat\ndog +", "Nothing follows"),
    ],
)
def test_stops_that_make_no_path_are_told_and_the_page_stays(typed, says):
    app = open_page("interpolate")
    app.text_area(key="stops").set_value(typed).run()
    assert says in the_error(app) and [slider.key for slider in app.slider] == ["frames"] and not figures(app)
    assert "curves" in figures(app.text_area(key="stops").set_value("cat\ndog").run())


def test_fewer_frames_than_stops_are_as_many_as_stops():
    app = open_page("interpolate", {"stops": "cat\ndog\nsnow\nhat", "frames": "2"})
    assert len(numbers(figure(app, "curves")["data"][0]["y"])) == 4 and not errors(app)
    assert "frames=4" in app.main.code[-1].value


def test_what_a_line_without_meaning_leaves_is_not_drawn():
    """Of three stops two would make a path, but not the one that was meant, and a drawing of it may take long."""
    app = open_page("interpolate", {"stops": "lion\n@nothing-of-that-name\ncat", "frames": "40"})
    assert "There is no @nothing-of-that-name" in the_error(app) and len(player(app)["way"]) == 40
    assert "fit-walk" not in app.session_state and not [each for each in app.button if each.label == "Cancel"]


def test_more_stops_than_allowed_are_said_and_left_out():
    app = open_page("interpolate", {"stops": "\n".join(f"cat + {n / 10}*dog" for n in range(1, 12))})
    assert "only the first 8 are used" in app.warning[0].value and len(figure(app, "curves")["data"]) == 9


def test_long_texts_are_cut_at_what_a_link_may_hold():
    app = open_page("interpolate")
    app.text_area(key="stops").set_value("cat\n" + "dog " * 2500).run()
    assert "curves" in figures(app) and len(values(app, "interpolate")["stops"]) <= 2000
