"""`clipexplore export COLLECTION FORM FOLDER`: a collection as files that other tools read."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from clipexplore.errors import MissingError
from clipexplore.language import _
from clipexplore.store import shelves
from clipexplore.store.collection import Collection
from clipexplore.store.indexing import bar
from clipexplore.store.outgoing import FORMS, export


def add_command(commands: Any) -> None:
    """The subcommand, for `__main__`."""
    parser = commands.add_parser(
        "export", help="write a collection as files that other tools read", description=__doc__
    )
    parser.add_argument("collection", help="its name in links, or its folder")
    parser.add_argument("form", choices=[*FORMS], help="what it becomes")
    parser.add_argument("folder", type=Path, help="a new folder, in which it is written")
    parser.add_argument("--model", help="the key of the model whose vectors go along; else the first that has any")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
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
