"""The pages that draw, with a small drawing model of the true class in the assets; and without one, which is how a
checkout may come.
"""

import json
import re
import zipfile
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from fixtures_drawing import add_checker
from helpers import captions, click, errors, figures, open_page, player, unescaped, values
from PIL import Image

from clipexplore import Embedder, Space, links
from clipexplore.access import Caller
from clipexplore.draw import pace
from clipexplore.draw.recipe import from_png
from clipexplore.explore.bridges import drawer_for
from clipexplore.images import open_picture
from clipexplore.models import catalog
from clipexplore.models.weights import Weights
from clipexplore.settings import settings
from clipexplore.training.build_drawings import arguments, build
from clipexplore.ui import drawing, session
from clipexplore.ui.player import _archive, _strip, _values

QUICK = {"num_inference_steps": "2"}


def drawn(page, link, slot):
    """The page once what it draws is there."""
    app = open_page(page, link)
    job = app.session_state[f"fit-{slot}"]
    assert job.wait(120) and job.state == "done", job.error
    app.run()
    assert not app.exception and not errors(app)
    return app, job.result


def infos(app):
    return " ".join(unescaped(each.value) for each in app.info)


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("interpolate", {}),
        ("interpolate", {"space": "tokens", "stops": "cat\ndog"}),
        ("search", {"draw": "true"}),
        ("arithmetic", {"draw": "true"}),
        ("map", {"draw": "true"}),
    ],
)
def test_without_a_drawing_model_a_page_says_so_and_works(page, link, tmp_path, monkeypatch):
    monkeypatch.setattr(
        type(catalog.get("emoji").draws_embeddings), "present", property(lambda weights: weights.kind == "clip")
    )
    app = open_page(page, link)
    assert "cannot draw here" in infos(app) and not errors(app)


@pytest.mark.parametrize(
    ("lacks", "page", "greyed", "reason"),
    [
        (["draws_embeddings"], "search", "draw", "draws only texts"),
        (["draws_embeddings"], "arithmetic", "draw", "draws only texts"),
        (["draws_embeddings"], "interpolate", "space", "draws only texts"),
        (["draws_prompts"], "interpolate", "space", "cannot draw texts"),
        (["draws_embeddings", "draws_prompts"], "interpolate", "draw", "cannot draw"),
        (["draws_embeddings", "draws_prompts"], "map", "draw", "cannot draw points"),
    ],
)
def test_what_a_model_can_never_draw_is_greyed_out_with_the_reason(lacks, page, greyed, reason, monkeypatch):
    assert catalog.models()  # made before they lack something
    for part in lacks:
        monkeypatch.setattr(catalog.Model, part, property(lambda model: None))
    app = open_page(
        page,
        {"draw": str("draws_embeddings" in lacks).lower(), "stops": "@man\n@dog-face", "region": "0 0, 9 0, 9 9, 0 9"},
    )
    (control,) = [each for each in [*app.toggle, *app.button_group] if each.key == greyed]
    assert control.disabled and reason in control.help and not errors(app)
    if page == "interpolate" and "draws_embeddings" in lacks:
        assert reason in infos(app)


def test_a_walk_is_drawn(drawing_assets):
    app, result = drawn("interpolate", QUICK, "walk")
    shown = player(app)
    assert [track["name"] for track in shown["tracks"]] == ["slerp"] and len(shown["tracks"][0]["frames"]) == len(
        result["slerp"].pngs
    ) == 9
    assert "joint space" in captions(app) and "Δ" in captions(app)
    again = open_page("interpolate", QUICK)  # somebody else, at once
    assert len(player(again)["tracks"][0]["frames"]) == 9 and "fit-walk" not in again.session_state


def test_a_shipped_walk_is_there_in_the_first_run_without_a_job(drawing_assets):
    build(Space.open(), {"default": arguments(links.PAGES["interpolate"])})
    app = open_page("interpolate")
    assert "fit-walk" not in app.session_state and not app.get("progress") and not errors(app)
    ((track,), said) = player(app)["tracks"], captions(app)
    assert track["name"] == "slerp" and len(track["frames"]) == 9 and "evenness" in figures(app)
    assert all(re.search(rf"\*\*{number}\*\* · Δ \d+ · -?\d\.\d\d", said) for number in range(1, 10))
    other = open_page("interpolate", {"seed": "1"})
    other.session_state["fit-walk"].cancel()  # which is drawn as ever


@pytest.mark.parametrize(("page", "slot"), [("interpolate", "walk"), ("search", "search-drawn")])
def test_a_model_without_a_decoder_draws_through_a_bridge_and_says_how_near_it_comes(drawing_assets, page, slot):
    app, result = drawn(page, QUICK | {"model": "emoji-2", "draw": "true", "space": "joint"}, slot)
    bridge = drawer_for(Space.open("emoji-2"), "joint").bridge
    assert "its points are carried to **Emoji World** by a bridge" in infos(app)
    assert f"come to a cosine of {bridge.held_out['pictures']:.2f} with where they truly lie" in infos(app)
    (track,) = result.values()
    seen = Embedder.load(catalog.get("emoji-2").clip.folder).embed_images([open_picture(track.pngs[0])])
    np.testing.assert_allclose(track.embeddings[:1], seen, atol=1e-3)  # by the model that is explored


@pytest.mark.parametrize("step", [0, 1])
def test_memory_that_runs_out_is_a_sentence_and_the_same_once_more_is_drawn(drawing_assets, monkeypatch, step):
    import torch
    from diffusers import UNet2DConditionModel

    forward, calls = UNet2DConditionModel.forward, []

    def too_much(self, *given, **named):
        calls.append(1)
        if len(calls) > step:
            raise torch.OutOfMemoryError("injected")
        return forward(self, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(UNet2DConditionModel, "forward", too_much)
        app = open_page("interpolate", QUICK)
        assert app.session_state["fit-walk"].wait(120)
    app.run()
    (told,) = [unescaped(each.value) for each in app.warning if "memory" in each.value]
    assert told.endswith("close other programs or choose a smaller model.")
    app.button(key="again-walk").click().run()
    assert app.session_state["fit-walk"].wait(120)
    assert len(player(app.run())["tracks"][0]["frames"]) == 9 and not errors(app)


@pytest.mark.parametrize(
    ("page", "link", "slot"),
    [
        ("interpolate", {"stops": "cat\ndog", "seed": "3"}, "walk"),
        ("search", {"draw": "true"}, "search-drawn"),
        ("arithmetic", {"draw": "true"}, "arithmetic-drawn"),
        ("map", {"draw": "true", "points": "cat"}, "map-drawn"),
    ],
)
def test_what_takes_long_is_asked_for_with_how_long_it_takes(drawing_assets, monkeypatch, page, link, slot):
    monkeypatch.setenv("CLIPEXPLORE_ASK_SECONDS", "0")
    settings.cache_clear()
    monkeypatch.setattr(pace, "_paces", {})
    app = open_page(page, link)
    job = app.session_state[f"fit-{slot}"]  # nothing has been drawn, so how long it takes shows at its second step
    assert job.wait(120) and job.state == "failed" and 0 < job.progress < 1
    app.run()
    assert re.search(r"Drawing this takes about \d+ s here\.", infos(app)) and not app.warning
    other = open_page(page, link)  # now that is known before it is begun
    assert "takes about" in infos(other) and f"fit-{slot}" not in other.session_state
    app.button(key=f"agree-{slot}").click().run()
    assert (job := app.session_state[f"fit-{slot}"]).wait(120) and job.state == "done"
    assert "takes about" not in infos(app.run()) and not errors(app)
    assert "takes about" not in infos(open_page(page, link)), "what is drawn is there"


def test_the_longest_walk_is_begun_who_cancels_is_out_of_it_at_once_and_others_go_on(drawing_assets):
    link = {"frames": "240", "num_inference_steps": "100", "curve": "both", "seed": "9"}
    first, second = open_page("interpolate", link), open_page("interpolate", link)
    job = first.session_state["fit-walk"]
    assert second.session_state["fit-walk"] is job
    first.button(key="cancel-walk").click().run()
    assert any("stopped" in each.value for each in first.warning) and not job.cancelled
    assert second.run().button(key="cancel-walk") and not second.warning
    first.button(key="again-walk").click().run()
    assert first.session_state["fit-walk"] is job and first.button(key="cancel-walk")
    for each in (first, second):
        each.button(key="cancel-walk").click().run()
    assert job.wait(120) and job.state == "cancelled"


def test_a_walk_of_a_visitor_has_as_many_steps_as_the_operator_allows(drawing_assets, monkeypatch):
    monkeypatch.setenv("CLIPEXPLORE_WALK_STEPS", "36")
    settings.cache_clear()
    link = {**QUICK, "frames": "10", "curve": "both"}
    begun = [open_page("interpolate", link)]  # of the operator, whom nothing holds back
    monkeypatch.setattr(session, "caller", lambda: Caller("192.168.7.31"))
    app = open_page("interpolate", link)
    (told,) = [unescaped(each.value) for each in app.warning]
    assert told.startswith("This walk takes 40 steps") and "at most 36 are drawn" in told
    assert "fit-walk" not in app.session_state and not errors(app)
    begun.append(open_page("interpolate", {**link, "frames": "9"}))
    for job in [each.session_state["fit-walk"] for each in begun]:
        job.cancel()
        assert job.wait(120)


def test_what_the_checker_withholds_is_named(drawing_assets, tiny_diffusion, tmp_path, monkeypatch):
    """By a checker that finds everything unsafe."""
    beside = Weights("pipeline", "MIT", path=add_checker(tiny_diffusion, tmp_path / "beside", -2.0))
    monkeypatch.setenv("CLIPEXPLORE_SAFETY_CHECKER", "on")
    settings.cache_clear()
    known = catalog.models()
    monkeypatch.setattr(catalog, "models", lambda: known | {"emoji": replace(known["emoji"], draws_prompts=beside)})
    app, _result = drawn("interpolate", {**QUICK, "frames": "3", "space": "joint"}, "walk")
    assert "Withheld by the safety checker, and grey: 1, 2, 3. It errs often" in captions(app)


def test_both_curves_stand_side_by_side(drawing_assets):
    app, result = drawn("interpolate", {**QUICK, "curve": "both", "frames": "3", "easing": "smooth"}, "walk")
    assert [track["name"] for track in player(app)["tracks"]] == ["slerp", "lerp"] and result.keys() == {
        "slerp",
        "lerp",
    }


def test_texts_walk_through_token_states_and_others_do_not(drawing_assets):
    app, _ = drawn("interpolate", {**QUICK, "space": "tokens", "stops": "cat\ndog", "frames": "3"}, "walk")
    assert "token states" in captions(app)
    app, _ = drawn("interpolate", {**QUICK, "space": "tokens", "stops": "cat\n@lion-snow-07", "frames": "3"}, "walk")
    assert "one text only" in infos(app) and "Drawn from the joint space" in captions(app).replace("**", "")


def test_by_itself_a_walk_between_texts_leads_through_token_states(drawing_assets):
    link = {**QUICK, "frames": "2"}
    app, _ = drawn("interpolate", link | {"stops": "cat\ndog"}, "walk")
    assert "token states" in captions(app) and not infos(app)
    again = open_page("interpolate", link | {"stops": "cat\ndog", "space": "tokens"})
    assert (
        len(player(again)["tracks"][0]["frames"]) == 2 and "fit-walk" not in again.session_state
    )  # the same drawing, kept
    app, _ = drawn("interpolate", link | {"stops": "cat\n@lion-snow-07"}, "walk")
    assert "Drawn from the joint space" in captions(app).replace("**", "") and not infos(app)


@pytest.mark.parametrize(
    "link",
    [
        {"stops": "cat\ndog"},
        {"stops": "cat\n@lion-snow-07", "shift": "false"},
        {"stops": "cat + dog\n@lion-snow-07", "curve": "lerp"},
    ],
)
def test_show_code_draws_what_the_page_draws(link, drawing_assets, tmp_path, monkeypatch):
    app, result = drawn("interpolate", {**QUICK, "frames": "2", **link}, "walk")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (lines,) = [each.value for each in app.main.code if "Space.open(" in each.value]
    exec(compile(lines, "shown", "exec"), there := {})
    curve = link.get("curve", "slerp")
    for picture, png in zip(there["result"].drawn[curve].pictures, result[curve].pngs, strict=True):
        np.testing.assert_array_equal(picture, open_picture(png))


def test_what_a_drawing_depends_on_changes_it(drawing_assets):
    link = {**QUICK, "stops": "cat\ndog", "frames": "2", "space": "joint"}
    _, first = drawn("interpolate", link, "walk")
    for more in (
        {"seed": "5"},
        {"shift": "false"},
        {"guidance_scale": "1.5"},
        {"scheduler": "pndm"},
        {"space": "tokens"},
    ):
        _, other = drawn("interpolate", link | more, "walk")
        assert other["slerp"].pngs[0] != first["slerp"].pngs[0], more


def test_the_original_experiment_is_one_click(drawing_assets):
    app = open_page("interpolate", {"draw": "false", "seed": "7", "easing": "smooth"})
    click(app, "The original experiment")
    assert not app.exception and not errors(app)
    expected = {
        "stops": "lioness\nlion",
        "frames": 50,
        "curve": "lerp",
        "easing": "linear",
        "draw": True,
        "space": "tokens",
        "scheduler": "pndm",
        "num_inference_steps": 25,
        "guidance_scale": 7.5,
        "seed": 0,
    }
    assert values(app, "interpolate") == {**links.PAGES["interpolate"], **expected}
    app.session_state["fit-walk"].cancel()


def test_where_texts_are_drawn_in_few_steps_the_scheduler_is_given(drawing_assets, monkeypatch):
    few = catalog.get("emoji").draws_prompts
    monkeypatch.setattr(catalog.Model, "few_steps", property(lambda model: few))
    for kind, bound in (("tokens", True), ("auto", True), ("joint", False)):
        app = open_page("interpolate", {"draw": "false", "space": kind, "scheduler": "pndm", "stops": "cat\ndog"})
        (control,) = [each for each in app.button_group if each.key == "scheduler"]
        assert control.disabled == bound and ("model’s own scheduler only" in control.help) == bound


def test_hostile_numbers_are_the_defaults(drawing_assets):
    app = open_page(
        "interpolate", {"seed": "inf", "num_inference_steps": "1e309", "guidance_scale": "nan", "draw": "false"}
    )
    assert values(app, "interpolate") == {**links.PAGES["interpolate"], "draw": False}


def test_a_point_is_drawn_with_its_cosine_with_and_without_the_shift(drawing_assets):
    app, result = drawn("search", {"q": "lion + snow", "draw": "true"}, "search-drawn")
    said = captions(app)
    assert (
        said.count("to what was drawn") == 5 and "without moving texts" in said and "to the text’s own vector" in said
    )
    assert len(result["points"].pngs) == 5  # the query, three pictures, and the query where it was


def test_the_hat_page_draws_its_terms_their_difference_and_that_on_a_dog(drawing_assets):
    app, result = drawn("arithmetic", {"draw": "true"}, "arithmetic-drawn")
    for label in ("@man-top-hat", "@man", "@man-top-hat - @man", "@man-top-hat - @man + @dog-face"):
        assert f"**{label}**" in captions(app)
    assert len(result["points"].pngs) == 4 and "without moving texts" not in captions(
        app
    )  # pictures stay where they are
    app = open_page("arithmetic", {"draw": "true", "onto": "@nope"})
    assert "There is no @nope" in " ".join(errors(app))


def test_points_of_the_map_are_drawn(drawing_assets):
    app, result = drawn("map", {"draw": "true", "points": "@lion-snow-07\nhat"}, "map-drawn")
    assert len(result["points"].pngs) == 3 and "**hat**" in captions(app)


def test_an_archive_restores_the_page_it_came_from(drawing_assets):
    link = {"stops": "@man\n@frog", "frames": 3, "num_inference_steps": 2, "seed": 4}
    _, result = drawn("interpolate", {key: str(value) for key, value in link.items()}, "walk")
    route = {"stops": ["@man", "@frog"], "frames": 3, "curve": "slerp", "easing": "linear"}
    said = {
        "model": "a model that is not here",
        "collection": "emoji-world",
        **_values(
            route,
            {
                "draw_from": "joint",
                "shift": True,
                "seed": 4,
                "num_inference_steps": 2,
                "guidance_scale": None,
                "scheduler": "own",
            },
        ),
    }
    about = {"revision": "0", "sampler": "DPM++ 2M", "num_inference_steps": 2, "guidance_scale": 3.0}
    with zipfile.ZipFile(BytesIO(_archive(result["slerp"].pngs, said, about))) as file:
        png = file.read("frame-002.png")
        assert json.loads(file.read("recipe.json"))["seed"] == 4
    np.testing.assert_array_equal(np.asarray(open_picture(png)), np.asarray(open_picture(result["slerp"].pngs[1])))
    page, read = from_png(png)
    assert (
        page == "interpolate"
        and {key: read[key] for key in link} == link
        and from_png(_strip(result["slerp"].pngs, said, about))[1] == read
    )
    assert "Steps: 2, CFG scale: 3.0" in Image.open(BytesIO(png)).text["parameters"]
    app = open_page("interpolate", {"draw": "false", "stops": "cat\ndog"})
    app.file_uploader(key="restore").upload("x.png", png, "image/png").run()
    click(app, "Restore its settings")
    assert {key: values(app, "interpolate")[key] for key in link} == link
    assert (
        app.session_state["collection"] == "emoji-world" and app.session_state["model"] == "emoji"
    )  # the picture's own is not here
    app.file_uploader(key="restore").upload("x.png", b"no", "image/png").run()
    assert "carries no settings" in " ".join(errors(app))


def test_the_places_of_an_even_walk_come_into_the_link():
    link = QUICK | {"curve": "even", "frames": "4"}
    app, found = drawn("interpolate", link, "walk")
    app.run()
    places = values(app, "interpolate")["places"]
    assert [float(each) for each in places.split()] == found["even"].places.tolist() and len(places.split()) == 4
    assert "evenness" in figures(app)
    link |= {"places": places}
    assert "evenness" in figures(open_page("interpolate", link))  # at once: it is kept under that link too
    drawing._kept.clear()
    again, tracks = drawn("interpolate", link, "walk")
    assert tracks["even"].pngs == found["even"].pngs
    again.number_input(key="seed").set_value(5.0).run()
    assert values(again, "interpolate")["places"] == ""
