"""What `pip install .` has brought, tried from another folder: the library, the bundled world, the command, the app."""

import importlib.util
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import clipexplore
from clipexplore import Space

package = Path(clipexplore.__file__).parent
assert "site-packages" in package.parts, package
assert importlib.util.find_spec("clipexplore.training") is None

space = Space.open()
hits = space.search(space.point("@man-top-hat - @man").vector, "words", k=3)
assert hits[0].caption == "top hat", hits
second = space.seen_by("emoji-2")
assert second.search(second.point("@lion").vector, k=1)[0].id == "lion"

command = str(Path(sys.executable).with_name("clipexplore"))
listed = subprocess.run([command, "models", "list"], capture_output=True, text=True, check=True).stdout
assert "Emoji World" in listed and "bundled" in listed, listed
for name in ("index", "serve"):
    subprocess.run([command, name, "--help"], capture_output=True, check=True)

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
server = subprocess.Popen([command, "serve", "--port", str(port)])
try:
    for _ in range(600):
        time.sleep(1)
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                assert answer.status == 200
            break
        except OSError:  # not yet listening, or 503 while the models load
            assert server.poll() is None, "the server ended"
    else:
        sys.exit("the server was not ready after ten minutes")
finally:
    server.terminate()
    server.wait(60)
print("The installed package answers.")
