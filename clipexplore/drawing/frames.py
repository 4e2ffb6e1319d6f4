"""In which order the frames of a walk are drawn, and which are drawn together.

Separate because two promises rest on it: a walk is seen coarse to fine – ends, middle, quarters – and a frame is always computed in a batch
of the same size, since that decides its last bits. Both follow from the number of frames alone.
"""

from collections.abc import Iterator

SIZES = (1, 4, 8)  # a batch of one shows the first picture as soon as it can be; more than eight gain nothing on a CPU


def coarse_to_fine(count: int) -> list[int]:
    """The numbers 0 … count − 1: both ends, the middle, the quarters, …, each from left to right."""
    last = count - 1
    order = dict.fromkeys([0, last][: max(count, 0)])
    parts = 2
    while len(order) < count:
        order |= dict.fromkeys(_rounded(last * part, parts) for part in range(1, parts))
        parts *= 2
    return list(order)


def batches(count: int) -> Iterator[tuple[list[int], int]]:
    """The frames of each batch in the order in which they are drawn, and the batch's size; it may hold fewer frames and is then filled up.

    Of a walk of n frames the first is drawn alone, the next eight by fours, the others by eights, what is left over in the smallest size that holds it.
    """
    order, start = coarse_to_fine(count), 0
    while start < count:
        planned = SIZES[0] if start == 0 else SIZES[1] if start < SIZES[2] else SIZES[2]
        some = order[start : start + planned]
        yield some, min(size for size in SIZES if size >= len(some))
        start += len(some)


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
