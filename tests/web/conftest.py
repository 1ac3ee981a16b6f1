"""A page that is being served on this machine, and a small client for it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rvsam_video.demos.synthetic import SyntheticClip

pytest.importorskip("starlette", reason="the page needs rvsam-video[web]")
uvicorn = pytest.importorskip("uvicorn", reason="the page needs rvsam-video[web]")

from rvsam_video.streaming.engine import VideoSegmenter  # noqa: E402
from rvsam_video.web.app import create_app  # noqa: E402
from rvsam_video.web.server import _listen  # noqa: E402
from rvsam_video.web.settings import WebSettings  # noqa: E402
from rvsam_video.web.visitors import Visitors  # noqa: E402

FRAMES = 30
SIZE = (320, 180)


@dataclass
class Client:
    """A browser without a screen: it keeps its cookie and says where it comes from."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    cookie: str = ""

    def ask(
        self, method: str, path: str, body: bytes | dict[str, Any] | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Send a request; return the status and the body, as JSON if it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        given = {"Cookie": self.cookie} | self.headers | headers
        connection.request(method, path, content, given)
        response = connection.getresponse()
        data = response.read()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                self.cookie = value.split(";")[0]
        connection.close()
        is_json = response.getheader("content-type", "").startswith("application/json")
        return response.status, json.loads(data) if is_json else data

    def post(self, path: str, body: bytes | dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request that must succeed."""
        status, answer = self.ask("POST", path, {} if body is None else body)
        assert status == 200, answer
        return answer

    def wait_for(self, state: str) -> dict[str, Any]:
        """Ask until the page is in this state."""
        for _ in range(600):
            answer = self.post("/api/rename", {"object": 1, "name": "thing"})
            if answer["state"] == state:
                return answer
            time.sleep(0.1)
        raise AssertionError(f"the page is {answer['state']}, not {state}")


@contextmanager
def serving(folder: Path, segmenter: VideoSegmenter, settings: WebSettings) -> Iterator[int]:
    """Serve the page in a thread; yields the port."""
    visitors = Visitors(segmenter, folder, settings)
    config = uvicorn.Config(
        create_app(visitors, settings), log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with _listen(settings) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            visitors.close()
            server.should_exit = True
            thread.join(10)


@pytest.fixture(scope="session")
def clip() -> SyntheticClip:
    return SyntheticClip(frames=FRAMES, size=SIZE)


@pytest.fixture(scope="session")
def videos(clip: SyntheticClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with videos, and things beside it that the page must never show."""
    outer = tmp_path_factory.mktemp("server")
    root = outer / "videos"
    (root / "more").mkdir(parents=True)
    clip.write(root / "sea.mp4")
    (root / "more" / "copy.mp4").write_bytes((root / "sea.mp4").read_bytes())
    (root / "notes.txt").write_text("nothing to see")
    (root / ".hidden.mp4").write_bytes(b"hidden")
    (outer / "secret.mp4").write_bytes((root / "sea.mp4").read_bytes())
    (root / "link.mp4").symlink_to(outer / "secret.mp4")
    return root


@pytest.fixture
def serve(tmp_path: Path, videos: Path) -> Iterator[Callable[..., Client]]:
    """Starts a page with these settings and returns a client of it."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(**options: Any) -> Client:
            settings = WebSettings(**{"port": 0, "root": videos, **options})
            place = tmp_path / f"visitors-{settings.port}"
            port = stack.enter_context(serving(place, VideoSegmenter(), settings))
            return Client(port)

        yield start
