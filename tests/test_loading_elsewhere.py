"""A model that another thread loads changes nothing of what is computed meanwhile.

transformers makes a model of 16 bits by changing torch's default type, which is one for all threads: a tensor that is
made then and says no type has that one.
"""

import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from fixtures_drawing import DIM
from PIL import Image

from clipexplore.maps import umap
from clipexplore.models.embedder import Embedder
from clipexplore.vectors import normalize

POINTS = normalize(np.random.default_rng(0).normal(size=(60, DIM)).astype(np.float32))


@contextmanager
def loading(dtype):
    """What other threads see while `from_pretrained` runs."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@pytest.fixture(scope="module")
def embedder(tiny_clip):
    return Embedder.load(tiny_clip, device="cpu", dtype=torch.float32)


def embedded(embedder, unclip):
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    return np.concatenate(
        [embedder.embed_images([Image.fromarray(noise)]), embedder.embed_texts(["cat", "a lion in the snow"])]
    )


def token_states(embedder, unclip):
    return unclip.encode_prompts(["cat", "a lion in the snow"])


def pictures(embedder, unclip):
    return np.stack(unclip.render(embeddings=POINTS[:3], num_inference_steps=3, guidance_scale=3.0))


def pictures_by_pndm(embedder, unclip):
    return np.stack(unclip.render(embeddings=POINTS[:1], num_inference_steps=3, guidance_scale=3.0, scheduler="pndm"))


def layout(embedder, unclip):
    return umap.fit_layout(POINTS)


@pytest.mark.parametrize(
    "compute", [embedded, token_states, pictures, pictures_by_pndm, layout], ids=lambda compute: compute.__name__
)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_changes_nothing(compute, dtype, embedder, unclip, monkeypatch):
    monkeypatch.setattr(umap, "EPOCHS", 20)
    alone = compute(embedder, unclip)
    with loading(dtype):
        meanwhile = compute(embedder, unclip)
    np.testing.assert_array_equal(meanwhile, alone)


def test_two_threads_may_load_the_first_model_at_once(tiny_clip, tiny_unclip):
    """transformers and diffusers take their own place in `sys.modules` when their import ends: in a fresh process
    whoever imported from them meanwhile found nothing.
    """
    script = """
import sys
from concurrent.futures import ThreadPoolExecutor
from clipexplore import Embedder, Renderer
clip, unclip = sys.argv[1:]

def load_meanwhile():
    while "transformers" not in sys.modules:
        pass
    return Embedder.load(clip, "cpu")

with ThreadPoolExecutor() as pool:
    loads = [pool.submit(load_meanwhile), pool.submit(Renderer.load, unclip, clip, "cpu")]
    print([type(load.result()).__name__ for load in loads])
"""
    run = subprocess.run([sys.executable, "-c", script, tiny_clip, tiny_unclip], capture_output=True, text=True)
    assert run.stdout.strip() == "['Embedder', 'Renderer']", run.stderr
