"""The training of CLIP: its loss against torch's, its batches, and a run of some steps of a model that is a thousand
times smaller.
"""

import json
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from clipexplore.models.embedder import Embedder
from clipexplore.training.scenes import HELD_OUT, alone, draw

STEPS, BATCH = 6, 16


@pytest.fixture
def start(train_clip, tokenizer, tmp_path):
    """Starts or resumes the run of a name, from scratch with the one tokenizer or from exported weights."""

    def start(name, weights=None):
        if not weights:
            (tmp_path / name).mkdir(exist_ok=True)
            tokenizer.save_pretrained(tmp_path / name / "tokenizer")
        return train_clip.ClipRun(tmp_path / name, weights=weights)

    return start


@pytest.fixture(scope="module")
def runs():
    from clipexplore.training import runs

    return runs


@pytest.fixture
def handlers(runs, monkeypatch):
    """What training would do at a signal, by its number; the tests' own process keeps its ways."""
    handlers = {}
    monkeypatch.setattr(runs, "signal", SimpleNamespace(SIGTERM=signal.SIGTERM, signal=handlers.__setitem__))
    return handlers


@pytest.fixture
def train(train_clip, runs, handlers, monkeypatch):
    """Trains a run for a number of steps: its clock goes one second on with each."""

    def train(run, steps, cooldown=False):
        monkeypatch.setattr(runs, "time", SimpleNamespace(time=lambda: float(run.step)))
        train_clip.train(run, steps / 3600, BATCH, workers=0, cooldown=cooldown)

    return train


def weights(run):
    return {name: value.detach().numpy().copy() for name, value in run.model.named_parameters()}


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


class TestLoss:
    @pytest.fixture
    def logits(self):
        return torch.tensor(np.random.default_rng(0).normal(0, 3, (7, 7)), requires_grad=True)

    @pytest.fixture
    def truth(self):
        """Each picture has its text, and a third of the rest is true as well; the last picture and the last text have
        none.
        """
        truth = np.random.default_rng(1).random((7, 7)) < 0.3
        truth |= np.eye(7, dtype=bool)
        truth[-1], truth[:, -1] = False, False
        return torch.tensor(truth)

    def test_with_one_positive_each_it_is_clips(self, train_clip, logits):
        number = torch.arange(7)
        clip = (
            torch.nn.functional.cross_entropy(logits, number) + torch.nn.functional.cross_entropy(logits.T, number)
        ) / 2
        torch.testing.assert_close(train_clip.contrastive_loss(logits, torch.eye(7, dtype=torch.bool)), clip)

    def test_against_the_sum_written_out(self, train_clip, logits, truth):
        def rows(scores, true):
            losses = []
            for row, positives in zip(scores, true, strict=True):
                negatives = np.exp(row[~positives]).sum()
                each = [-np.log(np.exp(score) / (np.exp(score) + negatives)) for score in row[positives]]
                losses.append(np.mean(each) if each else 0.0)
            return np.mean(losses)

        scores, true = logits.detach().numpy(), truth.numpy()
        expected = (rows(scores, true) + rows(scores.T, true.T)) / 2
        assert train_clip.contrastive_loss(logits, truth).item() == pytest.approx(expected, abs=1e-9)

    def test_the_order_of_pictures_and_texts_does_not_matter(self, train_clip, logits, truth):
        rows, columns = torch.tensor([3, 1, 0, 6, 2, 5, 4]), torch.tensor([6, 0, 5, 1, 4, 2, 3])
        shuffled = train_clip.contrastive_loss(logits[rows][:, columns], truth[rows][:, columns])
        torch.testing.assert_close(shuffled, train_clip.contrastive_loss(logits, truth))

    def test_other_positives_are_not_pushed_away(self, train_clip):
        """A second right text may score as high as it likes; as a negative of the first it would cost."""
        truth = torch.tensor([[True, True, False], [False, False, True]])
        before = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
        after = before + torch.tensor([[0.0, 6.0, 0.0], [0.0, 0.0, 0.0]])
        assert train_clip.contrastive_loss(after, truth) < train_clip.contrastive_loss(before, truth)
        only = torch.tensor([[True, False, False], [False, False, True]])
        assert train_clip.contrastive_loss(after, only) > train_clip.contrastive_loss(before, only)

    @pytest.mark.parametrize("all_true", [True, False])
    def test_a_text_that_is_true_of_all_or_of_none_leaves_gradients_finite(self, train_clip, logits, truth, all_true):
        truth[:, 2] = all_true
        truth[3] = all_true
        train_clip.contrastive_loss(logits, truth).backward()
        assert torch.isfinite(logits.grad).all() and logits.grad.abs().sum() > 0


class TestBatches:
    @pytest.fixture
    def batches(self, train_clip, tokenizer):
        return train_clip.Batches(tokenizer, BATCH)

    def test_a_number_gives_the_same_batch_and_another_another(self, batches):
        first, again, other = batches[3], batches[3], batches[4]
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not torch.equal(first["pictures"], other["pictures"])

    def test_shapes(self, train_clip, batches):
        batch = batches[0]
        pictures, size = batch["pictures"], train_clip.PICTURE_SIZE
        assert pictures.dtype == torch.uint8 and pictures.shape == (BATCH, 3, size, size)
        assert batch["captions_true"].shape == (BATCH, BATCH) and batch["captions_true"].diagonal().all()
        assert (
            batch["words_true"].shape == (BATCH, len(batch["words"])) and batch["words"].shape[1] <= train_clip.CONTEXT
        )
        # no word without a picture, and the reverse
        assert batch["words_true"].any(0).all() and batch["words_true"].any(1).all()

    def test_what_is_held_out_is_never_seen(self, train_clip, tokenizer, monkeypatch):
        """Not in a thousand batches spread over a billion, each as large as the largest that is used."""
        seen = []
        monkeypatch.setattr(train_clip, "draw", lambda one: seen.append(one.seed) or Image.new("RGB", (8, 8)))
        batches = train_clip.Batches(tokenizer, 1024)
        for number in (0, 1, 10**6, len(batches) - 1):
            batches[number]
        assert len(seen) > 4000 and max(seen) < HELD_OUT

    def test_equal_captions_and_words_that_are_true_are_positives(self, train_clip):
        truths = [{"cat", "snow"}, {"dog"}, {"cat"}]
        truth = train_clip._truth(truths, ["a cat in the snow", "dog", "cat"], own=True).int().tolist()
        assert truth == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
        assert train_clip._truth(truths, ["cat", "snow", "bird"]).int().tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0]]
        assert train_clip._truth([{"a"}, {"b"}], ["same", "same"], own=True).all()


class TestRun:
    def test_the_loss_falls(self, train_clip, runs, start):
        run = start("run")
        batch = train_clip.Batches(run.tokenizer, BATCH)[0]
        run.step = runs.WARMUP_STEPS
        losses = [run._update(train_clip.step_loss, batch, 1.0) for _ in range(10)]
        assert np.isfinite(losses).all() and losses[-1] < 0.9 * losses[0]

    def test_a_run_that_is_resumed_ends_where_one_at_a_stretch_does(self, start, train):
        whole, first = start("whole"), start("parts")
        train(whole, STEPS)
        train(first, STEPS // 2)
        resumed = start("parts")
        assert (resumed.step, resumed.pictures, resumed.seconds) == (3, 3 * BATCH, first.seconds) and first.seconds > 0
        assert_equal(weights(first), weights(resumed))
        assert_equal(first.average, resumed.average)
        train(resumed, STEPS // 2)
        assert (resumed.step, resumed.pictures) == (whole.step, whole.pictures) == (
            STEPS,
            STEPS * BATCH,
        ) and resumed.seconds > first.seconds
        assert_equal(weights(whole), weights(resumed))
        assert_equal(whole.average, resumed.average)

    def test_a_run_from_exported_weights_goes_on_where_they_were(self, start, train, tmp_path):
        first = start("first")
        train(first, 3)
        first.export(tmp_path / "model")
        second = start("second", weights=tmp_path / "model")
        assert (second.step, second.pictures) == (3, 3 * BATCH) and not second.optimizers[0].state
        exported = {name: value.half().float().numpy() for name, value in first.average.items()}
        assert_equal(weights(second), exported)
        assert_equal(second.average, exported)
        assert second.tokenizer.get_vocab() == first.tokenizer.get_vocab()

    def test_it_warms_up_again(self, train_clip, runs, start, train, tmp_path):
        first = start("first")
        train(first, 3)
        first.export(tmp_path / "model")
        second = start("second", weights=tmp_path / "model")
        train(second, 1)
        assert second.optimizers[0].param_groups[0]["lr"] == pytest.approx(train_clip.RATE / runs.WARMUP_STEPS)

    def test_it_is_resumed_like_any_other(self, start, train, tmp_path):
        """Its optimiser has seen fewer steps than its weights."""
        first = start("first")
        train(first, 3)
        first.export(tmp_path / "model")
        whole, parts = (start(name, weights=tmp_path / "model") for name in ("whole", "parts"))
        train(whole, 4)
        train(parts, 2)
        resumed = start("parts", weights=tmp_path / "model")
        train(resumed, 2)
        assert resumed.step == whole.step == 7
        assert_equal(weights(whole), weights(resumed))

    def test_what_is_stopped_is_saved(self, train_clip, start, train, handlers, tmp_path, monkeypatch):
        run, loss = start("run"), train_clip.step_loss

        def stopped(model, **batch):
            if run.step == 2:
                handlers[signal.SIGTERM](signal.SIGTERM, None)
            return loss(model, **batch)

        monkeypatch.setattr(train_clip, "step_loss", stopped)
        with pytest.raises(SystemExit):
            train(run, STEPS)
        assert json.loads((tmp_path / "run" / "state.json").read_text())["step"] == 2
        assert_equal(weights(start("run")), weights(run))

    def test_a_fresh_run_begins_anew(self, start, train):
        first, second = start("first"), start("second")
        assert_equal(weights(first), weights(second))
        train(first, 2)
        assert any(not np.array_equal(value, weights(first)[name]) for name, value in weights(second).items())

    def test_the_average_follows_the_weights(self, train_clip, start):
        run = start("run")
        batch = train_clip.Batches(run.tokenizer, BATCH)[0]
        run._update(train_clip.step_loss, batch, 1.0)
        assert_equal(weights(run), run.average)
        run.step = 10**6
        before = {name: value.numpy().copy() for name, value in run.average.items()}
        run._update(train_clip.step_loss, batch, 1.0)
        for name, value in weights(run).items():
            expected = train_clip.KEEP * before[name] + (1 - train_clip.KEEP) * value
            np.testing.assert_allclose(run.average[name], expected, rtol=1e-4, atol=1e-6)

    def test_checkpoints_are_tensors_and_json(self, start, train, tmp_path):
        train(start("run"), 1)
        files = {path.name for path in (tmp_path / "run").iterdir()}
        assert files == {"state.json", "state.safetensors", "tokenizer"}


class TestExport:
    @pytest.fixture
    def exported(self, start, train, tmp_path):
        run = start("run")
        train(run, 2)
        run.export(tmp_path / "model")
        return run, tmp_path / "model"

    def test_it_is_the_average_in_half_precision(self, exported):
        from safetensors.torch import load_file
        from transformers import CLIPModel

        run, folder = exported
        model, found = CLIPModel.from_pretrained(folder, output_loading_info=True)
        assert not found["missing_keys"] and not found["unexpected_keys"]
        assert {value.dtype for value in load_file(folder / "model.safetensors").values()} == {torch.float16}
        assert_equal(
            {name: value.half().numpy() for name, value in run.average.items()},
            {name: value.detach().half().numpy() for name, value in model.named_parameters()},
        )

    def test_the_processor_does_what_training_did(self, train_clip, exported):
        from transformers import CLIPImageProcessorPil

        picture = draw(alone(1, "lion", "jungle"))
        pixels = CLIPImageProcessorPil.from_pretrained(exported[1])(picture, return_tensors="np")["pixel_values"][0]
        trained = (train_clip.small_pixels(picture) / 255 - train_clip.MEAN[0]) / train_clip.STD[0]
        np.testing.assert_allclose(pixels, trained, atol=1e-5)

    def test_the_product_embeds_with_it_what_the_model_says(self, train_clip, exported):
        from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

        folder = exported[1]
        embedder = Embedder.load(folder, device="cpu", dtype=torch.float32)
        texts, pictures = (
            ["lion", "a red lion in the jungle", "🎩 7 ü"],
            [draw(alone(seed, "lion", "jungle")) for seed in (1, 2)],
        )
        tokens = CLIPTokenizer.from_pretrained(folder)(
            texts, padding="max_length", truncation=True, return_tensors="pt"
        )
        with torch.inference_mode():
            plain = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()(
                **tokens, **CLIPImageProcessorPil.from_pretrained(folder)(pictures, return_tensors="pt")
            )
        np.testing.assert_allclose(embedder.embed_texts(texts), plain.text_embeds, atol=1e-5)
        # The embedder resizes on its own, quicker, and rounds some values to the neighbouring one of 256.
        np.testing.assert_allclose(embedder.embed_images(pictures), plain.image_embeds, atol=5e-4)
        assert (embedder.dim, embedder.max_tokens) == (16, train_clip.CONTEXT)

    def test_what_stands_behind_an_unseen_character_counts(self, exported):
        embedder = Embedder.load(exported[1], device="cpu")
        lion, guitar, alone = embedder.embed_texts(["🎩 lion", "🎩 guitar", "🎩"])
        assert min(abs(lion - guitar).max(), abs(lion - alone).max()) > 1e-4
