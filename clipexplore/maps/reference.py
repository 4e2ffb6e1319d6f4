"""umap-learn in a process of its own, so that a fit can be stopped at any moment and the server stays quick while it compiles.

Separate because a thread cannot be stopped while compiled code runs. `python -m clipexplore.maps.reference` is what that process runs.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from clipexplore.projection import check_umap, umap_and_transform

_LOOK = 0.2  # seconds between two looks at the process
_ASKED, _FOUND = "asked.npz", "found.npz"

Report = Callable[[float, str | None], None]


def fit_umap_apart(x: np.ndarray, query: np.ndarray | None = None, report: Report = lambda progress, stage: None, **settings: object) -> tuple[np.ndarray, np.ndarray]:
    """As `umap_and_transform`, by another process; that one ends with this call, however it ends.

    Parameters
    ----------
    x, query
        `(n, dim)` and `(q, dim)` or None.
    report
        Is told a few times a second how far the fit is, in [0, 1], and the name of the stage, None while it compiles; may raise to stop it.
    settings
        `n_neighbors`, `min_dist`, `seed` and `metric`, as `fit_umap` takes them.

    Raises
    ------
    InputError
        As `fit_umap`.
    RuntimeError
        When the process failed, with the end of what it said.
    """
    check_umap(len(x), settings.get("n_neighbors", 15), settings.get("min_dist", 0.1), settings.get("metric", "cosine"))
    with TemporaryDirectory(prefix="clipexplore-umap-") as name:
        folder = Path(name)
        np.savez(folder / _ASKED, x=x, query=np.empty((0, x.shape[1]), np.float32) if query is None else query)
        with (folder / "said").open("wb") as said:
            process = _start(folder, settings, said)
            try:
                while process.poll() is None:
                    report(*how_far((folder / "said").read_text(errors="replace")))
                    time.sleep(_LOOK)
            finally:
                process.kill()
                process.communicate()
        if process.returncode:
            raise RuntimeError(f"umap-learn ended with {process.returncode}: {(folder / 'said').read_text(errors='replace')[-2000:]}")
        with np.load(folder / _FOUND, allow_pickle=False) as found:
            return found["places"], found["moved"]


def _start(folder: Path, settings: dict[str, object], said: object) -> subprocess.Popen:
    command = [sys.executable, "-u", "-m", "clipexplore.maps.reference", str(folder), json.dumps(settings)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said, cwd=Path(__file__).parents[2])


def how_far(said: str) -> tuple[float, str | None]:
    """Progress in [0, 1] and stage, from what umap-learn prints on its way."""
    if "Finished embedding" in said:
        return 0.9, "Placing new points"
    if "Construct embedding" in said:
        done = re.findall(r"completed\s+(\d+)\s*/\s*(\d+)", said)
        return 0.3 + 0.6 * (int(done[-1][0]) / int(done[-1][1]) if done else 0), "Arranging points"
    if "Finished Nearest" in said:
        return 0.2, "Weighing neighbours"
    return (0.1, "Finding neighbours") if "Finding Nearest" in said else (0.02, None)


def _end_with_parent() -> None:
    """Nothing is ever written to the input: it closes when the server is gone, and then nobody waits for this fit."""
    sys.stdin.read()
    os._exit(1)


def main(folder: Path, settings: dict[str, object]) -> None:
    """The work of the process: from `asked.npz` to `found.npz`."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with np.load(folder / _ASKED, allow_pickle=False) as asked:
        places, moved = umap_and_transform(asked["x"], asked["query"], **settings, verbose=True)
    np.savez(folder / _FOUND, places=places, moved=moved)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
