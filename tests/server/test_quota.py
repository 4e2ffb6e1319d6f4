"""Uploads are counted before they are taken in: by session, and for the whole room."""

import asyncio

import pytest
from fixtures_async import run as run_alone
from starlette.requests import Request

from clipexplore.server import web
from clipexplore.server.web import PATH, Quota


class Store:
    """Where uploads go, held back until `go_on` is set; spoken to as a web server does."""

    def __init__(self, session=100, total=250):
        self.files, self.go_on = {}, asyncio.Event()
        self.quota = Quota(self.take, session=session, total=total, held=self.held)

    async def take(self, scope, receive, send):
        data = (await receive())["body"]
        await self.go_on.wait()
        self.files[tuple(scope["path"].split("/")[-2:])] = len(data)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def held(self, session):
        return sum(size for (owner, _), size in self.files.items() if owner == session), sum(self.files.values())

    async def ask(self, method: str, path: str, data: bytes, headers: list | None = None) -> tuple[int, str]:
        told = []

        async def receive():
            return {"type": "http.request", "body": data}

        async def send(message):
            told.append(message)

        length = [(b"content-length", str(len(data)).encode())]
        await self.quota(
            {"type": "http", "method": method, "path": path, "headers": length if headers is None else headers},
            receive,
            send,
        )
        return told[0]["status"], b"".join(message.get("body", b"") for message in told).decode()

    async def put(self, session: str, file: str, size: int) -> int:
        return (await self.ask("PUT", f"{PATH}{session}/{file}", bytes(size)))[0]


def opened(**limits) -> Store:
    store = Store(**limits)
    store.go_on.set()
    return store


def run(visit):
    run_alone(asyncio.wait_for(visit(), 20))


def test_a_session_and_the_room_hold_so_much_and_no_more():
    async def visit():
        store = opened()
        assert [await store.put("a", name, 50) for name in "xyz"] == [200, 200, 413]
        del store.files["a", "x"]  # removed by its owner
        assert await store.put("a", "z", 51) == 413 and await store.put("a", "z", 50) == 200
        assert [await store.put(session, "x", 100) for session in "bc"] == [200, 413]
        assert await store.put("c", "x", 50) == 200 and store.held("c") == (50, 250)

    run(visit)


def test_what_is_on_its_way_counts():
    async def visit():
        store = Store()
        coming = [asyncio.create_task(store.put(f"session {number}", "x", 60)) for number in range(24)]
        while sum(task.done() for task in coming) < 20:
            await asyncio.sleep(0)
        store.go_on.set()
        assert sorted(await asyncio.gather(*coming)) == [200] * 4 + [413] * 20
        assert await store.put("another", "x", 10) == 200 and not store.quota.coming, (
            "what has arrived is on its way no more"
        )

    run(visit)


def test_an_upload_says_its_length_and_is_told_why_it_is_refused():
    async def visit():
        store = opened(session=2_000_000, total=3_000_000)
        assert await store.ask("PUT", f"{PATH}a/x", b"12", headers=[]) == (411, "Say how long the file is.")
        status, said = await store.ask("PUT", f"{PATH}a/x", bytes(2_000_001))
        assert status == 413 and "more than 2 MB" in said
        await store.put("a", "x", 2_000_000)
        assert "The server holds as many" in (await store.ask("PUT", f"{PATH}b/x", bytes(1_000_001)))[1]

    run(visit)


async def announce(store: Store, session: str, size: int, *messages) -> int:
    """An upload of which these messages come, and then nothing; the status of the answer, 0 where there is none."""
    told, left = [], list(messages)

    async def receive():
        if left:
            return left.pop(0)
        return await asyncio.Event().wait()

    async def send(message):
        told.append(message)

    scope = {"type": "http", "method": "PUT", "path": f"{PATH}{session}/x"}
    await store.quota(scope | {"headers": [(b"content-length", str(size).encode())]}, receive, send)
    return told[0]["status"] if told else 0


async def read(scope, receive, send):
    """What takes uploads in, as Streamlit does."""
    await Request(scope, receive).body()
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize("messages", [[], [{"type": "http.request", "body": b"1", "more_body": True}]])
def test_what_was_announced_and_does_not_come_is_given_back(monkeypatch, messages):
    monkeypatch.setattr(web, "STALLED", 0.0)

    async def visit():
        store = opened()
        store.quota.app = read
        assert await asyncio.gather(*(announce(store, f"session {n}", 100, *messages) for n in range(1000)))
        monkeypatch.setattr(web, "STALLED", 20.0)
        assert not store.quota.coming and await store.put("another", "x", 100) == 200

    run(visit)


def test_what_comes_too_slowly_is_given_up(monkeypatch):
    """A byte at a time, each before it counts as stalled."""
    now = [0.0]
    monkeypatch.setattr(web.time, "monotonic", lambda: now[0])

    async def visit():
        coming = web._in_time(drip, 1_000_000)
        seconds = 0
        while (await coming())["type"] == "http.request":
            seconds += 10
            now[0] += 10
        assert seconds == 40  # 20 s, and those of a million bytes at 50 kB a second

    async def drip():
        return {"type": "http.request", "body": b"1", "more_body": True}

    run(visit)


def test_an_upload_that_is_cut_off_is_no_defect_of_the_program():
    async def visit():
        store = opened()
        store.quota.app = read
        part = {"type": "http.request", "body": b"1", "more_body": True}
        assert await announce(store, "a", 100, part, {"type": "http.disconnect"}) == 0
        assert not store.quota.coming

    run(visit)


@pytest.mark.parametrize("length", [b"-5", b"1e3", "٣".encode(), b""])
def test_a_length_that_is_none_is_refused(length):
    async def visit():
        status, sentence = await opened().ask("PUT", f"{PATH}a/x", b"12", headers=[(b"content-length", length)])
        assert status == 411

    run(visit)


@pytest.mark.parametrize(("method", "path"), [("PUT", "/other"), ("GET", f"{PATH}a/x"), ("DELETE", f"{PATH}a/x")])
def test_everything_else_passes(method, path):
    async def visit():
        assert (await opened(session=0, total=0).ask(method, path, b"12"))[0] == 200

    run(visit)
