"""Thirty visitors ask at once: the shared embedder beside a lock around the model.

    python -m benchmarks.visitors [MODEL_FOLDER]

Both embed the same texts with the same weights in one run. The obvious way answers one question at a time, padded to
the full context; ours lets questions that arrive together share a forward pass, cut behind their end token. Prints
requests a second, the 95th percentile and their ratios.
"""

import argparse
import threading
import time
from pathlib import Path

import numpy as np
import torch

from clipexplore.batcher import SharedEmbedder
from clipexplore.models.embedder import Embedder
from clipexplore.settings import settings

VISITORS, QUESTIONS = 30, 8


def texts() -> list[list[str]]:
    """For each visitor different questions, of two to nine words."""
    things, places = (
        ["lion", "red car", "happy face", "old man with a top hat", "three cats"],
        ["", "in the snow", "on the beach", "at night"],
    )
    return [
        [f"{things[(v + q) % 5]} {places[v % 4]} {v * QUESTIONS + q}".strip() for q in range(QUESTIONS)]
        for v in range(VISITORS)
    ]


def one_by_one(folder: Path):
    """A model behind a lock, as one would write it first."""
    from transformers import CLIPModel, CLIPTokenizer

    model, tokenizer, lock = (
        CLIPModel.from_pretrained(folder).float().eval(),
        CLIPTokenizer.from_pretrained(folder),
        threading.Lock(),
    )

    def embed(text: str) -> np.ndarray:
        with lock, torch.no_grad():
            tokens = tokenizer([text], padding="max_length", truncation=True, return_tensors="pt")
            vector = model.get_text_features(**tokens).pooler_output[0].numpy()
            return vector / np.linalg.norm(vector)

    return embed


def shared(folder: Path):
    embedder = SharedEmbedder(folder)
    return lambda text: embedder.embed_texts([text])[0]


def measure(embed) -> tuple[float, float, np.ndarray]:
    """Requests a second, the 95th percentile of their seconds, and the vectors."""
    embed("warm up")
    waits, vectors = [], {}

    def visit(number: int, asked: list[str]) -> None:
        for question, text in enumerate(asked):
            begun = time.perf_counter()
            vectors[number, question] = embed(text)
            waits.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=visit, args=each) for each in enumerate(texts())]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (
        len(waits) / (time.perf_counter() - begun),
        float(np.percentile(waits, 95)),
        np.stack([vectors[key] for key in sorted(vectors)]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=settings().assets / "models/emoji/clip")
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    Embedder.load(folder)  # imports are not what is measured
    naive, ours = measure(one_by_one(folder)), measure(shared(folder))
    print(f"lock, one by one, padded   {naive[0]:7.0f} requests/s   p95 {naive[1] * 1000:6.0f} ms")
    print(f"shared embedder            {ours[0]:7.0f} requests/s   p95 {ours[1] * 1000:6.0f} ms")
    print(f"ratio                      {ours[0] / naive[0]:7.1f} ×            p95 1/{naive[1] / ours[1]:.1f}")
    print(f"largest difference between the vectors {np.abs(naive[2] - ours[2]).max():.1e}")


if __name__ == "__main__":
    main()
