"""A drawn walk of fifty frames beside the obvious way, and what browsing is like meanwhile.

    python -m benchmarks.interpolation [DRAWING_FOLDER] [--clip FOLDER] [--judge FOLDER] [--frames 50] [--number 150]

Both draw the same walk with the same weights in one run. The obvious way calls the pipeline once for each frame:
float32, PNDM, 25 steps, guidance 7.5, as the sources of the experiment do. Ours is `Renderer.render` as the pages call
it. Prints seconds a frame, the time to the first picture, their ratios and, with a judge – a second CLIP –, how often
either way shows the right thing. Random weights are as fast as trained ones, so any folder of the true size will do.
Then a search is asked again and again, alone and while a walk is drawn, and its 95th percentile compared.
"""

import argparse
import threading
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from clipexplore import Space, path
from clipexplore.draw.renderer import Renderer
from clipexplore.jobs import Lane
from clipexplore.models.embedder import Embedder
from clipexplore.settings import settings

STOPS = ("@lion-jungle-07", "@lion-snow-07")
SEARCHES = 100


def obvious(folder: Path, clip: Path, points: np.ndarray) -> tuple[list[Image.Image], float]:
    """The pictures and the seconds, by the pipeline as `diffusers` loads it, one call for each frame."""
    from diffusers import PNDMScheduler, StableUnCLIPImg2ImgPipeline

    renderer = Renderer.load(folder, clip, dtype=torch.float32)
    encoders = {
        name: getattr(renderer.pipeline, name)
        for name in ("text_encoder", "image_encoder", "tokenizer", "feature_extractor")
    }
    pipe = StableUnCLIPImg2ImgPipeline.from_pretrained(folder, torch_dtype=torch.float32, **encoders)
    pipe.scheduler = PNDMScheduler.from_config(pipe.scheduler.config, skip_prk_steps=True)
    pipe.set_progress_bar_config(disable=True)
    begun, pictures = time.perf_counter(), []
    for point in torch.from_numpy(points * renderer.norm):
        generator = torch.Generator().manual_seed(0)
        pictures += pipe(
            prompt="", image_embeds=point[None], num_inference_steps=25, guidance_scale=7.5, generator=generator
        ).images
    return pictures, time.perf_counter() - begun


def ours(renderer: Renderer, points: np.ndarray) -> tuple[list[Image.Image], float, float]:
    """The pictures, the seconds, and the seconds until the first picture is there."""
    begun, seen = time.perf_counter(), []
    pictures = renderer.render(
        embeddings=points, shown=lambda number, picture: seen.append(time.perf_counter() - begun)
    )
    return pictures, time.perf_counter() - begun, seen[0]


def right_things(judge: Embedder, renderer: Renderer, folder: Path, clip: Path, number: int) -> tuple[float, float]:
    """How often the judge has the right thing among its first five, for embeddings of held-out scenes drawn the obvious
    way and ours.
    """
    from clipexplore.training.evaluate import embed_scenes
    from clipexplore.training.evaluate_drawing import judged, prompts

    scenes = prompts(number)
    points = embed_scenes(Embedder.load(clip), scenes)
    ways = (obvious(folder, clip, points)[0], ours(renderer, points)[0])
    theirs, mine = (judged(judge, scenes, pictures)["right thing, top-5"] for pictures in ways)
    return theirs, mine


def browsing(space: Space, name: str) -> float:
    """The 95th percentile of the seconds that a search for a new text takes."""
    waits = []
    for number in range(SEARCHES):
        begun = time.perf_counter()
        space.search(space.point(f"lion in the snow {name} {number}").vector, "pictures", 24)
        waits.append(time.perf_counter() - begun)
        time.sleep(0.02)
    return float(np.percentile(waits, 95))


def browsing_meanwhile(space: Space, renderer: Renderer, points: np.ndarray) -> float:
    """The same, while a walk is drawn on its lane from beginning to end."""
    lane, started, over = Lane("benchmark", abandon_after=1e9), threading.Event(), threading.Event()

    def work(job):
        while not over.is_set():
            renderer.render(embeddings=points, report=lambda share, preview: (started.set(), job.report(share)))

    job = lane.submit(work)
    started.wait()
    try:
        return browsing(space, "meanwhile")
    finally:
        over.set()
        job.cancel()
        lane.close(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    models = settings().assets / "models/emoji"
    parser.add_argument("folder", nargs="?", type=Path, default=models / "unclip")
    parser.add_argument("--clip", type=Path, default=models / "clip")
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--number", type=int, default=150, help="pictures that the judge sees of either way")
    options = parser.parse_args()
    space, renderer = Space.open(), Renderer.load(options.folder, options.clip)
    points = path(np.stack([space.point(stop).vector for stop in STOPS]), options.frames).points
    renderer.render(embeddings=points[:1], num_inference_steps=1)  # warm up
    _, mine, first = ours(renderer, points)
    _, theirs = obvious(options.folder, options.clip, points)
    print(
        f"{options.frames} frames of {renderer.side} px, {torch.get_num_threads()} threads, ours in "
        f"{renderer.pipeline.dtype}"
    )
    print(f"obvious way  {theirs / options.frames:.2f} s a frame  {theirs:.0f} s in all")
    print(f"ours         {mine / options.frames:.2f} s a frame  {mine:.0f} s in all, first picture after {first:.2f} s")
    print(f"             {theirs / mine:.1f} times as fast")
    idle, busy = browsing(space, "idle"), browsing_meanwhile(space, renderer, points)
    print(
        f"a search takes {idle * 1000:.1f} ms (p95) alone and {busy * 1000:.1f} ms while a walk is "
        f"drawn: {busy / idle:.1f} times as long"
    )
    if options.judge:
        theirs, mine = right_things(
            Embedder.load(options.judge), renderer, options.folder, options.clip, options.number
        )
        print(f"right thing among the first five: {theirs:.3f} the obvious way, {mine:.3f} ours")


if __name__ == "__main__":
    main()
