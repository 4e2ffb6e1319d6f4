"""How what takes long tells how far it is."""

from collections.abc import Callable

#: Takes the share that is done, in [0, 1], and what is being done, None for the same as before; may raise to stop.
Report = Callable[[float, str | None], object]


def silent(progress: float, stage: str | None) -> None:
    """A report to nobody."""
