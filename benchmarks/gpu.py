"""What a GPU does with models of the true sizes: pictures a second by CLIP, a walk of fifty frames by Stable Diffusion
1.5, and running out of memory on purpose.

    python -m benchmarks.gpu            # some minutes; needs 12 GB of GPU memory and 6 GB of disk for a while
    python -m benchmarks.gpu --quick    # eight frames, ViT-B/32 alone

Weights are random: speed and memory do not depend on their values. Prints the device with every figure.
"""

import argparse
import gc
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.encode import scene
from benchmarks.true_models import write_clip, write_stable_diffusion
from clipexplore.draw.renderer import Renderer
from clipexplore.draw.walks import prompt_path
from clipexplore.errors import InputError
from clipexplore.images import encode
from clipexplore.models.devices import free_memory
from clipexplore.models.embedder import PICTURES, Embedder
from clipexplore.models.residents import Residents
from clipexplore.models.revisions import Revisions

GB = 1e9
DEVICE = "cuda"
LEFT = 0.2 * GB  # of memory, when it is taken away: too little for half a batch, whatever is drawn of it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    if not torch.cuda.is_available():
        raise SystemExit("There is no CUDA device here.")
    about = torch.cuda.get_device_properties(0)
    print(f"{about.name}, {about.total_memory / GB:.0f} GB, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("clip-b32",) if quick else ("clip-b32", "clip-l14"):
            clip(write_clip(Path(scratch) / name, name), name)
        folder = write_stable_diffusion(Path(scratch) / "sd15")
        walk(folder, 8 if quick else 50)
        out_of_memory(folder)


def clip(folder: Path, name: str) -> None:
    """Pictures a second, decoded from JPEGs and already decoded, and captions a second."""
    torch.cuda.reset_peak_memory_stats()
    embedder = Embedder.load(folder, device=DEVICE, revisions=Revisions(*["benchmark"] * 3))
    files = [encode(scene(640, 480, seed), "JPEG", quality=90) for seed in range(16)]
    squares = (
        torch.stack([embedder._prepare(file) for file in files]).repeat(PICTURES["cuda"] // 16, 1, 1, 1).to(DEVICE)
    )

    def forward() -> None:
        with torch.inference_mode():
            embedder._model.get_image_features(embedder._prepare.normalized(squares, embedder._model.dtype))
        torch.cuda.synchronize()

    many = files * (PICTURES["cuda"] * 4 // 16)
    captions = [f"a photo of {number} cats in the snow" for number in range(4096)]
    print(f"{name} in {embedder._model.dtype}")
    print(f"    {len(squares) / best(forward):9.0f} pictures/s, the model alone")
    print(f"    {len(many) / best(lambda: embedder.embed_images(many)):9.0f} pictures/s from JPEGs of 640 × 480")
    print(f"    {len(captions) / best(lambda: embedder.embed_texts(captions)):9.0f} captions/s")
    print(f"    {torch.cuda.max_memory_allocated() / GB:9.2f} GB at most")


def walk(folder: Path, frames: int) -> None:
    """The original experiment, fifty frames of 512 px between two prompts, as the page Interpolate draws it."""
    torch.cuda.reset_peak_memory_stats()
    renderer = Renderer.load(folder, device=DEVICE)
    states = prompt_path(renderer.encode_prompts(["lioness", "lion"]), frames, "lerp")
    renderer.render(
        prompt_embeds=states[:16], num_inference_steps=2
    )  # what is loaded and tuned once, for every size of a batch
    first: list[float] = []
    start = time.perf_counter()
    how = {"num_inference_steps": 25, "guidance_scale": 7.5, "scheduler": "pndm"}
    pictures = renderer.render(
        prompt_embeds=states, **how, shown=lambda number, picture: first.append(time.perf_counter() - start)
    )
    took = time.perf_counter() - start
    print(
        f"Stable Diffusion 1.5 in {renderer.pipeline.dtype}: {frames} frames of {renderer.side} px, "
        "PNDM with 25 steps, guidance 7.5"
    )
    print(
        f"    {took:9.1f} s, {took / frames:.2f} s a frame, the first after {first[0]:.2f} s\n    "
        f"{torch.cuda.max_memory_allocated() / GB:9.2f} GB at most"
    )
    again = renderer.render(prompt_embeds=states, **how)
    same = all(map(np.array_equal, map(np.asarray, pictures), map(np.asarray, again)))
    print(f"    drawn again: {'the same pixels' if same else 'NOT the same pixels'}")


def out_of_memory(folder: Path) -> None:
    """Takes nearly all memory away: one sentence must come, and the same drawing must work once it is back."""
    renderer = Renderer.load(folder, device=DEVICE)
    states = renderer.encode_prompts(["lion"]).repeat(8, axis=0)
    gc.collect()  # the renderer before
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    hog = torch.empty(int(torch.cuda.mem_get_info()[0] - LEFT), dtype=torch.uint8, device=DEVICE)
    try:
        renderer.render(prompt_embeds=states, num_inference_steps=2)
        print("Out of memory: NOT reached")
    except InputError as error:
        print(f"Out of memory was one sentence: {error}")
    try:
        Residents().get("too large", lambda: None, needs=lambda: free_memory(torch.device(DEVICE)) + 1)
        print("    a model that does not fit was NOT refused")
    except InputError as error:
        print(f"    and before a load: {error}")
    del hog
    torch.cuda.empty_cache()
    pictures = renderer.render(prompt_embeds=states, num_inference_steps=2)
    print(
        f"    afterwards {len(pictures)} pictures; "
        f"{(torch.cuda.memory_allocated() - before) / GB:+.2f} GB of memory against before"
    )


def best(run, rounds: int = 3) -> float:
    """Seconds of the fastest of some rounds, after one that does not count."""
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
