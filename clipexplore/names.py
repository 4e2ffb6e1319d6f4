"""Names for points: after `blueness = a blue rose - a red rose`, `@blueness` is that point in every expression.

To the grammar of expressions a name is an id like any other. Links carry the lines as they are.
"""

import re
from collections.abc import Callable, Sequence
from itertools import islice

from clipexplore.errors import InputError
from clipexplore.expression import Expression, parse
from clipexplore.language import _

MAX_CHARACTERS = 4000
EXCERPT = 40  # characters of a line that a message repeats
_NAME = re.compile(r"[^\W_][\w.-]{0,39}")
_UNFIT = re.compile(r"[^\w.-]+")


def define(text: str) -> dict[str, Expression]:
    """What each name stands for, from lines `name = expression`, in their order; a name may be used in the lines below.

    Raises
    ------
    InputError
        For a line of another form, a name that is no id, is given twice or looks like that of an upload, and for more
        than 4,000 characters.
    """
    if len(text) > MAX_CHARACTERS:
        message = _("The names take {count} characters and may take {most}; remove some.")
        raise InputError(message.format(count=len(text), most=MAX_CHARACTERS))
    meanings: dict[str, Expression] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            name, meaning = _read(line, number)
            if name in meanings:
                message = _("Line {number} of the names gives {name!r} a second time; choose another name.")
                raise InputError(message.format(number=number, name=name))
            meanings[name] = meaning
    return meanings


def add(text: str, name: str, expression: Expression | str) -> str:
    """The lines and one more, which replaces an older one of that name; what no id may hold becomes a dash."""
    name = _UNFIT.sub("-", name).strip("-._")[:EXCERPT]
    others = [line for line in text.splitlines() if line.strip() and line.partition("=")[0].strip() != name]
    return "\n".join([*others, f"{name} = {expression}"] if name else others)


def _read(line: str, number: int) -> tuple[str, Expression]:
    name, sign, meaning = (part.strip() for part in line.partition("="))
    if not (sign and _NAME.fullmatch(name)):
        shown = " ".join(line.split())[:EXCERPT]
        message = _(
            "Line {number} of the names is {line!r}; write name = expression, the name of letters, digits, '.', '_' "
            "and '-'."
        )
        raise InputError(message.format(number=number, line=shown))
    if name.startswith("up-"):
        message = _(
            "Line {number} of the names gives the name {name!r}, and what begins with 'up-' is an upload; choose "
            "another name."
        )
        raise InputError(message.format(number=number, name=name))
    try:
        return name, parse(meaning)
    except InputError as error:
        message = _("Line {number} of the names is no expression: {error}")
        raise InputError(message.format(number=number, error=error)) from None


def ids_like(ids: Sequence[str], typed: str, k: int) -> list[str]:
    """The first `k` ids that are a text, then of those that begin with it, then of those that hold it; capital letters
    are as small ones.
    """
    wanted = typed.casefold()
    tests: list[Callable[[str], bool]] = [wanted.__eq__, lambda id: id.startswith(wanted), lambda id: wanted in id]
    found = (id for fits in tests for id in ids if fits(id.casefold()))
    return list(dict.fromkeys(islice(found, len(tests) * k)))[:k]  # whatever fits one test may fit the next, too
