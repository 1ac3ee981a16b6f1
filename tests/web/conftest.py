"""A page that is being served on this machine, and a small client for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from page_tests import Client

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
            place = tmp_path / "visitors"
            port = stack.enter_context(serving(place, VideoSegmenter(), settings))
            return Client(port)

        yield start
