"""What the lessons that are shipped say is what the library finds in the bundled world."""

from functools import cache

import numpy as np
import pytest

from clipexplore import Space
from clipexplore.explore import components
from clipexplore.explore.arithmetic import arithmetic
from clipexplore.explore.classify import classify, judge
from clipexplore.explore.gap import gap
from clipexplore.explore.interpolate import walk
from clipexplore.explore.map import lay_out
from clipexplore.explore.match import match
from clipexplore.explore.pixels import in_clip, in_pixels
from clipexplore.explore.properties import step
from clipexplore.explore.search import search
from clipexplore.explore.two import agreement
from clipexplore.explore.words import words
from clipexplore.language import language
from clipexplore.lessons import Lesson, lessons
from clipexplore.links import PAGES


@cache
def space() -> Space:
    return Space.open()


def values(lesson: Lesson) -> dict:
    """What the page has when the lesson's link opens it, numbers as numbers."""
    given = {key: type(PAGES[lesson.page][key])(value) for key, value in lesson.keys}
    return {**PAGES[lesson.page], **given}


def lines(text: str) -> list[str]:
    return text.splitlines()


# Each gives the place of the right option and the figures that the lesson says.


def perfect_match(link):
    found = match(space(), n=link["n"])
    cosines = found.contrast.cosines
    own = np.diag(cosines).mean()
    others = (cosines.sum() - np.trace(cosines)) / (cosines.size - len(cosines))
    assert found.by_picture[1] == found.by_caption[1] == 1 and len(cosines) == 12
    return np.abs(np.array([0.3, 0.7, 1]) - own).argmin(), [f"{own:.2f}", f"{others:.2f}".replace("-", "−")]


def matrix(link):
    found = match(space(), swap=link["swap"])
    times = found.loss / found.chance
    assert round(match(space()).loss, 3) == 0
    scale = space().model.logit_scale
    return np.abs(np.array([0.5, 1, 5]) - times).argmin(), [f"{found.loss:.1f}", f"{found.chance:.2f}", f"{scale:.0f}"]


def closing_the_gap(link):
    before, after = gap(space()), gap(space(), closed=link["closed"])
    assert after.by_picture < before.by_picture and after.by_caption < before.by_caption
    figures = [f"{before.matched:.2f}", f"{after.matched:.2f}", f"{before.loss:.3f}", f"{after.loss:.3f}"]
    return np.abs(np.array([2, 1, 0]) - after.loss / before.loss).argmin(), figures


def hat(link):
    found = arithmetic(space(), link["q"]).hits[0]
    figures = [f"{found.cosine:.2f}", f"{found.z:.0f}", f"{len(space().words):,}"]
    return ["man", "top hat", "happy"].index(found.caption), figures


def negation(link):
    nearest = search(space(), link["q"], k=4).hits
    rows = [space().collection.row(hit.id) for hit in nearest]
    fields = space().collection.fields.iloc[rows]
    assert search(space(), "man - hat").hits[0].id == "man"
    cosine = space().point("a man with a hat").vector @ space().point(link["q"]).vector
    assert (fields["wearer"] == "man").all()
    return {4: 0, 2: 1, 0: 2}[int(fields["headwear"].notna().sum())], [f"{cosine:.2f}"]


def colour(link):
    objects = lines(link["objects"])
    found = step(space(), objects, lines(link["values"]), link["cell"], link["before"], link["after"])
    assert len(objects) == 6
    assert search(space(), "@red-automobile - red + blue").hits[0].id == "blue-automobile"
    return np.abs(np.array([0.1, 0.5, 0.9]) - found.agreement).argmin(), [f"{found.agreement:.2f}"]


def none_of_these(link):
    names = lines(link["class_names"])
    found = classify(space(), lines(link["image"]), names, lines(link["templates"]))
    assert names[found.probs[0].argmax()] == "lion" and found.cosines[0].argmax() == names.index("lion")
    return 2, [f"{found.probs.max():.0%}".replace("%", " %"), f"{found.cosines[0, names.index('lion')]:.2f}"]


def template(link):
    found = judge(space(), link["field"], lines(link["templates"]))
    bare, one, many = (found.accuracies[name] for name in ("bare", "one", "many"))
    assert many <= one == found.accuracies["yours"] and link["task"] == "collection"
    figures = [f"{bare:.1%}".replace("%", " %"), f"{len(found.class_names)} kinds", f"{found.pictures:,} pictures"]
    return np.abs(np.array([0.975, 0.95, 0.93]) - one).argmin(), figures


def pca(link):
    found = components.spectrum(space(), rank=link["rank"])
    places = np.abs(np.array([0.14, 0.5, 0.9]) - found.kept).argmin()
    return places, [f"{found.kept:.1%}".replace("%", " %"), f"{found.half} components", f"{found.most} for 95 %", "512"]


def which_error(link):
    found = components.spectrum(space(), rank=link["rank"])
    fit, points = found.cloud.fit, found.cloud.points
    left = points - fit.inverse_transform(fit.transform(points)[:, : link["rank"]])
    squares = fit.singular_values[link["rank"] :] ** 2
    assert np.isclose((left**2).sum(), squares.sum(), rtol=1e-4)
    assert np.isclose(np.linalg.norm(left.astype(float), 2) ** 2, squares[0], rtol=1e-4)
    assert found.difference < 1e-9
    worst, mean = (left**2).sum(axis=1).max(), np.abs(left).mean()
    return np.abs(np.array([worst, (left**2).sum(), mean]) - squares.sum()).argmin(), []


def pixels(link):
    found = in_pixels(space(), link["picture"], rank=link["rank"])
    others = [space().collection.ids[row] for row in found.near][1:]
    assert len(others) == 7 and all("-snow-" in id for id in others)
    assert {"soccer-ball-snow-01", "turtle-snow-02", "rocket-snow-02"} <= {*others}
    first = [hit.id for hit in in_clip(space(), link["picture"], rank=link["rank"]).hits[:4]]
    assert first == ["penguin", "penguin-room-01", "penguin-city-02", "penguin-night-02"]
    return (1 if sum(id.startswith("penguin") for id in others) < 2 else 0), []


def trust(link):
    kept = {method: 15 * lay_out(space(), method).trust.shares.mean() for method in ("umap", "pca")}
    figures = [f"About {kept['umap']:.0f}, and about {kept['pca']:.0f}"]
    return np.abs(np.array([2, 7, 13]) - kept[link["method"]]).argmin(), figures


def between(link):
    def half_way(stops):
        return walk(space(), stops, link["frames"], link["curve"]).lengths[link["frames"] // 2]

    assert np.allclose(walk(space(), lines(link["stops"]), curve="slerp").lengths, 1)
    length = half_way(lines(link["stops"]))
    figures = [f"{length:.2f}", f"{half_way(['lion', 'guitar']):.2f}"]
    return np.abs(np.array([1, 0.93, 0.5]) - length).argmin(), figures


def before_clip(link):
    found = words(space(), link["q"])
    near, clip = [each.text for each in found.ppmi.near], [hit.caption for hit in found.clip]
    assert near[:3] == ["wearing", "hat", "baseball"]
    assert {"lord", "leader", "royal"} <= {*clip} and not {"gold", "jewel", "shiny"} & {*near}
    return 1, [f"{len(space().background.captions):,} captions"]


def geometry(link):
    found = agreement(space(), link["other"], link["of"], link["n_neighbors"])
    near, chance = 10 * found.shared.mean(), 10 * found.chance
    turned = found.turned.held_out["pictures"]
    figures = [f"{found.unturned:.2f}", f"About {near:.0f}", f"chance gives {chance:.2f}", f"{turned:.2f}"]
    return np.abs(np.array([0, 6, 10]) - near).argmin(), figures


HOLDS = {
    "match": perfect_match,
    "matrix": matrix,
    "gap": closing_the_gap,
    "hat": hat,
    "negation": negation,
    "colour": colour,
    "none": none_of_these,
    "template": template,
    "pca": pca,
    "error": which_error,
    "pixels": pixels,
    "trust": trust,
    "between": between,
    "words": before_clip,
    "geometry": geometry,
}


def test_every_lesson_is_held_to_what_it_says():
    assert list(HOLDS) == list(lessons())


@pytest.mark.parametrize("name", HOLDS)
def test_the_page_shows_what_the_lesson_says(name):
    before = language.get()
    language.set("en")
    lesson = lessons()[name]
    language.set(before)
    place, figures = HOLDS[name](values(lesson))
    assert place == lesson.answer
    said = " ".join((lesson.text, lesson.question, lesson.why, *lesson.options)).replace("\n", " ")
    assert not [figure for figure in figures if figure not in said]
