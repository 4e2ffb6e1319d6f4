"""The command line: `clipexplore COMMAND`, or `python -m clipexplore COMMAND` from a checkout."""

import argparse
import sys

from clipexplore.cluster import local
from clipexplore.errors import InputError
from clipexplore.models import commands as models
from clipexplore.server import serving
from clipexplore.store import commands as collections

COMMANDS = (serving, models, collections, local)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; its exit status. What a user can correct is one sentence and status 2."""
    parser = argparse.ArgumentParser(prog="clipexplore", description="Explore the latent space of CLIP.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_command(commands)
    options = parser.parse_args(arguments)
    try:
        return options.run(options) or 0
    except InputError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
