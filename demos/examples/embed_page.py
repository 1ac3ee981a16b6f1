"""The page below a path of another application: `uvicorn embed_page:app`, then /label/.

Works in FastAPI as well: its applications have the same `mount`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount

from rvsam_video import VideoSegmenter
from rvsam_video.web.app import create_app
from rvsam_video.web.settings import WebSettings
from rvsam_video.web.visitors import Visitors

settings = WebSettings(root=None, workspace=Path("work"), max_visitors=8)
visitors = Visitors(VideoSegmenter(), settings.workspace, settings)


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """Put everybody's work away when the application ends."""
    yield
    visitors.end_streams()
    visitors.close()


app = Starlette(routes=[Mount("/label", create_app(visitors, settings))], lifespan=lifespan)
