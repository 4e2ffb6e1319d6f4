"""`python guard.py LOG COMMAND …` runs `streamlit COMMAND …`, or `python -m clipexplore serve …`, with the way out of
this machine closed: every connection and every look-up of a name outside is refused, and noted in LOG. So are those of
the programs that it starts.
"""

import os
import socket
import sys
from pathlib import Path

# A datagram socket that is connected sends nothing: so a program finds out which of its own addresses leads to a
# network.
_DOCUMENTATION = ("192.0.2.", "198.51.100.", "203.0.113.")


def install(log: str) -> None:
    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, _guarded(getattr(socket.socket, name), name, log))
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getfqdn"):
        setattr(socket, name, _looking_up(getattr(socket, name), name, log))


def _refuse(log: str, *what: object) -> None:
    with open(log, "a") as file:
        print(*what, file=file)
    raise OSError("this test has no network")


def _is_here(host: object) -> bool:
    host = host.decode() if isinstance(host, bytes) else host
    return host in (None, "", "localhost", "::1", "::", "0.0.0.0", socket.gethostname()) or str(host).startswith("127.")


def _guarded(real, name: str, log: str):
    def call(self, *given):
        host = given[-1][0] if isinstance(given[-1], tuple) else None
        asks_route = self.type == socket.SOCK_DGRAM and name == "connect" and str(host).startswith(_DOCUMENTATION)
        if not _is_here(host) and not asks_route:
            _refuse(log, name, given[-1])
        return real(self, *given)

    return call


def _looking_up(real, name: str, log: str):
    def call(host="", *given, **more):
        if not _is_here(host):
            _refuse(log, name, host)
        return real(host, *given, **more)

    return call


if __name__ == "__main__":
    log = sys.argv.pop(1)
    install(log)
    # Read by every interpreter that is started from here.
    folder = Path(log).parent / "guarded"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import guard; guard.install({log!r})"
    )
    sys.path.insert(0, os.getcwd())
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.getcwd(), os.environ.get("PYTHONPATH", "")])
    if sys.argv[1] == "serve":
        from clipexplore.__main__ import main

        sys.exit(main())
    else:
        from streamlit.web.cli import main

        main(prog_name="streamlit")
