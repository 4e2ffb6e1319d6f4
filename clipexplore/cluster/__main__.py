"""`python -m clipexplore.cluster`: the driver of an app, which tells it a secret and is told where to speak with it."""

import logging
import os
import shutil
import sys
import threading
from multiprocessing.util import get_temp_dir

from clipexplore.cluster import client, driver
from clipexplore.cluster.connection import Line, is_far


def main() -> None:
    side = client if is_far() else driver
    Line.register("Desk", side.Desk, exposed=("call",))
    Line.register("Work", side.Work, exposed=("next", "close"))
    logging.getLogger("ray").setLevel(logging.WARNING)
    server = Line(authkey=bytes.fromhex(sys.stdin.readline())).get_server()
    print(server.address, flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads on
    threading.Thread(target=_end_with_app, daemon=True).start()
    server.serve_forever()


def _end_with_app() -> None:
    """Ends this process, at once, when the app lets go of it or has ended."""
    sys.stdin.read()
    shutil.rmtree(get_temp_dir(), ignore_errors=True)  # where they spoke
    os._exit(0)


if __name__ == "__main__":
    main()
