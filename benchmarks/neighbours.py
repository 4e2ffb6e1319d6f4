"""One greedy visitor beside nine who browse: how long the nine wait, against the same nine alone.

    python -m benchmarks.neighbours                # every kind of greed
    python -m benchmarks.neighbours walk names

Prints for each kind the 95th percentile of the nine in seconds and its ratio to idle; 2 is what is promised. The nine
skip the pages whose work the greedy one shares by design (the drawing of a walk waits for its turn).
"""

import argparse
import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

import numpy as np

from benchmarks.load import room
from benchmarks.serving import ROOT, server

NINE = 9
BROWSED = ("search", "classify", "arithmetic", "map", "match", "words")


def _lines(*lines: str) -> str:
    return quote("\n".join(lines))


GREEDY: Mapping[str, str] = MappingProxyType(
    {
        "walk": "interpolate?frames=240&num_inference_steps=100",
        "umap": "map?method=own&fit=background",
        "classes": (
            f"classify?class_names={_lines(*(f'thing number {number}' for number in range(200)))}"
            f"&templates={_lines(*(f'a {number} photo of {{}}' for number in range(80)))}"
        ),
        "names": f"search?q=@a29&names={_lines('a0 = cat', *(f'a{n} = @a{n - 1} + @a{n - 1}' for n in range(1, 30)))}",
    }
)


def percentile(beside: str | None, seconds: float) -> tuple[float, int]:
    """The 95th percentile of the runs of the nine in seconds, and how many errors they saw."""
    options = argparse.Namespace(pages=list(BROWSED), reruns=3, pause=1.0, beside=beside)
    with server(ROOT / "app.py", ready="/readyz", CLIPEXPLORE_ASK_SECONDS="1000000") as (address, _):
        once = argparse.Namespace(pages=list(BROWSED), reruns=1, pause=0, beside=None)
        asyncio.run(room(address, once, 1, np.inf, 2 * len(BROWSED)))  # as after the first visitor of the day
        people = asyncio.run(room(address, options, NINE, seconds))
    taken = np.concatenate([person.seconds for person in people])
    return float(np.percentile(taken, 95)), sum(len(person.errors) for person in people)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("kinds", nargs="*", default=list(GREEDY), help=f"of {', '.join(GREEDY)}")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    idle, errors = percentile(None, options.seconds)
    print(f"{'idle':8} p95 {idle:.2f} s, {errors} errors", flush=True)
    for kind in options.kinds:
        busy, errors = percentile(GREEDY[kind], options.seconds)
        print(f"{kind:8} p95 {busy:.2f} s, {busy / idle:.1f} x idle, {errors} errors", flush=True)


if __name__ == "__main__":
    main()
