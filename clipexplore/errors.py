"""The errors whose message a person reads. Every other exception is a defect of the program and becomes a traceback
in the log.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from clipexplore.language import _


class InputError(ValueError):
    """Something a visitor or operator can put right.

    The message is shown as it is: one sentence that names the value, the rule it breaks and the remedy. Raised itself
    for what was typed or given wrongly; the subclasses say what else it can be, so that a caller tells them apart by
    class and not by wording.
    """


class MissingError(InputError):
    """What was named is not here: a picture, a collection, the weights of a model."""


class DamagedError(InputError):
    """What is stored is not what was written."""


class NoRoomError(InputError):
    """A disk is full, or a limit of the server is reached."""


class NetworkError(InputError):
    """A host cannot be reached, or answers what it should not."""


class OutOfMemoryError(InputError):
    """The memory of a device or of the machine does not suffice."""


@contextmanager
def in_words(
    sentence: str,
    kind: type[InputError] = InputError,
    but: Callable[[Exception], bool] = lambda error: False,
    **values: object,
) -> Iterator[None]:
    """Around what a library reads of somebody's file: whatever it raises of a damaged one becomes one sentence.

    Parameters
    ----------
    sentence
        Says what is wrong, `{error}`, and what to do; the `values` are filled in too.
    kind
        The class of what is raised; an error that is a sentence already stays what it is.
    but
        Which other errors stay.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # damaged files raise anything, down to struct.error and bare exceptions
        if but(error):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise kind(sentence.format(**values, error=reason[:120])) from error


def no_room(folder: Path, reason: OSError | str) -> NoRoomError:
    """What to raise where a disk refuses to write to a folder."""
    message = _(
        "Cannot write to {folder}: {reason}; make room or choose another folder; what was stored there before is whole."
    )
    return NoRoomError(message.format(folder=folder, reason=getattr(reason, "strerror", None) or reason))
