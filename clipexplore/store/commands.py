"""Collections from the command line: `index` makes one for everybody on this server, `export` writes one for others."""

from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from clipexplore.batcher import shared_embedder
from clipexplore.cluster.connection import is_set
from clipexplore.errors import InputError, MissingError
from clipexplore.language import _
from clipexplore.models import catalog
from clipexplore.models.devices import default_device
from clipexplore.models.embedder import PICTURES, Embedder
from clipexplore.reports import Report
from clipexplore.settings import settings
from clipexplore.sources.entries import Source
from clipexplore.sources.preview import as_text, captioned_by, look
from clipexplore.sources.recognise import open_source
from clipexplore.store import shelves
from clipexplore.store.collection import Collection
from clipexplore.store.embedding import AT_ONCE, Embeds
from clipexplore.store.export import FORMS, export
from clipexplore.store.importing import REJECTED, add_by
from clipexplore.store.repair import repair
from clipexplore.store.stored import Stored

PASSES = 4  # of a core between two looks at whether to go on: while one is computed, the next is decoded
INDEX = (
    "`clipexplore index PATH --name N --model KEY`: a collection from the command line, for everybody on this server."
)
EXPORT = "`clipexplore export COLLECTION FORM FOLDER`: a collection as files that other tools read."


def add_command(commands: Any) -> None:
    """The subcommands, for `__main__`."""
    parser = commands.add_parser(
        "index", help="make a collection of a folder, a ZIP, captions or vectors", description=INDEX
    )
    parser.add_argument(
        "path", help="a folder, an archive, a table, vectors or an address such as s3://…: docs/own-collections.md"
    )
    parser.add_argument("--name", help="of the collection; one that exists is added to")
    parser.add_argument("--look", action="store_true", help="show what would be imported, and import nothing")
    parser.add_argument("--caption", metavar="COLUMN", help="the column that is the caption, where it is not clear")
    parser.add_argument(
        "--model", help="the key of the model that embeds, else emoji; or that made ready-made vectors, else unnamed"
    )
    parser.add_argument("--description", default="", help="a line for the sidebar")
    parser.set_defaults(run=index)

    parser = commands.add_parser("export", help="write a collection as files that other tools read", description=EXPORT)
    parser.add_argument("collection", help="its name in links, or its folder")
    parser.add_argument("form", choices=[*FORMS], help="what it becomes")
    parser.add_argument("folder", type=Path, help="a new folder, in which it is written")
    parser.add_argument("--model", help="the key of the model whose vectors go along; else the first that has any")
    parser.set_defaults(run=write)


def index(options: Namespace) -> int:
    """Imports with a progress bar; the same command on the same path adds what is new, and goes on with what was
    interrupted or damaged.

    Raises
    ------
    InputError
        For a path, a name or a model that cannot be used.
    """
    source = open_source(options.path)
    source = captioned_by(source, options.caption) if options.caption else source
    if options.look:
        print(as_text(look(source)))
        return 0
    if not options.name:
        raise InputError(_("The collection needs a name: --name NAME; with --look nothing is imported."))
    if source.dim is not None and not options.model:
        message = _("These are ready-made vectors of {dim} dimensions; say which model made them: --model {keys}.")
        keys = [key for key, each in catalog.models().items() if each.dim in (0, source.dim)]
        raise InputError(message.format(dim=source.dim, keys=" | ".join([*keys, catalog.UNNAMED])))
    model = catalog.get(options.model or "emoji")
    store = store_for(options.name, source, options.description)
    try:
        with bar(source.count) as report:
            outcome = add_by(store, source, model, model, _embedder, report)
    except InputError:
        shelves.discard_empty(store.folder)
        raise
    print(outcome, *source.notes, sep="\n")
    for each in outcome.rejected[:10]:
        print(f"  {each.name}: {each.reason}")
    if outcome.rejected:
        print(f"all of them: {store.folder / REJECTED}")
    print(f"{store.facts['title']}: {store.rows():,} items in {store.folder}")
    return 0


def write(options: Namespace) -> int:
    """Exports with a progress bar.

    Raises
    ------
    InputError
        For a collection that is not there, and as `export`.
    """
    folders = shelves.folders()
    if options.collection not in folders and not Path(options.collection).is_dir():
        message = _("There is no collection {name!r}; there are: {names}.")
        raise MissingError(message.format(name=options.collection, names=", ".join(sorted(folders))))
    collection = Collection.open(folders.get(options.collection, Path(options.collection)))
    model = options.model or next(iter(collection.models), "")
    with bar(len(collection)) as report:
        export(collection, options.form, options.folder, model, report)
    print(
        _("{title}: {items:,} items in {folder}").format(
            title=collection.title, items=len(collection), folder=options.folder
        )
    )
    return 0


def store_for(name: str, source: Source, description: str = "") -> Stored:
    """The shared collection of that name, made whole if it is damaged; a new one if there is none.

    Raises
    ------
    InputError
        If the name is that of a bundled collection, or holds no letter or digit.
    """
    plain = shelves.plain_name(name)
    folder = shelves.folders().get(plain, shelves.shared_folder() / plain)
    if folder.is_relative_to(settings().assets):
        raise InputError(
            _("{name!r} is a bundled collection, which stays as it is; choose another name.").format(name=name)
        )
    if not shelves.exists(folder):
        return Stored.create(folder, name=plain, title=name, description=description, kind=source.kind)
    if lost := repair(folder):
        print(f"Damaged, and set aside: {', '.join(lost)}")
    return Stored.open(folder)


def _embedder(model: catalog.Model) -> Embeds:
    """On the cluster where one is set, else with all cores of this machine."""
    folder, revisions = model.require(), model.clip.revisions
    return shared_embedder(folder, revisions) if is_set() else _EveryCore(Embedder.load(folder, revisions=revisions))


class _EveryCore:
    """An embedder for a process that does nothing else: each core embeds a part, with one thread of torch's.

    Threads of one pass would wait for each other whenever another program takes a core. A GPU takes all in one pass.
    Pictures come as their files, so that what waits for a pass is what the model sees, and not whole pictures.
    """

    opens = True

    def __init__(self, embedder: Embedder):
        import torch

        device = default_device().type
        self._embedder, self._cores = embedder, torch.get_num_threads() if device == "cpu" else 1
        self.at_once = PASSES * PICTURES.get(device, AT_ONCE) * self._cores
        self.revisions = embedder.revisions
        self._pool = ThreadPoolExecutor(self._cores, "embed", initializer=torch.set_num_threads, initargs=(1,))

    def embed_images(self, images: list, /) -> np.ndarray:
        return self._by_all(self._embedder.embed_images, images)

    def embed_texts(self, texts: list[str], /) -> np.ndarray:
        return self._by_all(self._embedder.embed_texts, texts)

    def _by_all(self, embed: Callable[[list], np.ndarray], things: list) -> np.ndarray:
        part = -(-len(things) // self._cores)
        return np.concatenate(
            list(self._pool.map(embed, [things[start : start + part] for start in range(0, len(things), part)]))
        )


@contextmanager
def bar(count: int) -> Iterator[Report]:
    """A progress bar on the terminal, as an import reports to it."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    with tqdm(total=count, unit="item", smoothing=0.1) as bar:

        def report(progress: float, stage: str | None) -> None:
            bar.update(round(progress * count) - bar.n)
            if stage and not stage[0].isdigit():  # what is no count of items, which the bar has
                bar.set_postfix_str(stage)

        yield report
