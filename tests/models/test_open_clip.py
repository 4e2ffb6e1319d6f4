"""Models of open_clip, written by hand in its layout: converted, they give what open_clip computes with the same
tensors.
"""

import json

import numpy as np
import pytest
from fixtures_families import LENGTH
from fixtures_models import build_tiny_clip
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.images import open_picture
from clipexplore.models import catalog, downloads, open_clip
from clipexplore.models.embedder import Embedder
from clipexplore.models.weights import Weights

TEXTS = ["a photo of a cat", "a dog in the snow at night", "a man with a top hat", "cat"]
PICTURES, WORDS, DIM, WIDE, SIDE = 128, 32, 24, 32, 32  # widths of the towers, of a head's 64, and of the picture
VISION = {"image_size": SIDE, "patch_size": 8, "width": PICTURES, "layers": 2, "mlp_ratio": 2.1}
TEXT = {"context_length": LENGTH, "width": WORDS, "heads": 4, "layers": 2}
CFG = {"embed_dim": DIM, "vision_cfg": VISION}


def write(folder, quick_gelu=False, custom_text=False, **preparing):
    """A folder in open_clip's layout with random tensors, and those."""
    import torch
    from safetensors.torch import save_file

    build_tiny_clip(folder)
    vocabulary = json.loads((folder / "config.json").read_text())["text_config"]["vocab_size"]
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        (folder / name).unlink()
    model = {**CFG, "text_cfg": {**TEXT, "vocab_size": vocabulary}, "quick_gelu": quick_gelu}
    if custom_text:
        model["custom_text"] = True
    about = {"model_cfg": model, "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], **preparing}}
    (folder / "open_clip_config.json").write_text(json.dumps(about))
    torch.manual_seed(3)
    tensors = {name: torch.randn(shape) * size for name, (shape, size) in shapes(vocabulary).items()}
    tensors["logit_scale"] = torch.tensor(3.5)
    if custom_text:
        texts = ("positional", "token", "transformer", "ln_final", "text_projection")
        tensors = {f"text.{name}" if name.startswith(texts) else name: each for name, each in tensors.items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


def shapes(vocabulary):
    """Shape and size of the numbers of each tensor, by open_clip's names."""
    patches = (SIDE // 8) ** 2 + 1
    found = {
        "positional_embedding": ((LENGTH, WORDS), 0.5),
        "token_embedding.weight": ((vocabulary, WORDS), 1),
        "text_projection": ((WORDS, DIM), 0.3),
        "visual.class_embedding": ((PICTURES,), 1),
        "visual.positional_embedding": ((patches, PICTURES), 0.5),
        "visual.conv1.weight": ((PICTURES, 3, 8, 8), 0.1),
        "visual.proj": ((PICTURES, DIM), 0.3),
    }
    for norm, width in (("ln_final", WORDS), ("visual.ln_pre", PICTURES), ("visual.ln_post", PICTURES)):
        found |= {f"{norm}.{kind}": ((width,), 1) for kind in ("weight", "bias")}
    for tower, width, ratio in (("transformer", WORDS, 4), ("visual.transformer", PICTURES, 2.1)):
        for layer in range(2):
            parts = {
                "ln_1": (width,),
                "ln_2": (width,),
                "attn.out_proj": (width, width),
                "mlp.c_fc": (int(width * ratio), width),
                "mlp.c_proj": (width, int(width * ratio)),
            }
            for part, shape in parts.items():
                place = f"{tower}.resblocks.{layer}.{part}"
                found |= {f"{place}.weight": (shape, 0.4), f"{place}.bias": (shape[:1], 0.4)}
            found[f"{tower}.resblocks.{layer}.attn.in_proj_weight"] = (3 * width, width), 0.3
            found[f"{tower}.resblocks.{layer}.attn.in_proj_bias"] = (3 * width,), 0.3
    return found


def by_definition(tensors, tower, states, heads, causal, act):
    """The layers of a tower, as the paper of the transformer has them, on states `(n, length, width)`."""
    import torch
    from torch.nn.functional import layer_norm

    length, width = states.shape[1:]
    hidden = torch.full((length, length), -torch.inf).triu(1) if causal else torch.zeros(length, length)
    for layer in range(2):
        place = f"{tower}.resblocks.{layer}."
        part = {name.removeprefix(place): each for name, each in tensors.items() if name.startswith(place)}
        x = layer_norm(states, (width,), part["ln_1.weight"], part["ln_1.bias"])
        q, k, v = (x @ part["attn.in_proj_weight"].T + part["attn.in_proj_bias"]).split(width, dim=2)
        q, k, v = (each.unflatten(2, (heads, -1)).transpose(1, 2) for each in (q, k, v))
        seen = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5 + hidden).softmax(3) @ v
        states = states + seen.transpose(1, 2).flatten(2) @ part["attn.out_proj.weight"].T + part["attn.out_proj.bias"]
        x = layer_norm(states, (width,), part["ln_2.weight"], part["ln_2.bias"])
        inner = act(x @ part["mlp.c_fc.weight"].T + part["mlp.c_fc.bias"])
        states = states + inner @ part["mlp.c_proj.weight"].T + part["mlp.c_proj.bias"]
    return states


def expected(folder, ids, pixels):
    """Texts' and pictures' vectors by the definition of open_clip's tensors."""
    import torch
    from safetensors.torch import load_file
    from torch.nn.functional import conv2d, gelu, layer_norm

    tensors = {
        name.removeprefix("text."): each for name, each in load_file(folder / "open_clip_model.safetensors").items()
    }
    quick = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]["quick_gelu"]
    act = (lambda x: x * torch.sigmoid(1.702 * x)) if quick else gelu
    texts = tensors["token_embedding.weight"][ids] + tensors["positional_embedding"]
    texts = by_definition(tensors, "transformer", texts, 4, True, act)
    texts = layer_norm(texts, (WORDS,), tensors["ln_final.weight"], tensors["ln_final.bias"])
    texts = texts[torch.arange(len(ids)), ids.argmax(1)] @ tensors["text_projection"]
    seen = conv2d(pixels, tensors["visual.conv1.weight"], stride=8).flatten(2).transpose(1, 2)
    first = tensors["visual.class_embedding"].expand(len(pixels), 1, -1)
    seen = torch.cat([first, seen], 1) + tensors["visual.positional_embedding"]
    seen = layer_norm(seen, (PICTURES,), tensors["visual.ln_pre.weight"], tensors["visual.ln_pre.bias"])
    seen = by_definition(tensors, "visual.transformer", seen, 2, False, act)[:, 0]
    seen = layer_norm(seen, (PICTURES,), tensors["visual.ln_post.weight"], tensors["visual.ln_post.bias"])
    return texts.numpy(), (seen @ tensors["visual.proj"]).numpy()


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
        for size in ((32, 32), (64, 41), (40, 90), (35, 32), (32, 39))
    ]


def convert(source):
    """In this process; `models get` does it in one of its own, and leaves the source as it is."""
    open_clip.convert(source / open_clip.WEIGHTS, source)
    return Embedder.load(source, device="cpu")


def as_open_clip_takes_it(embedder, pictures):
    """Tokens as long as the model reads, with nothing behind the end token, and squares."""
    import torch

    rows = embedder._reader.cut(TEXTS)
    ids = torch.tensor([[*row, *[0] * (LENGTH - len(row))] for row in rows])
    squares = torch.stack([embedder._prepare(each) for each in pictures])
    return ids, embedder._prepare.normalized(squares, torch.float32)


@pytest.mark.parametrize("options", [{}, {"quick_gelu": True, "custom_text": True}])
def test_vectors_are_those_of_the_definition(tmp_path, pictures, options):
    source = write(tmp_path, **options)
    embedder = convert(source)
    texts, seen = expected(source, *as_open_clip_takes_it(embedder, pictures))
    np.testing.assert_allclose(embedder.project_texts(TEXTS), texts, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(embedder.project_images(pictures), seen, rtol=1e-3, atol=1e-3)
    assert embedder.logit_scale == pytest.approx(np.exp(3.5)) and embedder.dim == DIM
    assert np.corrcoef(texts)[0, 1:].max() < 0.995, "else anything would agree"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quick_gelu": True},
        {"custom_text": True},
        {"resize_mode": "squash", "interpolation": "bilinear"},
    ],
)
def test_vectors_are_those_of_open_clip(tmp_path, pictures, options):
    """Where the package is installed; everywhere else the definition above stands for it."""
    torch, theirs = pytest.importorskip("torch"), pytest.importorskip("open_clip")
    source = write(tmp_path, **options)
    model, prepare = theirs.create_model_from_pretrained(f"local-dir:{source}")
    embedder = convert(source)
    ids, pixels = as_open_clip_takes_it(embedder, pictures)
    std = torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1)
    assert (
        (pixels - torch.stack([prepare(each) for each in pictures])).abs() * std * 255
    ).max() <= 2.001  # grey levels
    with torch.inference_mode():
        texts, seen = model.encode_text(ids), model.encode_image(pixels)
    np.testing.assert_allclose(embedder.project_texts(TEXTS), texts, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(embedder.project_images(pictures), seen, rtol=1e-3, atol=1e-3)
    assert embedder.logit_scale == pytest.approx(model.logit_scale.exp().item())


def test_open_clip_leaves_transparency_out_and_here_it_lies_on_white(tmp_path):
    """What lies hidden in a clear pixel, most often black, is what open_clip shows its models. Here every model sees
    what people see; of the picture as it is shown, both make the same.
    """
    theirs = pytest.importorskip("open_clip")
    source = write(tmp_path / "model")
    _model, prepare = theirs.create_model_from_pretrained(f"local-dir:{source}")
    hidden = np.zeros((SIDE, SIDE, 4), np.uint8)
    hidden[8:24, 8:24] = (200, 30, 60, 255)
    Image.fromarray(hidden).save(tmp_path / "clear.png")
    ours, std = convert(source)._prepare, np.array([0.2, 0.3, 0.4])[:, None, None]
    mean = np.array([0.5, 0.4, 0.3])[:, None, None]
    seen = ours(tmp_path / "clear.png").numpy()
    with Image.open(tmp_path / "clear.png") as clear:
        black = prepare(clear).numpy() * std + mean
    white = prepare(open_picture(tmp_path / "clear.png")).numpy() * std + mean
    assert black[:, 0, 0] == pytest.approx(0, abs=1e-6) and (seen[:, 0, 0] == 255).all()
    np.testing.assert_allclose(seen, white * 255, atol=1.001)


@pytest.mark.parametrize(("left_over", "start"), [(3, 2), (5, 2), (7, 4), (8, 4)])
def test_the_crop_begins_where_open_clip_begins_it(tmp_path, left_over, start):
    """Half a pixel more is rounded to the even one, where transformers always rounds down."""
    columns = np.arange(SIDE + left_over, dtype=np.uint8)
    picture = Image.fromarray(np.tile(columns[None, :, None], (SIDE, 1, 3)))
    seen = convert(write(tmp_path))._prepare(picture)
    assert seen[0, 0].tolist() == columns[start : start + SIDE].tolist()


def test_a_folder_of_the_operator_is_converted_into_a_copy(home, tmp_path):
    """With a `.bin`, which is converted first; `models verify` and `models remove` know the copy."""
    import torch
    from safetensors.torch import load_file

    source = write(tmp_path / "given")
    tensors = load_file(source / open_clip.WEIGHTS)
    torch.save(tensors, source / open_clip.TENSORS[1])
    (source / open_clip.WEIGHTS).unlink()
    before = {path.name: path.stat().st_mtime_ns for path in source.iterdir()}
    table = {"key": "own", "clip": str(source), "folder": str(tmp_path)}
    (weights,) = catalog._own_entry(table).parts
    assert not weights.present
    with pytest.raises(InputError, match="in the layout of open_clip; convert it with: .* models get own"):
        weights.require("own")
    place = downloads.fetch(weights)
    assert weights.require("own") == place and place.is_relative_to(home) and downloads.verify(weights) == []
    assert before == {path.name: path.stat().st_mtime_ns for path in source.iterdir()}
    assert not list(place.glob("open_clip*model*")) and Embedder.load(place, device="cpu").dim == DIM
    assert downloads.remove(weights) > 100_000 and not weights.present and weights.converted


def test_a_repository_in_open_clips_layout_is_converted_when_it_is_fetched(hub, home, tmp_path):
    files = {path.name: path.read_bytes() for path in write(tmp_path / "repo").iterdir()}
    weights = Weights("clip", "MIT", "someone/open", hub.add("someone/open", files))
    folder = downloads.fetch(weights)
    assert weights.present and downloads.verify(weights) == []
    embedder = Embedder.load(folder, device="cpu")
    np.testing.assert_array_equal(embedder.embed_texts(TEXTS), convert(tmp_path / "repo").embed_texts(TEXTS))
    receipt = json.loads((folder / "fetched.json").read_text())
    assert receipt["model.safetensors"]["from"] == downloads.sha256(tmp_path / "repo" / open_clip.WEIGHTS)


OTHERS = [
    ({"multimodal_cfg": {"width": 768}}, {}, {}, "a tower that writes captions (CoCa)"),
    ({}, {"timm_model_name": "convnext_base"}, {}, "the picture tower convnext_base of timm"),
    ({}, {}, {"hf_model_name": "xlm-roberta-base"}, "the text tower xlm-roberta-base"),
    ({}, {"layers": [3, 4, 6, 3]}, {}, "a ResNet for pictures"),
    ({"init_logit_bias": -10}, {}, {}, "a sigmoid for its loss"),
    ({}, {"no_ln_pre": True}, {}, "no_ln_pre = True"),
    ({}, {"pool_type": "avg"}, {}, "pool_type = avg"),
    ({}, {}, {"pool_type": "eos", "eos_id": 2}, "pool_type = eos"),
    ({}, {}, {"tokenizer_kwargs": {"clean": "canonicalize"}}, "tokenizer_kwargs"),
    ({}, {"ls_init_value": 1e-4}, {}, "ls_init_value = 0.0001"),
]


@pytest.mark.parametrize(("model", "pictures", "texts", "named"), OTHERS)
def test_what_is_no_plain_clip_is_refused_by_name(model, pictures, texts, named):
    about = {"model_cfg": {**CFG, **model, "vision_cfg": {**VISION, **pictures}, "text_cfg": {**TEXT, **texts}}}
    with pytest.raises(InputError) as told:
        open_clip.model_config(about)
    assert named in str(told.value) and str(told.value).endswith(".") and "\n" not in str(told.value)


def test_what_is_refused_is_refused_before_its_weights_are_fetched(hub, home, tmp_path):
    files = {path.name: path.read_bytes() for path in write(tmp_path / "repo").iterdir()}
    about = json.loads(files[open_clip.CONFIG])
    about["model_cfg"]["text_cfg"]["hf_model_name"] = "roberta-base"
    files[open_clip.CONFIG] = json.dumps(about).encode()
    with pytest.raises(InputError, match="the text tower roberta-base"):
        downloads.fetch(Weights("clip", "MIT", "someone/other", hub.add("someone/other", files)))
    assert open_clip.WEIGHTS not in hub.downloads()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: [(folder / name).unlink() for name in ("tokenizer.json", "vocab.json")], "no tokenizer"),
        (lambda folder: _retold(folder, "vision_cfg", "layers", 3), "is missing or of another size"),
        (lambda folder: _retold(folder, "text_cfg", "width", 48), "is missing or of another size"),
        (
            lambda folder: _with_tensor(folder, "visual.attn_pool.query"),
            "no place for the tensor visual.attn_pool.query",
        ),
        (lambda folder: _with_tensor(folder, "transformer.resblocks.0.ls_1.gamma"), "no place for the tensor"),
    ],
)
def test_what_does_not_fit_together_is_told(tmp_path, change, message):
    folder = write(tmp_path)
    change(folder)
    with pytest.raises(InputError, match=message):
        convert(folder)
    assert not (folder / "model.safetensors").exists()


def _retold(folder, tower, key, value):
    about = json.loads((folder / open_clip.CONFIG).read_text())
    about["model_cfg"][tower][key] = value
    (folder / open_clip.CONFIG).write_text(json.dumps(about))


def _with_tensor(folder, name):
    import torch
    from safetensors.torch import load_file, save_file

    save_file({**load_file(folder / open_clip.WEIGHTS), name: torch.zeros(3)}, folder / open_clip.WEIGHTS)
