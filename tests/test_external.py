"""The reference figures that the makers of the models published, on any machine that has their weights: `python -m
clipexplore models get clip-b32`, then `pytest -m external`.

Every picture is looked for in the folder that CLIPEXPLORE_PICTURES names (CLIP.png of the repository openai/CLIP,
000000039769.jpg of COCO val2017) or taken from the package scikit-image. CLIPEXPLORE_IMAGENET names the validation
pictures of ImageNet in a folder for each synset; CLIPEXPLORE_FLICKR the pictures of Flickr30k beside the split of
Karpathy and Fei-Fei, dataset_flickr30k.json. What is not there is skipped.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipexplore.labs.zeroshot import class_embeddings, classify
from clipexplore.models import catalog
from clipexplore.models.embedder import Embedder
from clipexplore.models.revisions import Revisions

pytestmark = pytest.mark.external
TOLERANCE = 0.005  # in float32

# The notebook of openai/CLIP, "Interacting with CLIP": cosines of eight pictures of scikit-image with their captions.
NOTEBOOK = {
    "page": ("a page of text about segmentation", 0.35),
    "astronaut": ("a portrait of an astronaut with the American flag", 0.28),
    "rocket": ("a rocket standing on a launchpad", 0.30),
    "chelsea": ("a facial photo of a tabby cat", 0.31),
    "horse": ("a black-and-white silhouette of a horse", 0.35),
    "coffee": ("a cup of coffee on a saucer", 0.29),
    "camera": ("a person looking at a camera on a tripod", 0.29),
    "motorcycle_right": ("a red motorcycle standing in a garage", 0.32),
}

# The share of ImageNet's validation pictures whose class is found without training. SigLIP 2: README_siglip2.md of
# google-research/big_vision; LAION's: docs/openclip_results.csv of mlfoundations/open_clip.
IMAGENET = {"siglip2-b16": 0.782, "laion-h14": 0.7796, "laion-bigg": 0.8009}
OF_EACH = 2  # pictures of a thousand classes, whose standard error is 0.9 %
# TIPSv2 B/14, google-deepmind/tips, README.md: R@1 of 1,000 pictures of Flickr30k and their 5,000 captions.
FLICKR = {"tipsv2-b14": (0.926, 0.800)}
SAMPLED = 0.03  # three standard errors, with other names of classes and fewer templates


def loaded(key):
    import torch

    model = catalog.get(key)
    if not model.present:
        pytest.skip(f"the weights are not here: python -m clipexplore models get {key} --part clip")
    return Embedder.load(model.clip.folder, device="cpu", dtype=torch.float32, revisions=model.clip.revisions)


@pytest.fixture(scope="module")
def b32():
    return loaded("clip-b32")


def picture(name):
    path = Path(os.environ.get("CLIPEXPLORE_PICTURES", "")) / name
    if not path.is_file():
        pytest.skip(f"{name} is not in the folder that CLIPEXPLORE_PICTURES names")
    return path


def test_sizes_and_scale(b32):
    assert sum(each.numel() for each in b32._model.parameters()) == 151_277_313
    assert (b32.dim, b32.max_tokens, b32._prepare.side, b32._reader.tokenizer.get_vocab_size()) == (
        512,
        77,
        224,
        49_408,
    )
    assert b32.logit_scale == pytest.approx(100, abs=0.01)
    assert b32._model.config.text_config.hidden_act == b32._model.config.vision_config.hidden_act == "quick_gelu"


def test_the_example_of_the_readme(b32):
    vector, texts = b32.embed_images([picture("CLIP.png")])[0], b32.embed_texts(["a diagram", "a dog", "a cat"])
    np.testing.assert_allclose(texts @ vector, [0.2555, 0.2009, 0.1975], atol=TOLERANCE)
    np.testing.assert_allclose(
        classify(vector[None], texts, b32.logit_scale).probs[0], [0.9928, 0.0042, 0.0030], atol=TOLERANCE
    )


def test_the_cats_of_the_transformers_tests(b32):
    vector = b32.embed_images([picture("000000039769.jpg")])[0]
    logits = b32.logit_scale * (b32.embed_texts(["a photo of a cat", "a photo of a dog"]) @ vector)
    np.testing.assert_allclose(logits, [24.5701, 19.3049], atol=100 * TOLERANCE)


def test_the_pictures_of_the_notebook(b32):
    skimage = pytest.importorskip("skimage")
    try:
        seen = b32.embed_images([Image.fromarray(getattr(skimage.data, name)()).convert("RGB") for name in NOTEBOOK])
    except (AttributeError, OSError, ModuleNotFoundError) as error:
        pytest.skip(f"scikit-image has not all of its pictures here: {error}")
    cosines = seen @ b32.embed_texts([caption for caption, _ in NOTEBOOK.values()]).T
    # published to two digits
    np.testing.assert_allclose(np.diag(cosines), [cosine for _, cosine in NOTEBOOK.values()], atol=0.01)
    others = cosines[~np.eye(len(NOTEBOOK), dtype=bool)]
    assert others.min() > 0.10 and others.max() < 0.23


def test_text_vectors_are_those_that_others_published(b32, test_data):
    """Detic's vectors of class names, made by OpenAI's own code."""
    known = np.load(test_data / "genuine_vitb32_text_vectors.npz")
    vectors = known["text_vectors"]
    ours = b32.embed_texts([str(text) for text in known["text"]])
    assert (ours * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).sum(1).min() > 0.9999


@pytest.mark.parametrize(("key", "dim"), [("clip-b32", 512), ("clip-l14", 768)])
def test_sixteen_bits_keep_the_order(key, dim):
    import torch

    exact = loaded(key)
    half = Embedder.load(
        catalog.get(key).clip.folder, device="cpu", dtype=torch.bfloat16, revisions=Revisions(*["half"] * 3)
    )
    texts = ["a cat", "a dog", "a red car in the snow", "nothing at all"]
    assert exact.dim == dim and (exact.embed_texts(texts) * half.embed_texts(texts)).sum(1).min() > 0.999


def test_stable_diffusion_reads_with_the_tower_of_l14():
    from transformers import CLIPTextModel

    from clipexplore.draw.pipelines import share_weights
    from clipexplore.models.weights import variant_of

    large, weights = loaded("clip-l14"), catalog.get("clip-l14").draws_prompts
    if not weights.present:
        pytest.skip("the weights are not here: python -m clipexplore models get clip-l14 --part draws_prompts")
    encoder = CLIPTextModel.from_pretrained(
        weights.folder / "text_encoder", variant=variant_of(weights.folder), local_files_only=True, use_safetensors=True
    )
    large._model.half()  # as on a GPU, where both are in fp16
    assert share_weights(encoder.half(), large.text_model) == 2 * 123_060_480


def folder_named(variable, holds):
    folder = Path(os.environ.get(variable, ""))
    if not os.environ.get(variable) or not any(folder.glob(holds)):
        pytest.skip(f"{variable} names no folder with {holds}")
    return folder


@pytest.mark.parametrize(("key", "published"), IMAGENET.items())
def test_classes_are_found_as_often_as_published(key, published):
    folder, theirs = folder_named("CLIPEXPLORE_IMAGENET", "n*/*.JPEG"), pytest.importorskip("open_clip")
    synsets = sorted(path for path in folder.iterdir() if path.is_dir())
    assert len(synsets) == len(theirs.IMAGENET_CLASSNAMES) == 1000
    model = loaded(key)
    templates = [template("{}") for template in theirs.SIMPLE_IMAGENET_TEMPLATES]
    classes = class_embeddings(model.embed_texts, theirs.IMAGENET_CLASSNAMES, templates)
    seen = model.embed_images(path for synset in synsets for path in sorted(synset.glob("*.JPEG"))[:OF_EACH])
    right = (seen @ classes.T).argmax(axis=1) == np.repeat(np.arange(1000), OF_EACH)
    assert right.mean() == pytest.approx(published, abs=SAMPLED)


@pytest.mark.parametrize(("key", "published"), FLICKR.items())
def test_captions_and_pictures_find_each_other_as_often_as_published(key, published):
    folder = folder_named("CLIPEXPLORE_FLICKR", "dataset_flickr30k.json")
    known = json.loads((folder / "dataset_flickr30k.json").read_text(encoding="utf-8"))["images"]
    items, model = [each for each in known if each["split"] == "test"], loaded(key)
    texts = [sentence["raw"] for each in items for sentence in each["sentences"][:5]]
    found = model.embed_images(next(folder.rglob(each["filename"])) for each in items)
    cosines, own = found @ model.embed_texts(texts).T, np.repeat(np.arange(len(items)), 5)
    by_picture, by_caption = own[cosines.argmax(axis=1)] == np.arange(len(items)), cosines.argmax(axis=0) == own
    assert (by_picture.mean(), by_caption.mean()) == pytest.approx(published, abs=SAMPLED)


def test_metaclip_2_knows_a_diagram_in_many_languages():
    """In English as facebookresearch/MetaCLIP tests it, tests/test_inference.py, by the order alone; in others as that
    says.
    """
    model = loaded("metaclip2-b32")
    seen = model.embed_images([picture("CLIP.png")])[0]
    for names in (["a diagram", "a dog", "a cat"], ["ein Diagramm", "ein Hund", "eine Katze"], ["図", "犬", "猫"]):
        assert (model.embed_texts(names) @ seen).argmax() == 0


@pytest.mark.parametrize("key", [*IMAGENET, *FLICKR, "metaclip2-b32"])
def test_a_model_has_the_sizes_that_the_catalogue_says(key):
    model, said = loaded(key), catalog.get(key)
    numbers = sum(each.numel() for each in model._model.parameters())
    assert (model.dim, model.max_tokens, model._prepare.side) == (said.dim, said.tokens, said.size)
    assert not said.clip.parameters or numbers == pytest.approx(said.clip.parameters, rel=0.001)
    assert model.family.probability == said.probability
