"""“Show code” on the labs' pages is Python that runs as it stands and prints what the page shows."""

import re

import pytest
from helpers import captions, labels, open_page, settled


def run_code(app, capsys) -> list[str]:
    """What the last lines of code on a page print."""
    (lines,) = [each.value for each in app.main.code if "Space.open(" in each.value]
    exec(compile(lines, "shown", "exec"), {})
    return capsys.readouterr().out.strip().splitlines()


OWN = {"image": "@lion\n@penguin + snow", "captions": "lion + a lion\na penguin", "logit_scale": "3.0"}
NAMED = {"image": "@lion\n@penguin + @cold", "captions": "lion\n@cold", "names": "cold = snow - desert", "logit_scale": "3.0"}


@pytest.mark.parametrize("link", [{"n": "40", "swap": "20"}, {"n": "12", "dot": "true", "logit_scale": "5.0"}, OWN, OWN | {"dot": "true"}, NAMED])
def test_match(link, capsys):
    app = open_page("match", link)
    loss, _ = run_code(app, capsys)
    if link.get("n") != "40":  # the lines hold the first twelve pairs
        assert f"{float(loss):.3f}" == app.metric[0].value


@pytest.mark.parametrize("link", [{}, {"cell": "@{value}-{object}"}])
def test_properties(link, capsys):
    app = open_page("properties", link)
    parallel, r2 = run_code(app, capsys)
    shown = {each.label: each.value for each in app.metric}
    assert f"{float(re.search('cosine=([^,]+)', parallel)[1]):.3f}" == shown["parallelism"] and f"{float(r2):.1%}" == shown["additive R²"]


def test_words(capsys):
    app = settled(open_page("words", {"q": "man - @young + girl", "names": "young = boy", "window": "2", "rank": "40"}))
    assert run_code(app, capsys) == [str(labels(app, key)) for key in ("words-lsa", "words-ppmi")]


@pytest.mark.parametrize("field", ["place", "thing", "count"])
def test_a_judged_collection(field, capsys):
    app = settled(open_page("classify", {"task": "collection", "field": field}))
    (accuracy,) = run_code(app, capsys)
    assert f"{float(accuracy):.1%}" == next(each.value for each in app.metric if each.label == "25 templates")


@pytest.mark.parametrize("link", [{"x": "3"}, {"solid": "true"}, {"method": "umap"}])
def test_map(link, capsys):
    app = open_page("map", link)
    (trust,) = run_code(app, capsys)
    assert f"Trustworthiness {float(trust):.3f}" in captions(app)


def test_where(capsys):
    app = settled(open_page("classify", {"task": "where", "image": "@cat-left-butterfly-meadow-01", "class_names": "cat\nbutterfly", "templates": "a {}"}))
    boxes = run_code(app, capsys)
    assert len(boxes) == 2 and all(re.fullmatch(r"\(\d+, \d+, \d+, \d+\)", each) for each in boxes) and int(boxes[0][1:].split(",")[0]) < int(boxes[1][1:].split(",")[0])
