"""What a class is asked: one question at a time, answered on everybody's own screen, and shown when the teacher says
so; and the page that the teacher shows the room.

It lives in the memory of the server, without names, and is gone when the teacher ends it, asks something else, or has
forgotten it for some hours.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

MOST = 5000  # answers
FORGOTTEN = 3 * 3600  # seconds


@dataclass
class Asked:
    """One question on its way.

    Attributes
    ----------
    lesson
        Whose question it is, by name.
    options
        How many there are.
    answers
        The option that each device has chosen, counted from 0.
    shown
        Whether those who have answered see what the room has.
    """

    lesson: str
    options: int
    since: float
    answers: dict[str, int] = field(default_factory=dict)
    shown: bool = False


@dataclass(frozen=True)
class Led:
    """The page that the teacher shows the room.

    Attributes
    ----------
    number
        How many were shown before.
    page, keys
        Its name in `links.PAGES`, and what its link holds.
    """

    number: int
    page: str
    keys: tuple[tuple[str, str], ...]
    since: float


class Room:
    """Everybody on this server; may be used from all threads.

    Parameters
    ----------
    clock
        Gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic):
        self._clock = clock
        self._asked: Asked | None = None
        self._led: Led | None = None
        self._shown = 0

    @property
    def asked(self) -> Asked | None:
        """What is being asked now."""
        asked = self._asked
        if asked and self._clock() - asked.since > FORGOTTEN:
            self._asked = asked = None
        return asked

    def ask(self, lesson: str, options: int) -> None:
        """Asks a question with so many options, in place of what was asked before, whose answers are gone."""
        self._asked = Asked(lesson, options, self._clock())

    def answer(self, lesson: str, device: str, option: int) -> None:
        """Counts an answer to the question of a lesson: the first of a device, while it is being asked."""
        asked = self.asked
        if asked and asked.lesson == lesson and 0 <= option < asked.options and len(asked.answers) < MOST:
            asked.answers.setdefault(device, option)

    def show(self) -> None:
        """Shows the answers to those who have answered, and from then on to whoever answers."""
        if asked := self.asked:
            asked.shown = True

    def end(self) -> None:
        """Ends the question and forgets the answers."""
        self._asked = None

    @property
    def led(self) -> Led | None:
        """What the teacher shows the room now."""
        if self._led and self._clock() - self._led.since > FORGOTTEN:
            self._led = None
        return self._led

    def lead(self, page: str, keys: tuple[tuple[str, str], ...]) -> None:
        """Shows the room a page, with what its link holds."""
        self._led, self._shown = Led(self._shown, page, keys, self._clock()), self._shown + 1

    def let_go(self) -> None:
        """Shows the room nothing any more."""
        self._led = None

    def counts(self) -> list[int]:
        """How many have chosen each option of what is asked; empty where nothing is."""
        asked = self.asked
        if asked is None:
            return []
        chosen = list(asked.answers.values())
        return [chosen.count(option) for option in range(asked.options)]
