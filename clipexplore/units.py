"""Numbers of bytes and of seconds as people write them, on pages and in commands."""

from clipexplore.language import numeral


def size(number: float) -> str:
    """A number of bytes: "2.8 GB", "608 MB", "3.1 MB"."""
    if number >= 1e9:
        return f"{numeral(number / 1e9, ',.1f')} GB"
    return f"{numeral(number / 1e6, '.0f' if number >= 1e7 else '.1f')} MB"


def duration(seconds: float) -> str:
    """A time: "12 s", "10 min", "2.0 h"."""
    if seconds >= 5400:
        return f"{numeral(seconds / 3600, '.1f')} h"
    return f"{numeral(seconds / 60, '.0f')} min" if seconds >= 90 else f"{numeral(seconds, '.0f')} s"
