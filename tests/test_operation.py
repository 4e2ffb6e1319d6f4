"""What an operator is given, as far as it can be checked without building it."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def _instructions():
    """The Dockerfile's instructions in order: (name, rest)."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip() and not line.startswith("#")]


def test_the_container_runs_as_nobody_special_and_keeps_what_is_made():
    names = [name for name, _ in _instructions()]
    assert names[0] == "FROM" and names.count("USER") == 1 and dict(_instructions())["USER"] == "explorer"
    assert names.index("USER") < names.index("CMD") and not {"ADD"} & set(names)
    assert "CLIPEXPLORE_HOME=/data" in dict(_instructions())["ENV"] and dict(_instructions())["VOLUME"] == "/data"


def test_what_the_container_copies_and_starts_is_there():
    copied = [shlex.split(rest)[0] for name, rest in _instructions() if name == "COPY"]
    assert copied == ["requirements.txt", "."] and all((ROOT / each).exists() for each in copied)
    started = dict(_instructions())["CMD"]
    assert '"app.py"' in started and (ROOT / "app.py").is_file()
    assert "/healthz" in dict(_instructions())["HEALTHCHECK"]


def test_the_container_has_the_torch_that_the_requirements_ask_for():
    (asked,) = re.findall(r"^(torch[^\s#]*)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.M)
    assert f'"{asked}"' in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(
        r"ARG TORCH=https://download\.pytorch\.org/whl/cpu$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.M
    )


def test_compose_opens_the_port_to_this_machine_only_and_knows_real_settings():
    yaml = pytest.importorskip("yaml")  # huggingface_hub brings it
    (service,) = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    from dataclasses import fields

    from clipexplore.settings import Settings

    assert service["ports"] == ["127.0.0.1:8501:8501"] and service["volumes"] == ["data:/data"]
    assert {name.removeprefix("CLIPEXPLORE_").lower() for name in service["environment"]} <= {
        each.name for each in fields(Settings)
    }


def test_dependencies_have_floors():
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            assert re.match(r"[a-z0-9_-]+(\[[a-z]+\])?>=\d", line), line
