import html
import re
import time
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from helpers import (
    captions,
    click,
    cloud,
    errors,
    examples,
    figure,
    follow,
    numbers,
    open_page,
    pictures,
    scores,
    the_error,
    values,
)
from sklearn.manifold import trustworthiness

from clipexplore import Space, links, pca, place
from clipexplore.explore.map import lay_out
from clipexplore.maps import reference
from clipexplore.maps.place import inside
from clipexplore.ui import maps
from clipexplore.ui.maps import layout_csv

SQUARE = "-0.1 -0.1, 0.1 -0.1, 0.1 0.1, -0.1 0.1"


def spots(app) -> dict[str, tuple[float, float]]:
    """Where each picture is drawn."""
    drawn, ids = cloud(app), Space.open().collection.ids
    rows = range(len(ids)) if drawn["rows"] is None else drawn["rows"]
    return dict(zip([ids[row] for row in rows], map(tuple, drawn["places"]), strict=True))


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
    assert pictures(app, "map-region") == [
        hit.id for hit in space.search(space.point("@penguin").vector, "pictures", 24)
    ]
    cleared = click(app, "Clear the region")
    assert values(cleared, "map")["region"] == "" and pictures(cleared, "map-near-0")


@pytest.mark.parametrize("example", examples("map"), ids=lambda example: example["label"])
def test_examples(example):
    app = click(open_page("map", {"region": "@penguin"}), example["label"])
    shown = values(app, "map")
    assert {**shown, **example["set"]} == shown and not errors(app)
    there = follow(app, "map")
    if example["set"].get("solid"):
        assert figure(there, "solid-map") == figure(app, "solid-map")
        return
    assert spots(there) == spots(app) and own(there) == own(app)
    assert len(own(app)) == len(example["set"]["points"].split())


def test_three_dimensions_are_those_of_the_library():
    """The third is the first component on neither of the other axes; what is said of the map is about all three."""
    app, space = (
        open_page("map", {"solid": "true", "x": "2", "y": "4", "points": "cat", "color": "group"}),
        Space.open(),
    )
    x, traces = space.collection.embeddings("emoji", "pictures"), figure(app, "solid-map")["data"]
    fit = pca(x, 4)
    expected, kinds = fit.transform(x)[:, [1, 3, 0]], [trace for trace in traces if trace["name"] != "your points"]
    drawn = np.concatenate([np.stack([numbers(trace[axis]) for axis in "xyz"], axis=1) for trace in kinds])
    np.testing.assert_allclose(drawn[np.lexsort(drawn.T)], expected[np.lexsort(expected.T)], atol=1e-4)
    assert {html.unescape(trace["name"]): len(trace["text"]) for trace in kinds} == space.collection.fields[
        "group"
    ].value_counts().to_dict()
    (mine,) = [trace for trace in traces if trace["name"] == "your points"]
    np.testing.assert_allclose(
        [numbers(mine[axis])[0] for axis in "xyz"],
        fit.transform(space.point("cat").vector[None])[0, [1, 3, 0]],
        atol=1e-4,
    )
    assert f"{fit.explained_variance_ratio[[0, 1, 3]].sum():.1%} of the variance" in captions(app)
    assert f"Trustworthiness {trustworthiness(x, expected, n_neighbors=15, metric='cosine'):.3f}" in captions(app)


@pytest.mark.parametrize("field", ["group", "place", "headwear"])
def test_every_picture_has_a_colour_whatever_the_field(field):
    app, values = open_page("map", {"color": field}), Space.open().collection.fields[field]
    drawn = cloud(app)
    assert len(drawn["colors"]) == len(values) and 2 <= len(drawn["names"]) <= 10
    for number, name in enumerate(drawn["names"]):
        np.testing.assert_array_equal(drawn["colors"] == number, values.astype(object) == name)


@pytest.mark.parametrize(
    ("region", "says"),
    [
        ("1 2", "not a polygon"),
        ("1 2, 3 4", "not a polygon"),
        ("1 2, 3 4, x", "not a polygon"),
        ("inf 0, 1 1, 0 nan", "not a polygon"),
        ("1 2 3, 4 5 6, 7 8 9", "not a polygon"),
        ("1e309 0, 1 1, 0 1", "not a polygon"),
        ("@nope", "There is no @nope"),
        ("@", "Expected an id"),
        ("@man - @man", "length 0"),
        ("<script>", "not a polygon"),
    ],
)
def test_what_is_no_region_is_told_and_the_map_stays(region, says):
    app = open_page("map", {"region": region})
    assert says in the_error(app) and len(spots(app)) == len(Space.open().collection)
    assert pictures(click(app, "Clear the region"), "map-near-0") and not errors(app)


@pytest.mark.parametrize(
    ("typed", "says"),
    [("cat\n@nope", "There is no @nope"), ("cat\ndog - dog", "length 0"), ("cat\n+", "Nothing follows")],
)
def test_a_point_that_is_none_is_told_and_the_others_are_drawn(typed, says):
    app = open_page("map")
    app.text_area(key="points").set_value(typed).run()
    assert says in the_error(app) and list(own(app)) == ["cat"]


def test_of_very_many_points_those_in_sight_are_drawn(monkeypatch):
    monkeypatch.setattr(maps, "MOST_DRAWN", 1_000)
    app = open_page("map", {"points": " "})
    whole = spots(app)
    assert 500 < len(whole) <= 1_000 and f"{len(whole):,} of 2,626 points are drawn" in captions(app)
    bounds = cloud(app)["bounds"]
    x, y = np.median([*whole.values()], axis=0)
    collection, axes = Space.open().collection, cloud(app)["axes"]
    sight = [x - 0.05, x + 0.05, y - 0.05, y + 0.05]
    app.session_state[maps.SIGHT] = {(collection.name, collection.version, *axes): sight}
    closer = spots(app.run())
    layout = lay_out(Space.open()).coordinates
    inside = ((layout >= [sight[0], sight[2]]) & (layout <= [sight[1], sight[3]])).all(axis=1)
    assert 0 < inside.sum() <= 900 and {collection.ids[row] for row in np.flatnonzero(inside)} <= closer.keys()
    assert cloud(app)["bounds"] == bounds and len(closer) <= 1_000


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


def test_a_filtered_map_holds_the_right_pictures_and_only_those():
    """Every point has the place and the colour that it has on the whole map, and the row that a click on it answers."""
    whole, space = cloud(open_page("map", {"method": "umap", "color": "place"})), Space.open()
    app = open_page(
        "map",
        {
            "method": "umap",
            "color": "place",
            "facet": "place",
            "only": ["snow", "jungle"],
            "like": "lion",
            "least": "0.3",
        },
    )
    drawn, collection = cloud(app), space.collection
    cosines = space.cosines(space.point("lion").vector, "pictures")
    expected = [
        row
        for row in range(len(collection))
        if collection.fields["place"][row] in ("snow", "jungle") and cosines[row] >= 0.3
    ]
    assert drawn["rows"].tolist() == expected and 0 < len(expected) < 100
    for part in ("places", "colors"):
        np.testing.assert_array_equal(drawn[part], whole[part][drawn["rows"]])
    assert drawn["bounds"] == whole["bounds"] and whole["rows"] is None
    assert f"{len(expected)} of {len(collection):,} pictures are shown" in captions(app)
    assert {*pictures(app, "map-near-1")} <= {collection.ids[row] for row in expected}


def test_everything_of_a_filtered_map_is_about_what_is_shown():
    snow, space = {"facet": "place", "only": "snow"}, Space.open()
    shown = {
        id for id, place in zip(space.collection.ids, space.collection.fields["place"], strict=True) if place == "snow"
    }
    app = open_page("map", {**snow, "region": "@penguin-snow-01"})
    drawn = cloud(app)
    assert space.collection.ids[drawn["rows"][drawn["chosen"]]] == "penguin-snow-01" and len(drawn["lines"]) == 15
    assert {*pictures(app, "map-region")} <= shown
    everywhere = "-9 -9, 9 -9, 9 9, -9 9"
    assert open_page("map", {**snow, "region": everywhere}).subheader[0].value == f"{len(shown)} pictures in the region"
    back = click(open_page("map", {**snow, "like": "penguin"}), "Show all")
    assert cloud(back)["rows"] is None and values(back, "map")["facet"] == "any" and values(back, "map")["like"] == ""


def test_another_field_begins_with_all_its_values():
    app = open_page("map", {"facet": "place", "only": "snow"})
    app.selectbox(key="facet").set_value("group").run()
    assert not errors(app) and cloud(app)["rows"] is None
    app.multiselect(key="only").set_value(["Objects"]).run()
    assert len(cloud(app)["rows"]) == (Space.open().collection.fields["group"] == "Objects").sum()


def test_a_filter_that_keeps_nothing_draws_nothing():
    app = open_page("map", {"like": "lion", "least": "1.0", "region": SQUARE})
    assert (
        not errors(app)
        and len(cloud(app)["places"]) == 0
        and f"0 of {len(Space.open().collection):,} pictures" in captions(app)
    )


def test_what_cannot_be_compared_with_is_told_and_filters_nothing():
    app = open_page("map", {"like": "@nope"})
    assert "There is no @nope" in the_error(app) and cloud(app)["rows"] is None


def test_places_can_be_taken_away_with_what_they_are():
    collection, places = (
        Space.open().collection,
        np.random.default_rng(0).normal(size=(len(Space.open().collection), 2)),
    )
    rows = np.array([5, 700, 2000])
    table = pd.read_csv(BytesIO(layout_csv(collection, places, rows)), encoding="utf-8-sig")
    assert table["id"].tolist() == [collection.ids[row] for row in rows] and table["caption"].tolist() == [
        collection.captions[row] for row in rows
    ]
    np.testing.assert_allclose(table[["x", "y"]], places[rows], atol=1e-6)
    assert table["group"].tolist() == collection.fields["group"].iloc[rows].tolist()
    solid = pd.read_csv(BytesIO(layout_csv(collection, np.c_[places, places[:, :1]], rows)), encoding="utf-8-sig")
    np.testing.assert_array_equal(solid["z"], solid["x"])


def test_a_chosen_picture_is_ringed_and_tied_to_its_true_nearest():
    app, space = open_page("map", {"region": "@penguin"}), Space.open()
    x = space.collection.embeddings("emoji", "pictures")
    row = space.collection.row("penguin")
    drawn = cloud(app)
    nearest = np.argsort(-(x @ x[row]), kind="stable")[1:16]
    assert drawn["chosen"] == row and drawn["region"] is None
    np.testing.assert_allclose(
        sorted(line[2:] for line in drawn["lines"]), sorted(drawn["places"][nearest].tolist()), atol=1e-5
    )
    assert "of them are among its 15 nearest" in captions(app)
    assert cloud(open_page("map", {"region": SQUARE}))["region"] == [[-0.1, -0.1], [0.1, -0.1], [0.1, 0.1], [-0.1, 0.1]]


def test_how_far_the_map_can_be_trusted_is_said_and_shown():
    x, app = Space.open().collection.embeddings("emoji", "pictures"), open_page("map", {"color": "trust"})
    assert (
        f"Trustworthiness {trustworthiness(x, cloud(app)['places'], n_neighbors=15, metric='cosine'):.3f}"
        in captions(app)
    )
    heat = cloud(app)["heat"]
    assert 0 <= heat["low"] < heat["high"] <= 1 and len({*cloud(app)["colors"].tolist()}) > 5


def test_the_shipped_umap_is_trustworthy():
    said = captions(open_page("map", {"method": "umap"}))
    assert float(re.search(r"its trustworthiness is (\d\.\d+)", said)[1]) >= 0.9


def test_a_heat_is_the_cosine_with_an_expression():
    app, space = open_page("map", {"color": "similarity", "heat": "lion + snow"}), Space.open()
    cosines, drawn = space.cosines(space.point("lion + snow").vector, "pictures"), cloud(app)
    assert drawn["heat"]["low"] == pytest.approx(cosines.min(), abs=1e-5) and drawn["heat"]["high"] == pytest.approx(
        cosines.max(), abs=1e-5
    )
    np.testing.assert_allclose(drawn["colors"] / 254, (cosines - cosines.min()) / np.ptp(cosines), atol=0.003)
    assert "There is no @nope" in the_error(open_page("map", {"color": "similarity", "heat": "@nope"}))


@pytest.mark.parametrize("by", ["k-means", "hdbscan"])
def test_groups_have_names_of_the_bank(by):
    app = open_page("map", {"color": "groups", "by": by, "groups": "8"})
    assert app.session_state["fit-groups"].wait(120)
    drawn = cloud(app.run())
    assert (
        drawn["names"]
        and {*drawn["names"]} <= {*Space.open().words.captions}
        and len({*drawn["names"]}) == len(drawn["names"])
    )
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


def test_a_fit_by_umap_learn_ends_when_it_is_cancelled(monkeypatch):
    processes, start = [], reference._start
    monkeypatch.setattr(reference, "_start", lambda *given: processes.append(start(*given)) or processes[-1])
    app = open_page("map", {"method": "own", "fitter": "umap-learn", "seed": "4"})
    job = app.session_state["fit-umap"]
    while not processes and job.state in ("queued", "running"):
        time.sleep(0.05)
    app.button(key="cancel-umap").click().run()
    assert job.wait(30) and job.state == "cancelled" and processes[0].poll() is not None
    assert "was stopped" in [each.value for each in app.run().warning][0] and len(spots(app)) == len(
        Space.open().collection
    )


def test_umap_learn_is_selectable_and_its_transform_is_set_beside_ours(monkeypatch):
    def fit(
        x, query, report, n_neighbors, min_dist, seed, metric
    ):  # the real one takes a minute; test_reference has it
        plane = pca(x, 2)
        return plane.transform(x), plane.transform(query) + 5

    monkeypatch.setattr("clipexplore.explore.map.fit_umap_apart", fit)
    app = open_page("map", {"method": "own", "fitter": "umap-learn", "fit": "background", "seed": "12345"})
    job = app.session_state["fit-umap"]
    assert job.wait(100) and job.state == "done", job.error
    ours, said = cloud(app.run())["places"], captions(app)
    assert "by umap-learn's transform" in said and not errors(app)
    app.selectbox(key="placing").set_value("transform").run()
    assert not np.allclose(cloud(app)["places"], ours)
