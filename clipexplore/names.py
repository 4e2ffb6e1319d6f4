"""Names for points: after the line `blueness = a blue rose - a red rose`, `@blueness` is that point in every expression.

Separate because the grammar of an expression knows nothing of it: to the grammar a name is an id like any other. The lines are what stands in a link.
"""

import re

from clipexplore.errors import InputError
from clipexplore.expression import Expression, parse

MAX_CHARACTERS = 4000
EXCERPT = 40  # characters of a line that a message repeats
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def define(text: str) -> dict[str, Expression]:
    """What each name stands for, from lines `name = expression`, in their order; a name can be used in the lines below it.

    Raises
    ------
    InputError
        For a line that is none, a name that is no id, is given twice or looks like an upload's, and for more than 4,000 characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"The names take {len(text)} characters and may take {MAX_CHARACTERS}; remove some.")
    found: dict[str, Expression] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            name, meaning = _read(line, number)
            if name in found:
                raise InputError(f"Line {number} of the names gives {name!r} a second time; choose another name.")
            found[name] = meaning
    return found


def add(text: str, name: str, expression: Expression | str) -> str:
    """The lines with one more, which replaces an older one of that name; what an id cannot hold becomes a dash."""
    name = _UNFIT.sub("-", name).strip("-._")[:EXCERPT]
    others = [line for line in text.splitlines() if line.strip() and line.partition("=")[0].strip() != name]
    return "\n".join([*others, f"{name} = {expression}"] if name else others)


def _read(line: str, number: int) -> tuple[str, Expression]:
    name, sign, meaning = (part.strip() for part in line.partition("="))
    if not (sign and _NAME.fullmatch(name)):
        shown = " ".join(line.split())[:EXCERPT]
        raise InputError(f"Line {number} of the names is {shown!r}; write name = expression, the name of letters, digits, '.', '_' and '-'.")
    if name.startswith("up-"):
        raise InputError(f"Line {number} of the names gives the name {name!r}, and what begins with 'up-' is an upload; choose another name.")
    try:
        return name, parse(meaning)
    except InputError as error:
        raise InputError(f"Line {number} of the names is no expression: {error}") from None
