"""“Show code”: the library call that computed what a page shows, written out so that it runs in a notebook."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import streamlit as st

from clipexplore.language import _
from clipexplore.space import Hit, Point, Space

from .progress import awaited
from .session import names, run, space, uploads

T = TypeVar("T")
LARGE = 20_000  # items
WIDTH = 100  # columns of the code; a longer call has one argument a line
UPLOAD = re.compile(r"@(up-[0-9a-z]+)")
HIT = '    print(f"{hit.rank:3}  {hit.cosine:.3f}  z {hit.z:.1f}  {hit.id}  {hit.caption}")'


@dataclass(frozen=True)
class Call(Generic[T]):
    """A library function, the space it is given first, and its other arguments as they stand in the link.

    `result` is computed when it is first asked for, on whatever thread that happens. `known` are arguments that only
    save time: what the function would work out itself, and so nothing that the code shows.
    """

    function: Callable[..., T]
    arguments: dict[str, Any]
    space: Space
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def result(self) -> T:
        if "result" not in self.__dict__:  # a cached_property of Python 3.11 has one lock for the calls of all visitors
            self.__dict__["result"] = self.function(self.space, **self.arguments, **self.known)
        return self.__dict__["result"]

    def knowing(self, **known: Any) -> "Call[T]":
        """The same call, saved from working these arguments out."""
        self.known.update(known)
        return self

    def awaited(self, slot: str, on: str = "") -> T | None:
        """The result of a function that takes `report(share, stage)`, on a lane; None, with progress shown, until then.

        `slot` and `on` are those of `progress.awaited`; by itself what may take long, in a large collection, has a lane
        of its own. Visitors who ask the same, with the same names, share the work.
        """
        here = self.space
        on = on or ("large" if self._is_large else "quick")
        key = (
            self.function,
            here.model.key,
            here.revision,
            here.collection.version,
            repr(sorted(self.arguments.items())),
            st.session_state["names"],
        )
        return awaited(lambda job: self.function(here, **self.arguments, report=job.report), key, slot, on)

    def in_time(self, slot: str) -> T | None:
        """As `awaited` in a large collection, all of which may take seconds to go through; else the result, at once."""
        return self.awaited(slot) if self._is_large else self.result

    @property
    def _is_large(self) -> bool:
        return len(self.space.collection) > LARGE

    @cached_property
    def lines(self) -> list[str]:
        """The call as Python, and what prints its result."""
        arguments = [f"{name}={_written(value)}" for name, value in _given(self).items()]
        made = _wrapped(f"result = {self.function.__name__}", ["space", *arguments])
        return ["", *made, *_prints(self.function)]


def call(function: Callable[..., T], **arguments: Any) -> Call[T]:
    """The call of a library function in the visitor's space: a page shows its `result`, and `code` writes it down.

    A call that the run before made too is that one, with its result: what did not change is not computed again.

    Parameters
    ----------
    function
        Takes a `Space` first and gives a dataclass.
    arguments
        Strings, numbers, and lists or tuples of them: what can be written down. A point is, as its expression.
    """
    arguments = {name: as_typed(value) for name, value in arguments.items()}
    key = function, repr(arguments), space()
    before, now = run().calls_before, run().calls
    now[key] = before.get(key) or now.get(key) or Call(function, arguments, space())
    return now[key]


def as_typed(value: Any) -> Any:
    """A point, or those in a list, as its expression; anything else as it is."""
    if isinstance(value, list):
        return [as_typed(each) for each in value]
    return str(value.expression) if isinstance(value, Point) else value


def code(*calls: Call, lines: str = "") -> None:
    """The expander "Show code": Python that makes these calls and prints the figures of their results; or the lines
    given, of what no single call computes. It is written when somebody wants to see it.
    """

    def write() -> str:
        return lines or source(calls, st.session_state["names"] if names() else "")

    key = "show-code-large" if run().code else "show-code"  # of a picture that is shown large
    run().code = run().code or write
    # What draws code in colours is fetched by the browser then, too.
    with st.expander(_("Show code"), icon=":material/code:", key=key, on_change="rerun") as box:
        if box.open:
            st.caption(_("The same result in a notebook:"))
            st.code(write(), language="python")


def shown_code() -> str:
    """The code that the page shows in this run, of the first expander; empty where it shows none."""
    write = run().code
    return write() if write else ""


def source(calls: Sequence[Call], named: str = "") -> str:
    """Python that runs as it stands; the lines `named` are the names that expressions may use."""
    imports = sorted({f"from {each.function.__module__} import {each.function.__name__}" for each in calls})
    lines = ["from clipexplore import Space", *imports, "", *_opening(calls, named)]
    return "\n".join([*lines, *(line for each in calls for line in each.lines)])


def _opening(calls: Sequence[Call], named: str) -> list[str]:
    """How the space of the calls is opened: what differs from `Space.open`'s defaults."""
    opened = calls[0].space
    texts = named + "".join(repr(each.arguments) for each in calls)
    pictures = {id: f"{id}.png" for id in sorted(set(UPLOAD.findall(texts))) if id in uploads()}
    given = {"model": opened.model.key, "collection": opened.collection.name, "names": named, "uploads": pictures}
    defaults = inspect.signature(Space.open).parameters
    arguments = [
        f"{name}={_written(value)}" for name, value in given.items() if value and value != defaults[name].default
    ]
    says = [_("# Uploaded pictures are read from files: write your paths here.")] if pictures else []
    return [*says, *_wrapped("space = Space.open", arguments)]


def _given(one: Call) -> dict[str, Any]:
    """The arguments that differ from the function's defaults."""
    defaults = inspect.signature(one.function).parameters
    return {name: value for name, value in one.arguments.items() if _plain(value) != _plain(defaults[name].default)}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _written(value: Any) -> str:
    """A value as Python, texts in double quotes where they hold none."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_written(key)}: {_written(each)}" for key, each in value.items()) + "}"
    plain = repr(value)
    return f'"{plain[1:-1]}"' if isinstance(value, str) and '"' not in plain else plain


def _wrapped(name: str, arguments: list[str]) -> list[str]:
    """A call on one line, or with one argument a line where that would be too long."""
    line = f"{name}({', '.join(arguments)})"
    return [line] if len(line) <= WIDTH else [f"{name}(", *(f"    {each}," for each in arguments), ")"]


def _prints(function: Callable) -> list[str]:
    """Lines that print a result: the fields named by its class's `SHOWN`, by default all numbers, texts and hits."""
    made = get_type_hints(function)["return"]
    if not is_dataclass(made):
        return ["print(result)"]
    types = get_type_hints(made)
    shown = getattr(made, "SHOWN", None) or [each.name for each in fields(made) if _is_figure(types[each.name])]
    return [line for name in shown for line in _print(name, types.get(name))]


def _is_figure(kind: Any) -> bool:
    return kind in (int, float, str) or Hit in get_args(kind) or {int, float, str} & set(get_args(kind)) != set()


def _print(name: str, kind: Any) -> list[str]:
    if Hit in get_args(kind):
        return [f"for hit in result.{name}:", HIT]
    return [f"print({name.replace('_', ' ')!r}, result.{name})"]
