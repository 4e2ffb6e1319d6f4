"""Many sessions at once on the real server, without browsers: whoever asks for the same gets one fit, and uploads take bounded memory."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from io import BytesIO
from itertools import cycle
from urllib.parse import quote

import pytest
from PIL import Image

pytest.importorskip("torch")
from streamlit.proto.Common_pb2 import FileUploaderState, FileURLs, UploadedFileInfo
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

from benchmarks.load import Visitor, server
from clipexplore.images import picture_id

MB = 1_000_000


class Guest(Visitor):
    """A session that stays: its name, whether a progress bar is on its page, and the fields for files."""

    def __init__(self, address: str):
        super().__init__(address, cycle(["cat"]))
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
        message = ForwardMsg.FromString(await asyncio.wait_for(self.socket.recv(), 120))
        if message.WhichOneof("type") == "new_session":
            self.session = message.new_session.initialize.session_id
        return self._take(message, page)


@contextmanager
def running(folder, **environ):
    with server(log=folder / "log", CLIPEXPLORE_HOME=str(folder / "home"), OMP_NUM_THREADS="1", **environ) as (address, process):
        yield address, process
        assert process.is_running() and not [line for line in (folder / "log").read_text().splitlines() if "Traceback" in line or "FATAL" in line]


async def ask_together(address: str, links: list[str]) -> list[Guest]:
    guests = [Guest(address) for _ in links]
    await asyncio.gather(*(guest.arrive(link) for guest, link in zip(guests, links, strict=True)))
    assert any(guest.busy for guest in guests), "the fit takes longer than asking for it"
    await asyncio.gather(*(guest.until_done(link) for guest, link in zip(guests, links, strict=True)))
    return guests


FITS = [
    ("torch", "", 8),
    pytest.param("umap-learn", "", 8, marks=pytest.mark.long),
    pytest.param("umap-learn", "workqueue", 8, marks=pytest.mark.long),
    pytest.param("umap-learn", "workqueue", 1, marks=pytest.mark.long),  # everybody asks for the same; else each for another, one after the other
]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("fitter", "layer", "same"), FITS)
def test_eight_ask_for_a_umap_at_once(tmp_path, fitter, layer, same):
    links = [f"map?method=umap&fit=collection&fitter={fitter}&n_neighbors={5 + number // same}" for number in range(8 if same > 1 else 3)]
    with running(tmp_path, **({"NUMBA_THREADING_LAYER": layer} if layer else {})) as (address, _):
        guests = asyncio.run(ask_together(address, links))
        assert not [guest.errors for guest in guests if guest.errors]
        done = [line for line in (tmp_path / "log").read_text().splitlines() if " fit-" in line]
        assert len(done) == len(set(links)) and all(" done after" in line for line in done)


def bitmap(number: int) -> bytes:
    """A picture of 19.5 MB, nearly as large as one may be."""
    file = BytesIO()
    Image.new("RGB", (2500, 2600), (number * 9, 80, 160)).save(file, "BMP")
    return file.getvalue()


def put(address: str, session: str, number: int) -> int:
    """Uploads as a browser does; the status of the answer."""
    connection = HTTPConnection(address, timeout=120)
    connection.request("GET", "/_stcore/health")
    answer = connection.getresponse()
    answer.read()
    token = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.bmp"\r\nContent-Type: image/bmp\r\n\r\n'
    headers = {"Cookie": f"_streamlit_xsrf={token}", "X-Xsrftoken": token, "Content-Type": "multipart/form-data; boundary=edge"}
    with suppress(ConnectionError):  # refused while it is still being sent: the answer is there
        connection.request("PUT", f"/_stcore/upload_file/{session}/file-{number}", head + bitmap(number) + b"\r\n--edge--\r\n", headers)
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
    yield most
    over.set()
    watching.join()


def shown(guest: Guest, number: int) -> WidgetState:
    about = UploadedFileInfo(file_id=f"file-{number}", name="a.bmp", size=len(bitmap(0)), file_urls=FileURLs(file_id=f"file-{number}"))
    return WidgetState(id=guest.fields["files"], file_uploader_state_value=FileUploaderState(uploaded_file_info=[about]))


def test_twenty_four_uploads_at_once_take_bounded_memory_and_stay_private(tmp_path):
    async def visit(address: str) -> tuple[list[Guest], list[int]]:
        guests = [Guest(address) for _ in range(24)]
        await asyncio.gather(*(guest.arrive("search") for guest in guests))
        with ThreadPoolExecutor(24) as threads:
            loop = asyncio.get_running_loop()
            answers = await asyncio.gather(*(loop.run_in_executor(threads, put, address, guest.session, number) for number, guest in enumerate(guests)))
        taken = [number for number, status in enumerate(answers) if status == 204]
        assert sorted(set(answers)) == [204, 413], "some find the server full"
        await asyncio.gather(*(guests[number].look("search", shown(guests[number], number)) for number in taken))
        assert not [guests[number].errors for number in taken if guests[number].errors]
        return guests, taken

    async def see(guest: Guest, number: int) -> list[str]:
        link = f"search?q={quote('@' + picture_id(bitmap(number)))}"
        await guest.look(link)
        return guest.errors

    async def everything(address: str, process) -> tuple[int, int]:
        before = process.memory_info().rss
        with peak_of(process) as most:
            guests, taken = await visit(address)
        mine, others = taken[:2]
        assert not await see(guests[mine], mine) and await see(guests[others], mine)
        return len(taken), most[0] - before

    with running(tmp_path, CLIPEXPLORE_UPLOADS_MEGABYTES="200") as (address, process):
        taken, grown = asyncio.run(everything(address, process))
        assert taken * len(bitmap(0)) <= 200 * MB
        assert grown < (200 + 300 + 200) * MB, "what is kept, one large picture being decoded, and some room"
