"""A hub on this machine: repositories served as huggingface.co serves them, with every failure on request.

Import `hub` by `pytest_plugins` or by name; `hub.add("owner/name", {"file": bytes})` makes a repository and gives its
commit.
"""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

LFS = 1000  # bytes; larger files are kept by SHA-256 and served from elsewhere, as on the hub


class Hub:
    """`refuse` answers every request with a status and an error code; `drop_after` ends connections to large files
    early, that many times; `alter` changes what is sent; `no_range` sends whole files whatever part is asked for,
    `no_checksums` says nothing of what they should be.
    `asked` lists (method, path, Range).
    """

    def __init__(self):
        self.repos: dict[str, dict[str, dict[str, bytes]]] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.refuse: tuple[int, str] | None = None
        self.drop_after, self.drops = 0, 0
        self.alter = lambda data: data
        self.no_range = self.no_checksums = False
        self.card: dict[str, str] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub._answer(self)

            do_HEAD = do_GET

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def add(self, repo: str, files: dict[str, bytes]) -> str:
        commit = hashlib.sha1(repr(sorted((name, hash(data)) for name, data in files.items())).encode()).hexdigest()
        self.repos.setdefault(repo, {})[commit] = files
        return commit

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def downloads(self) -> list[str]:
        """The large files that were sent, in order."""
        return [path.split("/")[-1] for method, path, _ in self.asked if path.startswith("/cdn/")]

    def _answer(self, request):
        self.asked.append((request.command, request.path, request.headers.get("Range")))
        if self.refuse:
            return self._send(request, self.refuse[0], b"", {"X-Error-Code": self.refuse[1], "X-Error-Message": "no"})
        path = request.path.split("?")[0]
        if api := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            return self._list(request, *api.groups())
        if file := re.fullmatch(r"/(?:(cdn)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._file(request, *file.groups())
        return self._send(request, 404, b"")

    def _list(self, request, repo, revision):
        commits = self.repos.get(repo)
        if not commits:
            return self._send(request, 404, b"", {"X-Error-Code": "RepoNotFound"})
        commit = revision if revision not in (None, "main") else list(commits)[-1]
        if commit not in commits:
            return self._send(request, 404, b"", {"X-Error-Code": "RevisionNotFound"})
        told = {
            "id": repo,
            "modelId": repo,
            "sha": commit,
            "cardData": self.card,
            "siblings": [self._sibling(*each) for each in commits[commit].items()],
        }
        return self._send(request, 200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _sibling(self, name, data):
        if self.no_checksums:
            return {"rfilename": name, "size": len(data)}
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        lfs = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 130}
        return {"rfilename": name, "size": len(data), "blobId": blob, **({"lfs": lfs} if len(data) > LFS else {})}

    def _file(self, request, cdn, repo, commit, name):
        data = self.repos.get(repo, {}).get(commit, {}).get(name)
        if data is None:
            return self._send(request, 404, b"", {"X-Error-Code": "EntryNotFound"})
        if len(data) > LFS and not cdn:
            return self._send(request, 302, b"", {"Location": f"/cdn{request.path}", "X-Repo-Commit": commit})
        data, start = self.alter(data), 0
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range") or "")
        if wanted and not self.no_range:
            start = int(wanted[1])
        body, status = data[start:], 206 if start else 200
        if len(data) > LFS and self.drops:
            self.drops -= 1
            request.close_connection = True
            return self._send(request, status, body, length=len(body), only=self.drop_after)
        return self._send(
            request, status, body, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        )

    def _send(self, request, status, body, headers=(), length=None, only=None):
        request.send_response(status)
        for name, value in dict(headers).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(length if length is not None else len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body[:only])


@pytest.fixture
def hub(monkeypatch):
    """An empty hub, which the Hugging Face library of this process takes for the real one."""
    from huggingface_hub import constants

    made = Hub()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", made.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", made.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield made
    made.close()
