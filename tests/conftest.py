"""What all tests share: no network, an embedder to check by hand, and genuine CLIP vectors where there are some."""

import os
import re
import shutil
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports a Hugging Face library
# whoever runs the tests may have collections of their own
os.environ["CLIPEXPLORE_HOME"] = tempfile.mkdtemp(prefix="clipexplore-")

import numpy as np
import pytest
from fixtures_drawing import classic, drawing_assets, tiny_diffusion, tiny_unclip, unclip  # noqa: F401
from fixtures_hub import hub  # noqa: F401
from fixtures_models import tiny_clip  # noqa: F401
from hypothesis import settings as hypothesis_settings

from clipexplore.settings import settings

hypothesis_settings.register_profile("clipexplore", deadline=None)  # a busy machine is no failure
hypothesis_settings.load_profile("clipexplore")


def pytest_sessionfinish():
    shutil.rmtree(os.environ["CLIPEXPLORE_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def space():
    """The bundled collection in the space of the bundled model."""
    from clipexplore import Space

    return Space.open()


class Axes:
    """An embedder to check by hand: each new content word gets the next axis, a text the normalised sum of its words.

    A picture is embedded as the text in its `info["caption"]`.
    """

    dim = 64
    function_words = frozenset(["a", "an", "the", "of", "in", "with", "and", "photo"])

    def __init__(self):
        self._axis_of: dict[str, int] = {}

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        """`(n, dim)` float32, unit rows; a text without a content word, or a word too many, is an error."""
        return np.stack([self._embed(text) for text in texts]) if texts else np.empty((0, self.dim), np.float32)

    def embed_images(self, images: list) -> np.ndarray:
        """`(n, dim)` float32, unit rows."""
        return self.embed_texts([image.info["caption"] for image in images])

    def _embed(self, text: str) -> np.ndarray:
        total = np.zeros(self.dim, np.float32)
        for word in re.findall(r"[\w-]*\w", text.lower()):
            if word not in self.function_words:
                total[self._axis_of.setdefault(word, len(self._axis_of))] += 1
        if not total.any():
            raise ValueError(f"{text!r} has no content word")
        return total / np.linalg.norm(total)


@pytest.fixture
def axes() -> Axes:
    return Axes()


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A data directory that is a test's own, where nothing was fetched either."""
    monkeypatch.setenv("CLIPEXPLORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of genuine CLIP vectors, where CLIPEXPLORE_TEST_DATA names one."""
    folder = os.environ.get("CLIPEXPLORE_TEST_DATA")
    if not folder:
        pytest.skip("CLIPEXPLORE_TEST_DATA is not set")
    return Path(folder)
