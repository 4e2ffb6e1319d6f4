import re

import numpy as np
import pytest
from helpers import (
    captions,
    click,
    cloud,
    errors,
    examples,
    follow,
    open_page,
    pictures,
    scores,
    the_error,
    values,
)
from sklearn.manifold import trustworthiness

from clipexplore import Space, links, pca, place
from clipexplore.projection import inside

SQUARE = "-0.1 -0.1, 0.1 -0.1, 0.1 0.1, -0.1 0.1"


def spots(app) -> dict[str, tuple[float, float]]:
    """Where each picture is drawn."""
    return dict(zip(Space.open().collection.ids, map(tuple, cloud(app)["places"]), strict=True))


def own(app) -> dict[str, tuple[float, float]]:
    """Where each of the visitor's points is drawn."""
    return {label: (x, y) for x, y, label in cloud(app)["marks"]}


def test_the_default_view_is_that_of_the_library():
    app, space = open_page("map"), Space.open()
    embeddings = space.collection.embeddings("emoji", "pictures")
    fit = pca(embeddings, 10)
    drawn = spots(app)
    assert len(drawn) == len(space.collection)
    np.testing.assert_allclose([drawn[id] for id in space.collection.ids], fit.transform(embeddings)[:, :2], atol=1e-4)
    np.testing.assert_allclose(own(app)["hat"], fit.transform(space.point("hat").vector[None])[0, :2], atol=1e-4)
    assert values(app, "map").items() <= links.PAGES["map"].items()
    assert f"{fit.explained_variance_ratio[:2].sum():.1%} of the variance" in captions(app)
    near = pictures(app, "map-near-0")
    assert near and near == [hit.id for hit in space.search(space.point("hat").vector, "pictures", len(near))]


def test_umap_places_pictures_among_their_captions():
    app, space = open_page("map", {"method": "umap", "points": "cat"}), Space.open()
    background = space.background.embeddings("emoji", "captions"), space.background.coordinates("emoji", "umap")
    np.testing.assert_allclose(own(app)["cat"], place(space.point("cat").vector[None], *background)[0], atol=1e-3)
    assert len(spots(app)) == len(space.collection) and not [slider.key for slider in app.slider]


def test_a_link_gives_its_widgets_and_its_result():
    link = {"points": "cat", "color": "place", "x": "3", "y": "1", "region": SQUARE}
    app, space = open_page("map", link), Space.open()
    assert values(app, "map").items() <= {**links.PAGES["map"], **link, "x": 3, "y": 1}.items()
    fit = pca(space.collection.embeddings("emoji", "pictures"), 10)
    drawn = fit.transform(space.collection.embeddings("emoji", "pictures"))[:, [2, 0]]
    rows = inside(drawn, np.array([[-0.1, -0.1], [0.1, -0.1], [0.1, 0.1], [-0.1, 0.1]]))
    expected = {id for id, here in zip(space.collection.ids, rows, strict=True) if here}
    assert app.subheader[0].value == f"{len(expected):,} pictures in the region"
    assert len(pictures(app, "map-region")) == min(48, len(expected)) and set(pictures(app, "map-region")) <= expected
    assert not pictures(app, "map-near-0")


def test_a_picture_as_region_shows_what_is_near_in_the_true_space():
    app, space = open_page("map", {"region": "@penguin"}), Space.open()
    assert pictures(app, "map-region") == [hit.id for hit in space.search(space.point("@penguin").vector, "pictures", 24)]
    cleared = click(app, "Clear the region")
    assert values(cleared, "map")["region"] == "" and pictures(cleared, "map-near-0")


@pytest.mark.parametrize("example", examples("map"), ids=lambda example: example["label"])
def test_examples(example):
    app = click(open_page("map", {"region": "@penguin"}), example["label"])
    shown = values(app, "map")
    assert {**shown, **example["set"]} == shown and not errors(app)
    there = follow(app, "map")
    assert spots(there) == spots(app) and own(there) == own(app)
    assert len(own(app)) == len(example["set"]["points"].split())


@pytest.mark.parametrize("field", ["group", "place", "headwear"])
def test_every_picture_has_a_colour_whatever_the_field(field):
    app, values = open_page("map", {"color": field}), Space.open().collection.fields[field]
    drawn = cloud(app)
    assert len(drawn["colors"]) == len(values) and 2 <= len(drawn["names"]) <= 10
    for number, name in enumerate(drawn["names"]):
        np.testing.assert_array_equal(drawn["colors"] == number, values.astype(object) == name)


@pytest.mark.parametrize(
    ("region", "says"),
    [("1 2", "no polygon"), ("1 2, 3 4", "no polygon"), ("1 2, 3 4, x", "no polygon"), ("inf 0, 1 1, 0 nan", "no polygon"), ("1 2 3, 4 5 6, 7 8 9", "no polygon"),
     ("1e309 0, 1 1, 0 1", "no polygon"), ("@nope", "There is no @nope"), ("@", "Expected an id"), ("@man - @man", "length 0"), ("<script>", "no polygon")],
)  # fmt: skip
def test_what_is_no_region_is_told_and_the_map_stays(region, says):
    app = open_page("map", {"region": region})
    assert says in the_error(app) and len(spots(app)) == len(Space.open().collection)
    assert pictures(click(app, "Clear the region"), "map-near-0") and not errors(app)


@pytest.mark.parametrize(("typed", "says"), [("cat\n@nope", "There is no @nope"), ("cat\ndog - dog", "length 0"), ("cat\n+", "Nothing follows")])
def test_a_point_that_is_none_is_told_and_the_others_are_drawn(typed, says):
    app = open_page("map")
    app.text_area(key="points").set_value(typed).run()
    assert says in the_error(app) and list(own(app)) == ["cat"]


def test_a_map_without_points_of_ones_own():
    app = open_page("map", {"points": " "})
    assert not errors(app) and len(spots(app)) == len(Space.open().collection) and not scores(app)


def test_an_empty_region_shows_the_map_alone():
    app = open_page("map", {"region": "90 90, 91 90, 91 91", "points": "cat"})
    assert not errors(app) and not pictures(app, "map-region")


def test_the_same_component_on_both_axes():
    app = open_page("map", {"x": "2", "y": "2"})
    drawn = np.array(list(spots(app).values()))
    assert np.array_equal(drawn[:, 0], drawn[:, 1])


def test_long_texts_are_cut_at_what_a_link_may_hold():
    app = open_page("map")
    app.text_area(key="points").set_value("cat\n" + "dog " * 2500).run()
    assert not errors(app) and len(values(app, "map")["points"]) <= 2000


def test_a_chosen_picture_is_ringed_and_tied_to_its_true_nearest():
    app, space = open_page("map", {"region": "@penguin"}), Space.open()
    x = space.collection.embeddings("emoji", "pictures")
    row = space.collection.row("penguin")
    drawn = cloud(app)
    nearest = np.argsort(-(x @ x[row]), kind="stable")[1:16]
    assert drawn["chosen"] == row and drawn["region"] is None
    np.testing.assert_allclose(sorted(line[2:] for line in drawn["lines"]), sorted(drawn["places"][nearest].tolist()), atol=1e-5)
    assert "of them are among its 15 nearest" in captions(app)
    assert cloud(open_page("map", {"region": SQUARE}))["region"] == [[-0.1, -0.1], [0.1, -0.1], [0.1, 0.1], [-0.1, 0.1]]


def test_how_far_the_map_can_be_trusted_is_said_and_shown():
    x, app = Space.open().collection.embeddings("emoji", "pictures"), open_page("map", {"color": "trust"})
    assert f"Trustworthiness {trustworthiness(x, cloud(app)['places'], n_neighbors=15, metric='cosine'):.3f}" in captions(app)
    heat = cloud(app)["heat"]
    assert 0 <= heat["low"] < heat["high"] <= 1 and len({*cloud(app)["colors"].tolist()}) > 5


def test_the_shipped_umap_is_trustworthy():
    said = captions(open_page("map", {"method": "umap"}))
    assert float(re.search(r"its trustworthiness is (\d\.\d+)", said)[1]) >= 0.9


def test_a_heat_is_the_cosine_with_an_expression():
    app, space = open_page("map", {"color": "similarity", "heat": "lion + snow"}), Space.open()
    cosines, drawn = space.cosines(space.point("lion + snow").vector, "pictures"), cloud(app)
    assert drawn["heat"]["low"] == pytest.approx(cosines.min(), abs=1e-5) and drawn["heat"]["high"] == pytest.approx(cosines.max(), abs=1e-5)
    np.testing.assert_allclose(drawn["colors"] / 254, (cosines - cosines.min()) / np.ptp(cosines), atol=0.003)
    assert "There is no @nope" in the_error(open_page("map", {"color": "similarity", "heat": "@nope"}))


@pytest.mark.parametrize("by", ["k-means", "hdbscan"])
def test_groups_have_names_of_the_bank(by):
    app = open_page("map", {"color": "groups", "by": by, "groups": "8"})
    assert app.session_state["fit-groups"].wait(120)
    drawn = cloud(app.run())
    assert drawn["names"] and {*drawn["names"]} <= {*Space.open().words.captions} and len({*drawn["names"]}) == len(drawn["names"])
    assert [label for _, _, label in drawn["labels"]] == drawn["names"]
    assert by == "hdbscan" or len(drawn["names"]) == 8


def test_a_fit_of_ones_own_shows_pca_meanwhile_and_repeats_itself():
    link = {"method": "own", "fit": "collection", "n_neighbors": "10", "seed": "3"}
    app = open_page("map", link)
    meanwhile, job = cloud(app)["places"], app.session_state["fit-umap"]
    assert job.wait(200) and job.state == "done", job.error
    drawn, said = cloud(app.run())["places"], captions(app)
    assert not np.allclose(drawn, meanwhile) and "fitted now by torch" in said
    np.testing.assert_array_equal(cloud(open_page("map", link))["places"], drawn)
    x = Space.open().collection.embeddings("emoji", "pictures")
    assert trustworthiness(x, drawn, n_neighbors=15, metric="cosine") > 0.93


@pytest.mark.parametrize("seed", ["inf", "-1", "1e309", "x", "9" * 400])
def test_a_hostile_seed_is_a_seed(seed):
    app = open_page("map", {"method": "own", "seed": seed, "fit": "collection"})
    assert not errors(app) and values(app, "map")["seed"] == 0
    app.button(key="cancel-umap").click().run() if not app.session_state["fit-umap"].wait(0.01) else None


def test_umap_learn_is_selectable_and_its_transform_is_set_beside_ours(monkeypatch):
    def fit(x, query, n_neighbors, min_dist, seed, metric):  # the real one takes a minute; test_projection has it
        plane = pca(x, 2)
        return plane.transform(x), plane.transform(query) + 5

    monkeypatch.setattr("clipexplore.ui.maps.umap_and_transform", fit)
    app = open_page("map", {"method": "own", "fitter": "umap-learn", "fit": "background", "seed": "12345"})
    job = app.session_state["fit-umap"]
    assert job.wait(100) and job.state == "done", job.error
    ours, said = cloud(app.run())["places"], captions(app)
    assert "by umap-learn's transform" in said and not errors(app)
    app.selectbox(key="placing").set_value("transform").run()
    assert not np.allclose(cloud(app)["places"], ours)
