"""How soon a class sees its histogram after the teacher has opened it: phones on the raw websocket, without browsers.

    python -m benchmarks.classroom              # thirty phones, five questions
    python -m benchmarks.classroom --phones 100

Every phone is on the page Lessons and looks again as often as the server tells a browser to, from a moment of its own.
The teacher asks the class, everybody answers, the teacher shows the answers, and the time of a phone runs from the
teacher's click until its bars are there, with all answers in them. Prints seconds beside the bar of one, and what the
server computes meanwhile; a status of 1 says that the bar was missed.
"""

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from contextlib import AsyncExitStack

import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect

from benchmarks.serving import ROOT, free_port, server
from clipexplore.lessons import lessons

BAR = 1.0  # seconds
PATIENCE = 60  # seconds
CODE = "benchmark-of-a-class"


class Window:
    """One open page: runs its parts again when their time has come, as a browser does, and notes what it is shown."""

    def __init__(self, address: str):
        self.address = address
        self.widgets: dict[str, tuple[str, str]] = {}  # by key: the id, and the fragment it stands in
        self.bars: dict[str, int] = {}  # answers by option, as last shown
        self.barred = 0.0  # when all of them were shown first
        self.expected = 0  # answers
        self._query, self._page = "", ""
        self._ran = asyncio.Event()
        self._looks: dict[str, asyncio.Task] = {}

    async def __aenter__(self) -> "Window":
        address = f"ws://{self.address}/_stcore/stream"
        self._connection = connect(
            address, subprotocols=["streamlit"], max_size=None, open_timeout=60, ping_interval=None
        )
        self._socket = await self._connection.__aenter__()
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in (self._listening, *self._looks.values()):
            task.cancel()
        await self._connection.__aexit__(*error)

    async def open(self, page: str, query: str = "") -> None:
        """Goes to a page, and waits until it has run."""
        for look in self._looks.values():
            look.cancel()
        self._looks, self._query, self._page = {}, query, ""
        self.widgets.clear()
        message = self._rerun()
        message.rerun_script.page_name = page
        await self._run(message)

    async def press(self, key: str) -> None:
        """Presses a button, as soon as it is shown."""
        await self._set({key: {"trigger_value": True}})

    async def become_operator(self) -> None:
        """Types the operator code on the page Status, and presses the button of its form."""
        await self.open("status")
        await self._set({"field": {"string_value": CODE}, "submit": {"trigger_value": True}})

    async def wait_for(self, *keys: str) -> None:
        """Waits until these widgets are shown."""
        async with asyncio.timeout(PATIENCE):
            while not {*keys} <= self.widgets.keys():
                await asyncio.sleep(0.02)

    async def _set(self, values: dict[str, dict]) -> None:
        await self.wait_for(*values)
        for key in values:
            id, fragment = self.widgets.pop(key)
            values[key]["id"] = id
        message = self._rerun(fragment)
        message.rerun_script.widget_states.widgets.extend(WidgetState(**value) for value in values.values())
        await (self._send(message) if fragment else self._run(message))

    async def _run(self, message: BackMsg) -> None:
        """Runs the whole page, and waits until it has run: what is asked meanwhile may take the place of this."""
        self._ran.clear()
        await self._send(message)
        await asyncio.wait_for(self._ran.wait(), PATIENCE)

    def _rerun(self, fragment: str = "") -> BackMsg:
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_script_hash, asked.fragment_id = self._query, self._page, fragment
        return message

    async def _send(self, message: BackMsg) -> None:
        await self._socket.send(message.SerializeToString())

    async def _look(self, fragment: str, every: float) -> None:
        await asyncio.sleep(random.uniform(0, every))
        while True:
            message = self._rerun(fragment)
            message.rerun_script.is_auto_rerun = True
            await self._send(message)
            await asyncio.sleep(every)

    async def _listen(self) -> None:
        async for data in self._socket:
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if kind == "navigation":
                self._page = message.navigation.page_script_hash
            elif kind == "auto_rerun" and message.auto_rerun.fragment_id not in self._looks:
                look = self._look(message.auto_rerun.fragment_id, message.auto_rerun.interval)
                self._looks[message.auto_rerun.fragment_id] = asyncio.create_task(look)
            elif kind == "delta" and message.delta.HasField("new_element"):
                self._take(message.delta)
            elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                self._ran.set()

    def _take(self, delta: Delta) -> None:
        element = delta.new_element
        kind = element.WhichOneof("type")
        if kind == "text_input":
            self.widgets["field"] = element.text_input.id, delta.fragment_id
        elif kind == "button":
            key = "submit" if element.button.is_form_submitter else element.button.id.split("-", 2)[-1]
            self.widgets[key] = element.button.id, delta.fragment_id
        elif kind == "progress" and (bar := re.fullmatch(r"(.*) · \*\*(\d+)\*\*", element.progress.text)):
            self.bars[bar[1]] = int(bar[2])
            if not self.barred and sum(self.bars.values()) == self.expected:
                self.barred = time.perf_counter()


async def ask(teacher: Window, phones: list[Window], lesson: str, options: int) -> list[float]:
    """One question to the class; the seconds from the teacher's click until the bars are on each phone."""
    await teacher.open("lessons", f"lesson={lesson}")
    await teacher.press("ask")
    for number, phone in enumerate(phones):
        phone.bars, phone.barred, phone.expected = {}, 0.0, len(phones)
        await phone.press(f"option-{lesson}-{number % options}")
    await asyncio.sleep(3)  # until the last answer is counted, and everybody looks again as ever
    teacher.widgets.pop("show", None)
    begun = time.perf_counter()
    await teacher.press("show")
    async with asyncio.timeout(PATIENCE):
        while not all(phone.barred for phone in phones):
            await asyncio.sleep(0.02)
    await teacher.press("end")
    await teacher.wait_for("ask")
    return [phone.barred - begun for phone in phones]


async def lesson_with(address: str, number: int, questions: int) -> np.ndarray:
    """The seconds of all phones at all questions, `(questions, phones)`."""
    async with AsyncExitStack() as room:
        teacher, *phones = [await room.enter_async_context(Window(address)) for _ in range(number + 1)]
        await teacher.become_operator()
        await asyncio.gather(*(phone.open("lessons") for phone in phones))
        # not the lesson that is open on the phones, whose options stand there before the class is asked
        every = [*lessons().values()][1 : questions + 1]
        return np.array([await ask(teacher, phones, each.name, len(each.options)) for each in every])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phones", type=int, default=30)
    parser.add_argument("--questions", type=int, default=5)
    asked = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        environ = {"CLIPEXPLORE_HOME": home, "CLIPEXPLORE_OPERATOR_CODE": CODE}
        environ["CLIPEXPLORE_PUBLIC_URL"] = f"http://127.0.0.1:{port}"
        with server(ROOT / "app.py", ready="/readyz", port=port, **environ) as (address, process):
            cpu, begun = sum(process.cpu_times()[:2]), time.perf_counter()
            seconds = asyncio.run(lesson_with(address, asked.phones, asked.questions))
            share = (sum(process.cpu_times()[:2]) - cpu) / (time.perf_counter() - begun)
    half, most = np.percentile(seconds, [50, 95])
    print(
        f"{asked.phones} phones, {len(seconds)} questions: the histogram is there after {half:.2f} s (median), "
        f"{most:.2f} s (95th percentile), {seconds.max():.2f} s (the last of all; the bar is {BAR:.0f} s); "
        f"the server takes {share:.0%} of a core"
    )
    sys.exit(bool(seconds.max() > BAR))


if __name__ == "__main__":
    main()
