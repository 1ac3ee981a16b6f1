"""The page below a path of another application."""

from __future__ import annotations

import runpy
import threading
import time
from pathlib import Path

import pytest
from page_tests import Client

uvicorn = pytest.importorskip("uvicorn", reason="the page needs rvsam-video[web]")


def test_the_example_serves_the_page_below_its_path(tmp_path, monkeypatch, videos) -> None:
    monkeypatch.chdir(tmp_path)
    example = Path(__file__).parents[2] / "demos" / "examples" / "embed_page.py"
    app = runpy.run_path(str(example))["app"]
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    client = Client(server.servers[0].sockets[0].getsockname()[1])
    try:
        status, page = client.ask("GET", "/label/")
        assert status == 200
        # No address in the page begins at the root of the server.
        assert b'="/' not in page
        client.post("/label/api/start")
        content = (videos / "sea.mp4").read_bytes()
        status, state = client.ask("POST", "/label/api/upload?name=sea.mp4", content)
        assert (status, state["frames"]) == (200, 30)
        assert client.ask("GET", "/label/api/frame/3")[0] == 200
        assert client.ask("GET", "/api/frame/3")[0] == 404
    finally:
        server.should_exit = True
        thread.join(20)
    assert list(tmp_path.glob("work/visitor-*/sea/run.json"))
