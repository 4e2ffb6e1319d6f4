import json
import shutil

import numpy as np
import pytest
from fixtures_drawing import DIM, tiny_diffusion, tiny_unclip  # noqa: F401
from fixtures_models import build_tiny_clip

from clipexplore.errors import InputError
from clipexplore.pipelines import read_facts, read_gap, revision
from clipexplore.renderer import Renderer


@pytest.fixture
def copy(tiny_unclip, tmp_path):  # noqa: F811
    return shutil.copytree(tiny_unclip, tmp_path / "copy")


def test_a_folder_leaves_out_the_encoders_of_its_clip(tiny_unclip, tiny_clip):  # noqa: F811
    assert not {"text_encoder", "image_encoder", "tokenizer"} & {path.name for path in tiny_unclip.iterdir()}
    renderer = Renderer.load(tiny_unclip, tiny_clip)
    assert renderer.draws_embeddings and renderer.gap.shape == (DIM,) and renderer.num_inference_steps == 4
    assert renderer._pipe.text_encoder.dtype == renderer._pipe.unet.dtype


def test_the_plain_class_loads_it_too(tiny_unclip, tiny_clip):  # noqa: F811
    from diffusers import StableUnCLIPImg2ImgPipeline

    encoders = {name: getattr(Renderer.load(tiny_unclip, tiny_clip)._pipe, name) for name in ("tokenizer", "text_encoder", "image_encoder", "feature_extractor")}
    assert StableUnCLIPImg2ImgPipeline.from_pretrained(tiny_unclip, **encoders).unet.config.projection_class_embeddings_input_dim == 2 * DIM


def test_another_clip_is_refused(tiny_unclip, tmp_path):  # noqa: F811
    other = build_tiny_clip(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match="draws the vectors of CLIP"):
        Renderer.load(tiny_unclip, other)
    with pytest.raises(InputError, match="the CLIP here is None"):
        Renderer.load(tiny_unclip)


def _break(folder, name, text):
    (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "model_index.json").unlink(), "There is no drawing model"),
        (lambda folder: _break(folder, "model_index.json", "[]"), "There is no drawing model"),
        (lambda folder: _break(folder, "model_index.json", json.dumps({"_class_name": "FluxPipeline"})), "is a FluxPipeline"),
        (lambda folder: _break(folder, "drawing.json", "{"), "cannot be read"),
        (lambda folder: _break(folder, "unet/config.json", "{"), "cannot be loaded"),
        (lambda folder: shutil.rmtree(folder / "vae"), "cannot be loaded"),
        (lambda folder: _break(folder, "unet/diffusion_pytorch_model.safetensors", "x"), "cannot be loaded"),
    ],
)
def test_a_damaged_folder_is_a_sentence(copy, tiny_clip, spoil, says):
    spoil(copy)
    with pytest.raises(InputError, match=says):
        Renderer.load(copy, tiny_clip)


def test_a_folder_of_others_has_no_facts_and_no_gap(tiny_diffusion):  # noqa: F811
    assert read_facts(tiny_diffusion) == {} and read_gap(tiny_diffusion) is None


def test_the_revision_follows_the_weights(tiny_unclip, copy):  # noqa: F811
    assert revision(copy) == revision(tiny_unclip) != revision(copy, "float32")
    weights = copy / "unet/diffusion_pytorch_model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    assert revision(copy) != revision(tiny_unclip)


def test_the_gap_is_what_was_stored(tiny_unclip):  # noqa: F811
    np.testing.assert_allclose(read_gap(tiny_unclip), np.linspace(-0.2, 0.2, DIM), atol=1e-6)
