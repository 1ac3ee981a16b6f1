"""A local server in the place of the published ones."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from weights_server import QUICK, WEIGHTS, Handler, Server

from rvsam_video.weights.fetch import (
    PublishedWeights,
    fetch,
)


@pytest.fixture
def server() -> Iterator[Server]:
    handler = type("Scripted", (Handler,), {})
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.script = Server(f"http://127.0.0.1:{httpd.server_port}")
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield handler.script
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def known(server) -> PublishedWeights:
    """Weights with a published size and hash."""
    return PublishedWeights(
        name="known",
        url=f"{server.url}/known.pt",
        file_name="known.pt",
        licence="Apache-2.0",
        citation="nobody",
        size=len(WEIGHTS),
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
    )


@pytest.fixture
def unpinned(known) -> PublishedWeights:
    """Weights whose authors published neither size nor hash."""
    return replace(known, name="unpinned", file_name="unpinned.pt", size=None, sha256=None)


@pytest.fixture
def old(unpinned) -> PublishedWeights:
    """Weights of which only an MD5 was published."""
    digest = hashlib.md5(WEIGHTS, usedforsecurity=False).hexdigest()
    return replace(unpinned, name="old", file_name="old.pt", md5=digest)


@pytest.fixture
def get(tmp_path) -> Callable[[PublishedWeights], Path]:
    return lambda entry: fetch(entry, cache=tmp_path / "cache", retries=QUICK)
