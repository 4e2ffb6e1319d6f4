"""What the papers promise: the examples print what stands below them, and every link leads somewhere."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAPERS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = re.findall(
    r"```python\n(.*?)```\n\n```\n(.*?)```", "".join(path.read_text("utf-8") for path in PAPERS), re.DOTALL
)


@pytest.mark.parametrize(("program", "printed"), EXAMPLES)
def test_an_example_prints_what_stands_below_it(program, printed):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(program, {})
    assert out.getvalue() == printed


def test_there_are_examples():
    assert len(EXAMPLES) >= 4


def test_every_link_leads_somewhere():
    for paper in PAPERS:
        for target, _, heading in re.findall(r"\]\(([^)#\s]*)(#([\w-]*))?\)", paper.read_text("utf-8")):
            if not target.startswith("http"):
                file = (paper.parent / target) if target else paper
                assert file.exists(), f"{paper.name}: {target}"
                headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.M) if heading else []
                anchors = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
                assert not heading or heading in anchors, f"{paper.name}: {target}#{heading}"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 200
