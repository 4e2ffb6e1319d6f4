"""The table of models is consistent, only its keys choose, and an operator's entries are checked."""

import json
import re
from dataclasses import replace

import pytest
from fixtures_models import build_tiny_clip

from clipexplore.errors import InputError
from clipexplore.models import catalog
from clipexplore.models.families import SIGLIP_2
from clipexplore.models.weights import COMMIT, HUB_ID
from clipexplore.settings import read_settings, settings


def test_the_bundled_model_is_the_default():
    default = next(iter(catalog.models().values()))
    assert default is catalog.get("emoji")
    assert default.clip.folder == settings().assets / "models/emoji/clip"
    assert default.present and default.clip.bundled
    assert default.dim == json.loads((default.clip.folder / "config.json").read_text())["projection_dim"]


@pytest.mark.parametrize("model", catalog.models().values(), ids=catalog.models())
def test_an_entry_says_what_it_is(model):
    assert catalog.models()[model.key] is model
    assert re.fullmatch(r"[a-z0-9-]+", model.key)
    assert model.title
    assert model.description.endswith(".")
    assert model.dim > 0
    for part in model.parts:
        assert part.bundled or HUB_ID.fullmatch(part.repo)
        # What nobody has pinned and read may be unknown until it is fetched, and is never guessed.
        assert not part.revision or part.licence and part.download > 0 and part.parameters > 0
        assert part.licence or part.terms_of_use == "not yet known"
        assert part.revision is None or COMMIT.fullmatch(part.revision)
        assert "OpenRAIL" not in part.licence.replace(" ", "") or part.terms


def test_the_large_models_share_what_they_can():
    b32, l14, fast = map(catalog.get, ("clip-b32", "clip-l14", "fast"))
    assert b32.draws_prompts == l14.draws_prompts == fast.draws_prompts and l14.clip == fast.clip
    assert b32.draws_embeddings is None and fast.few_steps and not l14.few_steps
    assert (b32.dim, l14.dim, l14.tokens, l14.size) == (512, 768, 77, 224)
    # float32 weights, and half of that for the diffusion models in fp16
    assert b32.clip.download == pytest.approx(
        4 * b32.clip.parameters, rel=0.02
    ) and l14.draws_prompts.download == pytest.approx(2 * l14.draws_prompts.parameters, rel=0.02)


@pytest.mark.parametrize("key", ["", "Emoji", "openai/clip-vit-base-patch32", "../../etc"])
def test_anything_else_is_told(key):
    with pytest.raises(InputError, match=r"There is no model .*; choose one of: emoji"):
        catalog.get(key)


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Makes a text the configuration; the models it gives."""

    def configure(text):
        (tmp_path / "clipexplore.toml").write_text(text, encoding="utf-8")
        found = replace(settings(), models=read_settings({}, tmp_path).models)
        monkeypatch.setattr(catalog, "settings", lambda: found)
        return catalog.models()

    return configure


def test_an_operator_adds_folders_and_repositories(configured, tmp_path):
    build_tiny_clip(tmp_path / "own", dim=24)
    found = configured(
        '[[models]]\nkey = "own"\ntitle = "Our own"\nclip = "./own"\nlicence = "CC0"\n[[models]]\nkey = "b16"\nclip = '
        '"openai/clip-vit-base-patch16"\ndraws_prompts = "runwayml/stable-diffusion-v1-5"'
    )
    assert list(found)[-2:] == ["own", "b16"]
    own, b16 = found["own"], found["b16"]
    assert (
        own.clip.folder == tmp_path / "own"
        and own.present
        and (own.dim, own.tokens, own.size) == (24, 16, 32)
        and own.licence == "CC0"
    )
    assert own.title == "Our own" and own.description == "Our own."
    assert b16.clip.repo == "openai/clip-vit-base-patch16" and b16.clip.revision is None and not b16.present
    assert b16.draws_prompts.repo == "stable-diffusion-v1-5/stable-diffusion-v1-5"  # where the old id went


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('key = "x"', "has no clip; name a folder or a repository"),
        ('clip = "a/b"', "needs a key of at most 40 small letters"),
        ('key = "../x"\nclip = "a/b"', "needs a key"),
        ('key = "emoji"\nclip = "a/b"', "a model 'emoji', which exists already"),
        ('key = "x"\nclip = 7', "says clip = 7; give a text"),
        (
            'key = "x"\nclip = "a/b"\nremote_code = "yes"',
            "unknown key 'remote_code'; known are adapts, adapts_revision, clip",
        ),
        ('key = "x"\nclip = "a/b"\nclip_revision = "main"', "give a commit of 40 hexadecimal digits"),
        ('key = "x"\nclip = "./nowhere"', "does not hold a whole clip in safetensors"),
        ('key = "x"\nclip = "a/b"\ndraws_prompts = "/nowhere"', "does not hold a whole pipeline"),
    ],
)
def test_mistakes_of_an_operator_are_told(configured, text, message):
    with pytest.raises(InputError, match=message):
        configured(f"[[models]]\n{text}")


def test_models_that_are_no_tables_are_told(tmp_path):
    (tmp_path / "clipexplore.toml").write_text('models = ["a/b"]')
    with pytest.raises(InputError, match=r"give tables, each under a line \[\[models\]\]"):
        read_settings({}, tmp_path)


def test_missing_weights_are_told_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPEXPLORE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    settings.cache_clear()
    with pytest.raises(InputError, match="python -m clipexplore models get clip-l14"):
        catalog.get("clip-l14").logit_scale  # noqa: B018
    settings.cache_clear()


def test_a_family_is_said_before_its_weights_are_here():
    """Where no weights can say how probabilities are to be read, the catalogue does."""
    said = {key: model.probability for key, model in catalog.models().items()}
    assert said["siglip2-b16"] == SIGLIP_2.probability == "sigmoid"
    assert {said[key] for key in said if key != "siglip2-b16"} == {"softmax"}
