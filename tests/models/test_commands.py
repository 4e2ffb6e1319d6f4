"""The command `models`, called as `__main__` calls it; the downloads themselves are tested with a hub in
test_downloads.
"""

import json

import pytest

from clipexplore.__main__ import main
from clipexplore.models import catalog, commands, downloads
from clipexplore.models.weights import RECEIPT, fetched_folder

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def fetched(monkeypatch):
    """A fetch that writes one file, and the parts it was asked for."""
    asked = []

    def fetch(part, report):
        asked.append(part)
        folder = fetched_folder(part.repo, part.pinned or "f" * 40)
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"x" * 10)
        (folder / RECEIPT).write_text(
            json.dumps({"model.safetensors": {"size": 10, "sha256": downloads.sha256(folder / "model.safetensors")}})
        )
        report(10, 10, "model.safetensors")
        return folder

    monkeypatch.setattr(downloads, "fetch", fetch)
    return asked


def test_the_list_names_every_model_and_what_is_missing(capsys):
    assert main(["models", "list"]) == 0
    printed = capsys.readouterr().out
    for model in catalog.models().values():
        assert model.key in printed and model.title in printed
    assert "bundled" in printed and "to fetch, 2.8 GB" in printed and "CreativeML OpenRAIL-M" in printed


def test_get_fetches_what_is_missing_and_tells_the_terms(fetched, capsys):
    assert main(["models", "get", "clip-b32"]) == 0
    assert fetched == list(catalog.get("clip-b32").parts)
    printed = capsys.readouterr().out
    assert "Not for anything unlawful" in printed and str(catalog.get("clip-b32").clip.folder) in printed
    assert main(["models", "get", "clip-b32"]) == 0
    assert len(fetched) == 2 and "is here already" in capsys.readouterr().out


def test_one_part_alone(fetched):
    assert main(["models", "get", "clip-l14", "--part", "clip"]) == 0
    assert fetched == [catalog.get("clip-l14").clip]


def test_lines_are_for_programs(fetched, capsys):
    assert main(["models", "get", "clip-b32", "--part", "clip", "--lines"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["stage"] for each in said if "done" in each] == ["model.safetensors"] and said[-1]["progress"] == 1.0


def test_verify_and_remove(fetched, capsys):
    main(["models", "get", "clip-b32"])
    main(["models", "get", "clip-l14", "--part", "draws_prompts"])
    capsys.readouterr()
    assert main(["models", "verify", "clip-b32"]) == 0 and capsys.readouterr().out.count("whole") == 2
    (catalog.get("clip-b32").clip.folder / "model.safetensors").write_bytes(b"y" * 10)
    assert main(["models", "verify", "clip-b32"]) == 1 and "damaged: model.safetensors" in capsys.readouterr().out
    assert main(["models", "remove", "clip-b32"]) == 0
    assert "kept, other models use it" in capsys.readouterr().out  # clip-l14 draws with the same
    assert not catalog.get("clip-b32").present and catalog.get("clip-l14").draws_prompts.present


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["get", "nothing"], "There is no model 'nothing'; choose one of: emoji"),
        (["verify", "clip-b32"], "Nothing of the model clip-b32 was fetched"),
        (["remove", "emoji"], "The model emoji is bundled"),
        (["verify", "emoji"], "The model emoji is bundled"),
        (["get", "emoji", "--part", "few_steps"], "The model emoji has no part few_steps"),
    ],
)
def test_mistakes_are_one_sentence(capsys, arguments, message):
    assert main(["models", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_progress_says_how_fast_and_how_long(monkeypatch):
    clock, said = [0.0], []
    monkeypatch.setattr(commands.time, "monotonic", lambda: clock[0])
    progress = commands.Progress("part", said.append)
    for second in range(31):
        clock[0] = float(second)
        progress(second * 10_000_000, 1_000_000_000, "file")
    assert said[0]["progress"] == 0.0 and "left" not in said[0]
    assert said[-1]["speed"] == pytest.approx(10_000_000) and said[-1]["left"] == pytest.approx(70)
