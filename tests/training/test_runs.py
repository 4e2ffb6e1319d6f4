"""A training run: stopped and resumed it is as if it had not been stopped, and its average lags behind."""

import numpy as np
import pytest
from fixtures_drawing_recipe import BATCH, WIDTHS, train_steps


def weights(run):
    return {name: value.detach().numpy().copy() for name, value in run.model.named_parameters()}


@pytest.fixture
def start(recipe, cache, conditions, tmp_path):
    return lambda name: recipe.diffusion.DrawingRun(tmp_path / name, cache, conditions, WIDTHS)


def steps(recipe, run, cache, conditions, number):
    train_steps(
        recipe, run, number, lambda hours: recipe.diffusion.train(run, cache, conditions, hours, BATCH, 0, False)
    )


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(recipe, start, cache, conditions):
    import torch

    def seeded(run, number):
        torch.manual_seed(run.step)
        steps(recipe, run, cache, conditions, number)

    whole, part = start("whole"), start("part")
    seeded(whole, 2)
    seeded(whole, 2)
    seeded(part, 2)
    again = start("part")
    assert again.ledger() == part.ledger() == {"step": 2, "seconds": 1, "pictures": 2 * BATCH}
    seeded(again, 2)
    assert again.step == 4
    for ours, theirs in ((weights(again), weights(whole)), (again.average, whole.average)):
        for name in ours:
            np.testing.assert_array_equal(np.asarray(ours[name]), np.asarray(theirs[name]), err_msg=name)


def test_the_average_moves_and_lags(recipe, start, cache, conditions):
    run = start("run")
    first = weights(run)
    steps(recipe, run, cache, conditions, 3)
    moved = [np.abs(np.asarray(run.average[name]) - first[name]).max() for name in first]
    assert max(moved) > 0 and any(
        not np.array_equal(np.asarray(run.average[name]), value) for name, value in weights(run).items()
    )


def test_the_rate_rises_stays_and_ends_at_zero(recipe, start, monkeypatch):
    import torch

    monkeypatch.setattr(recipe.diffusion, "WARMUP", 4)
    run, rates = start("run"), []

    def loss(model, latents):
        rates.append(run.optimizers[0].param_groups[0]["lr"] / run.rate)
        return sum(value.square().sum() for value in model.parameters()) * latents.mean()

    batches = [{"latents": torch.ones(BATCH)}] * 40
    train_steps(recipe, run, 20, lambda hours: run.train(batches, loss, hours, cooldown=True))
    begin = round(20 * (1 - recipe.runs.COOLDOWN))
    np.testing.assert_allclose(rates[: begin + 1], [0.25, 0.5, 0.75] + [1.0] * (begin - 2), atol=1e-3)
    np.testing.assert_allclose(np.diff(rates[begin:]), -1 / (20 * recipe.runs.COOLDOWN), atol=1e-3)
    assert run.pictures == run.step * BATCH
    rates.clear()
    train_steps(recipe, run, 2, lambda hours: run.train(batches, loss, hours, cooldown=False))
    assert rates == [1.0, 1.0]
