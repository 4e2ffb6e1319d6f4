"""“Show code” is Python that runs as it stands and computes what the page shows."""

import numpy as np
import pytest
from helpers import (
    captions,
    click,
    cloud,
    figure,
    figures,
    labels,
    markdown,
    metrics,
    numbers,
    open_page,
    pictures,
    scores,
    settled,
)

from clipexplore import Space
from clipexplore.images import small_copy
from clipexplore.store import kept


def computed(app):
    """The result that the code on a page computes."""
    return run(app)["result"]


def run(app) -> dict:
    """The variables after the code on a page has run."""
    (lines,) = [each.value for each in app.main.code if "Space.open(" in each.value]
    variables: dict = {}
    exec(compile(lines, "shown", "exec"), variables)
    return variables


def run_code(app, capsys) -> list[str]:
    """What the code on a page prints, line by line."""
    run(app)
    return capsys.readouterr().out.strip().splitlines()


def assert_bars(app, key: str, hits) -> None:
    shown = figure(app, key)
    np.testing.assert_allclose(shown["values"], [hit.cosine for hit in hits], atol=1e-6)
    assert shown["notes"] == [f"{hit.cosine:.3f} · z {hit.z:.1f}" for hit in hits]


SEARCHES = [
    {},
    {"q": "0.7*man with hat - @man", "k": "3", "in": "words"},
    {"q": "snow + a text that is stored nowhere", "in": "captions"},
    {"q": "lion", "facet": "place", "only": ["snow", "beach"]},
    {"q": "lion", "facet": "place", "only": "snow", "in": "captions", "k": "40"},
    {"q": "@lion + @cold", "names": "cold = snow - desert"},
    {"collection": "background", "in": "captions", "q": '"quotes"" inside" + cat'},
]


@pytest.mark.parametrize("link", SEARCHES, ids=str)
def test_search(link, capsys):
    app = open_page("search", link)
    result = computed(app)
    lines = capsys.readouterr().out.splitlines()
    if link.get("in", "pictures") == "pictures":
        assert pictures(app, "search") + pictures(app, "search-below") == [hit.id for hit in result.hits]
        np.testing.assert_allclose(scores(app), [hit.cosine for hit in result.hits], atol=6e-4)
    else:
        assert_bars(app, "search-bars", result.hits)
    np.testing.assert_array_equal(numbers(figure(app, "search-distribution")["data"][0]["y"]), result.context.counts)
    assert f"Among {result.context.count:,} " in captions(app) and f"± {result.context.std:.3f}" in captions(app)
    assert [line.split()[1] for line in lines] == [*(f"{hit.cosine:.3f}" for hit in result.hits), str(result.least)]


def test_an_uploaded_picture_is_read_from_a_file(monkeypatch, tmp_path):
    held = Space.open().picture("penguin")
    monkeypatch.setattr(kept, "kept_folder", lambda: tmp_path)
    (tmp_path / "up-0123456789ab.webp").write_bytes(small_copy(held))
    app = open_page("search", {"q": "@up-0123456789ab + snow"})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "up-0123456789ab.png").write_bytes(held)
    assert "write your paths here" in app.main.code[-1].value
    assert pictures(app, "search") == [hit.id for hit in computed(app).hits]


def test_a_picture_that_was_just_uploaded_as_pixels(monkeypatch, tmp_path, capsys):
    held = Space.open().picture("penguin")
    app = open_page("pixels")
    app.file_uploader(key="files").upload("mine.png", held, "image/png").run()
    app = settled(click(app, "Use it"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{app.text_input(key='picture').value[1:]}.png").write_bytes(held)
    lines, said = run_code(app, capsys), markdown(app)
    assert f"error {float(lines[0].split()[-1]):.1f} grey levels" in said
    assert f"cosine {computed(app).cosine:.3f} with the whole vector" in said


@pytest.mark.parametrize(
    "link",
    [
        {},
        {"q": "@lion + @cold", "terms": "3", "signed": "true", "names": "cold = snow - desert"},
        {"q": "@man-top-hat", "edited": "man + 0.5*crown"},
    ],
    ids=str,
)
def test_apart(link):
    app = open_page("apart", link)
    variables = run(app)
    shown = metrics(app)
    result = variables["result"]  # of the last call
    assert shown["cosine"] == f"{result.cosine:.3f}" and shown["left unexplained"] == f"{result.unexplained:.0%}"
    assert pictures(app, "apart-sum") == [hit.id for hit in result.pictures]
    assert f"{link.get('q', '@penguin-snow-01')} ≈ {result.sum.expression}" in [each.value for each in app.main.code]
    found = variables["apart"](variables["space"], **{"q": str(result.point.expression)} | _settings(link))
    np.testing.assert_allclose(numbers(figure(app, "apart-curve")["data"][0]["y"]), found.cosines)
    assert shown["stability"] == f"{found.stability:.0%}"


def _settings(link: dict) -> dict:
    return {"terms": int(link.get("terms", 8)), "signed": link.get("signed") == "true"}


@pytest.mark.parametrize(
    "link",
    [
        {},
        {"q": "@penguin", "bank": "pictures", "exclude": "true", "k": "7"},
        {"q": "@woman-glasses - @woman", "pairs": "@man-glasses - @man\n@nope", "bank": "captions"},
        {"q": "cat + @cold", "exclude": "true", "names": "cold = snow - desert"},
    ],
    ids=str,
)
def test_arithmetic(link):
    app = open_page("arithmetic", link)
    result = computed(app)
    if link.get("bank") == "pictures":
        assert pictures(app, "arithmetic") == [hit.id for hit in result.hits] and "arithmetic-bars" not in figures(app)
    else:
        assert_bars(app, "arithmetic-bars", result.hits)
    assert pictures(app, "arithmetic-pictures") == [hit.id for hit in result.pictures]
    assert [each.value for each in app.metric] == [f"{result.agreement:.2f}"] * ("pairs" in link)
    assert f"average is {result.context.mean:.3f}" in captions(app)


OWN = {"image": "@lion\n@penguin + snow", "captions": "lion + a lion\na penguin", "logit_scale": "3.0"}
NAMED = {
    "image": "@lion\n@penguin + @cold",
    "captions": "lion\n@cold",
    "names": "cold = snow - desert",
    "logit_scale": "3.0",
}


MATCHED = [
    {"n": "40", "swap": "20"},
    {"n": "12", "dot": "true", "logit_scale": "5.0"},
    OWN,
    OWN | {"dot": "true"},
    NAMED,
]


@pytest.mark.parametrize("link", [*MATCHED, {"n": "200", "seed": "5", "closed": "-50"}], ids=str)
def test_match(link, capsys):
    app = open_page("match", link)
    moved, lines = computed(app), capsys.readouterr().out.splitlines()
    shown = [each.value for each in app.metric]
    assert f"{float(lines[0].split()[-1]):.3f}" == shown[0] and f"{float(lines[1].split()[-1]):.3f}" == shown[1]
    assert [f"{moved.length:.3f}", f"{moved.loss:.3f}", f"{moved.by_picture:.1%}"] == shown[4:7]
    assert f"{moved.on_top:.1%}" == shown[8] and f"own picture has cosine {moved.matched:.3f}" in captions(app)


@pytest.mark.parametrize(
    "link",
    [
        {},
        {"cell": "@{value}-{object}", "before": "black", "after": "pink"},
        {"cell": "a {value} {object} + @cold", "names": "cold = snow - desert"},
    ],
    ids=str,
)
def test_properties(link, capsys):
    app = open_page("properties", link)
    lines = run_code(app, capsys)
    shown = metrics(app)
    assert f"cosine {shown['parallelism']}" == f"cosine {float(lines[0].split()[-1]):.3f}"
    assert f"{float(lines[2].split()[-1]):.1%}" == shown["additive R²"]
    step = computed(app)
    assert f"on average {step.agreement:.3f}" in captions(app) and f"share {step.shared:.1f} of" in captions(app)
    for hit in (*step.ahead, *step.behind):
        assert f"@{hit.id}  \n{hit.cosine:.3f} · z {hit.z:.1f}" in captions(app)


@pytest.mark.parametrize("link", [{"window": "2", "rank": "40"}, {}, {"k": "3", "rank": "30"}], ids=str)
def test_words(link):
    app = settled(open_page("words", {"q": "man - @young + girl", "names": "young = boy", **link}))
    result = computed(app)
    for key, words in (("lsa", result.lsa.words), ("ppmi", result.ppmi.words)):
        assert labels(app, f"words-{key}") == words
    assert labels(app, "words-clip") == [hit.caption for hit in result.clip]


def test_words_of_a_file(monkeypatch, tmp_path):
    lines = ["the car drives on the road", "an auto drives on the road", "the cat eats fish", "a kitten eats fish"] * 5
    data = "\n".join(lines).encode()
    app = settled(open_page("words", {"q": "car", "rank": "2"}))
    settled(app.file_uploader(key="texts").upload("texts.txt", data, "text/plain").run())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.txt").write_bytes(data)
    assert computed(app).lsa.words == labels(app, "words-lsa")


CLOUDS = [{}, {"of": "both"}, {"of": "words", "center": "false"}, {"of": "captions", "standardize": "true"}]


@pytest.mark.parametrize("link", CLOUDS, ids=str)
def test_components(link):
    """Every part is its own call."""
    app = open_page("components", {**link, "rank": "7"})
    result = computed(app)
    assert f"keep **{result.kept:.1%}**" in markdown(app)
    np.testing.assert_allclose(numbers(figure(app, "lost")["data"][1]["y"]), result.measured, rtol=1e-6)
    app = open_page("components", {**link, "part": "plane", "x": "3", "points": "cat\n@nope"})
    result = computed(app)
    drawn = [trace for trace in figure(app, "plane")["data"] if trace["name"] != "your points"]
    places = np.concatenate([np.stack([numbers(trace[axis]) for axis in "xy"], axis=1) for trace in drawn])
    np.testing.assert_allclose(places, result.coordinates, atol=1e-6)
    app = open_page("components", {**link, "part": "walk", "component": "2"})
    assert labels(app, "walk-high-words") == [hit.caption for hit in computed(app).high_words]
    app = open_page("components", {**link, "part": "fingerprint", "q": "lion + snow"})
    np.testing.assert_allclose(numbers(figure(app, "faithful")["data"][0]["y"]), computed(app).cosines, atol=1e-6)
    app = open_page("components", {**link, "part": "distances", "rank": "30"})
    assert [*app.table[0].value.iloc[:, 2]] == [f"{each:.1%}" for each in computed(app).remains]


@pytest.mark.parametrize(
    "link", [{}, {"picture": "@man-top-hat", "rank": "25"}, {"source": "digits", "digit": "100"}], ids=str
)
def test_pixels(link, capsys):
    app = settled(open_page("pixels", link))
    lines = run_code(app, capsys)
    said = markdown(app)
    assert f"error {float(lines[0].split()[-1]):.1f} grey levels" in said
    if "source" not in link:
        assert f"cosine {computed(app).cosine:.3f} with the whole vector" in said


@pytest.mark.parametrize(
    "link",
    [
        {},
        {"q": "@lion + @cold", "names": "cold = snow - desert", "in": "words", "k": "5", "of": "captions"},
        {"model": "emoji-2", "other": "emoji", "n_neighbors": "3"},
    ],
    ids=str,
)
def test_two(link, capsys):
    app = settled(open_page("two", link))
    result, lines = computed(app), capsys.readouterr().out.splitlines()
    shown = metrics(app)
    assert shown["shared neighbours"] == f"{result.neighbours:.0%}"
    assert shown["CKA, debiased"] == f"{result.alignment.debiased:.3f}"
    shared = next(line.split()[-1] for line in lines if line.startswith("shared"))
    assert f"**{shared}** of {link.get('k', 12)} are among the nearest of both" in captions(app)


CLASSIFIED = [
    {},
    {
        "image": "@penguin\n@lion + @cold",
        "names": "cold = snow - desert",
        "class_names": "lion\nsnow",
        "templates": "a {}",
    },
]


@pytest.mark.parametrize("link", CLASSIFIED, ids=str)
def test_classify(link):
    app = open_page("classify", link)
    result = computed(app)
    for row, probs in enumerate(result.probs):
        shown = numbers(figure(app, f"classes-{row}")["values"])
        np.testing.assert_allclose(shown, sorted(probs, reverse=True), atol=1e-6)


@pytest.mark.parametrize(
    "link", [{"field": "place"}, {"field": "thing"}, {"field": "headwear", "templates": "{}\na {}"}]
)
def test_a_judged_collection(link):
    app = settled(open_page("classify", {"task": "collection", **link}))
    result = computed(app)
    shown = metrics(app)
    names = {"bare": "bare names", "one": "one template", "yours": "your templates", "many": "25 templates"}
    assert {names[name]: f"{accuracy:.1%}" for name, accuracy in result.accuracies.items()} == shown
    assert f"below a cosine of {result.verdicts['many'].threshold.cosine:.3f}" in captions(app)


OWN_MAP = {"method": "own", "fit": "collection", "n_neighbors": "5", "seed": "2"}


@pytest.mark.parametrize("link", [{"x": "3"}, {"solid": "true"}, {"method": "umap"}, OWN_MAP], ids=str)
def test_map(link):
    app = settled(open_page("map", link))
    result = computed(app)
    assert f"Trustworthiness {result.trust.trustworthiness:.3f}" in captions(app)
    if "solid" not in link:
        np.testing.assert_allclose(cloud(app)["places"], result.coordinates, atol=1e-5)


def test_where():
    link = {
        "task": "where",
        "image": "@cat-left-butterfly-meadow-01",
        "class_names": "cat\nbutterfly",
        "templates": "a {}",
    }
    app = settled(open_page("classify", link))
    result = computed(app)
    for number, share in enumerate(result.ious):
        *_, box = figure(app, f"where-{number}")["layout"]["shapes"]
        left, top, width, height = result.boxes[number]
        assert [box[side] for side in ("x0", "y0", "x1", "y1")] == [left, top, left + width, top + height]
        assert f"IoU {share:.2f} with the true box" in captions(app)
