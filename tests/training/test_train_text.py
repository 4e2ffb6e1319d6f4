"""The text tower's lessons, with a tower of two layers: what it starts from, what it is taught, what is exported."""

import json
from collections import Counter
from random import Random

import numpy as np
import pytest
from fixtures_models import MAX_TOKENS, build_tiny_clip

pytestmark = pytest.mark.usefixtures("sources")


@pytest.fixture(scope="module")
def text(sources):
    from clipexplore.training import train_text

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"CONTEXT": MAX_TOKENS, "WORDS": 16, "CAPTIONS": 4, "SPELLED_ALIKE": 2}.items():
            patch.setattr(train_text, name, value)
        patch.setattr(
            train_text, "corpus", lambda: Counter({"a kitten": 9, "kätzchen": 9, "👑": 9, "a lion in the jungle": 9})
        )
        patch.setattr(train_text, "thing_pictures", lambda embedder: unit(len(train_text.things()), embedder.dim))
        yield train_text


def unit(rows, dim):
    found = np.random.default_rng(0).normal(size=(rows, dim)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = build_tiny_clip(tmp_path_factory.mktemp("clip") / "first")
    (folder / "training.json").write_text('{"step": 5}')
    return folder


@pytest.fixture(scope="module")
def targets(text, first, tmp_path_factory):
    return text.Targets(tmp_path_factory.mktemp("targets"), text.Embedder.load(first, "cpu"))


@pytest.fixture
def run(text, first, tmp_path):
    return text.TextRun(tmp_path / "run", first)


class TestTokens:
    def test_those_that_were_keep_their_numbers_and_new_ones_are_whole_words(self, run):
        before, after = run.first_tokenizer.get_vocab(), run.tokenizer.get_vocab()
        assert before.items() <= after.items() and len(after) > len(before)
        assert [run.tokenizer.tokenize(word) for word in ("kitten", "👑")] == [["kitten</w>"], ["ðŁĳĳ</w>"]]
        assert len(run.first_tokenizer.tokenize("kitten")) > 1 and len(run.tokenizer.tokenize("kätzchen")) == 1

    def test_a_tower_starts_as_the_first_one(self, text, run):
        import torch

        tokens = run.first_tokenizer(["a cat in the snow"], return_tensors="pt").input_ids
        with torch.no_grad():
            torch.testing.assert_close(
                run.model(input_ids=tokens).text_embeds, run.first(input_ids=tokens).text_embeds, atol=1e-3, rtol=1e-3
            )

    def test_a_new_token_starts_where_what_it_translates_is(self, text, run, monkeypatch):
        """Two words said of things that share one word: each takes its own, and the shared one the shared."""
        thing = {thing.name: number for number, thing in enumerate(text.things())}
        said = [
            text.Said(spelled, "de", (thing[name],), True)
            for spelled, name in (("kitten lion", "cat face"), ("kitten jungle", "dog face"), ("jungle", "dog"))
        ]
        monkeypatch.setattr(text, "learned", lambda kind: said if kind == "names" else [])
        shares, total = text.translations(run.first_tokenizer, run.tokenizer)
        kitten = run.tokenizer.convert_tokens_to_ids("kitten</w>")
        meant = shares[kitten].argmax().item()
        assert meant in run.first_tokenizer("face", add_special_tokens=False)["input_ids"] and shares[
            kitten
        ].sum() == pytest.approx(1)
        assert total[kitten] and not total[run.tokenizer.convert_tokens_to_ids("snow</w>")]


class TestTargets:
    def test_a_name_points_where_the_first_name_does_and_a_tag_part_of_the_way(self, text, targets):
        name, tag = (targets.of(text.Said("zzz", "de", (7,), own)) for own in (True, False))
        assert float(name @ targets.names[7]) == pytest.approx(1, abs=1e-5)
        assert float(tag @ targets.middle) > float(name @ targets.middle) and float(tag.norm()) == pytest.approx(
            1, abs=1e-5
        )

    def test_what_the_first_edition_told_right_stays_where_it_was(self, text, targets, monkeypatch):
        cat = text.Said("cat", "en", (1, 2), True)
        monkeypatch.setattr(targets, "_words", {"cat": targets.pictures[9]})
        assert targets.of(cat).equal(targets.pictures[9])
        monkeypatch.setattr(targets, "_words", {})
        assert float(targets.of(cat) @ targets.names[1:3].mean(0)) > 0.9 * float(targets.names[1:3].mean(0).norm())

    def test_nothing_points_to_the_middle(self, text, targets):
        assert targets.of(text.Said("zzz", "en", (), False)) is targets.middle
        assert targets.true(
            [text.Said("a", "en", (), False), text.Said("b", "en", (3, 5), False)]
        ).nonzero().tolist() == [[1, 3], [1, 5]]

    def test_sharpened_names_tell_pictures_apart_and_stay_near(self, text):
        """Two things whose names had been exchanged in part."""
        import torch

        torch.manual_seed(0)
        pictures = torch.nn.functional.normalize(torch.randn(6, 16))
        names = torch.nn.functional.normalize(pictures[[1, 0, 2, 3, 4, 5]] + 0.9 * pictures)
        found = text.sharpened(names, pictures, 30.0)
        assert ((found @ pictures.T).argmax(1) == torch.arange(6)).all() and (
            (names @ pictures.T).argmax(1)[:2] != torch.arange(2)
        ).all()
        assert (found * names).sum(1).min() > 0.8

    def test_colours_are_no_tags(self, text):
        assert {"red", "snow", "three"} <= text.grammar_words()
        assert not {said.text for said in text.learned("english")} & text.grammar_words()


class TestWordings:
    def test_a_thing_goes_by_another_name_and_its_article_with_it(self, text, monkeypatch):
        from clipexplore.training.scenes import alone

        monkeypatch.setattr(text, "own_names", lambda: {"lion": ("emperor cat",)})
        one = alone(0, "lion", "snow", colour="red")
        assert text.renamed("a lion in the snow", one, Random(0)) == "an emperor cat in the snow"
        assert text.renamed("a red lion in the snow", one, Random(0)) == "a red emperor cat in the snow"
        assert text.renamed("a big cat in the snow", one, Random(0)) == "a big cat in the snow"

    def test_numbers_become_digits(self, text):
        assert text.with_digits("three lions and one nine") == "3 lions and 1 9"
        word, digit = text.counted(Random(0))
        assert text.with_digits(word) == digit

    def test_every_thing_has_a_character_and_a_name(self, text):
        assert len(text.own_names()) == len(text.things()) and all(
            len(texts) > 1 for texts in text.own_names().values()
        )


class TestTraining:
    def test_a_number_gives_the_same_batch(self, text, run, targets):
        texts = text.Texts(run.tokenizer, run.first_tokenizer, targets)
        one, again, other = texts[3], texts[3], texts[4]
        assert all((one[name] == again[name]).all() for name in one)
        assert (
            one["words"].shape[0] == 16
            and one["alike"].shape == (2, MAX_TOKENS)
            and not one["words"].equal(other["words"])
        )

    def test_the_loss_falls(self, text, run, targets):
        loss = text.partial(text.step_loss, run.first, targets.pictures, 20.0)
        batch, run.step = text.Texts(run.tokenizer, run.first_tokenizer, targets)[0], 10_000
        losses = [run._update(loss, batch, 3.0) for _ in range(12)]
        assert np.isfinite(losses).all() and losses[-1] < 0.9 * losses[0]

    def test_a_tower_that_has_learned_nothing_is_off_in_words_alone(self, text, run, targets):
        """Of captions spelled as before the first edition says what it is asked to say."""
        import torch

        batch = text.Texts(run.tokenizer, run.first_tokenizer, targets)[0]
        same, before = run.model(input_ids=batch["alike"]), run.first(input_ids=batch["alike"])
        torch.testing.assert_close(same.last_hidden_state, before.last_hidden_state, atol=1e-3, rtol=1e-3)


def test_what_is_exported_sees_pictures_as_before_and_texts_as_it_learned(text, run, first, tmp_path, monkeypatch):
    from safetensors.numpy import load_file

    monkeypatch.setattr(text, "known_texts", lambda: frozenset({"kitten"}))
    for value in run.average.values():
        value.add_(0.01)
    run.export(first, tmp_path / "clip")
    before, after = load_file(first / "model.safetensors"), load_file(tmp_path / "clip/model.safetensors")
    for name in before:
        if not name.startswith("text"):
            np.testing.assert_array_equal(after[name], before[name])
    embedder = text.Embedder.load(tmp_path / "clip", "cpu")
    assert embedder.embed_texts(["kitten"]).shape == (1, embedder.dim)
    assert "kitten" in text.Known.load(tmp_path / "clip")
    assert json.loads((tmp_path / "clip/training.json").read_text()) == {
        "step": 5,
        "text": {"step": 0, "seconds": 0, "pictures": 0},
    }
