"""`python -m clipexplore serve`: the server started with one line, on this machine only or open to a class.

The app never knows who reaches it: this decides the address, makes a passcode, and prints what a teacher writes on
the board.
"""

import argparse
import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from clipexplore.access import is_loopback
from clipexplore.errors import NetworkError
from clipexplore.language import _
from clipexplore.paths import BUNDLE
from clipexplore.server.door import entrance
from clipexplore.settings import checked, read_settings, settings

_APP = BUNDLE / "app.py"


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommand, for `__main__`."""
    parser = commands.add_parser(
        "serve", help="start the app", description="Start the app; --class opens it to everybody in the room."
    )
    parser.add_argument(
        "--class", dest="for_class", action="store_true", help="let others on this network in, with a passcode"
    )
    parser.add_argument("--port", type=_port, default=8501)
    parser.add_argument("--passcode", help="what visitors have to say; --class makes up six digits where none is given")
    parser.set_defaults(run=serve)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(_("{text!r} is no port; give a number from 1 to 65535").format(text=text[:50]))
    return int(text)


def serve(options: argparse.Namespace) -> int:
    """Runs the server until it is stopped; its exit status.

    Raises
    ------
    InputError
        For a mistake in the configuration, before anything starts.
    NetworkError
        Where a class cannot reach this machine, or the port is taken.
    """
    current, environ = settings(), dict(os.environ)
    passcode = checked("passcode", options.passcode or "") or current.passcode
    address = "0.0.0.0" if options.for_class else "127.0.0.1"
    _check_free(address, options.port)
    if options.for_class:
        passcode = passcode or f"{secrets.randbelow(10**6):06}"
        url = current.public_url or f"http://{own_address()}:{options.port}"
        environ |= {"CLIPEXPLORE_PUBLIC_URL": url}
        print(invitation(url, passcode), flush=True)
    environ |= {"CLIPEXPLORE_PASSCODE": passcode}
    command = [sys.executable, "-m", "streamlit", "run", str(_APP)]
    command += ["--server.port", str(options.port), "--server.address", address]
    return _run(command, environ)


def _run(command: list[str], environ: dict[str, str]) -> int:
    """Runs the server until it ends, also by whoever ends this command; its exit status."""
    server = subprocess.Popen(command, env=environ)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        return server.wait()
    except KeyboardInterrupt:  # the server got it too, and has ended
        return 0


def invitation(url: str, passcode: str) -> str:
    """What a teacher shows: the address, the passcode, and a QR code that a phone opens."""
    import segno

    picture = segno.make(entrance(url, passcode), error="l")
    rows = [[bool(dark) for dark in row] for row in picture.matrix_iter(border=2)]
    rows += [[False] * len(rows[0])] * (len(rows) % 2)
    # Two rows of the code in one line of text; light on dark and dark on light are both read by phones.
    blocks = {(True, True): " ", (True, False): "▄", (False, True): "▀", (False, False): "█"}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    lines = ["".join(blocks[two] for two in zip(upper, lower, strict=True)) for upper, lower in pairs]
    address = _("CLIP Explorer for everybody on this network: {url}").format(url=url)
    return "\n".join([address, _("Passcode: {passcode}").format(passcode=passcode), "", *lines])


def make_operator_code(address: str) -> None:
    """Makes up an operator code and prints it, where none is set and nobody is the operator without one; before
    settings are read.

    Parameters
    ----------
    address
        Where the server listens. Whoever reaches it by another way than from this machine is a stranger to it, its
        owner too.
    """
    current = read_settings(os.environ, Path.cwd())
    if current.operator_code or address in ("127.0.0.1", "localhost", "::1") and not current.public_url:
        return
    os.environ["CLIPEXPLORE_OPERATOR_CODE"] = code = secrets.token_hex(4)
    print(_("For you alone: the operator code is {code}. Type it on the page Status.").format(code=code), flush=True)


def _check_free(address: str, port: int) -> None:
    """Raises a NetworkError if the server could not listen there."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError as error:
            raise NetworkError(
                _("Port {port} cannot be used ({reason}). Give another with --port.").format(
                    port=port, reason=error.strerror
                )
            ) from error


def address_for_others(seen: str, listens_at: str | None, port: int) -> str | None:
    """The address under which others reach this server; None where only this machine does.

    Parameters
    ----------
    seen
        The address in a browser, such as http://localhost:8501.
    listens_at
        The host that the server is bound to, None for all.
    """
    if not is_loopback(urlsplit(seen).hostname):
        return seen
    if is_loopback(listens_at):
        return None
    try:
        return f"http://{own_address()}:{port}"
    except NetworkError:
        return None


def own_address() -> str:
    """This machine's address on its network; nothing is sent to find it.

    Raises
    ------
    NetworkError
        Where there is no network.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address of documentation: only the route to it is looked up
        except OSError as error:
            raise NetworkError(
                _("This machine has no network on which a class could reach it. Connect it, or leave out --class.")
            ) from error
        return probe.getsockname()[0]
