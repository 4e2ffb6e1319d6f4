"""The laid out model against the one it was made of."""

import numpy as np
import pytest
import torch
from fixtures_families import build
from PIL import Image

from clipexplore.models import cpu
from clipexplore.models.cpu import has_bfloat16, pack
from clipexplore.models.embedder import Embedder
from clipexplore.models.families import CLIP

pytestmark = pytest.mark.skipif(not has_bfloat16(), reason="this processor does not compute in bfloat16")


@pytest.fixture(scope="module")
def models(tiny_clip):
    """In float32, in bfloat16, and that laid out."""
    exact, plain, packed = (
        CLIP.load_model(tiny_clip, dtype) for dtype in (torch.float32, torch.bfloat16, torch.bfloat16)
    )
    pack(packed.vision_model)
    return exact, plain, packed


def passed(model, count):
    pixels = torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(count)).to(model.dtype)
    with torch.inference_mode():
        ids = torch.tensor([[0, 5, 9, 7, model.config.text_config.eos_token_id]] * count)
        found = model.get_image_features(pixels).pooler_output, model.get_text_features(ids).pooler_output
    return [torch.nn.functional.normalize(each.float()) for each in found]


@pytest.mark.parametrize("count", [1, 2, 16, 33])
def test_vectors_are_no_farther_from_the_exact_ones(models, count):
    exact, plain, packed = (passed(each, count) for each in models)
    for true, before, after in zip(exact, plain, packed, strict=True):
        assert not torch.equal(true, before)  # bfloat16 rounds
        assert (after - true).norm(dim=1).mean() < 1.5 * (before - true).norm(dim=1).mean()


def test_a_layer_gives_the_same_numbers(models):
    _, plain, packed = models
    x = torch.randn(7, 5, 32).bfloat16()
    for before, after in zip(plain.vision_model.encoder.layers, packed.vision_model.encoder.layers, strict=True):
        torch.testing.assert_close(after.self_attn.q_proj(x), before.self_attn.q_proj(x), rtol=2**-7, atol=1e-3)


def test_nothing_else_changes(models):
    _, plain, packed = models
    assert sum(each.numel() for each in packed.parameters()) == sum(each.numel() for each in plain.parameters())
    for name, weights in plain.text_model.named_parameters():
        assert torch.equal(dict(packed.text_model.named_parameters())[name], weights)
    assert torch.equal(passed(plain, 3)[1], passed(packed, 3)[1]), "texts are what they were"


def test_models_are_laid_out_where_it_helps(tiny_clip):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8))
    half, full = (Embedder.load(tiny_clip, device="cpu", dtype=dtype) for dtype in (torch.bfloat16, torch.float32))
    names = [type(each._model.vision_model.encoder.layers[0].mlp.fc1).__name__ for each in (half, full)]
    assert names == ["Packed", "Linear"]
    assert (half.embed_images([picture]) * full.embed_images([picture])).sum() > 0.999


@pytest.fixture(scope="module", params=["metaclip2", "siglip", "siglip2", "tips2"])
def folder(request, tmp_path_factory):
    return build(request.param, tmp_path_factory.mktemp("family") / request.param)


def test_pictures_of_every_family_are_no_farther_from_the_exact_ones(folder):
    """With its GELU in the layer before and attention written out, of which the last layer's may be asked for one token
    alone.
    """
    exact, packed = (Embedder.load(folder, device="cpu", dtype=dtype) for dtype in (torch.float32, torch.bfloat16))
    plain = exact.family.load_model(folder, torch.bfloat16)
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (40, 32, 3), dtype=np.uint8)) for _ in range(24)]
    seen = packed._prepare.normalized(torch.stack([packed._prepare(each) for each in pictures]), torch.bfloat16)
    with torch.inference_mode():
        before = torch.nn.functional.normalize(plain.get_image_features(seen).pooler_output.float()).numpy()
    true, after = exact.embed_images(pictures), packed.embed_images(pictures)
    assert 0 < np.linalg.norm(after - true, axis=1).mean() < 1.3 * np.linalg.norm(before - true, axis=1).mean()
    names = {type(part).__name__ for part in packed._model.vision_model.encoder.modules()}
    done = {"GELUActivation", "GELUTanh", "QuickGELUActivation", "Linear", "Tipsv2VisionLayerScale"}
    assert "Packed" in names and not done & names


@pytest.mark.parametrize("length", [3, 50, 800])
def test_attention_is_what_torch_computes(length):
    """In float32, to which bfloat16 has added nothing; 800 tokens are more than stay in the cache at once."""
    query, key, value = torch.randn(3, 2, 3, length, 16, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, scale=0.3).transpose(1, 2)
    module = torch.nn.Module()
    torch.testing.assert_close(cpu._by_heads(module, query, key, value, None, scaling=0.3)[0], expected)
    module.reads_first = True
    first = cpu._by_heads(module, query, key, value, None, scaling=0.3)[0]
    torch.testing.assert_close(first, expected[:, :1].expand_as(expected))


def test_a_torch_without_the_operations_keeps_its_layers(tiny_clip, monkeypatch):
    monkeypatch.setattr(cpu, "OPERATIONS", ("_linear_pointwise", "_of_no_torch"))
    model = CLIP.load_model(tiny_clip, torch.bfloat16)
    pack(model.vision_model)
    assert {type(part) for part in model.vision_model.encoder.modules() if isinstance(part, torch.nn.Linear)} == {
        torch.nn.Linear
    }


def test_this_torch_has_the_private_names():
    """Written for torch 2.13: where this fails after an update, `cpu` has quietly stopped laying out models."""
    assert torch.__version__.startswith("2.13.")
    assert all(hasattr(torch.ops.mkldnn, name) for name in cpu.OPERATIONS)
    assert all(hasattr(torch.cpu, name) for name in cpu.CHECKS)
