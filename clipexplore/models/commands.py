"""`python -m clipexplore models`: which models there are, and getting, checking and removing their weights.

It prints tables and progress, or with `--lines` what a program reads.
"""

import json
import sys
import time
from argparse import Namespace
from collections import deque
from collections.abc import Callable
from typing import Any

from clipexplore.errors import InputError
from clipexplore.language import duration, size
from clipexplore.models import catalog, downloads
from clipexplore.models.weights import Weights

_WINDOW = 20.0  # seconds over which the speed is measured


def add_command(commands: Any) -> None:
    """The subcommand, for `__main__`."""
    parser = commands.add_parser(
        "models", help="list models, get, verify and remove their weights", description="The models and their weights."
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("list", help="what there is, and what is on this machine").set_defaults(run=show)
    for name, run, about in (
        ("get", get, "fetch the weights of a model"),
        ("verify", verify, "compare them with their checksums"),
        ("remove", remove, "delete what was fetched"),
    ):
        action = actions.add_parser(name, help=about)
        action.add_argument("key", help="of the model, as `models list` shows it")
        action.add_argument("--part", choices=list(catalog.PARTS), help="only this part of it")
        action.set_defaults(run=run)
        if name == "get":
            action.add_argument("--lines", action="store_true", help="progress as one JSON object a line, for programs")


def show(options: Namespace) -> int:
    """Prints the catalogue: a line for each model and one for each of its parts."""
    for model in catalog.models().values():
        print(f"{model.key:12} {model.title}")
        for part in model.parts:
            where = (
                "bundled"
                if part.bundled
                else "here"
                if part.present
                else "to convert"
                if part.converted
                else f"to fetch, {size(part.download) if part.download else 'size unknown'}"
            )
            print(f"    {part.name:52} {where:22} {part.terms_of_use}")
    return 0


def get(options: Namespace) -> int:
    """Fetches every part that is missing, one after the other."""
    for part in _parts(options):
        if part.present:
            _say(options, {"part": part.name, "stage": "is here already"})
            continue
        if part.terms:
            _say(options, {"part": part.name, "stage": f"licence {part.terms_of_use}: {part.terms}"})
        folder = downloads.fetch(part, Progress(part.name, lambda message: _say(options, message)))
        _say(options, {"part": part.name, "stage": f"is in {folder}", "progress": 1.0})
    return 0


def verify(options: Namespace) -> int:
    """Reads every file of what is here; status 1 if one is not what was fetched."""
    damaged = {part.name: downloads.verify(part) for part in _fetched(options)}
    for name, files in damaged.items():
        remedy = f"damaged: {', '.join(files)}; run models remove {options.key}, then models get {options.key}"
        print(f"{name}: {remedy if files else 'whole'}")
    for part in _fetched(options):
        if files := downloads.unchecked(part):
            print(f"{part.name}: the hub gave no checksum of {', '.join(files)}; unchanged since they were fetched")
    return 1 if any(damaged.values()) else 0


def remove(options: Namespace) -> int:
    """Deletes what was fetched, unless another model needs it too."""
    others = {part for model in catalog.models().values() if model.key != options.key for part in model.parts}
    for part in _fetched(options):
        if part in others and not options.part:
            print(f"{part.name}: kept, other models use it; name it with --part to delete it")
        else:
            print(f"{part.name}: {size(downloads.remove(part))} deleted")
    return 0


class Progress:
    """For `downloads.fetch`: says twice a second how far it is, how fast and how long it will take."""

    def __init__(self, name: str, say: Callable[[dict], None]):
        self._name, self._say = name, say
        self._seen: deque[tuple[float, int]] = deque()
        self._shown = -1.0

    def __call__(self, done: int, total: int, stage: str) -> None:
        now = time.monotonic()
        self._seen.append((now, done))
        while now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        if now - self._shown >= 0.5 or done >= total:
            self._shown = now
            self._say({"part": self._name, "stage": stage, "done": done, "total": total, **self._pace(done, total)})

    def _pace(self, done: int, total: int) -> dict[str, float]:
        (start, before), (end, _now) = self._seen[0], self._seen[-1]
        speed = (done - before) / (end - start) if end > start else 0.0
        return {"progress": done / max(total, 1), "speed": speed, **({"left": (total - done) / speed} if speed else {})}


def _say(options: Namespace, message: dict) -> None:
    if options.lines:
        print(json.dumps(message), flush=True)
    elif "done" not in message:
        print(
            f"\r\033[K{message['part']}: {message['stage']}"
            if sys.stdout.isatty()
            else f"{message['part']}: {message['stage']}",
            flush=True,
        )
    elif sys.stdout.isatty():
        left = f" · {duration(message['left'])} left" if "left" in message else ""
        print(
            f"\r\033[K{size(message['done'])} of {size(message['total'])} · "
            f"{size(message['speed'])}/s{left} · {message['stage']}",
            end="",
            flush=True,
        )


def _parts(options: Namespace) -> tuple[Weights, ...]:
    model = catalog.get(options.key)
    part = getattr(model, options.part) if options.part else None
    if options.part and part is None:
        raise InputError(f"The model {model.key} has no part {options.part}; leave --part out.")
    return (part,) if part else model.parts


def _fetched(options: Namespace) -> list[Weights]:
    """The parts of which something is here that was fetched or converted."""
    parts = _parts(options)
    fetched = [part for part in parts if part.kept and part.kept.is_dir()]
    if all(part.bundled for part in parts):
        raise InputError(f"The model {options.key} is bundled: it was installed with the program, and not fetched.")
    if not fetched:
        raise InputError(f"Nothing of the model {options.key} was fetched; models list shows what is here.")
    return fetched
