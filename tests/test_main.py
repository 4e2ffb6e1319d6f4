"""The command line chooses a command, and says which there are."""

import subprocess
import sys

import pytest

from clipexplore.__main__ import COMMANDS, main


def test_help_lists_every_command_and_imports_nothing_heavy():
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "clipexplore", "--help"], capture_output=True, text=True, check=True
    )
    assert all(command.__name__.startswith("clipexplore.") for command in COMMANDS) and "serve" in run.stdout
    assert not {"torch", "transformers", "streamlit"} & {
        line.rpartition("|")[2].strip() for line in run.stderr.splitlines()
    }


@pytest.mark.parametrize("arguments", [[], ["fly"], ["serve", "--port", "many"]])
def test_what_is_no_command_is_told(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and "usage" in capsys.readouterr().err
