from io import BytesIO

import numpy as np
import pytest
from helpers import (
    buttons,
    captions,
    click,
    errors,
    examples,
    figure,
    figures,
    follow,
    numbers,
    open_page,
    the_error,
    unescaped,
    values,
)
from PIL import Image

from clipexplore import Space, links
from clipexplore.errors import MissingError
from clipexplore.explore.gap import gap
from clipexplore.labs.contrast import match_pairs, recall_at
from clipexplore.models import catalog
from clipexplore.models.catalog import Model
from clipexplore.models.families import Scale

FIGURES = ["match-matrix", "match-clouds", "match-curves"]


def matrix(app) -> np.ndarray:
    shown = figure(app, "match-matrix")["data"][0]["z"]
    return (
        numbers(shown).reshape([int(n) for n in shown["shape"].split(",")])
        if isinstance(shown, dict)
        else np.array(shown)
    )


def metrics(app) -> dict[str, str]:
    return {each.label: each.value for each in app.metric}


def test_the_default_view_is_that_of_the_library():
    app, space = open_page("match"), Space.open()
    assert figures(app) == FIGURES and not errors(app)
    assert values(app, "match") == links.PAGES["match"]
    cosines = matrix(app)
    assert cosines.shape == (12, 12)
    hover = figure(app, "match-matrix")["data"][0]["customdata"]
    ids = [row[0].split("<br>")[0][1:] for row in hover]
    rows = [space.collection.row(id) for id in ids]
    images, texts = (space.collection.embeddings("emoji", kind)[rows] for kind in ("pictures", "captions"))
    found = match_pairs(images, texts, space.model.logit_scale)
    np.testing.assert_allclose(cosines, found.cosines, atol=1e-5)
    assert metrics(app)["loss"] == f"{found.loss:.3f}" or f"{found.loss:.3f}" in [each.value for each in app.metric]
    assert metrics(app)["chance, ln 12"] == f"{np.log(12):.3f}"


def test_swapping_breaks_the_loss_and_the_gradient_wants_it_back():
    whole, broken = open_page("match"), open_page("match", {"swap": "100", "show": "gradient"})
    assert float(broken.metric[0].value) > float(broken.metric[1].value) > float(whole.metric[0].value)
    gradient = matrix(broken)
    assert (np.diag(gradient) < 0).all() and gradient.sum() == pytest.approx(0, abs=1e-6)
    assert any("Pull together" in each.value for each in broken.markdown)


def test_probabilities_add_up_both_ways():
    np.testing.assert_allclose(matrix(open_page("match", {"show": "by picture"})).sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(matrix(open_page("match", {"show": "by caption"})).sum(0), 1, rtol=1e-5)


def test_own_pairs_and_their_scale():
    link = {"image": "@lion\n@penguin", "captions": "a lion\na penguin", "logit_scale": "1.0"}
    app = open_page("match", link)
    assert values(app, "match") == links.PAGES["match"] | link | {"logit_scale": 1.0}
    space = Space.open()
    images = np.stack([space.point(f"@{id}").vector for id in ("lion", "penguin")])
    assert float(app.metric[0].value) == pytest.approx(
        match_pairs(images, space.embed_texts(["a lion", "a penguin"]), 1).loss, abs=6e-4
    )


def test_lengths_count_only_without_normalising():
    link = {"image": "@lion\n@penguin", "captions": "lion + a lion\na penguin"}
    by_cosine, by_dot = (matrix(open_page("match", link | {"dot": dot})) for dot in ("false", "true"))
    assert by_dot[0, 0] > by_cosine[0, 0] * 1.2
    assert by_dot[1, 1] == pytest.approx(by_cosine[1, 1], abs=1e-5)


def test_without_normalising_the_model_s_own_lengths_count():
    app, space = open_page("match", {"dot": "true", "n": "30"}), Space.open()
    assert not errors(app)
    hover = figure(app, "match-matrix")["data"][0]["customdata"]
    rows = [space.collection.row(row[0].split("<br>")[0][1:]) for row in hover]
    long = []
    for kind in ("pictures", "captions"):
        lengths = space.collection.lengths("emoji", kind)[rows]
        long.append(space.collection.embeddings("emoji", kind)[rows] * (lengths / lengths.mean())[:, None])
    np.testing.assert_allclose(matrix(app), long[0] @ long[1].T, atol=1e-5)
    by_cosine = matrix(open_page("match", {"n": "30"}))
    said = unescaped(app.info[0].value)
    assert (
        f"from {recall_at(by_cosine, 1):.0%} to {recall_at(long[0] @ long[1].T, 1):.0%} from picture to caption" in said
    )
    longest = np.linalg.norm(long[1], axis=1).argmax()
    assert space.collection.captions[rows[longest]] in said and "dot product" in hover[0][0]
    assert (
        f"is first for {((long[0] @ long[1].T).argmax(1) == longest).sum()} of 30 pictures; by cosine "
        f"for {(by_cosine.argmax(1) == longest).sum()}" in said
    )


def test_lengths_that_are_not_known_are_not_made_up():
    app = open_page(
        "match", {"image": "@lion\n@penguin", "captions": "a lion\nsomething nobody has embedded", "dot": "true"}
    )
    assert "are not known for all of these" in app.info[0].value
    np.testing.assert_allclose(
        matrix(app),
        matrix(open_page("match", {"image": "@lion\n@penguin", "captions": "a lion\nsomething nobody has embedded"})),
        atol=1e-6,
    )


def test_closing_the_gap_mixes_the_kinds():
    as_is, closed = open_page("match"), open_page("match", {"closed": "100"})
    gap, mixed = (
        [each.value for each in app.metric if each.label in ("gap", "pictures in a caption’s top ten")]
        for app in (as_is, closed)
    )
    assert float(mixed[0]) < float(gap[0]) / 3 and float(mixed[1][:-1]) >= float(gap[1][:-1])
    assert "500 pairs" in captions(as_is)


@pytest.mark.parametrize("example", examples("match"), ids=lambda example: example["label"])
def test_examples(example):
    app = click(open_page("match"), example["label"])
    assert values(app, "match") == example["set"] and not errors(app) and figures(app) == FIGURES
    np.testing.assert_allclose(matrix(follow(app, "match")), matrix(app))


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ({"image": "@lion\n@man", "captions": "lion"}, "one caption for each picture"),
        ({"captions": "lion"}, "one caption for each picture"),
        ({"image": "@lion", "captions": "lion"}, "at least two pairs"),
    ],
)
def test_what_makes_no_batch_is_told(link, says):
    assert says in the_error(open_page("match", link))


def test_a_line_that_names_nothing_is_told():
    assert any(
        "@nope" in each for each in errors(open_page("match", {"image": "@lion\n@nope", "captions": "lion\ncat"}))
    )


def test_an_uploaded_picture_becomes_one_more_of_the_pairs():
    app = open_page("match", {"image": "@lion", "captions": "a lion\na red square"})
    file = BytesIO()
    Image.new("RGB", (40, 40), (200, 30, 30)).save(file, "PNG")
    app.file_uploader(key="files").upload("square.png", file.getvalue(), "image/png").run()
    (use,) = buttons(app, "use-up-")
    use.click().run()
    assert values(app, "match")["image"] == f"@lion\n@{use.key.removeprefix('use-')}" and not errors(app)
    assert matrix(app).shape == (2, 2)


def test_a_model_trained_with_a_sigmoid_is_matched_by_its_own_loss(monkeypatch):
    monkeypatch.setattr(Model, "scale", property(lambda model: Scale(40.0, -8.0)))
    app, space = open_page("match", {"show": "probabilities"}), Space.open()
    hover = figure(app, "match-matrix")["data"][0]["customdata"]
    rows = [space.collection.row(row[0].split("<br>")[0][1:]) for row in hover]
    images, texts = (space.collection.embeddings("emoji", kind)[rows] for kind in ("pictures", "captions"))
    found = match_pairs(images, texts, 40, logit_bias=-8)
    np.testing.assert_allclose(matrix(app), found.image_probs, atol=1e-5)
    written = {text for row in figure(app, "match-matrix")["data"][0]["text"] for text in row}
    assert max(map(len, written)) == 3 and all(text == "1" or text[0] == "." for text in written)
    assert (figure(app, "match-matrix")["data"][0]["zmin"], figure(app, "match-matrix")["data"][0]["zmax"]) == (0, 1)
    assert f"probability {found.image_probs[0, 0]:.1%}" in hover[0][0] and "by picture" not in hover[0][0]
    assert metrics(app)["loss"] == f"{gap(space).loss:.3f}", "of the gap's own pairs, below"
    assert app.metric[0].value == f"{found.loss:.3f}"
    assert metrics(app)["chance, 1/12 for each pair"] == f"{found.chance:.3f}"
    assert f"right pairs cost {found.matched_loss:.3f}" in captions(app) and not errors(app)
    many = open_page("match", {"n": "60", "show": "gradient"})
    template = figure(many, "match-matrix")["data"][0]["hovertemplate"]
    assert "probability %{customdata[1]:.1%}" in template and "gradient %{customdata[2]:+.2g}" in template


def test_a_link_to_a_matrix_that_a_sigmoid_does_not_have_shows_cosines(monkeypatch):
    monkeypatch.setattr(Model, "scale", property(lambda model: Scale(40.0, -8.0)))
    app = open_page("match", {"show": "by picture"})
    assert values(app, "match")["show"] == "cosines" and not errors(app)


def test_the_scale_says_whose_it_is(monkeypatch):
    def placeholder():
        return open_page("match").number_input(key="logit_scale").proto.placeholder

    assert placeholder() == f"own: {Space.open().scale.logit_scale:.1f}"
    monkeypatch.setattr(Model, "scale", property(lambda model: Scale(197.4, learned=False)))
    assert placeholder() == "197.4, configured"


def test_a_scale_that_nobody_knows_is_said(monkeypatch):
    def missing(model):
        raise MissingError("not here")

    monkeypatch.setattr(Model, "scale", property(missing))
    monkeypatch.setattr(Space, "can_embed", False)
    app = open_page("match")
    assert app.number_input(key="logit_scale").proto.placeholder == "not known, 100"
    assert any("OpenAI’s models, 100, stands in for it" in each.value for each in app.caption)
    monkeypatch.setattr(Space, "_said_to_be", catalog.get("siglip2-b16"))
    app = open_page("match")
    assert any("10 and -10, from which the training of a sigmoid starts" in each.value for each in app.caption)
    assert not errors(app)
