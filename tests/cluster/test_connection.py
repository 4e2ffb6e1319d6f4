"""Without a cluster nothing of Ray is there; with one that does not answer, that is said."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clipexplore.batcher import SharedEmbedder, shared_embedder
from clipexplore.cluster import connection, driver
from clipexplore.draw.drawer import Drawer
from clipexplore.errors import InputError, NetworkError
from clipexplore.models.weights import Weights
from clipexplore.retrieval.shared_search import TOGETHER_FROM, shared_search
from clipexplore.settings import settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def nobody(monkeypatch):
    """A cluster at a port where nothing is, on a machine that has Ray."""
    monkeypatch.setenv("CLIPEXPLORE_CLUSTER", "127.0.0.1:1")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


def test_without_a_cluster_nothing_of_ray_is_imported(tiny_clip):
    program = f"""
import sys
from pathlib import Path
import numpy as np
import clipexplore.__main__, clipexplore.ui
from clipexplore.batcher import shared_embedder
from clipexplore.retrieval.shared_search import shared_search
shared_embedder(Path({str(tiny_clip)!r})).embed_texts(["cat"])
shared_search(np.ones((1, 4)), np.full((30_000, 4), 0.5, np.float32), 3)
print([name for name in sys.modules if name.split(".")[0] == "ray"])
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_what_does_not_answer_is_said_and_nothing_is_computed_here_instead(nobody, tiny_clip, tiny_unclip, monkeypatch):
    rows = np.full((TOGETHER_FROM, 4), 0.5, np.float32)
    drawer = Drawer(Weights("pipeline", "none", path=tiny_unclip), Weights("clip", "none", path=tiny_clip))
    asked = {
        "texts": lambda: shared_embedder(tiny_clip).embed_texts(["cat"]),
        "nearest": lambda: shared_search(np.ones((1, 4)), rows, 3),
        "pictures": lambda: drawer.load().render(embeddings=np.ones((1, 24))),
        "nodes": lambda: connection.ask(driver.nodes),
    }
    for name, ask in asked.items():
        with pytest.raises(NetworkError, match=r"The cluster at 127\.0\.0\.1:1 cannot be reached \(.*\); start it"):
            ask()
            pytest.fail(name)


def test_where_ray_is_not_installed_it_is_said_what_to_install(nobody, monkeypatch):
    monkeypatch.setattr(connection, "check_reachable", lambda: None)
    monkeypatch.setattr(connection, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'clip-explorer\[cluster\]'"):
        connection.ask(driver.nodes)


def test_without_a_cluster_the_model_is_in_this_process(tiny_clip):
    assert isinstance(shared_embedder(tiny_clip), SharedEmbedder)
