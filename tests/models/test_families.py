"""Every family against its own class, called by the book: prepared, padded, pooled and scaled as its makers say."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from fixtures_families import LENGTH, build
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.labs.contrast import match_pairs
from clipexplore.labs.zeroshot import classify
from clipexplore.models import catalog
from clipexplore.models.embedder import Embedder
from clipexplore.models.families import family_of, read_scale
from clipexplore.models.revisions import revisions_of
from clipexplore.vectors import normalize

FAMILIES = {
    "clip": ("CLIP", "CLIPModel"),
    "metaclip2": ("MetaCLIP 2", "MetaClip2Model"),
    "siglip": ("SigLIP", "SiglipModel"),
    "siglip2": ("SigLIP 2", "SiglipModel"),
    "tips2": ("TIPSv2", "Tipsv2Model"),
}
TEXTS = [
    "a photo of a cat",
    "A Dog in the SNOW at night",
    "two red apples to the left of a lion in the jungle and a man with a top hat, and a dog in the snow",
    "Łódź, don't!",
    "cat",
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    home = tmp_path_factory.mktemp("families")
    return {family: build(family, home / family) for family in FAMILIES}


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    sizes = [(32, 32), (60, 33), (40, 90), (200, 32), (32, 80)]
    small = [rng.integers(0, 256, (4, 5, 3), dtype=np.uint8) for _ in sizes]
    return [Image.fromarray(pixels).resize(size) for pixels, size in zip(small, sizes, strict=True)]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def embedder(family, folders):
    return Embedder.load(folders[family], device="cpu")


@pytest.fixture(scope="module")
def book(family, folders, pictures):
    """The outputs of the family's own class, its tokenizer and processor called as its documentation says."""
    import torch
    import transformers

    folder = folders[family]
    model = getattr(transformers, FAMILIES[family][1]).from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(**_tokens(family, folder, TEXTS), pixel_values=_pixels(family, folder, pictures), return_loss=True)


def _tokens(family, folder, texts):
    import torch
    import transformers

    full = {"padding": "max_length", "truncation": True, "max_length": LENGTH, "return_tensors": "pt"}
    if family == "siglip":  # its tokenizer needs sentencepiece; lower case, no punctuation, `</s>`, padded with that
        import string

        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        clean = [
            re.sub(r"\s+", " ", text.lower().translate(str.maketrans("", "", string.punctuation))) for text in texts
        ]
        rows = [tokenizer.encode(text).ids for text in clean]
        rows = [row if len(row) <= LENGTH else [*row[: LENGTH - 1], 1] for row in rows]
        return {"input_ids": torch.tensor([[*row, *[1] * (LENGTH - len(row))] for row in rows])}
    name = {
        "clip": "CLIPTokenizer",
        "metaclip2": "XLMRobertaTokenizer",
        "siglip2": "Siglip2Tokenizer",
        "tips2": "Tipsv2Tokenizer",
    }[family]
    found = getattr(transformers, name).from_pretrained(folder)(texts, **full)
    return {"input_ids": found["input_ids"]} if family == "siglip2" else dict(found)


def _pixels(family, folder, pictures):
    """Of a Pillow processor: Tipsv2ImageProcessor needs torchvision, and does what this one does when told so."""
    from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil

    kind = CLIPImageProcessorPil if family in ("clip", "metaclip2") else SiglipImageProcessorPil
    return kind.from_pretrained(folder)(pictures, return_tensors="pt")["pixel_values"]


def rows_of_the_documentation() -> list[list[str]]:
    """The cells of docs/models.md's table of families."""
    written = (Path(__file__).parents[2] / "docs/models.md").read_text("utf-8").split("\n## ")
    (families,) = [part for part in written if part.startswith("Families")]
    _header, *rows = [line.strip("|").split("|") for line in families.split("\n") if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows]


@pytest.mark.parametrize(("named", "row"), list(zip(FAMILIES, range(5), strict=True)))
def test_the_documentation_says_what_a_family_does(named, row, folders):
    """What is computed with the rows is compared below, with the family's own class."""
    title, model, pictures, texts, probability, drawn = rows_of_the_documentation()[row]
    family, kind = family_of(folders[named]), json.loads((folders[named] / "config.json").read_text())["model_type"]
    assert title.split(" (")[0] == family.title and {kind, family.model} <= set(re.findall("`([^`]*)`", model))
    square = family.processor == "SiglipImageProcessorPil"
    if pictures == "the same":
        pictures = rows_of_the_documentation()[row - 1][2]
    assert ("scaled to a square" in pictures) == square == ("middle cropped" not in pictures)
    assert ("in 0…1" in pictures) == (family.pixels == {"do_normalize": False})
    assert ("the first token is read out" in pictures) == family.first != ("all tokens are read out" in pictures)
    assert ("languages" in texts) == family.multilingual
    assert ("lower case" in texts) == family.clean("Don't GO").islower()
    assert ("no punctuation" in texts) == ("'" not in family.clean("Don't GO"))
    assert ("mended" in texts) == (family.clean("a ﬁsh") == "a fish")
    read = {"end": "up to the end token", "last": "the last position", "mean": "the mean of the tokens"}
    assert [how for how, words in read.items() if words in texts] == [family.reading]
    assert probability.startswith(family.probability)
    draws = [key for key, each in catalog.models().items() if each.draws_prompts or each.draws_embeddings]
    assert drawn == "a bridge" or (named == "clip" and {"clip-b32", "clip-l14"} <= set(draws))
    assert ("IP-Adapter" in drawn) == (named == "clip" and catalog.get("laion-h14").draws_embeddings.kind == "adapter")
    b32, l14 = catalog.get("clip-b32"), catalog.get("clip-l14")
    assert ("Stable Diffusion 1.5" in drawn) == (named == "clip" and "stable-diffusion-v1-5" in b32.draws_prompts.repo)
    assert ("unCLIP" in drawn) == (named == "clip" and "unclip" in l14.draws_embeddings.repo)
    assert ("Kandinsky" in drawn) == (named == "clip" and bool(catalog.get("laion-bigg").prior))
    assert not {"siglip2-b16", "metaclip2-b32", "tipsv2-b14"} & set(draws)


def test_siglip_reads_64_tokens_unless_its_configuration_says_otherwise():
    from transformers import SiglipConfig

    assert SiglipConfig().text_config.max_position_embeddings == 64
    assert ["64 tokens" in row[3] for row in rows_of_the_documentation()] == [False, False, True, True, False]


def test_texts_have_the_vectors_of_the_familys_own_class(family, embedder, book):
    ours, expected = embedder.embed_texts(TEXTS), book.text_embeds.numpy()
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    assert (ours * expected).sum(1).min() > 0.99999
    assert (expected @ expected.T)[0, 1:].max() < 0.999, "else anything would agree"
    assert embedder.family.title == FAMILIES[family][0] and embedder.dim == expected.shape[1]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("woman’s crown", "woman's crown"),
        ("a “hat”", 'a "hat"'),
        ("rock &amp;amp; roll", "rock & roll"),
        ("a ﬁsh in the ﬂat", "a fish in the flat"),
        ("cafÃ©", "café"),
        ("  a\u2028 cat\n", "a cat"),
    ],
)
def test_a_text_from_the_web_is_read_as_it_was_meant(folders, typed, meant):
    embedder = Embedder.load(folders["clip"], device="cpu")
    np.testing.assert_allclose(*embedder.embed_texts([typed, meant]), atol=1e-6)
    assert len(set(embedder.count_tokens([typed, meant]))) == 1


def test_pictures_have_the_vectors_of_the_familys_own_class(family, folders, embedder, book, pictures):
    import torch

    pixels = _pixels(family, folders[family], pictures)
    seen = embedder._prepare.normalized(torch.stack([embedder._prepare(each) for each in pictures]), torch.float32)
    std = torch.tensor(embedder._prepare._processor.image_std).view(3, 1, 1) if family != "tips2" else 1
    assert ((seen - pixels).abs() * std * 255).max() <= 2.001  # grey levels
    assert ((pixels.min() >= 0) and (pixels.max() <= 1)) == (family == "tips2")
    expected = torch.nn.functional.normalize(book.image_embeds).numpy()
    assert (embedder.embed_images(pictures) * expected).sum(1).min() > 0.98  # a tiny model feels one grey level
    with torch.inference_mode():  # of the very same pixels the vectors are the same
        same = embedder._model.get_image_features(pixels).pooler_output
    assert (torch.nn.functional.normalize(same).numpy() * expected).sum(1).min() > 0.99999


def test_scaled_cosines_are_the_logits_of_the_familys_own_class(family, folders, embedder, book):
    cosines = normalize(book.image_embeds.numpy()) @ embedder.embed_texts(TEXTS).T
    ours = embedder.logit_scale * cosines + embedder.logit_bias
    np.testing.assert_allclose(ours, book.logits_per_image.numpy(), atol=1e-4 * embedder.logit_scale)
    scale = read_scale(folders[family])
    assert (embedder.logit_scale, embedder.logit_bias) == (scale.logit_scale, scale.logit_bias or 0.0)
    assert (scale.logit_bias is not None) == family.startswith("siglip")
    assert embedder.family.probability == ("sigmoid" if family.startswith("siglip") else "softmax")


def test_loss_and_probabilities_are_those_of_the_familys_own_class(family, folders, book):
    import torch

    scale, images, texts = read_scale(folders[family]), book.image_embeds.numpy(), book.text_embeds.numpy()
    found = match_pairs(images, texts, scale.logit_scale, logit_bias=scale.logit_bias)
    assert found.loss == pytest.approx(book.loss.item(), rel=1e-4)
    by_sigmoid = family.startswith("siglip")
    probs = torch.sigmoid(book.logits_per_image) if by_sigmoid else book.logits_per_image.softmax(dim=1)
    np.testing.assert_allclose(found.image_probs, probs, atol=1e-3)
    scores = classify(images, texts, scale.logit_scale, scale.logit_bias)
    np.testing.assert_allclose(scores.probs, probs, atol=1e-3)
    assert (abs(probs.sum(dim=1) - 1).max() > 0.01) == by_sigmoid


def test_a_text_of_siglip_always_has_its_full_length(folders):
    """The last position is read, whatever stands there: unpadded, its vector is another."""
    embedder = Embedder.load(folders["siglip2"], device="cpu")
    rows, mask = embedder._reader.padded(embedder._reader.cut(["cat"]))
    assert len(rows[0]) == LENGTH and mask is None


def test_tips_without_a_learned_scale_has_that_of_its_configuration(folders, tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(folders["tips2"], tmp_path / "tips")
    tensors = {name: each for name, each in load_file(folder / "model.safetensors").items() if name != "temperature"}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert Embedder.load(folder, device="cpu").logit_scale == pytest.approx(1 / 0.005065968260169029)
    assert not read_scale(folder).learned and read_scale(folders["tips2"]).learned


def test_towers_have_revisions_of_their_own_in_every_family(family, folders):
    assert len({*revisions_of(folders[family])}) == 3


@pytest.mark.parametrize(
    ("family", "claim"),
    [
        ("metaclip2", "clip"),
        ("clip", "metaclip_2"),
        ("siglip", "clip"),
        ("clip", "siglip"),
        ("tips2", "siglip"),
        ("siglip2", "tipsv2"),
    ],
)
def test_a_folder_that_lies_about_its_family_is_refused(family, claim, folders, tmp_path):
    """A MetaCLIP 2 that calls itself a CLIP would load, and its texts get vectors that are wrong."""
    folder = shutil.copytree(folders[family], tmp_path / "liar")
    config = json.loads((folder / "config.json").read_text())
    for part, suffix in (("text_config", "_text_model"), ("vision_config", "_vision_model")):
        config[part]["model_type"] = claim + suffix
    (folder / "config.json").write_text(json.dumps({**config, "model_type": claim}))
    with pytest.raises(InputError):
        Embedder.load(folder, device="cpu")
