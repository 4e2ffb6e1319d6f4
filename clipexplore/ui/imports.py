"""Imports from the page: what was dropped is put beside the new collection, and a lane makes it; progress, stop and going on.

What an import needs to go on – where its source lies and which model embeds – stands in `import.json` in the collection's folder, so
that it goes on after anything, the server's end included. A visitor's files never leave that folder and are deleted when they are in.
"""

import json
import shutil
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import streamlit as st

from clipexplore import catalog
from clipexplore.collections import shelves
from clipexplore.collections.importing import add, embed_missing
from clipexplore.collections.indexing import ready_made
from clipexplore.collections.repair import repair
from clipexplore.collections.shards import Shards
from clipexplore.collections.sources import TABLES, VECTORS, Source, open_source
from clipexplore.collections.trees import OPERATOR, Caps
from clipexplore.errors import InputError
from clipexplore.settings import settings
from clipexplore.worker import Job

from .fits import lane, said_of
from .markdown import escape
from .session import embedder
from .texts import text

PLAN, INCOMING = "import.json", "incoming"
WHOLE = (".zip", *TABLES, *VECTORS)  # files that are a source by themselves


@dataclass(frozen=True)
class Plan:
    """An import: its source, the model that embeds, and what limits it."""

    path: str
    model: str
    most: int | None
    trusted: bool

    @property
    def source(self) -> Source:
        return open_source(Path(self.path), OPERATOR if self.trusted else Caps())


@st.cache_resource(show_spinner=False)
def jobs() -> dict[str, Job]:
    """The imports of this process by the folder of their collection, those that have ended until somebody has seen it."""
    return {}


def put_down(files: list, folder: Path, title: str) -> Path:
    """Writes uploaded files into the folder of a new collection and gives the source they are: one file as it is, several as one ZIP.

    What visitors call their files is only written into that ZIP, and never a path here.

    Raises
    ------
    InputError
        If the disk refuses.
    """
    suffix = PurePosixPath(files[0].name).suffix.lower() if len(files) == 1 else ""
    path = folder / INCOMING / f"{shelves.plain_name(title)}{suffix if suffix in WHOLE else '.zip'}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix in WHOLE:
            path.write_bytes(files[0].getbuffer())
        else:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
                for file in files:
                    archive.writestr(_plain(file.name), file.getvalue())
    except OSError as error:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise InputError(f"The server's disk refused the files ({error.strerror}); tell who runs the server.") from error
    return path


def _plain(name: str) -> str:
    """A visitor's name for a file without what could lead anywhere."""
    parts = [part for part in name.replace("\\", "/").replace("\0", "").replace(":", "_").split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[-200:] or "file"


def begin(folder: Path, title: str, plan: Plan) -> None:
    """Makes the collection, if it is new, and starts its import.

    Raises
    ------
    InputError
        For a source that cannot be used, or that does not fit the collection.
    """
    source, model = plan.source, catalog.get(plan.model)
    if source.dim is not None:
        ready_made(model, source)
    if not (folder / "manifest.json").exists():
        Shards.create(folder, name=folder.name, title=title, kind=source.kind)
    (folder / PLAN).write_text(json.dumps(plan.__dict__), encoding="utf-8")
    _submit(folder, plan)


def resume(folder: Path) -> None:
    """Goes on with an import that was stopped."""
    try:
        plan = Plan(**json.loads((folder / PLAN).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        st.session_state["shelf-error"] = text("imports.lost")
        return
    _submit(folder, plan)


def reembed(folder: Path, model: str) -> None:
    """Starts to embed a collection by another model, beside those that have."""
    by = embedder(model)
    jobs()[str(folder)] = lane("import").submit(partial(_reembed, folder, model, by), ("reembed", str(folder), model), owner=str(folder))


def _submit(folder: Path, plan: Plan) -> None:
    try:
        by = None if Path(plan.path).suffix.lower() in VECTORS else embedder(plan.model)
        jobs()[str(folder)] = lane("import").submit(partial(_import, folder, plan, by), owner=str(folder))
    except InputError as error:
        st.session_state["shelf-error"] = str(error)


def _import(folder: Path, plan: Plan, by, job: Job) -> str:
    """The work of the lane; what it says in the end."""
    job.report(0, text("imports.opening"))
    source, model = plan.source, catalog.get(plan.model)
    repair(folder)
    revision = ready_made(model, source) if by is None else by.revision
    outcome = add(Shards.open(folder), source, by, plan.model, revision, job.report, plan.most)
    (folder / PLAN).unlink(missing_ok=True)
    shutil.rmtree(folder / INCOMING, ignore_errors=True)
    return outcome.said()


def _reembed(folder: Path, model: str, by, job: Job) -> str:
    repair(folder)
    shards = Shards.open(folder)
    with shards.store.writing():
        embed_missing(shards, by, model, by.revision, job.report)
        shards.merge()
    return text("imports.embedded", model=model)


def import_panel(folder: Path) -> None:
    """How far the import into a collection is, looked at twice a second while it is at work; nothing where there is none."""
    job = jobs().get(str(folder))
    if job:
        st.fragment(_look, run_every=0.5 if job.state in ("queued", "running") else None)(job, folder)


def _look(job: Job, folder: Path) -> None:
    shown = st.session_state.setdefault("import-states", {})
    if shown.get(job.id, job.state) != job.state:  # the card has more to say now
        shown[job.id] = job.state
        st.rerun()
    shown[job.id] = job.state
    if job.state in ("queued", "running"):
        st.progress(job.progress, said_of(job))
        st.button(text("fit.cancel"), key=f"stop-{job.id}", on_click=job.cancel, icon=":material/stop:")
    elif job.state == "done":
        st.success(escape(str(job.result)))
    else:
        st.warning(escape(job.error or text("imports.stopped")))
        if (folder / PLAN).exists() and st.button(text("imports.go_on"), key=f"again-{job.id}", icon=":material/play_arrow:"):
            resume(folder)
            st.rerun()  # the whole page: the job that this part looks at is over


def allowed_folders() -> list[Path]:
    """The folders that the operator lets visitors make collections of, and those right below them."""
    found = []
    for root in settings().roots:
        found += [root, *sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))]
    return found
