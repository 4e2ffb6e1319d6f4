"""What the tests of imports share: pictures that tell themselves apart, and an embedder that counts its work."""

import errno
import io
from contextlib import closing

import numpy as np
from PIL import Image

from clipexplore.models.revisions import Revisions
from clipexplore.sources.recognise import open_source
from clipexplore.store.database import FILE
from clipexplore.store.importing import REJECTED, add
from clipexplore.store.stored import Stored


def full_disk(*_arguments: object) -> None:
    """What a system call does when the disk is full."""
    raise OSError(errno.ENOSPC, "No space left on device")


def jpeg(number: int, size: tuple[int, int] = (40, 30), format: str = "JPEG", **options) -> bytes:
    """A picture of coloured noise, another for each number."""
    noise = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(file, format, **options)
    return file.getvalue()


class Toy:
    """An embedder by rule: a picture is its 4 × 4 grey values, a text the counts of its letters.

    It counts what it embeds.
    """

    dim, revision = 16, "toy-1"

    def __init__(self, at_once: int = 32, revision: str = revision):
        self.images, self.texts, self.at_once = 0, 0, at_once
        self.revision, self.revisions = revision, Revisions(revision, revision, revision)

    def embed_images(self, images):
        self.images += len(images)
        small = [np.asarray(image.convert("L").resize((4, 4)), np.float32).ravel() + 1 for image in images]
        return _unit(np.stack(small))

    def embed_texts(self, texts):
        self.texts += len(texts)
        counts = np.ones((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            for letter in text:
                counts[row, ord(letter) % self.dim] += 1
        return _unit(counts)


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def fill(folder, count: int, start: int = 0) -> None:
    """Puts pictures into a folder, two in three of them with a caption beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        (folder / f"p{number:04d}.jpg").write_bytes(jpeg(number))
        if number % 3:
            (folder / f"p{number:04d}.txt").write_text(f"picture number {number}\n")


def silent(progress: float, stage: str | None) -> None:
    """A report to nobody."""


def store_in(folder, kind: str = "pictures") -> Stored:
    """The collection in a folder, a new one if there is none."""
    there = (folder / FILE).exists()
    return Stored.open(folder) if there else Stored.create(folder, name="it", title="It", kind=kind)


def take(folder, path, embedder=None, report=silent, **options):
    """Imports a path into the collection of a folder."""
    source = open_source(path)
    embedder = embedder or Toy()
    store = store_in(folder, source.kind)
    with closing(store):
        return add(store, source, None if source.dim else embedder, "toy", embedder.revision, report, **options)


def contents(folder) -> dict:
    """All that a collection holds, every row compared with its checksum."""
    with closing(Stored.open(folder)) as store:
        store.verify()
        tables = ("items", "pictures", "vectors", "maps")
        return {
            "facts": {key: value for key, value in store.facts.items() if key != "title"},
            **{table: sorted(store.read(f"SELECT * FROM {table}"), key=repr) for table in tables},
            "rejected": (folder / REJECTED).read_bytes() if (folder / REJECTED).exists() else None,
        }
