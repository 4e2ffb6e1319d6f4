"""The default view of every page is answered from what is stored, before anything slow is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clipexplore import links

ROOT = Path(__file__).parents[1]
SLOW = ("torch", "transformers", "diffusers", "umap", "numba", "sklearn")

# In a process of its own: nothing that another test imported counts. The warm-up, which imports all of it a second
# later, is left out,
# and lanes stand still: what they do comes after the first paint.
SCRIPT = f"""
import json, sys
from clipexplore import jobs
from clipexplore.ui import serving
jobs.Lane._run = lambda self: None
serving._load_all = lambda: None
from functools import cache
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)

seen = {{}}
for page in {list(links.PAGES)}:
    app = AppTest.from_file({str(ROOT / "app.py")!r}, default_timeout=120).switch_page(f"pages/{{page}}.py").run()
    seen[page] = {{
        "slow": [name for name in {SLOW} if name in sys.modules],
        "said": [each.value for each in [*app.exception, *app.error]],
        "shown": len(app.image) + len(app.get("plotly_chart")) + len(app.metric)
        + sum("gallery" in each.proto.component_name for each in app.get("bidi_component"))
        + sum(str(each.key).startswith("option-") for each in app.button),  # what a lesson asks
    }}
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> dict[str, dict]:
    """What each page has shown and said, and what had been imported by then."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "CLIPEXPLORE_HOME": str(tmp_path_factory.mktemp("home"))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("page", links.PAGES)
def test_the_default_view_needs_no_model(seen, page):
    assert seen[page]["shown"] and not seen[page]["said"]
    assert not seen[page]["slow"]
