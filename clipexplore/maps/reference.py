"""UMAP by umap-learn, the reference, in this process or in one of its own.

There a fit can be stopped at any moment, unlike a thread in compiled code, and the server stays quick meanwhile.
That process runs `python -m clipexplore.maps.reference`.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import numpy as np

from clipexplore.language import _
from clipexplore.maps.umap import check_umap
from clipexplore.reports import Report, silent
from clipexplore.vectors import normalize

_LOOK = 0.2  # seconds between two looks at the process
_one_fit = threading.Lock()  # two umap fits at once abort the process (umap#665)
_ASKED, _FOUND = "asked.npz", "found.npz"


def fit_umap(
    x: np.ndarray, n_neighbors: int = 15, min_dist: float = 0.1, seed: int = 0, metric: str = "cosine"
) -> np.ndarray:
    """A map on which near points were near before: UMAP by umap-learn, the reference.

    Takes about 10 s for 10,000 points on one core, and up to a minute more the first time in a process, which compiles.
    One fit runs at a time; others wait. `umap.fit_layout` is faster and holds to this one.

    Parameters
    ----------
    x
        `(n, dim)`, at least `n_neighbors` + 2 rows.
    n_neighbors
        At least 2: few show detail, many the large picture.
    min_dist
        In [0, 1]: how closely points may be packed, in units of the map.
    seed
        The same seed gives the same map, on the same versions and the same kind of machine.
    metric
        "cosine" or "euclidean".

    Returns
    -------
    np.ndarray
        `(n, 2)` float32. Only nearness means something on it, not direction, size or empty space.

    Raises
    ------
    InputError
        When a setting is out of range or there are too few points.

    Source
    ------
    L. McInnes, J. Healy, J. Melville, UMAP: uniform manifold approximation and projection, arXiv 1802.03426, 2018.
    """
    check_umap(len(x), n_neighbors, min_dist, metric)
    return umap_and_transform(x, None, n_neighbors=n_neighbors, min_dist=min_dist, seed=seed, metric=metric)[0]


def umap_and_transform(
    x: np.ndarray,
    query: np.ndarray | None,
    *,
    seed: int = 0,
    metric: str = "cosine",
    verbose: bool = False,
    **settings: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """The map of `fit_umap`, and where umap-learn's own `.transform` puts new points `(q, dim)`: `(n, 2)`, `(q, 2)`.

    `settings` are those of `umap.UMAP`; with `verbose` it prints how far it is. It runs in a thread of its own: Numba
    sets the number of OpenMP threads of the thread that first calls it, and torch's with it.
    """

    def fitted() -> tuple[np.ndarray, np.ndarray]:
        from umap import UMAP

        fit = UMAP(metric=metric, random_state=seed, n_jobs=1, verbose=verbose, tqdm_kwds={"disable": True}, **settings)
        coordinates = fit.fit_transform(normalize(x)).astype(np.float32)
        if query is None or not len(query):
            return coordinates, np.empty((0, 2), np.float32)
        return coordinates, fit.transform(normalize(query)).astype(np.float32)

    with _one_fit, ThreadPoolExecutor(1, "umap") as alone:
        return alone.submit(fitted).result()


def fit_umap_apart(
    x: np.ndarray,
    query: np.ndarray | None = None,
    report: Report = silent,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    seed: int = 0,
    metric: str = "cosine",
) -> tuple[np.ndarray, np.ndarray]:
    """As `fit_umap` and `umap_and_transform`, in another process, which ends with this call, however that ends.

    Parameters
    ----------
    report
        Is called a few times a second; the stage is None while it compiles.

    Raises
    ------
    InputError
        As `fit_umap`.
    RuntimeError
        When the process failed, with the end of what it said.
    """
    check_umap(len(x), n_neighbors, min_dist, metric)
    settings = {"n_neighbors": n_neighbors, "min_dist": min_dist, "seed": seed, "metric": metric}
    with TemporaryDirectory(prefix="clipexplore-umap-") as name:
        folder, log = Path(name), Path(name) / "log"
        np.savez(folder / _ASKED, x=x, query=np.empty((0, x.shape[1]), np.float32) if query is None else query)
        with log.open("wb") as output:
            process = _start(folder, settings, output)
            try:
                while process.poll() is None:
                    report(*how_far(log.read_text(errors="replace")))
                    time.sleep(_LOOK)
            finally:
                process.kill()
                process.communicate()
        if process.returncode:
            raise RuntimeError(f"umap-learn ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
        with np.load(folder / _FOUND, allow_pickle=False) as found:
            return found["places"], found["moved"]


def _start(folder: Path, settings: dict[str, Any], output: IO[bytes] | int) -> subprocess.Popen:
    command = [sys.executable, "-u", "-m", "clipexplore.maps.reference", str(folder), json.dumps(settings)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=Path(__file__).parents[2])


def how_far(printed: str) -> tuple[float, str | None]:
    """Progress in [0, 1] and stage, from what umap-learn prints on its way."""
    if "Finished embedding" in printed:
        return 0.9, _("Placing new points")
    if "Construct embedding" in printed:
        done = re.findall(r"completed\s+(\d+)\s*/\s*(\d+)", printed)
        return 0.3 + 0.6 * (int(done[-1][0]) / int(done[-1][1]) if done else 0), _("Arranging points")
    if "Finished Nearest" in printed:
        return 0.2, _("Weighing neighbours")
    return (0.1, _("Finding neighbours")) if "Finding Nearest" in printed else (0.02, None)


def _end_with_parent() -> None:
    """Nothing is ever written to the input: it closes when the server is gone, and then nobody waits for this fit."""
    sys.stdin.read()
    os._exit(1)


def main(folder: Path, settings: dict[str, Any]) -> None:
    """The work of the process: from `asked.npz` to `found.npz`."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with np.load(folder / _ASKED, allow_pickle=False) as asked:
        places, moved = umap_and_transform(asked["x"], asked["query"], **settings, verbose=True)
    np.savez(folder / _FOUND, places=places, moved=moved)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
