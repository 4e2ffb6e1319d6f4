"""`python guard.py LOG run app.py …` is `streamlit run app.py …`, but for connections that leave this machine: they are refused, and noted in LOG."""

import socket
import sys


def install(log: str) -> None:
    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, _guarded(getattr(socket.socket, name), name, log))


def _guarded(real, name: str, log: str):
    def call(self, *given):
        host = given[-1][0] if isinstance(given[-1], tuple) else None
        if host is not None and not host.startswith("127.") and host not in ("::1", "localhost"):
            with open(log, "a") as file:
                print(name, given[-1], file=file)
            raise OSError("this test has no network")
        return real(self, *given)

    return call


if __name__ == "__main__":
    from streamlit.web.cli import main

    install(sys.argv.pop(1))
    main(prog_name="streamlit")
