"""The operators' server with all its headers and a door: it speaks to nobody outside, and lets in who knows the
passcode only.

`conftest.Watched` sees to the browser's side: no request to another host, no complaint on the console, so no page
breaks the policy.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from views import arrive, open_view, shown

from clipexplore import links

PASSCODE = "271828"


@pytest.fixture(scope="module")
def guarded(new_server):
    return new_server("app.py", CLIPEXPLORE_PASSCODE=PASSCODE)


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
    guarded.assert_spoke_to_nobody()


@pytest.mark.parametrize(
    "call",
    [
        "create_connection(('192.0.2.1', 80))",
        "socket(type=socket.SOCK_DGRAM).sendto(b'', 0, ('192.0.2.1', 53))",
        "getaddrinfo('192.0.2.1.example', 80)",
        "gethostbyname('192.0.2.1.example')",
    ],
)
def test_the_guard_would_see_it(tmp_path, call):
    program = f"import guard, socket; guard.install({str(tmp_path / 'log')!r}); socket.{call}"
    ended = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert "this test has no network" in ended.stderr and "192.0.2.1" in (tmp_path / "log").read_text()
