"""A server that speaks S3, as object stores do."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest


@contextmanager
def bucket() -> Iterator[str]:
    """The address of an empty bucket, on a server that fsspec is configured for, as an operator does."""
    if not find_spec("moto") or not find_spec("s3fs"):
        pytest.skip("needs s3fs and moto[s3], with flask and flask-cors")
    import fsspec
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    fsspec.config.conf["s3"] = {"endpoint_url": f"http://{host}:{port}", "key": "somebody", "secret": "unknown"}
    try:
        fsspec.filesystem("s3").mkdir("bucket")
        yield "s3://bucket"
    finally:
        del fsspec.config.conf["s3"]
        server.stop()


def put(path: Path, address: str) -> str:
    """Puts a file or a folder there."""
    import fsspec

    fsspec.filesystem("s3").put(f"{path}/" if path.is_dir() else str(path), address, recursive=path.is_dir())
    return address
