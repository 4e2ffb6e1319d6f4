"""The table of the drawing model: what it asks for, and that a perfect painter passes it and a blind one does not."""

import numpy as np
import pytest
from fixtures_drawing import DIM, build_tiny_emoji_unclip, build_tiny_unclip
from fixtures_models import build_tiny_clip
from PIL import Image

from clipexplore.models.embedder import Embedder
from clipexplore.settings import settings


@pytest.fixture(scope="module")
def table(world):
    from clipexplore.training import evaluate_drawing

    return evaluate_drawing


@pytest.fixture(scope="module")
def clip():
    return Embedder.load(settings().assets / "models/emoji/clip", "cpu")


def test_prompts_are_of_three_kinds_and_say_what_the_scene_is(table):
    from clipexplore.training import captions

    scenes = table.prompts(60)
    said = [captions.literal(one) for one in scenes]
    assert len(set(said)) > 50 and all(one.seed >= table.FIRST for one in scenes)
    coloured = [one for one in scenes if one.background]
    placed, worn = [one for one in scenes if one.place], [one for one in scenes if one.kind == "worn"]
    assert len(coloured) == len(placed) == len(worn) == 20
    assert all(one.items[0].colour not in (None, one.background) for one in coloured)
    assert 5 <= sum(one.worn("headwear") is not None for one in worn) <= 15


def test_a_rival_differs_in_what_is_asked(table):
    from random import Random

    from clipexplore.training import captions

    for one in table.prompts(60):
        other = table.rival(one, Random(one.seed))
        assert captions.literal(one) != captions.literal(other) and one.items[0].name == other.items[0].name
        assert (one.worn("headwear") is None) != (other.worn("headwear") is None) if one.kind == "worn" else True


def test_true_scenes_pass_and_other_scenes_do_not(table, clip):
    """The bundled CLIP as the judge: of true pictures, of the same pictures in another order, and of grey."""
    from clipexplore.training.scenes import draw

    scenes = table.prompts(60)
    pictures = [draw(one) for one in scenes]
    true, wrong = table.judged(clip, scenes, pictures), table.judged(clip, scenes, pictures[3:] + pictures[:3])
    # recoloured things are hard to name
    assert true["right thing, top-5"] > 0.5 and all(true[name] > table.BARS[name] for name in list(true)[2:])
    assert wrong["right thing, top-5"] < 0.2 and all(wrong[name] < true[name] for name in true)
    grey = table.judged(clip, scenes, [Image.new("RGB", (128, 128), "grey")] * 60)
    assert grey["right thing, top-1"] < 0.1 and all(0 <= value <= 1 for value in grey.values())


def test_counts_and_sides_are_seen_in_true_scenes(table, clip):
    from clipexplore.training.scenes import draw

    several, beside = table.counted(24), table.sided(24)
    assert [len(one.items) for one in several[:4]] == [1, 2, 3, 4] and {one.relation for one in beside} == {
        "left",
        "right",
    }
    assert (
        table.right_counts(clip, several, [draw(one) for one in several])["right count of one to four"] > 0.7
    )  # by chance .25
    shown = [draw(one) for one in beside]
    assert table.right_sides(clip, beside, shown)["left–right against a rival"] > 0.8
    mirrored = [picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for picture in shown]
    assert table.right_sides(clip, beside, mirrored)["left–right against a rival"] < 0.2


def test_edges_are_differences_between_neighbours(table):
    stripes = Image.fromarray(np.tile(np.array([[0, 90]], np.uint8), (8, 4)))
    assert table.edges([stripes]) == pytest.approx(45)  # 90 along rows, none along columns
    assert table.edges([stripes.resize((8, 8)), Image.new("L", (8, 8))]) == pytest.approx(22.5)


def test_arithmetic_is_made_of_the_right_scenes(table):
    wanted, (dressed_a, bare_a, bare_b) = table.arithmetic(20)
    for b_hat, a_hat, a, b in zip(wanted, dressed_a, bare_a, bare_b, strict=True):
        assert (
            b_hat.worn("headwear") == a_hat.worn("headwear") is not None
            and a.worn("headwear") is b.worn("headwear") is None
        )
        assert b_hat.items[0].name == b.items[0].name != a.items[0].name == a_hat.items[0].name


def test_the_whole_table_is_computed(table, clip, tmp_path, monkeypatch):
    """With a model that knows nothing: near the bottom of every scale, and below every bar."""
    from clipexplore.draw.renderer import Renderer

    folder = build_tiny_clip(tmp_path / "clip")
    renderer, embedder = (
        Renderer.load(build_tiny_unclip(tmp_path / "unclip", folder), folder, device="cpu"),
        Embedder.load(folder, "cpu"),
    )
    loop = table.closed_loop(renderer, embedder, 4, bank=30)
    across = table.across(renderer, embedder, np.eye(DIM + 1, DIM), 3)
    blind = table.Classifier([thing.name for thing in table.things()], (8, 16)).eval()
    seen, true = table.asked(renderer, clip, embedder, 6, lambda line: None, None, blind)
    figures = loop | across
    assert set(table.BARS) - {"autoencoder round trip, dB"} <= set(figures | seen) and set(true) < set(seen)
    asked = {name for name in seen if name.startswith("classifier")}
    assert len(asked) == 2 and asked < set(true) and all(seen[name] == 0 for name in asked)
    assert len(figures) == 7 and all(-1 <= value <= 1 for value in figures.values())
    printed = table.table(figures | {"right thing, top-1": 0.001}, {"right thing, top-1": 0.8})
    assert "| right thing, top-1 | ≥ 0.60 | 0.001 (below) | 0.800 |" in printed and len(printed.splitlines()) == 10


def test_rows_of_a_classifier_that_is_not_there_are_left_out_with_a_word(table, tmp_path, capsys):
    assert table.classifier_of(tmp_path / "none.safetensors") is None
    assert "none.safetensors" in capsys.readouterr().out
    table.Classifier(["lion"], (8, 16)).save(tmp_path / "one.safetensors")
    assert table.classifier_of(tmp_path / "one.safetensors").names == ["lion"] and not capsys.readouterr().out


def test_what_a_person_is_to_name_is_drawn_as_the_app_draws_it(table, clip, tmp_path):
    """A text from its tokens too, all from their vectors on the other side of the gap, wherever they stand."""
    from clipexplore.draw.renderer import Renderer
    from clipexplore.points import across_gap
    from clipexplore.space import Space

    folder = settings().assets / "models/emoji/clip"
    renderer = Renderer.load(build_tiny_emoji_unclip(tmp_path / "unclip", folder), folder, device="cpu")
    space = Space.open(embedder=clip)
    table.show(renderer, space, tmp_path / "shown.png", ("lion", "pizza", "lion - snow"))
    sheet, order = Image.open(tmp_path / "shown.png"), (tmp_path / "shown.txt").read_text().splitlines()
    assert sorted(order) == ["lion", "lion - snow", "pizza"] and len(table.SHOWN) == 24
    for expression, given in (
        ("pizza", {"prompt_embeds": renderer.encode_prompts(["pizza"])}),
        ("lion - snow", {}),
    ):
        given["embeddings"] = across_gap(space.point(expression), renderer.gap)[None]
        left, side = order.index(expression) * renderer.side, renderer.side
        tile = np.asarray(sheet.crop((left, 0, left + side, side)))
        np.testing.assert_array_equal(tile, np.asarray(renderer.render(**given)[0]))


def test_drawings_come_in_the_order_of_the_rows(table, tmp_path):
    """A dozen shares a seed: the second is drawn from other noise than the first, each row from its vector."""
    from clipexplore.draw.renderer import Renderer

    folder = build_tiny_clip(tmp_path / "clip")
    renderer = Renderer.load(build_tiny_unclip(tmp_path / "unclip", folder), folder, device="cpu")
    rows = np.random.default_rng(0).normal(size=(14, DIM)).astype(np.float32)
    drawn = [np.asarray(picture) for picture in table.drawn(renderer, embeddings=rows)]
    for row, seed in ((0, 0), (12, 1), (13, 1)):
        start = 12 * seed
        expected = renderer.render(embeddings=rows[start : start + 12], seed=seed)[row - start]
        np.testing.assert_array_equal(drawn[row], np.asarray(expected))
