import os
import threading
from dataclasses import replace
from functools import wraps
from io import BytesIO

import pytest
from fixtures_imports import full_disk
from helpers import (
    buttons,
    captions,
    click,
    errors,
    examples,
    figures,
    follow,
    labels,
    markdown,
    open_link,
    open_page,
    pictures,
    scores,
    the_error,
    values,
)
from PIL import Image

from clipexplore import Space, links
from clipexplore.access import Caller
from clipexplore.explore.memory import Remembered
from clipexplore.explore.search import presence, search
from clipexplore.settings import settings
from clipexplore.ui import results, session


def test_the_default_view_is_that_of_the_library():
    app, space = open_page("search"), Space.open()
    hits = space.search(space.point("lion + snow").vector, "pictures", 24)
    assert pictures(app, "search") == [hit.id for hit in hits]
    assert scores(app) == [pytest.approx(hit.cosine, abs=6e-4) for hit in hits]
    assert values(app, "search") == links.PAGES["search"] and "search-distribution" in figures(app)
    assert f"{hits[0].cosine:.3f}" in captions(app) and f"Among {len(space.collection):,} pictures" in captions(app)
    assert 'q="lion + snow"' in app.main.code[-1].value


def test_a_link_gives_its_widgets_and_its_result():
    link = {"q": "@penguin", "k": "9", "in": "words"}
    app, space = open_page("search", link), Space.open()
    assert values(app, "search") == {**links.PAGES["search"], **link, "k": 9}
    hits = space.search(space.point("@penguin").vector, "words", 9)
    assert labels(app, "search-bars") == [hit.caption for hit in hits] and not pictures(app, "search")


@pytest.mark.parametrize("example", examples("search"), ids=lambda example: example["label"])
def test_examples(example):
    app = click(open_page("search"), example["label"])
    shown = values(app, "search")
    assert {**shown, **example["set"]} == shown and not errors(app)
    there = follow(app, "search")
    assert (
        values(there, "search") == shown
        and scores(there) == scores(app)
        and (scores(app) or labels(app, "search-bars"))
    )


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "is empty"),
        ("cat +", "Nothing follows"),
        ('"cat', "not closed"),
        ("@nope", "There is no @nope"),
        ("@up-000000000000", "upload it again"),
        ("cat - cat", "length 0"),
        ("0*cat", "out of range"),
        (" + ".join(["cat"] * 40), "more than 32 terms"),
    ],
)
def test_what_is_no_expression_is_told_and_the_page_stays(typed, says):
    app = open_page("search")
    app.text_input(key="q").set_value(typed).run()
    assert says in the_error(app)
    assert [each.key for each in app.slider] == ["k"] and app.file_uploader and not pictures(app, "search")
    assert pictures(app.text_input(key="q").set_value("cat").run(), "search")


def test_an_error_of_the_grammar_is_pointed_at():
    app = open_page("search", {"q": 'a black cat + "dog'})
    line, mark = app.main.code[0].value.split("\n")
    assert line == 'a black cat + "dog' and mark.index("^") == line.index('"')


def test_a_dash_in_a_prompt_is_remarked_on():
    app = open_page("search", {"q": "a cat - sitting on a very old mat, asleep"})
    assert any("quotes" in each.value for each in app.info)


@pytest.mark.parametrize("typed", ["a very long walk " * 40, "x" * 10_000])
def test_a_text_that_is_too_long_for_the_model_says_so_and_is_searched(typed):
    app = open_page("search")
    app.text_input(key="q").set_value(typed).run()
    assert "its end is ignored" in app.warning[0].value and len(app.warning[0].value) < 5000
    assert pictures(app, "search") and not errors(app) and len(values(app, "search")["q"]) <= 2000


def test_a_picture_in_the_link_is_shown_large_and_used_from_there():
    link = {"q": "lion", "k": "3"}
    first, second, _ = pictures(open_page("search", link), "search")
    app = open_page("search", link | {"open": first})
    assert first not in pictures(app, "picture") and len(pictures(app, "picture")) == 8
    assert f"@{first} ≈ " in "\n".join(each.value for each in app.code)
    assert {link.proto.page: link.proto.query_string for link in app.page_link}["apart"] == f"to-q=%40{first}"
    app.button(key="step-Right").click().run()
    assert app.query_params["open"] == second and second not in pictures(app, "picture")
    app.button(key="picture-less").click().run()
    assert values(app, "search")["q"] == f"lion - @{second}" and "open" not in app.query_params and not errors(app)
    assert second not in pictures(app, "search") and not pictures(app, "picture")


@pytest.mark.parametrize("id", ["nope", "@lion-snow-07", "up-000000000000", "", "\0"])
def test_a_picture_that_is_not_here_leaves_the_page_as_it_is(id):
    app = open_page("search", {"open": id})
    assert len(pictures(app, "search")) == 24 and not errors(app) and not pictures(app, "picture")
    assert bool(id) == bool(app.info)


def test_chosen_pictures_become_a_sum_points_classes_and_a_file():
    app = open_page("search")
    app.session_state["chosen"] = ["lion-snow-07", "no-such-picture", "penguin"]
    app.run()
    links_of = [(link.proto.page, link.proto.query_string) for link in app.page_link]
    assert ("map", "to-points=%40lion-snow-07%0A%40penguin") in links_of
    (classes,) = [query for page, query in links_of if page == "classify" and "class_names" in query]
    there = open_link("classify", classes)
    assert values(there, "classify")["class_names"] == "a lion in the snow\na penguin" and not errors(there)
    app.button(key="chosen-sum").click().run()
    assert values(app, "search")["q"] == "@lion-snow-07 + @penguin" and not errors(app)
    app.button(key="choose-none").click().run()
    assert "chosen-sum" not in [each.key for each in app.button]


def test_open_in_carries_the_expression_to_every_page():
    app = open_page("search", {"q": "cat + crown"})
    taken = {link.proto.page: link.proto.query_string for link in app.page_link}
    assert set(taken) >= {"arithmetic", "classify", "map", "interpolate"}
    for page, query in taken.items():
        there = open_link(page, query)
        assert "cat + crown" in "\n".join(map(str, values(there, page).values())) and not errors(there)
        assert not [key for key in there.query_params if key.startswith("to-")], (
            "on arrival the link is that of any visitor"
        )


@pytest.mark.parametrize("brought", ["x" * 10_000, "\0", " ", "cat -", ["a", "b"]])
def test_a_page_is_whole_whatever_a_link_from_another_brings(brought):
    assert len(values(open_page("search", {"to-q": brought}), "search")["q"]) <= 2000


@pytest.mark.parametrize("key", ["to-model", "to-collection", "to-in", "to-k", "to-nothing", "to-"])
def test_only_what_is_carried_can_be_carried(key):
    app = open_page("search", {key: "words", "to-q": "cat"})
    assert values(app, "search")["q"] == "cat" and not errors(app)


# whether it is here at all


def test_a_line_is_drawn_under_the_last_that_matches():
    app, found = open_page("search", {"q": "zebra"}), search(Space.open(), "zebra")
    assert pictures(app, "search") == [hit.id for hit in found.matches] and 0 < len(found.matches) < 24
    assert pictures(app, "search-below") == [hit.id for hit in found.hits if hit not in found.matches]
    said = markdown(app)
    assert f"From here on nothing counts as a match any more: the cosine is below {found.least:.3f}" in said
    assert f"wrong in {100 * found.presence.false:.0f} of 100" in captions(app)
    app.toggle(key="matching").set_value(True).run()
    assert pictures(app, "search") == [hit.id for hit in found.matches] and not pictures(app, "search-below")
    assert pictures(follow(app, "search"), "search") == pictures(app, "search")


@pytest.mark.parametrize("q", ["cat", "a cat in the snow"])
def test_what_captions_say_is_here_whatever_its_cosine(q):
    found, app = search(Space.open(), q), open_page("search", {"q": q})
    said = [hit for hit in found.hits if set(q.split()) - {"a", "the"} <= set(hit.caption.split())]
    assert said and set(said) <= set(found.matches) and any(hit.cosine <= found.least for hit in said)
    assert pictures(app, "search") == [hit.id for hit in found.matches] and "Nothing here matches" not in markdown(app)


def test_what_is_not_here_is_said_and_what_is_nearest_shown():
    app = open_page("search", {"q": "a purple submarine"})
    assert "Nothing here matches" in markdown(app)
    assert len(pictures(app, "search")) == 24
    assert not pictures(open_page("search", {"q": "a purple submarine", "matching": "true"}), "search")


def test_a_search_does_not_wait_until_it_is_learned_what_matches(monkeypatch):
    going, threads = threading.Event(), []

    def held(space, report):
        report(0.5, "Learning")
        threads.append(threading.current_thread().name)
        assert going.wait(60)
        return presence(space)

    monkeypatch.setattr(results, "presence", Remembered(wraps(presence)(held), 1))
    app, found = open_page("search", {"q": "zebra", "matching": "true"}), search(Space.open(), "zebra")
    job = app.session_state["fit-presence"]
    assert app.button(key="cancel-presence") and "counts as a match" not in captions(app)
    assert pictures(app, "search") == [hit.id for hit in found.hits]
    other = open_page("search", {"q": "a purple submarine"})
    assert other.session_state["fit-presence"] is job and len(pictures(other, "search")) == 24
    going.set()
    assert job.wait(60) and threads == ["lane-quick"]
    assert pictures(app.run(), "search") == [hit.id for hit in found.matches]
    assert f"from a cosine of {found.least:.3f} on" in captions(app) and not app.get("progress")
    assert "Nothing here matches" in markdown(other.run())
    assert "fit-presence" not in open_page("search", {"q": "zebra"}).session_state  # where it is there at once


def test_nothing_is_claimed_of_a_sum():
    app = open_page("search", {"matching": "true"})
    assert "match" not in captions(app).lower() and len(pictures(app, "search")) == 24


# uploads


def png(size: tuple[int, int] = (40, 30), mode: str = "RGB", color: object = (200, 30, 30)) -> bytes:
    file = BytesIO()
    Image.new(mode, size, color).save(file, "PNG")
    return file.getvalue()


def test_an_uploaded_picture_is_searched_from():
    app = open_page("search")
    app.file_uploader(key="files").upload("../../red square.png", png(), "image/png").run()
    (use,) = buttons(app, "use-up-")
    id = use.key.removeprefix("use-")
    use.click().run()
    assert values(app, "search")["q"] == f"@{id}" and not errors(app) and len(scores(app)) == 24
    assert "upload it again" in the_error(open_page("search", {"q": f"@{id}"}))  # another visitor
    app.button(key=f"keep-{id}").click().run()
    assert scores(open_page("search", {"q": f"@{id}"})) == scores(app)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("text.png", b"this is no picture", "damaged or not one of"),
        ("bomb.png", png((13_000, 13_000), "1", 0), "can be opened"),
        ("empty.png", b"", "damaged or not one of"),
        ("cut.png", png()[:60], "damaged or not one of"),
    ],
)
def test_what_is_no_picture_is_told_beside_those_that_are(name, data, says):
    app = open_page("search")
    app.file_uploader(key="files").set_value([(name, data, "image/png"), ("good.png", png(), "image/png")]).run()
    assert says in the_error(app) and len(pictures(app, "search")) == 24
    assert [each.label for each in buttons(app, "use-up-")] == ["Use it"]


def test_without_the_models_weights_what_is_stored_is_still_answered(tmp_path, monkeypatch):
    import streamlit as st

    real = settings().assets
    (tmp_path / "assets").mkdir()
    for name in ("collections", "examples.json", "mark.svg"):
        (tmp_path / "assets" / name).symlink_to(real / name)
    monkeypatch.setenv("CLIPEXPLORE_ASSETS", str(tmp_path / "assets"))
    settings.cache_clear()
    st.cache_resource.clear()
    try:
        assert len(pictures(open_page("search"), "search")) == 24
        missing = open_page("search", {"q": "a word that nobody has stored"})
        assert "model" in the_error(missing) and not pictures(missing, "search")
    finally:
        st.cache_resource.clear()


def test_the_same_picture_given_twice_is_one():
    app = open_page("search")
    app.file_uploader(key="files").set_value([("a.png", png(), "image/png"), ("b.png", png(), "image/png")]).run()
    assert not errors(app) and len(buttons(app, "use-up-")) == 1


def test_what_passes_the_quota_of_a_session_is_refused_and_the_rest_stays(monkeypatch):
    few = replace(settings(), session_megabytes=(2 * len(png()) + 1) / 1e6)
    monkeypatch.setattr(session, "settings", lambda: few)
    monkeypatch.setattr(session, "caller", lambda: Caller("192.168.7.31"))
    app = open_page("search")
    files = [(f"{color}.png", png(color=(color, 30, 30)), "image/png") for color in (0, 90, 200)]
    app.file_uploader(key="files").set_value(files).run()
    assert "remove some" in the_error(app) and len(buttons(app, "use-up-")) == 2


def test_a_disk_that_is_full_is_told_and_the_page_stays(monkeypatch):
    app = open_page("search")
    app.file_uploader(key="files").upload("a.png", png(), "image/png").run()

    monkeypatch.setattr(os, "fsync", full_disk)
    (keep,) = buttons(app, "keep-up-")
    keep.click().run()
    assert "No space left" in the_error(app) and len(pictures(app, "search")) == 24 and not app.exception
