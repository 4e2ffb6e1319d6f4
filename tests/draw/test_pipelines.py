import json
import shutil

import numpy as np
import pytest
from fixtures_drawing import DIM, write_lora
from fixtures_models import build_tiny_clip
from safetensors.numpy import save_file

from clipexplore.draw.folders import read_facts, read_gap, revision
from clipexplore.draw.renderer import Renderer
from clipexplore.errors import InputError


@pytest.fixture
def copy(tiny_unclip, tmp_path):
    return shutil.copytree(tiny_unclip, tmp_path / "copy")


def test_a_folder_leaves_out_the_encoders_of_its_clip(tiny_unclip, tiny_clip):
    assert not {"text_encoder", "image_encoder", "tokenizer"} & {path.name for path in tiny_unclip.iterdir()}
    renderer = Renderer.load(tiny_unclip, tiny_clip)
    assert renderer.draws_embeddings and renderer.gap.shape == (DIM,) and renderer.num_inference_steps == 4
    assert renderer.pipeline.text_encoder.dtype == renderer.pipeline.unet.dtype


def test_the_plain_class_loads_it_too(tiny_unclip, tiny_clip):
    from diffusers import StableUnCLIPImg2ImgPipeline

    encoders = {
        name: getattr(Renderer.load(tiny_unclip, tiny_clip).pipeline, name)
        for name in ("tokenizer", "text_encoder", "image_encoder", "feature_extractor")
    }
    assert (
        StableUnCLIPImg2ImgPipeline.from_pretrained(
            tiny_unclip, **encoders
        ).unet.config.projection_class_embeddings_input_dim
        == 2 * DIM
    )


def test_another_clip_is_refused(tiny_unclip, tmp_path):
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
        (
            lambda folder: _break(folder, "model_index.json", json.dumps({"_class_name": "FluxPipeline"})),
            "is a FluxPipeline",
        ),
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


def test_a_folder_of_others_has_no_facts_and_no_gap(tiny_diffusion):
    assert read_facts(tiny_diffusion) == {} and read_gap(tiny_diffusion) is None


def test_the_revision_follows_the_weights(tiny_unclip, copy):
    assert revision(copy) == revision(tiny_unclip) != revision(copy, "float32")
    weights = copy / "unet/diffusion_pytorch_model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    assert revision(copy) != revision(tiny_unclip)


def test_the_gap_is_what_was_stored(tiny_unclip):
    np.testing.assert_allclose(read_gap(tiny_unclip), np.linspace(-0.2, 0.2, DIM), atol=1e-6)


def test_a_learned_map_is_preferred_to_the_offset(copy):
    learned = np.eye(DIM + 1, DIM, dtype=np.float32)
    save_file({"gap": np.zeros(DIM, np.float32), "map": learned}, copy / "gap.safetensors")
    np.testing.assert_array_equal(read_gap(copy), learned)


def test_points_are_scaled_to_what_the_normaliser_of_a_foreign_unclip_has_seen(copy, tiny_clip):
    """Repositories of others have no drawing.json: the norm is that of mean and deviation of the embeddings in
    training.
    """
    import torch
    from safetensors.torch import load_file, save_file

    (copy / "drawing.json").unlink()
    path = next((copy / "image_normalizer").glob("*.safetensors"))
    values = load_file(path)
    save_file(
        {"mean": torch.full_like(values["mean"], 0.3), "std": torch.full_like(values["std"], 0.4)},
        path,
        metadata={"format": "pt"},
    )
    renderer = Renderer.load(copy, tiny_clip, device="cpu", dtype=torch.float32)
    assert renderer.norm == pytest.approx((DIM * (0.3**2 + 0.4**2)) ** 0.5)


def test_fp16_files_are_found_by_their_names(tiny_diffusion, tmp_path):
    import torch
    from diffusers import StableDiffusionPipeline

    StableDiffusionPipeline.from_pretrained(tiny_diffusion).to(torch.float16).save_pretrained(
        tmp_path / "half", variant="fp16"
    )
    assert (tmp_path / "half/unet/diffusion_pytorch_model.fp16.safetensors").is_file()
    renderer = Renderer.load(tmp_path / "half", device="cpu")
    assert len(renderer.render(prompt_embeds=renderer.encode_prompts(["a cat"]), num_inference_steps=2)) == 1


def test_the_text_tower_of_a_loaded_clip_is_shared_where_it_is_the_same(tiny_clip, tmp_path):
    import torch
    from fixtures_drawing import build_tiny_diffusion

    from clipexplore.models.embedder import Embedder
    from clipexplore.models.residents import residents

    folder = build_tiny_diffusion(tmp_path / "sd", tiny_clip)
    embedder = residents.get(("clip", tiny_clip), lambda: Embedder.load(tiny_clip, device="cpu"))
    try:
        tower = {each.data_ptr() for each in embedder.text_model.parameters()}
        same = Renderer.load(folder, tiny_clip, device="cpu", dtype=torch.float32)
        assert {each.data_ptr() for each in same.pipeline.text_encoder.parameters()} == tower
        other = Renderer.load(folder, tiny_clip, device="cpu", dtype=torch.bfloat16)
        assert not {each.data_ptr() for each in other.pipeline.text_encoder.parameters()} & tower
    finally:
        residents.drop(("clip", tiny_clip))


def test_a_few_step_lora_changes_weights_sampler_and_defaults(tiny_diffusion, tmp_path):
    pytest.importorskip("peft")
    import torch

    lora = write_lora(tmp_path / "lora", tiny_diffusion)
    plain = Renderer.load(tiny_diffusion, device="cpu", dtype=torch.float32)
    fast = Renderer.load(tiny_diffusion, device="cpu", dtype=torch.float32, lora=lora)
    assert type(fast.pipeline.scheduler).__name__ == "LCMScheduler" and (
        fast.num_inference_steps,
        fast.guidance_scale,
    ) == (4, 1.0)
    assert fast.revision != plain.revision
    name = next(name for name, _ in plain.pipeline.unet.named_parameters() if name.endswith("to_q.weight"))
    assert not torch.equal(
        dict(fast.pipeline.unet.named_parameters())[name], dict(plain.pipeline.unet.named_parameters())[name]
    )
    states = fast.encode_prompts(["a cat"])
    assert np.array_equal(*(np.asarray(fast.render(prompt_embeds=states, seed=3)[0]) for _ in range(2)))


def test_without_peft_or_with_a_damaged_lora_one_sentence(tiny_diffusion, tmp_path, monkeypatch):
    (tmp_path / "pytorch_lora_weights.safetensors").write_bytes(b"x")
    with monkeypatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(InputError, match="needs the package peft; install it with: pip install peft"):
            Renderer.load(tiny_diffusion, device="cpu", lora=tmp_path)
    pytest.importorskip("peft")
    with pytest.raises(InputError, match="cannot be used with this model"):
        Renderer.load(tiny_diffusion, device="cpu", lora=tmp_path)
