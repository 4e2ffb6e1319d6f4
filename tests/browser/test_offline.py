"""The operators' server with all its headers and a door: it speaks to nobody outside, and lets in who knows the passcode only.

`conftest.Watched` sees to the browser's side: no request to another host, no complaint on the console, so no page breaks the policy.
"""

import pytest
from views import arrive, open_view, shown

from clipexplore import links

# Read by the interpreter of the server before anything else: notes every connection that leaves this machine, and refuses it.
GUARD = """
import os, socket

def guarded(name):
    real = getattr(socket.socket, name)

    def connect(self, address, *rest):
        host = address[0] if isinstance(address, tuple) else None
        if host is not None and not host.startswith("127.") and host not in ("::1", "localhost"):
            with open(os.environ["GUARD_LOG"], "a") as log:
                print(name, address, file=log)
            raise OSError("this test has no network")
        return real(self, address, *rest)

    setattr(socket.socket, name, connect)

for name in ("connect", "connect_ex", "sendto"):
    guarded(name)
"""
PASSCODE = "271828"


@pytest.fixture(scope="module")
def guarded(new_server, tmp_path_factory):
    """A server whose connections are noted in `.connections`."""
    folder = tmp_path_factory.mktemp("guard")
    (folder / "sitecustomize.py").write_text(GUARD)
    made = new_server("serve.py", PYTHONPATH=str(folder), GUARD_LOG=str(folder / "log"), CLIPEXPLORE_PASSCODE=PASSCODE)
    made.connections = folder / "log"
    return made


def test_a_visitor_says_the_passcode_once_and_sees_every_page(visitor, guarded, watched):
    watched.forgiven = ("status of 401", "status of 403")  # before the passcode was said
    window = visitor()
    window.goto(f"{guarded.url}/search?q=cat%20%2B%20crown&k=4")
    assert not window.get_by_test_id("stApp").count()
    window.get_by_label("Passcode").fill("1")
    with window.expect_response(lambda response: response.status == 403):
        window.get_by_role("button", name="Come in").click()
    assert window.get_by_text("not the passcode").count()
    window.get_by_label("Passcode").fill(PASSCODE)
    window.get_by_role("button", name="Come in").click()
    open_view(window, f"{guarded.url}/search?q=cat%20%2B%20crown&k=4")
    assert len(shown(window)["pictures"]) == 4
    for page in links.PAGES:
        arrive(window, f"{guarded.url}/{'' if page == 'start' else page}")
        assert not window.get_by_test_id("stAlertContentError").count()


def test_the_server_has_spoken_to_nobody(guarded):
    assert not guarded.connections.exists(), guarded.connections.read_text()
