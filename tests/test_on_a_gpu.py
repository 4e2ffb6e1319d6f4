"""What runs on a GPU, on one that is only pretended (see fixtures_gpu): nothing mixes devices, and results are those of
the CPU.
"""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from fixtures_drawing import DIM, add_checker, write_lora
from fixtures_gpu import FREE, KEPT, TAKEN, OnGpu, gpu  # noqa: F401
from PIL import Image

from benchmarks import gpu as gpu_benchmark
from clipexplore.draw.renderer import Renderer
from clipexplore.errors import InputError
from clipexplore.maps import umap
from clipexplore.models.devices import default_device, free_memory
from clipexplore.models.embedder import Embedder
from clipexplore.models.residents import Residents, residents, size_of
from clipexplore.retrieval.coarse import Coarse
from clipexplore.retrieval.nearest import search
from clipexplore.vectors import normalize

pytestmark = pytest.mark.usefixtures("gpu")
TEXTS = ["a photo of a cat", "two red apples", "a dog in the snow at night"]
POINTS = np.random.default_rng(0).normal(size=(6, DIM)).astype(np.float32)


def pictures(count):
    dice = np.random.default_rng(0)
    return [Image.fromarray(dice.integers(0, 256, (40 + n, 50, 3), dtype=np.uint8)) for n in range(count)]


def pixels(drawn):
    return np.stack([np.asarray(each) for each in drawn]).astype(int)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda there: there + torch.ones(3),
        lambda there: there.numpy(),
        lambda there: torch.randn(2, generator=torch.Generator(), device="cuda"),
        lambda there: torch.nn.functional.linear(there, torch.ones(3, 3)),
    ],
)
def test_what_a_gpu_refuses_is_refused(wrong):
    there = torch.ones(3, device="cuda")
    assert there.device.type == "cuda" and there.is_cuda and isinstance(there * 2 + torch.tensor(1.0), OnGpu)
    assert there.cpu().device.type == "cpu" and not isinstance(there.cpu(), OnGpu)
    with pytest.raises((RuntimeError, TypeError), match="same device|convert cuda|for generator"):
        wrong(there)


def test_it_is_the_default_and_what_torch_keeps_counts_as_free():
    assert default_device().type == "cuda"
    assert free_memory(default_device()) == FREE + KEPT - TAKEN


def test_vectors_are_those_of_the_cpu(tiny_clip):
    here, there = Embedder.load(tiny_clip, device="cpu"), Embedder.load(tiny_clip)
    assert there._model.device.type == "cuda" and there._model.dtype == torch.float16
    for ours, theirs in (
        (there.embed_texts(TEXTS), here.embed_texts(TEXTS)),
        (there.embed_images(pictures(5)), here.embed_images(pictures(5))),
    ):
        assert type(ours) is np.ndarray and ours.dtype == np.float32
        assert (ours * theirs).sum(1).min() > 0.9999


@pytest.mark.parametrize(
    ("kind", "scheduler"), [("prompts", "own"), ("prompts", "pndm"), ("points", "own"), ("both", "ddim")]
)
def test_pixels_are_those_of_the_cpu(request, kind, scheduler, tiny_clip):
    folder = request.getfixturevalue("tiny_diffusion" if kind == "prompts" else "tiny_unclip")
    here, there = Renderer.load(folder, tiny_clip, device="cpu", dtype=torch.float16), Renderer.load(folder, tiny_clip)
    assert (
        there.pipeline.device.type == "cuda"
        and there.pipeline.dtype == torch.float16
        and here.revision != there.revision
    )
    seen = []

    def drawn(renderer):
        given = {} if kind == "points" else {"prompt_embeds": renderer.encode_prompts(TEXTS * 2)}
        given |= {} if kind == "prompts" else {"embeddings": POINTS}
        return pixels(
            renderer.render(
                **given,
                seed=3,
                num_inference_steps=4,
                guidance_scale=3.0,
                scheduler=scheduler,
                report=lambda share, preview: seen.append(preview),
            )
        )

    first = drawn(there)
    assert np.abs(first - drawn(here)).mean() < 0.5  # float16 in another order of memory
    np.testing.assert_array_equal(first, drawn(there))
    assert any(isinstance(each, Image.Image) for each in seen)


def test_few_steps_and_the_checker_draw_there_too(tiny_diffusion, tmp_path):
    lora = write_lora(tmp_path / "lora", tiny_diffusion) if find_spec("peft") else None
    folder = add_checker(tiny_diffusion, tmp_path / "checked", 2.0)
    renderer = Renderer.load(folder, lora=lora, checker=folder)
    assert {each.device.type for each in renderer.checker._model.parameters()} == {"cuda"}
    assert pixels(renderer.render(prompt_embeds=renderer.encode_prompts(["a cat"]), num_inference_steps=2)).std() > 1


def test_the_text_tower_is_one_copy_there(tiny_clip, tiny_diffusion):
    residents.drop(("clip", tiny_clip))  # which another test may have loaded elsewhere
    try:
        embedder = residents.get(
            ("clip", tiny_clip), lambda: Embedder.load(tiny_clip), needs=lambda: size_of(tiny_clip)
        )
        encoder = Renderer.load(tiny_diffusion, tiny_clip).pipeline.text_encoder
        assert {each.data_ptr() for each in encoder.parameters()} == {
            each.data_ptr() for each in embedder.text_model.parameters()
        }
        with pytest.raises(InputError, match="needs about 1.0 GB of memory and 0.5 GB are free"):
            Residents().get("large", lambda: None, needs=lambda: FREE * 3 // 2)
    finally:
        residents.drop(("clip", tiny_clip))


def test_a_map_and_a_search_are_made_there(monkeypatch):
    monkeypatch.setattr(umap, "EPOCHS", 8)
    x = normalize(np.random.default_rng(0).normal(size=(300, 16)))
    places = umap.fit_layout(x, n_neighbors=8)
    np.testing.assert_array_equal(places, umap.fit_layout(x, n_neighbors=8))
    assert np.isfinite(places).all() and places.std() > 1
    found, exact = search(x[:9], x, 5, scan=Coarse.of(x)), search(x[:9], x, 5)
    np.testing.assert_array_equal(found.indices, exact.indices)


def test_the_benchmark_runs(tiny_clip, tiny_diffusion, monkeypatch, capsys):
    monkeypatch.setattr(gpu_benchmark, "PICTURES", {"cuda": 16})
    monkeypatch.setattr(gpu_benchmark, "best", lambda run: run() is None or 1.0)  # once is enough
    run, runs = Renderer._run, []

    def first_without_memory(*given):
        runs.append(given)
        if len(runs) <= 2:  # what the memory that the benchmark takes away would do
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return run(*given)

    gpu_benchmark.clip(tiny_clip, "tiny")
    gpu_benchmark.walk(tiny_diffusion, 8)
    monkeypatch.setattr(Renderer, "_run", first_without_memory)
    gpu_benchmark.out_of_memory(tiny_diffusion)
    told = capsys.readouterr().out
    assert "captions/s" in told and "drawn again: the same pixels" in told and "afterwards 8 pictures" in told
    assert "NOT" not in told and told.count("close other programs or choose a smaller model") == 2
