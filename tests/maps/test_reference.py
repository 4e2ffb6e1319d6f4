import os
import subprocess
import sys

import numpy as np
import pytest

from clipexplore.errors import InputError
from clipexplore.maps import reference
from clipexplore.maps.reference import fit_umap_apart, how_far, umap_and_transform
from clipexplore.paths import BUNDLE

SAID = """Sat Nov 21 Construct fuzzy simplicial set
Sat Nov 21 Finding Nearest Neighbors
Sat Nov 21 Finished Nearest Neighbor Search
Sat Nov 21 Construct embedding
\tcompleted  0  /  500 epochs
\tcompleted  250  /  500 epochs
Sat Nov 21 Finished embedding
\tcompleted  0  /  100 epochs
"""


@pytest.fixture
def started(monkeypatch) -> list[subprocess.Popen]:
    """The processes that were started."""
    made, start = [], reference._start
    monkeypatch.setattr(reference, "_start", lambda *given: made.append(start(*given)) or made[-1])
    return made


def test_progress_follows_what_umap_learn_prints():
    lines = SAID.splitlines()
    told = [how_far("\n".join(lines[:count])) for count in range(len(lines) + 1)]
    assert [progress for progress, _ in told] == sorted(progress for progress, _ in told) and all(
        0 < progress < 1 for progress, _ in told
    )
    assert list(dict.fromkeys(stage for _, stage in told)) == [
        None,
        "Finding neighbours",
        "Weighing neighbours",
        "Arranging points",
        "Placing new points",
    ]
    assert told[6][0] == pytest.approx(0.6), "half of the epochs are done"


def test_a_fit_that_is_stopped_leaves_no_process_and_no_file(started, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def stop(progress: float, stage: str | None) -> None:
        assert started[0].poll() is None, "it runs"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_umap_apart(np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32), report=stop)
    assert started[0].returncode not in (None, 0) and not list(tmp_path.iterdir())


def test_a_fit_ends_when_the_server_is_gone(tmp_path):
    np.savez(tmp_path / "asked.npz", x=np.random.default_rng(0).normal(size=(4000, 64)), query=np.empty((0, 64)))
    process = reference._start(tmp_path, {}, subprocess.DEVNULL)
    process.stdin.close()  # as it is when whoever holds the other end dies
    assert process.wait(60) == 1 and not (tmp_path / "found.npz").exists()


def test_what_cannot_be_fitted_is_told_before_a_process_is_started(started):
    with pytest.raises(InputError, match="at least 2"):
        fit_umap_apart(np.eye(10), n_neighbors=1)
    assert not started


def test_a_process_that_fails_is_an_error_with_what_it_said(monkeypatch):
    monkeypatch.setattr(
        reference,
        "_start",
        lambda folder, settings, said: subprocess.Popen(
            [sys.executable, "-c", "raise SystemExit('no room')"], stdin=subprocess.PIPE, stdout=said, stderr=said
        ),
    )
    with pytest.raises(RuntimeError, match="no room"):
        fit_umap_apart(np.random.default_rng(0).normal(size=(60, 8)))


@pytest.mark.slow
def test_it_is_umap_learn():
    x, told = np.random.default_rng(0).normal(size=(120, 8)).astype(np.float32), []
    settings = {"n_neighbors": 5, "min_dist": 0.3, "seed": 7, "metric": "euclidean"}
    places, moved = fit_umap_apart(x, x[:9] + 0.01, lambda progress, stage: told.append(stage), **settings)
    expected = umap_and_transform(x, x[:9] + 0.01, **settings)
    np.testing.assert_allclose(places, expected[0], atol=1e-4)
    np.testing.assert_allclose(moved, expected[1], atol=1e-4)
    assert None in told, "it was looked at while it compiled"


@pytest.mark.slow
def test_torch_has_as_many_threads_after_a_fit_as_before():
    lines = (
        "import numpy as np, torch; from clipexplore.maps.reference import fit_umap; before = torch.get_num_threads();"
        "fit_umap(np.random.default_rng(0).normal(size=(60, 8)), n_neighbors=5); print(before, torch.get_num_threads())"
    )
    environ = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"}
    run = subprocess.run([sys.executable, "-c", lines], env=environ, cwd=BUNDLE, capture_output=True, text=True)
    assert run.stdout.split() == ["1", "1"], run.stderr
