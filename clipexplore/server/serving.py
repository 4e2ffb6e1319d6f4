"""`python -m clipexplore serve`: the server started with one line, on this machine only or open to a class.

Separate from the app, which never knows who reaches it: this decides the address, makes a passcode, and prints what a
teacher writes on the board.
"""

import os
import secrets
import socket
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from urllib.parse import urlencode

from clipexplore.errors import InputError
from clipexplore.settings import settings

_APP = Path(__file__).parents[2] / "serve.py"


def add_command(commands) -> None:
    """The subcommand, for `__main__`."""
    parser = commands.add_parser("serve", help="start the app", description="Start the app; --class opens it to everybody in the room.")
    parser.add_argument("--class", dest="for_class", action="store_true", help="let others on this network in, with a passcode")
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--passcode", help="what visitors have to say; with --class six digits are made up where none is given")
    parser.set_defaults(run=serve)


def serve(options: Namespace) -> int:
    """Runs the server until it is stopped; its exit status.

    Raises
    ------
    InputError
        For a mistake in the configuration, before anything starts.
    """
    found, environ = settings(), dict(os.environ)
    passcode = options.passcode or found.passcode or (f"{secrets.randbelow(10**6):06}" if options.for_class else "")
    address = "0.0.0.0" if options.for_class else "127.0.0.1"
    if options.for_class:
        url = found.public_url or f"http://{_own_address()}:{options.port}"
        environ |= {"CLIPEXPLORE_PUBLIC_URL": url}
        print(invitation(url, passcode), flush=True)
    environ |= {"CLIPEXPLORE_PASSCODE": passcode}
    command = [sys.executable, "-m", "streamlit", "run", str(_APP), "--server.port", str(options.port), "--server.address", address]
    try:
        return subprocess.call(command, env=environ, cwd=_APP.parent)
    except KeyboardInterrupt:  # the server got it too, and has ended
        return 0


def invitation(url: str, passcode: str) -> str:
    """What a teacher shows: the address, the passcode, and a QR code of both that a phone opens."""
    import segno

    picture = segno.make(entrance(url, passcode), error="l")
    lines = [f"CLIP Explorer for everybody on this network: {url}", f"Passcode: {passcode}", ""]
    rows = [[bool(dark) for dark in row] for row in picture.matrix_iter(border=2)]
    rows += [[False] * len(rows[0])] * (len(rows) % 2)
    # Two rows of the code in one line of text; light on dark and dark on light are both read by phones.
    blocks = {(True, True): " ", (True, False): "▄", (False, True): "▀", (False, False): "█"}
    return "\n".join([*lines, *("".join(map(blocks.__getitem__, zip(*pair, strict=True))) for pair in zip(rows[::2], rows[1::2], strict=True))])


def entrance(url: str, passcode: str, target: str = "/") -> str:
    """The address that leads to a page of a server, past its door, without typing; `target` is the page's path with its query."""
    if not passcode:
        return url.rstrip("/") + target
    return f"{url.rstrip('/')}/enter?" + urlencode({"code": passcode} | ({"next": target} if target != "/" else {}))


def _own_address() -> str:
    """This machine's address on its network; nothing is sent to find it.

    Raises
    ------
    InputError
        Where there is no network.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address of documentation: only the route to it is looked up
        except OSError as error:
            raise InputError("This machine has no network that a class could reach it on; connect it, or leave --class out.") from error
        return probe.getsockname()[0]
