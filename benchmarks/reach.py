"""How much of the house one change on a page walks through, and how large the house is: files, functions, lines.

    python -m benchmarks.reach                 # this checkout
    python -m benchmarks.reach ../another      # another one, older or newer
    python -m benchmarks.reach --list search   # the functions that a change on Search enters, by file

A change is the second of the page's own text, after the page was opened and changed once, and all that a first visitor
sets off in the background (the warm-up, contact sheets) has ended. Counted are the files of the checkout and the
functions in them that any thread enters until the page stands again. Lines are those of Python files, blank ones and
comments included.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from types import CodeType, FrameType

# Each page's link, its box, and two things to type: the first warms up, the second is counted.
CHANGES = {
    "search": ({}, "q", "dog - cat", "lion + snow"),
    "map": ({}, "points", "dog\nhat", "cat\nlion"),
    "classify": ({}, "class_names", "hat\ncrown", "lion\ncat"),
    "arithmetic": ({}, "q", "dog - hat", "lion + snow"),
    "interpolate": ({}, "stops", "dog\nhat", "cat\ndog"),
    "interpolate, drawn": (
        {"frames": "3", "num_inference_steps": "2", "draw": "true"},
        "stops",
        "@dog\n@hat",
        "@cat\n@dog",
    ),
}


class Reach:
    """The functions entered while it counts, in every thread that began after `watch`."""

    def __init__(self, root: Path) -> None:
        self.root = str(root) + os.sep
        self.counting = False
        self.functions: set[CodeType] = set()

    def watch(self) -> None:
        threading.setprofile(self._note)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if self.counting and event == "call" and frame.f_code.co_filename.startswith(self.root):
            self.functions.add(frame.f_code)

    def report(self) -> str:
        named = [code for code in self.functions if not code.co_name.startswith("<")]
        files = {code.co_filename for code in self.functions}
        return f"{len(files):4} files {len(named):5} functions"

    def listing(self) -> str:
        """A line for each file, its functions in their order there."""
        found: dict[str, list[CodeType]] = {}
        for code in sorted(self.functions, key=lambda code: (code.co_filename, code.co_firstlineno)):
            if code.co_name == "<module>" or not code.co_name.startswith("<"):
                found.setdefault(code.co_filename.removeprefix(self.root), []).append(code)
        return "\n".join(f"{file}: {', '.join(code.co_qualname for code in codes)}" for file, codes in found.items())


def as_a_server_does() -> None:
    """Every run goes through app.py; AppTest would run a page of pages/ alone."""
    from streamlit.runtime.pages_manager import PagesManager

    begin = PagesManager.__init__

    def begin_with_navigation(self, *args, **more):
        begin(self, *args, **more)
        PagesManager.uses_pages_directory = False

    PagesManager.__init__ = begin_with_navigation


def measure(root: Path, title: str) -> Reach:
    from streamlit.testing.v1 import AppTest

    link, key, *typed = CHANGES[title]
    page = title.split(",")[0]
    reach = Reach(root)
    reach.watch()
    app = AppTest.from_file(root / "app.py", default_timeout=300)
    for name, value in link.items():
        app.query_params[name] = value
    settle(app.switch_page(f"pages/{page}.py").run())
    for text in typed:
        wait_for_lanes()
        reach.functions.clear()
        reach.counting = True
        box = next(each for kind in ("text_input", "text_area") for each in getattr(app, kind) if each.key == key)
        settle(box.set_value(text).run())
        reach.counting = False
    assert not app.exception, app.exception
    return reach


def wait_for_lanes() -> None:
    """Until no lane has a job that waits or is at work."""
    from clipexplore import jobs

    while any(job.state in ("queued", "running") for lane in jobs.lanes() for job in lane.jobs):
        time.sleep(0.1)


def settle(app) -> None:
    """Runs the page again until no progress bar is on it."""
    while app.get("progress"):
        time.sleep(0.1)
        app.run()


def size(folder: Path, without: str = "") -> str:
    files = [path for path in folder.rglob("*.py") if not (without and without in path.parts)]
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in files]
    modules = sum(path.name != "__init__.py" for path in files)
    return f"{modules:4} modules {sum(lines):6} lines, the longest {max(lines):4}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", nargs="?", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--list", choices=CHANGES, help="what one page's change enters, and no other figures")
    given = parser.parse_args()
    root = given.checkout.resolve()
    os.chdir(root)
    sys.path[0] = str(root)
    os.environ.setdefault("CLIPEXPLORE_HOME", tempfile.mkdtemp(prefix="clipexplore-"))
    warnings.simplefilter("ignore")
    as_a_server_does()
    if given.list:
        print(measure(root, given.list).listing(), flush=True)
        os._exit(0)
    print(f"{'clipexplore, without training':30} {size(root / 'clipexplore', without='training')}")
    print(f"{'pages':30} {size(root / 'pages')}")
    print(f"{'tests':30} {size(root / 'tests')}")
    for title in CHANGES:
        print(f"{title:30} {measure(root, title).report()}", flush=True)
    sys.stdout.flush()
    os._exit(0)  # lanes may still be at work


if __name__ == "__main__":
    main()
