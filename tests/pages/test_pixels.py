"""The page that sets pixels beside CLIP."""

import re

import numpy as np
import pytest
from helpers import errors, examples, figure, figures, markdown, numbers, open_page, the_error, values
from sklearn.decomposition import PCA

from clipexplore import Space
from clipexplore.labs.pixels import digits


def fitted(link: dict | None = None):
    """The page with what it fits done."""
    app = open_page("pixels", link)
    job = app.session_state["fit-pixels"]
    assert job.wait(200) and job.state == "done", job.error
    return app.run()


def test_the_default_view_has_both_spaces():
    app = fitted()
    assert not errors(app) and [each.value for each in app.subheader] == [
        "As pixels",
        "As CLIP sees it",
        "Components are pictures",
    ]
    assert len(figure(app, "pixel-fingerprint")["data"]) == len(figure(app, "pixel-spectra")["data"]) == 2
    clip = Space.open().collection.embeddings("emoji", "pictures").astype(np.float64)
    squares = np.linalg.svd(clip - clip.mean(axis=0), compute_uv=False) ** 2
    np.testing.assert_allclose(
        numbers(figure(app, "pixel-spectra")["data"][1]["y"]), (squares / squares.sum()).cumsum()[:100], atol=1e-5
    )


def test_digits_are_rebuilt_as_scikit_learn_does():
    app = fitted({"source": "digits", "digit": "100", "rank": "12"})
    x, _ = digits()
    fit = PCA(12, svd_solver="full").fit(x.astype(np.float64))
    rebuilt = fit.inverse_transform(fit.transform(x[100:101]))[0]
    said = re.search(r"error (\d+\.\d) grey levels", markdown(app))
    assert float(said[1]) == pytest.approx(np.sqrt(((x[100] - rebuilt) ** 2).mean()) * 255, abs=0.15)
    np.testing.assert_allclose(
        numbers(figure(app, "pixel-spectra")["data"][0]["y"])[:12], fit.explained_variance_ratio_.cumsum(), atol=1e-3
    )


@pytest.mark.parametrize("example", examples("pixels"), ids=lambda example: example["label"])
def test_examples(example):
    app = fitted(example["set"])
    shown = values(app, "pixels")
    assert {**shown, **example["set"]} == shown and not errors(app) and len(figures(app)) == 2


@pytest.mark.parametrize("typed", ["@nope", "", "lion", "@../../x", "@up-000000000000"])
def test_what_is_no_picture_is_told(typed):
    app = fitted({"picture": typed})
    assert the_error(app) and app.text_input(key="picture") and not figures(app)
