"""`python -m clipexplore index PATH --name N --model KEY`: a collection from the command line, for everybody on this server.

Separate from the interface, which imports on a lane of its own: here a terminal waits, and the model is this process's alone. The
same command on the same path adds what is new, and goes on with what was interrupted or damaged.
"""

from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from clipexplore import catalog
from clipexplore.collections import shelves
from clipexplore.collections.entries import Report, Source
from clipexplore.collections.importing import AT_ONCE, add
from clipexplore.collections.reading import Outcome
from clipexplore.collections.repair import repair
from clipexplore.collections.shards import REJECTED, Shards
from clipexplore.collections.sources import open_source
from clipexplore.embedder import PICTURES, Embedder
from clipexplore.errors import InputError
from clipexplore.models.devices import default_device
from clipexplore.settings import settings


def add_command(commands) -> None:
    """The subcommand, for `__main__`."""
    parser = commands.add_parser("index", help="make a collection of a folder, a ZIP, captions or vectors", description=__doc__.split("\n\n")[0])
    parser.add_argument("path", type=Path, help="a folder, .zip, .csv, .tsv, .txt, .npy, .npz or .parquet")
    parser.add_argument("--name", required=True, help="of the collection; one that exists is added to")
    parser.add_argument("--model", default="emoji", help="the key of the model that embeds, or that has embedded")
    parser.add_argument("--description", default="", help="a line for the sidebar")
    parser.set_defaults(run=index)


def index(options: Namespace) -> int:
    """Imports with a progress bar.

    Raises
    ------
    InputError
        For a path, a name or a model that cannot be used.
    """
    model, source = catalog.get(options.model), open_source(options.path)
    shards = shards_for(options.name, source, options.description)
    with _bar(source.count) as report:
        outcome = _import(shards, source, model, report)
    print(outcome.said())
    for each in outcome.rejected[:10]:
        print(f"  {each.name}: {each.reason}")
    if outcome.rejected:
        print(f"all of them: {shards.store.folder / REJECTED}")
    print(f"{shards.manifest['title']}: {shards.rows:,} items in {shards.store.folder}")
    return 0


def shards_for(name: str, source: Source, description: str = "") -> Shards:
    """The shared collection of that name, made whole if it is damaged; a new one if there is none.

    Raises
    ------
    InputError
        If the name is that of a bundled collection, or holds no letter or digit.
    """
    plain = shelves.plain_name(name)
    folder = shelves.folders().get(plain, shelves.shared_folder() / plain)
    if folder.is_relative_to(settings().assets):
        raise InputError(f"{name!r} is a bundled collection, which stays as it is; choose another name.")
    if not folder.exists():
        return Shards.create(folder, name=plain, title=name, kind=source.kind, description=description)
    if lost := repair(folder):
        print(f"{len(lost)} damaged files were set aside: {', '.join(lost[:5])}")
    return Shards.open(folder)


def ready_made(model: catalog.Model, source: Source) -> str:
    """The revision that ready-made vectors are taken to be of, that of the model they are said to be of.

    Raises
    ------
    InputError
        If the model's vectors have another number of dimensions.
    """
    if model.dim and model.dim != source.dim:
        raise InputError(f"The vectors have {source.dim} dimensions and those of the model {model.key} {model.dim}; name the model that made them.")
    return model.clip.identity


def _import(shards: Shards, source: Source, model: catalog.Model, report: Report) -> Outcome:
    if source.dim is not None:
        return add(shards, source, None, model.key, ready_made(model, source), report)
    embedder = _EveryCore(Embedder.load(model.clip.require(model.key), revision=model.clip.identity))
    return add(shards, source, embedder, model.key, model.clip.identity, report, at_once=embedder.at_once)


class _EveryCore:
    """An embedder for a process that does nothing else: each core embeds a part of what is given, with one thread of torch's.

    Several threads in one pass would wait for each other whenever another program takes a core. A GPU takes everything in one pass.
    """

    def __init__(self, embedder: Embedder):
        import torch

        device = default_device().type
        self._embedder, self._cores = embedder, torch.get_num_threads() if device == "cpu" else 1
        self.at_once = PICTURES.get(device, AT_ONCE) * self._cores
        self._pool = ThreadPoolExecutor(self._cores, "embed", initializer=torch.set_num_threads, initargs=(1,))

    def embed_images(self, images: list) -> np.ndarray:
        return self._by_all(self._embedder.embed_images, images)

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        return self._by_all(self._embedder.embed_texts, texts)

    def _by_all(self, embed: Callable[[list], np.ndarray], things: list) -> np.ndarray:
        part = -(-len(things) // self._cores)
        return np.concatenate(list(self._pool.map(embed, [things[start : start + part] for start in range(0, len(things), part)])))


@contextmanager
def _bar(count: int) -> Iterator[Report]:
    """A progress bar on the terminal, as an import reports to it."""
    from tqdm import tqdm

    with tqdm(total=count, unit="item", smoothing=0.1) as bar:

        def report(progress: float, stage: str | None) -> None:
            bar.update(round(progress * count) - bar.n)
            if stage and not stage[0].isdigit():  # what is no count of items, which the bar has
                bar.set_postfix_str(stage)

        yield report
