"""Many sessions at once on the real server, without browsers: whoever asks for the same gets one fit, and uploads
take bounded memory.
"""

import asyncio
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from urllib.request import urlopen

import pytest
from fixtures_async import run
from PIL import Image
from streamlit.proto.Common_pb2 import FileUploaderState, FileURLs, UploadedFileInfo
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed

from benchmarks.load import PATIENCE, Visitor
from benchmarks.serving import ROOT, server
from clipexplore.images import picture_id

MB = 1_000_000

# Read by the interpreter of the server before anything else: no fit begins until the file GATE is there, and none of
# torch takes long.
HOLD = """
import os, time
from clipexplore import jobs
from clipexplore.maps import umap

umap.EPOCHS = 20

def submit(self, function, key=None, owner=None):
    def held(job):
        while not os.path.exists(os.environ["GATE"]):
            time.sleep(0.05)
        return function(job)

    return submitted(self, held if self.name == "fit" else function, key, owner)

submitted, jobs.Lane.submit = jobs.Lane.submit, submit
"""


# The point "slow" takes until the file GATE is there, and what is searched for stands in the file SEARCHED.
SLOW = """
import functools, os, time
from clipexplore.explore import search as module
from clipexplore.space import Space

point, search = Space.point, module.search

@functools.wraps(point)
def slow(self, expression, *given, **named):
    if str(expression) == "slow":
        open(os.environ["GATE"] + "-awaited", "w").close()
        while not os.path.exists(os.environ["GATE"]):
            time.sleep(0.05)
    return point(self, expression, *given, **named)

@functools.wraps(search)
def noted(space, q, *given, **named):
    with open(os.environ["SEARCHED"], "a") as file:
        print(q, file=file)
    return search(space, q, *given, **named)

Space.point, module.search = slow, noted
"""


class Guest(Visitor):
    """A session that stays: its name, whether a progress bar is on its page, and the fields for files."""

    def __init__(self, address: str):
        super().__init__(address)
        self.session, self.busy = "", False

    async def arrive(self, link: str) -> None:
        self.socket = await self._connected()
        await self.look(link)

    async def look(self, link: str, change: WidgetState | None = None) -> None:
        self.busy, self.errors = False, []
        await self._run(link, change)

    async def until_done(self, link: str) -> None:
        while self.busy:
            await asyncio.sleep(0.5)
            await self.look(link)

    def _look_at(self, element, page: str) -> None:
        super()._look_at(element, page)
        self.busy |= element.WhichOneof("type") == "progress"
        if element.WhichOneof("type") == "file_uploader":
            self.fields["files"] = element.file_uploader.id

    async def _finished(self, page: str) -> bool:
        message = ForwardMsg.FromString(await asyncio.wait_for(self.socket.recv(), PATIENCE))
        if message.WhichOneof("type") == "new_session":
            self.session = message.new_session.initialize.session_id
        return self._take(message, page)


@contextmanager
def running(folder, **environ):
    log, environ = folder / "log", {"CLIPEXPLORE_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1", **environ}
    with server(ROOT / "app.py", ready="/readyz", log=log, **environ) as (address, process):
        yield address, process
        assert process.is_running() and not re.search("Traceback|FATAL", log.read_text())


def held(folder: Path, **environ: str) -> dict[str, str]:
    """What makes a server begin no fit before the file `gate` is in the folder."""
    (folder / "sitecustomize.py").write_text(HOLD)
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "GATE": str(folder / "gate"), **environ}


async def ask_together(address: str, links: list[str], gate: Path) -> list[Guest]:
    """Nothing is fitted before all have asked."""
    guests = [Guest(address) for _ in links]
    await asyncio.gather(*(guest.arrive(link) for guest, link in zip(guests, links, strict=True)))
    assert all(guest.busy for guest in guests)
    gate.touch()
    await asyncio.gather(*(guest.until_done(link) for guest, link in zip(guests, links, strict=True)))
    return guests


FITS = [  # 8 ask for the same, or each for another, one after the other
    ("torch", "", 8),
    pytest.param("umap-learn", "", 8, marks=pytest.mark.long),
    pytest.param("umap-learn", "workqueue", 8, marks=pytest.mark.long),
    pytest.param("umap-learn", "workqueue", 1, marks=pytest.mark.long),
]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("fitter", "layer", "same"), FITS)
def test_eight_ask_for_a_umap_at_once(tmp_path, fitter, layer, same):
    links = [
        f"map?method=own&fit=collection&fitter={fitter}&n_neighbors={5 + number // same}"
        for number in range(8 if same > 1 else 3)
    ]
    threading_layer = {"NUMBA_THREADING_LAYER": layer} if layer else {}
    with running(tmp_path, **held(tmp_path, **threading_layer)) as (address, _):
        guests = run(ask_together(address, links, tmp_path / "gate"))
        assert not [guest.errors for guest in guests if guest.errors]
        done = [line for line in (tmp_path / "log").read_text().splitlines() if " fit-" in line]
        assert len(done) == len(set(links)) and all(" done after" in line for line in done)


def test_a_place_is_kept_for_who_is_there_and_silent_and_for_nobody_else(tmp_path):
    """These sessions do not ask again by themselves, as a tab that the browser has frozen."""
    link = "map?method=own&fit=collection&fitter=torch&n_neighbors={}".format

    async def visit(address: str) -> None:
        first, silent, gone, elsewhere = guests = [Guest(address) for _ in range(4)]
        for number, guest in enumerate(guests, 5):  # fit-1 to fit-4
            await guest.arrive(link(number))
        await gone.socket.close()
        await elsewhere.look("search")
        await asyncio.sleep(3)  # three times as long as a place is kept for nobody
        (tmp_path / "gate").touch()
        await first.until_done(link(5))
        await silent.until_done(link(6))
        await elsewhere.look(link(8))  # fit-5, in place of what was dropped
        await elsewhere.until_done(link(8))

    with running(tmp_path, **held(tmp_path, CLIPEXPLORE_ABANDON_SECONDS="1")) as (address, _):
        run(visit(address))
        done = re.findall(r" (fit-\d) (\w+) after", (tmp_path / "log").read_text())
        assert done == [("fit-1", "done"), ("fit-2", "done"), ("fit-5", "done")]


def test_a_script_whose_browser_has_gone_stops_at_its_next_element(tmp_path):
    """It goes in the middle of a long call of the library, after which the page would search; nobody waits for that."""
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    files = {"GATE": str(tmp_path / "gate"), "SEARCHED": str(tmp_path / "searched")}

    async def visit(address: str) -> None:
        gone, second, third = (Guest(address) for _ in range(3))
        coming = asyncio.create_task(gone.arrive("search?q=slow"))
        while not (tmp_path / "gate-awaited").exists():
            await asyncio.sleep(0.05)
        await gone.socket.close()
        with suppress(ConnectionClosed):
            await coming
        await second.arrive("search?q=cat")  # who does not wait for the first
        (tmp_path / "gate").touch()
        await third.arrive("search?q=dog")

    with running(tmp_path, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]), **files) as (address, _):
        run(visit(address))
        assert set((tmp_path / "searched").read_text().split()) == {"cat", "dog"}


def bitmap(number: int) -> bytes:
    """A picture of 19.5 MB, nearly as large as one may be."""
    file = BytesIO()
    Image.new("RGB", (2500, 2600), (number * 9, 80, 160)).save(file, "BMP")
    return file.getvalue()


def put(address: str, session: str, number: int) -> int:
    """Uploads as a browser does; the status of the answer."""
    with urlopen(f"http://{address}/_stcore/health", timeout=120) as answer:
        token = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.bmp"\r\nContent-Type: image/bmp\r\n\r\n'
    headers = {
        "Cookie": f"_streamlit_xsrf={token}",
        "X-Xsrftoken": token,
        "Content-Type": "multipart/form-data; boundary=edge",
    }
    body = head + bitmap(number) + b"\r\n--edge--\r\n"
    connection = HTTPConnection(address, timeout=120)
    connection.request("PUT", f"/_stcore/upload_file/{session}/file-{number}", body, headers)
    return connection.getresponse().status


@contextmanager
def peak_of(process):
    """The most memory that the process took, in a list of one number."""
    most, over = [process.memory_info().rss], threading.Event()

    def watch():
        while not over.wait(0.02):
            most[0] = max(most[0], process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield most
    finally:
        over.set()
        watching.join()


def shown(guest: Guest, number: int) -> WidgetState:
    about = UploadedFileInfo(
        file_id=f"file-{number}", name="a.bmp", size=len(bitmap(0)), file_urls=FileURLs(file_id=f"file-{number}")
    )
    return WidgetState(
        id=guest.fields["files"], file_uploader_state_value=FileUploaderState(uploaded_file_info=[about])
    )


def test_twenty_four_uploads_at_once_take_bounded_memory_and_stay_private(tmp_path):
    async def visit(address: str, guests: list[Guest]) -> list[int]:
        with ThreadPoolExecutor(24) as threads:
            loop = asyncio.get_running_loop()
            answers = await asyncio.gather(
                *(
                    loop.run_in_executor(threads, put, address, guest.session, number)
                    for number, guest in enumerate(guests)
                )
            )
        taken = [number for number, status in enumerate(answers) if status == 204]
        assert sorted(set(answers)) == [204, 413], "some find the server full"
        await asyncio.gather(*(guests[number].look("search", shown(guests[number], number)) for number in taken))
        assert not [guests[number].errors for number in taken if guests[number].errors]
        return taken

    async def see(guest: Guest, number: int) -> list[str]:
        """What is wrong with the picture of that number, for this guest."""
        await guest.look("search", WidgetState(id=guest.fields["q"], string_value="@" + picture_id(bitmap(number))))
        return guest.errors

    async def everything(address: str, process) -> tuple[int, int]:
        guests = [Guest(address) for _ in range(24)]
        await asyncio.gather(*(guest.arrive("search") for guest in guests))
        before = process.memory_info().rss
        with peak_of(process) as most:
            taken = await visit(address, guests)
        mine, others = taken[:2]
        assert not await see(guests[mine], mine)
        assert "is not here" in (await see(guests[others], mine))[0]
        return len(taken), most[0] - before

    with running(tmp_path, CLIPEXPLORE_UPLOADS_MEGABYTES="200") as (address, process):
        taken, grown = run(everything(address, process))
        assert taken * len(bitmap(0)) <= 200 * MB
        assert grown < (200 + 300 + 200) * MB, "what is kept, one large picture being decoded, and some room"
