"""A store that is not ours to change, with another on top that takes what is written.

Separate because a bundled collection must stay as it is shipped, and still be embedded by any model: what a model made of it lies
in the data directory, one folder for each model revision and content.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clipexplore.collections.storage import MANIFEST, Content, Store
from clipexplore.errors import InputError

_MODEL = "model"  # what files on top have in place of the model's key, so that two keys of one model share them


class Layered(Store):
    """Reads from both, writes on top. As any store: many threads may read, one at a time may write.

    Parameters
    ----------
    base
        What is below; what it has of the model of that key is covered.
    folder
        Of the store on top; made when first written to, and made again if it is damaged.
    key
        Of the model.
    """

    def __init__(self, base: Store, folder: Path, key: str):
        self._base, self._key, self._top_folder = base, key, folder
        self._top = _open(folder)
        super().__init__(base.folder, self._merged())

    def reload(self) -> None:
        """Takes in what another store on the same folder has written."""
        self._top = _open(self._top_folder)
        self.manifest = self._merged()

    def read(self, name: str) -> bytes:
        """As `Store.read`."""
        store, stored = self._place(name)
        return store.read(stored)

    def path(self, name: str) -> Path:
        """As `Store.path`."""
        store, stored = self._place(name)
        return store.path(stored)

    def is_whole(self, name: str) -> bool:
        """As `Store.is_whole`."""
        store, stored = self._place(name)
        return store.is_whole(stored)

    def commit(self, manifest: dict, files: Mapping[str, Content]) -> None:
        """As `Store.commit`: what is new and what is said of the model goes on top, and below nothing changes."""
        if self._top is None:
            self._top = Store.create(self._top_folder, {"models": {}}, {})
        kept = {name: entry for name, entry in self._top.manifest["files"].items() if self._shown(name) in manifest["files"]}
        said = {_MODEL: manifest["models"][self._key]} if self._key in manifest["models"] else {}
        self._top.commit({**self._top.manifest, "models": said, "files": kept}, {self._stored(name): content for name, content in files.items()})
        self.manifest = self._merged()

    def _merged(self) -> dict:
        below, own = self._base.manifest, (f"embeddings/{self._key}/", f"maps/{self._key}/")
        models = {key: said for key, said in below["models"].items() if key != self._key}
        files = {name: entry for name, entry in below["files"].items() if not name.startswith(own)}
        if self._top is not None and _MODEL in self._top.manifest["models"]:
            models[self._key] = self._top.manifest["models"][_MODEL]
            files |= {self._shown(name): entry for name, entry in self._top.manifest["files"].items()}
        return {**below, "models": models, "files": files}

    def _place(self, name: str) -> tuple[Store, str]:
        stored = self._stored(name)
        on_top = self._top is not None and stored in self._top.manifest["files"]
        return (self._top, stored) if on_top else (self._base, name)

    def _stored(self, name: str) -> str:
        return name.replace(f"/{self._key}/", f"/{_MODEL}/", 1)

    def _shown(self, stored: str) -> str:
        return stored.replace(f"/{_MODEL}/", f"/{self._key}/", 1)


def _open(folder: Path) -> Store | None:
    """The store on top; what of it is damaged can be made again, and is set aside."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        return Store.open(folder)
    except InputError:
        pass
    try:
        return Store.salvage(folder)[0]
    except InputError:
        (folder / MANIFEST).unlink()
        return None
