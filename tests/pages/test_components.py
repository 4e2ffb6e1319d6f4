"""The page that takes principal components apart."""

import numpy as np
import pytest
from helpers import captions, click, errors, figure, follow, numbers, open_page, values

from clipexplore.space import Space
from clipexplore.ui.progress import lane

PARTS = ("spectrum", "plane", "walk", "fingerprint", "distances", "solvers")


def test_the_spectrum_is_that_of_the_singular_values():
    app = open_page("components")
    x = Space.open().collection.embeddings("emoji", "pictures").astype(np.float64)
    squares = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    bars, running = figure(app, "spectrum")["data"]
    np.testing.assert_allclose(numbers(bars["y"]), (squares / squares.sum())[:100], atol=1e-6)
    np.testing.assert_allclose(numbers(running["y"]), (squares / squares.sum()).cumsum()[:100], atol=1e-6)
    line, dots = figure(app, "lost")["data"]
    np.testing.assert_allclose(numbers(dots["y"]), numbers(line["y"]), atol=1e-5 * squares.sum())
    assert "differ by at most" in captions(app)


@pytest.mark.parametrize("of", ["pictures", "captions", "both", "words"])
@pytest.mark.parametrize("part", PARTS[:-1])
def test_every_cloud_can_be_looked_at_in_every_way(of, part):
    app = open_page("components", {"of": of, "part": part})
    assert not errors(app) and values(app, "components")["of"] == of


def test_the_gap_is_flagged_where_pictures_and_captions_are_together():
    assert not open_page("components").info
    assert "modality gap" in open_page("components", {"of": "both"}).info[0].value


def test_switches_and_axes_are_in_the_link():
    app = open_page("components", {"part": "plane", "center": "false", "standardize": "true", "x": "4", "y": "9"})
    assert not errors(app)
    assert figure(follow(app, "components"), "plane") == figure(app, "plane")
    app.toggle(key="solid").set_value(True).run()
    assert {trace["type"] for trace in figure(app, "plane-3d")["data"]} == {"scatter3d"}


def test_a_fingerprint_is_the_point_in_other_axes():
    app = open_page("components", {"part": "fingerprint", "q": "@lion-jungle-07"})
    here = Space.open()
    pictures = here.collection.embeddings("emoji", "pictures")
    z = numbers(figure(app, "fingerprint")["data"][0]["y"])
    point = pictures[here.collection.row("lion-jungle-07")] - pictures.mean(axis=0)
    assert len(z) == 60 and np.linalg.norm(z) <= np.linalg.norm(point) + 1e-5
    assert numbers(figure(app, "faithful")["data"][0]["y"])[-1] == pytest.approx(1, abs=1e-4)
    assert errors(open_page("components", {"part": "fingerprint", "q": "@nope"}))


def test_solvers_race_on_the_fit_lane_and_agree():
    app = open_page("components", {"part": "solvers"})
    job = app.session_state["fit-solvers"]
    assert job.wait(120) and job.state == "done", job.error
    table = app.run().table[0].value
    assert len(table) == 4 and (table.iloc[:, 2].astype(float) > 0.999).all() and not errors(app)


def test_a_stopped_fit_can_be_started_again():
    blocker = lane("quick").submit(lambda job: __import__("time").sleep(1.5))
    app = open_page("components", {"part": "solvers", "rank": "7"})
    app.button(key="cancel-solvers").click().run()
    assert "stopped" in app.warning[0].value
    click(app, "Start again")
    job = app.session_state["fit-solvers"]
    assert job.wait(120) and blocker.wait(1) and job.state == "done"
