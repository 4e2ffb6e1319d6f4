"""The embedder against the model it wraps, called in the plain way: padded, in full, one forward pass."""

import hashlib
import json
import math
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.images import encode
from clipexplore.models.embedder import MAX_BATCH, Embedder
from clipexplore.models.revisions import revisions_of

SHORT = ["a photo of a cat", "a dog in the snow at night", "a man with a top hat", "two red apples", ""]
LONG = "two red apples to the left of a lion in the jungle and a man with a top hat in the snow at night"
TEXTS = [*SHORT, "Cat", "Zażółć 🙂", "'s don't 3 <b>", LONG]


@pytest.fixture(scope="module")
def embedder(tiny_clip):
    return Embedder.load(tiny_clip, device="cpu")


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    sizes = [(32, 32), (60, 33), (40, 90), (16, 20), (200, 32)]
    small = [rng.integers(0, 256, (4, 5, 3), dtype=np.uint8) for _ in sizes]
    return [Image.fromarray(pixels).resize(size) for pixels, size in zip(small, sizes, strict=True)]


@pytest.fixture(scope="module")
def reference(tiny_clip, embedder):
    """(texts, pictures) → what CLIPModel.forward returns for the same pixels; test_preparing looks at those."""
    import torch
    from transformers import CLIPModel, CLIPTokenizer

    model = CLIPModel.from_pretrained(tiny_clip).eval()
    tokenizer = CLIPTokenizer.from_pretrained(tiny_clip)

    def run(texts, pictures):
        tokens = tokenizer(texts, padding="max_length", truncation=True, max_length=16, return_tensors="pt")
        pixels = embedder._prepare.normalized(
            torch.stack([embedder._prepare(picture) for picture in pictures]), torch.float32
        )
        with torch.inference_mode():
            return model(**tokens, pixel_values=pixels)

    return run


def test_scaled_cosines_are_the_logits_of_the_model(embedder, reference, pictures):
    cosines = embedder.embed_images(pictures) @ embedder.embed_texts(TEXTS).T
    logits = reference(TEXTS, pictures).logits_per_image.numpy()
    assert logits.std() > 0.1  # else anything would agree
    np.testing.assert_allclose(embedder.logit_scale * cosines, logits, atol=1e-4)


def test_projections_are_the_embeddings_at_their_own_lengths(embedder, pictures):
    for raw, unit in (
        (embedder.project_texts(TEXTS), embedder.embed_texts(TEXTS)),
        (embedder.project_images(pictures), embedder.embed_images(pictures)),
    ):
        lengths = np.linalg.norm(raw, axis=1)
        assert raw.dtype == np.float32 and np.abs(lengths - 1).max() > 0.05 and np.ptp(lengths) > 1e-3
        np.testing.assert_allclose(raw / lengths[:, None], unit, atol=1e-6)


def test_trimmed_texts_have_the_vectors_of_padded_ones(embedder, reference, pictures):
    padded = reference(TEXTS, pictures).text_embeds.numpy()
    np.testing.assert_allclose(embedder.embed_texts(TEXTS), padded, atol=2e-6)


def test_vectors_are_float32_unit_rows(embedder, pictures):
    for vectors, count in ((embedder.embed_texts(TEXTS), len(TEXTS)), (embedder.embed_images(pictures), len(pictures))):
        assert vectors.dtype == np.float32
        assert vectors.shape == (count, embedder.dim)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_order_and_company_change_nothing(embedder, pictures):
    alone = np.concatenate([embedder.embed_texts([text]) for text in TEXTS])
    rng = np.random.default_rng(1)
    rows = rng.integers(0, len(TEXTS), 2 * MAX_BATCH + 5)
    np.testing.assert_allclose(embedder.embed_texts([TEXTS[row] for row in rows]), alone[rows], atol=2e-6)
    alone = np.concatenate([embedder.embed_images([picture]) for picture in pictures])
    rows = rng.integers(0, len(pictures), MAX_BATCH + 3)
    np.testing.assert_allclose(embedder.embed_images([pictures[row] for row in rows]), alone[rows], atol=2e-6)


def test_nothing_in_nothing_out(embedder):
    assert embedder.embed_texts([]).shape == embedder.embed_images([]).shape == (0, embedder.dim)
    assert embedder.count_tokens([]) == []


def test_the_number_of_texts_in_a_pass_is_bounded(embedder, monkeypatch):
    seen = []
    run = embedder._model.get_text_features
    monkeypatch.setattr(embedder._model, "get_text_features", lambda ids: (seen.append(tuple(ids.shape)), run(ids))[1])
    embedder.embed_texts(["cat", LONG] * MAX_BATCH)
    assert sum(count for count, _ in seen) == 2 * MAX_BATCH
    assert max(count for count, _ in seen) == MAX_BATCH
    assert seen[0][1] < seen[-1][1] == embedder.max_tokens  # short ones first, and not padded to the long ones


def test_tokens_are_counted_in_full_and_cut_at_the_limit(embedder, tiny_clip):
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(tiny_clip)
    assert embedder.count_tokens(["", "cat", LONG]) == [len(tokenizer(text).input_ids) for text in ("", "cat", LONG)]
    assert embedder.count_tokens(["", "cat"]) == [2, 3]
    assert embedder.count_tokens([LONG])[0] > embedder.max_tokens
    changed_after_the_cut, changed_before_it = LONG + " lion", "lion " + LONG
    vectors = embedder.embed_texts([LONG, changed_after_the_cut, changed_before_it])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=2e-6)
    assert vectors[0] @ vectors[2] < 0.999


def test_letter_case_and_spaces_do_not_matter(embedder):
    lower, upper = embedder.embed_texts(["a photo of a cat", "A  Photo of\na CAT"])
    np.testing.assert_allclose(lower, upper, atol=2e-6)


def test_threads_share_one_embedder(embedder):
    alone = [embedder.embed_texts([text]) for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda row: embedder.embed_texts([TEXTS[row % len(TEXTS)]]), range(40)))
    for row, vector in enumerate(together):
        np.testing.assert_allclose(vector, alone[row % len(TEXTS)], atol=2e-6)


def test_facts_come_from_the_files(embedder, tiny_clip):
    weights = (tiny_clip / "model.safetensors").read_bytes()
    assert embedder.revision == hashlib.blake2b(weights, digest_size=6).hexdigest()
    assert embedder.revisions == revisions_of(tiny_clip) and embedder.revision == embedder.revisions.model
    config = json.loads((tiny_clip / "config.json").read_text())
    assert embedder.dim == config["projection_dim"]
    assert embedder.max_tokens == config["text_config"]["max_position_embeddings"] == 16
    assert embedder.logit_scale == pytest.approx(1 / 0.07, rel=1e-3)  # where training starts: CLIP paper §2.5


@pytest.fixture
def folder(tiny_clip, tmp_path):
    """A copy of the tiny model, to be damaged."""
    return shutil.copytree(tiny_clip, tmp_path / "model")


def configure(folder, change):
    """Changes what the configuration of a folder says."""
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def is_told(folder, says):
    with pytest.raises(InputError, match=says):
        Embedder.load(folder, device="cpu")


def test_a_folder_without_weights_is_told(tmp_path):
    is_told(tmp_path, r"model\.safetensors is missing; fetch or train")


@pytest.mark.parametrize("size", [0, 7, 5000])
def test_truncated_weights_are_told(folder, size):
    os.truncate(folder / "model.safetensors", size)
    is_told(folder, "cannot be loaded")


def test_weights_that_are_not_a_whole_clip_are_told(folder):
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    text_tower = {name: tensor for name, tensor in tensors.items() if name.startswith("text")}
    save_file(text_tower, folder / "model.safetensors", metadata={"format": "pt"})
    is_told(folder, "not those of a whole CLIP")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_damaged_description_is_told(folder, name):
    (folder / name).write_text("{")
    is_told(folder, "cannot be loaded")


def test_a_missing_tokenizer_is_told(folder):
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"):
        (folder / name).unlink()
    is_told(folder, "tokenizer")


@pytest.mark.parametrize(
    ("kind", "name"),
    [("siglip2", "SigLIP 2 of flexible size"), ("altclip", "AltCLIP"), ("bert", "bert")],
)
def test_another_family_is_refused_by_name(folder, kind, name):
    configure(folder, lambda config: config.update(model_type=kind))
    is_told(folder, rf"is of the family {name}, which cannot be explored; use one of: CLIP")


def test_the_tokenizer_of_another_model_is_told(folder):
    configure(folder, lambda config: config["text_config"].update(eos_token_id=3))
    is_told(folder, "not that of its model")


def by_hand(folder, ids, activation):
    """The text tower as the paper's code has it, in float64 numpy: embeddings, causal attention, an MLP with the
    activation, the end token read out.
    """
    from safetensors.numpy import load_file

    weights = {name: value.astype(np.float64) for name, value in load_file(folder / "model.safetensors").items()}
    config = json.loads((folder / "config.json").read_text())["text_config"]
    heads, n = config["num_attention_heads"], len(ids)

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        return (
            centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * weights[f"{name}.weight"]
            + weights[f"{name}.bias"]
        )

    def attend(x, name):
        q, k, v = (linear(x, f"{name}.{each}_proj").reshape(n, heads, -1).transpose(1, 0, 2) for each in "qkv")
        scores = np.where(np.tri(n, dtype=bool), q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]), -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        return linear(
            (shares / shares.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(n, -1), f"{name}.out_proj"
        )

    x = (
        weights["text_model.embeddings.token_embedding.weight"][ids]
        + weights["text_model.embeddings.position_embedding.weight"][:n]
    )
    for layer in range(config["num_hidden_layers"]):
        name = f"text_model.encoder.layers.{layer}"
        x = x + attend(norm(x, f"{name}.layer_norm1"), f"{name}.self_attn")
        x = x + linear(activation(linear(norm(x, f"{name}.layer_norm2"), f"{name}.mlp.fc1")), f"{name}.mlp.fc2")
    found = norm(x, "text_model.final_layer_norm")[-1] @ weights["text_projection.weight"].T
    return found / np.linalg.norm(found)


def quick_gelu(x):
    return x / (1 + np.exp(-1.702 * x))


def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


@pytest.mark.parametrize(
    ("said", "right", "wrong"), [("quick_gelu", quick_gelu, gelu), ("gelu", gelu, quick_gelu), (None, quick_gelu, gelu)]
)
def test_the_activation_is_the_one_the_weights_were_trained_with(folder, said, right, wrong):
    """OpenAI's weights need QuickGELU; with another one they load without an error and every vector is wrong.

    Old files do not say: it is QuickGELU.
    """

    def say(config):
        for tower in ("text_config", "vision_config"):
            config[tower].pop("hidden_act", None)
            config[tower].update({"hidden_act": said} if said else {})

    configure(folder, say)
    found = Embedder.load(folder, device="cpu")
    ids = found._reader.tokenizer.encode("two red apples in the snow").ids
    vector = found.embed_texts(["two red apples in the snow"])[0]
    np.testing.assert_allclose(vector, by_hand(folder, ids, right), atol=1e-5)
    assert np.abs(vector - by_hand(folder, ids, wrong)).max() > 1e-3


def test_the_scale_is_that_of_the_file_whatever_the_model_runs_in(tiny_clip):
    import torch

    exact, half = Embedder.load(tiny_clip, device="cpu"), Embedder.load(tiny_clip, device="cpu", dtype=torch.bfloat16)
    assert half.logit_scale == exact.logit_scale
    cosines = (exact.embed_texts(TEXTS) * half.embed_texts(TEXTS)).sum(1)
    assert half.embed_texts(TEXTS).dtype == np.float32 and cosines.min() > 0.99


def too_little(model, most):
    """Memory for `most` texts or pictures at a time: more are really asked for what no machine has."""
    import torch

    def run(given):
        if len(given) > most:
            torch.empty(2**60, dtype=torch.uint8)
        return model(given)

    return run


@pytest.mark.parametrize(("most", "given"), [(5, 9), (1, 3)])
def test_where_memory_is_out_fewer_are_embedded_at_a_time(embedder, pictures, monkeypatch, most, given):
    texts, pictures = TEXTS[-given:], (2 * pictures)[:given]
    expected = embedder.embed_texts(texts), embedder.embed_images(pictures)
    for name in ("get_text_features", "get_image_features"):
        monkeypatch.setattr(embedder._model, name, too_little(getattr(embedder._model, name), most))
    np.testing.assert_allclose(embedder.embed_texts(texts), expected[0], atol=2e-6)
    np.testing.assert_allclose(embedder.embed_images(pictures), expected[1], atol=2e-6)


def test_no_memory_at_all_is_a_sentence_and_the_next_text_is_embedded(embedder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(embedder._model, "get_text_features", too_little(embedder._model.get_text_features, 0))
        with pytest.raises(InputError, match="too little memory to embed even one"):
            embedder.embed_texts(["cat"])
    assert embedder.embed_texts(["cat"]).shape == (1, embedder.dim)


def test_any_other_error_is_not_taken_for_that(embedder, monkeypatch):
    def broken(given):
        raise RuntimeError("something else")

    monkeypatch.setattr(embedder._model, "get_text_features", broken)
    with pytest.raises(RuntimeError, match="something else"):
        embedder.embed_texts(TEXTS)


def test_pictures_may_come_as_files_and_of_any_number(embedder, pictures, tmp_path):
    contents = [encode(picture, "PNG") for picture in pictures]
    (tmp_path / "a.png").write_bytes(contents[0])
    expected, rows = embedder.embed_images(pictures), [number % len(contents) for number in range(3 * MAX_BATCH + 1)]
    np.testing.assert_allclose(embedder.embed_images([tmp_path / "a.png", *contents[1:]]), expected, atol=2e-6)
    np.testing.assert_allclose(embedder.embed_images(contents[row] for row in rows), expected[rows], atol=2e-6)
    with pytest.raises(InputError, match="cannot be read"):
        embedder.embed_images([*contents, b"nothing"])
