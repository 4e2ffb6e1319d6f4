"""Who is offered the deletion of a shared collection, on the real server, by every way to reach it."""

import shutil
from contextlib import contextmanager

from fixtures_async import run
from websockets.asyncio.client import connect

from benchmarks.load import Visitor
from benchmarks.serving import ROOT, server
from clipexplore.settings import settings


class Stranger(Visitor):
    """A session that comes with headers, and notes the buttons of its page."""

    def __init__(self, address: str, headers: dict[str, str]):
        super().__init__(address)
        self.headers, self.buttons = headers, []

    def _connected(self):
        address = f"ws://{self.address}/_stcore/stream"
        return connect(address, subprotocols=["streamlit"], max_size=None, additional_headers=self.headers)

    def _look_at(self, element, page: str) -> None:
        super()._look_at(element, page)
        if element.WhichOneof("type") == "button":
            self.buttons.append(element.button.id)

    async def may_delete(self, name: str) -> bool:
        async with self._connected() as self.socket:
            await self._run("collections")
            assert any(f"explore-{name}" in each for each in self.buttons), "the collection is there"
            return any(f"delete-{name}" in each for each in self.buttons)


@contextmanager
def served(folder, **environ):
    """A server on which somebody has shared a collection."""
    shutil.copytree(settings().assets / "collections/words", folder / "home/collections/birds")
    environ = {"CLIPEXPLORE_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1", **environ}
    with server(ROOT / "app.py", log=folder / "log", **environ) as (address, _):  # on 127.0.0.1, as behind a proxy
        yield address


FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


def test_on_this_machine_its_owner_and_nobody_whom_a_proxy_passes_on(tmp_path):
    with served(tmp_path) as address:
        for headers, expected in [
            ({}, True),
            ({"Origin": f"http://{address}"}, True),
            (FORWARDED, False),
            ({"Via": "1.1 proxy"}, False),
        ]:
            assert run(Stranger(address, headers).may_delete("birds")) == expected, headers


def test_with_a_public_address_nobody_without_the_code(tmp_path):
    with served(tmp_path, CLIPEXPLORE_PUBLIC_URL="https://clip.example.org") as address:
        for headers in ({}, FORWARDED, {"Origin": "https://clip.example.org"}):
            assert not run(Stranger(address, headers).may_delete("birds"))
        assert "the operator code is" in (tmp_path / "log").read_text()
