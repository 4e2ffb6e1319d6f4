"""`python -m clipexplore.cluster`: the driver of an app, which tells it a secret and is told where to speak with it."""

import logging
import os
import sys
import threading
import time
from typing import Any

from clipexplore.cluster.connection import Line
from clipexplore.cluster.driver import Desk, Work

ENDING = 5.0  # seconds for Ray to say goodbye


def main() -> None:
    Line.register("Desk", Desk, exposed=("call",))
    Line.register("Work", Work, exposed=("next", "close"))
    logging.getLogger("ray").setLevel(logging.WARNING)
    server = Line(authkey=bytes.fromhex(sys.stdin.readline())).get_server()
    print(server.address, flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads on
    threading.Thread(target=_end_with_app, args=(server,), daemon=True).start()
    server.serve_forever()


def _end_with_app(server: Any) -> None:
    sys.stdin.read()
    server.stop_event.set()
    time.sleep(ENDING)
    os._exit(0)


if __name__ == "__main__":
    main()
