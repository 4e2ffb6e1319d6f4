"""The table of models is consistent, and only its keys choose."""

import re

import pytest

from clipexplore import catalog
from clipexplore.errors import InputError
from clipexplore.settings import settings


def test_the_bundled_model_is_the_default():
    default = next(iter(catalog.models().values()))
    assert default is catalog.get("emoji")
    assert default.dim == 512
    assert default.clip_folder == settings().assets / "models/emoji/clip"


@pytest.mark.parametrize("model", catalog.models().values(), ids=catalog.models())
def test_an_entry_says_what_it_is(model):
    assert catalog.models()[model.key] is model
    assert re.fullmatch(r"[a-z0-9-]+", model.key)
    assert model.title
    assert model.description.endswith(".")
    assert model.licence
    assert model.dim > 0


@pytest.mark.parametrize("key", ["", "Emoji", "openai/clip-vit-base-patch32", "../../etc"])
def test_anything_else_is_told(key):
    with pytest.raises(InputError, match=r"There is no model .*; choose one of: emoji"):
        catalog.get(key)
