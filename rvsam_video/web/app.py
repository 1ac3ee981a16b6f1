"""The addresses of the page, and who is let in to each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rvsam_video.errors import RvsamError, UsageError
from rvsam_video.web.desk import Desk
from rvsam_video.web.guard import Guard
from rvsam_video.web.handlers import Handler, Page
from rvsam_video.web.settings import WebSettings
from rvsam_video.web.taking import Taking
from rvsam_video.web.visitors import Visitor, Visitors

COOKIE = "rvsam_visitor"
CLEANING_SECONDS = 60.0
_YEAR_SECONDS = 365 * 24 * 3600


def create_app(visitors: Visitors, settings: WebSettings) -> Starlette:
    """Return the application; the caller serves it and closes `visitors` afterwards.

    It can be mounted in another application, below any path.

    Args:
        visitors: those who come.
        settings: of the page.
    """
    page, taking = Page(settings, visitors), Taking()

    def route(path: str, handler: Handler, method: str, *, welcomes: bool = False) -> Route:
        answer = _visiting(visitors, handler, settings, welcomes=welcomes)
        return Route(path, answer, methods=[method])

    @contextlib.asynccontextmanager
    async def cleaning(_app: Starlette) -> AsyncIterator[None]:
        # Kept in a variable: a task that nobody holds may be collected while it runs.
        task = asyncio.create_task(_clean_for_ever(visitors))
        try:
            yield
        finally:
            task.cancel()

    return Starlette(
        routes=[
            # Only loading the page makes a visitor: stray requests must not use up the places.
            route("/api/start", page.start, "POST", welcomes=True),
            route("/api/upload", page.upload, "POST"),
            route("/api/open", page.open, "POST"),
            route("/api/discard", page.discard, "POST"),
            route("/api/object", page.simple(Desk.new_object), "POST"),
            route("/api/rename", page.rename, "POST"),
            route("/api/remove", page.remove, "POST"),
            route("/api/click", page.click, "POST"),
            route("/api/unclick", page.unclick, "POST"),
            route("/api/move", page.move, "POST"),
            route("/api/mask", page.mask, "POST"),
            route("/api/load", page.load, "POST"),
            route("/api/undo", page.simple(Desk.undo), "POST"),
            route("/api/redo", page.simple(Desk.redo), "POST"),
            route("/api/track", page.simple(Desk.track), "POST"),
            route("/api/pause", page.simple(Desk.pause), "POST"),
            route("/api/stop", page.simple(Desk.stop), "POST"),
            route("/api/frame/{index:int}", page.frame, "GET"),
            route("/api/masks/{index:int}", page.masks, "GET"),
            route("/api/timeline", page.timeline, "GET"),
            route("/api/state", page.simple(Desk.tell), "GET"),
            route("/api/videos", page.videos, "GET"),
            route("/api/files", taking.files, "GET"),
            route("/api/file/{name:path}", taking.file, "GET"),
            route("/api/zip", taking.archive, "GET"),
            route("/api/events", page.events, "GET"),
            Route("/{name}", page.asset, methods=["GET"]),
            Route("/", page.asset, methods=["GET"]),
        ],
        middleware=[Middleware(Guard, settings=settings)],
        lifespan=cleaning,
    )


async def _clean_for_ever(visitors: Visitors) -> None:
    while True:
        await asyncio.sleep(CLEANING_SECONDS)
        visitors.clean()


def _visiting(
    visitors: Visitors, handler: Handler, settings: WebSettings, *, welcomes: bool
) -> Callable[[Request], Awaitable[Response]]:
    """Find the visitor of a request, or make one; turn errors for people into answers."""

    async def answer(request: Request) -> Response:
        given, visitor = request.cookies.get(COOKIE), None
        try:
            visitor = await _visitor(visitors, given, welcomes=welcomes)
            response = await handler(request, visitor)
        except RvsamError as error:
            # As on the command line: the visitor's mistake, or the run's failure.
            status = 400 if error.exit_code == UsageError.exit_code else 500
            text = _without_places(str(error), settings, visitor)
            response = JSONResponse({"error": text}, status)
        # Also with an error: else the visitor is there, and nobody can come back to it.
        if visitor is not None and visitor.key != given and not settings.shared:
            # Not for scripts, and never sent along by pages of other sites. For a year: work is
            # found again by it.
            response.set_cookie(
                COOKIE,
                visitor.key,
                max_age=_YEAR_SECONDS,
                path=request.scope.get("root_path") or "/",
                httponly=True,
                samesite="strict",
            )
        return response

    return answer


async def _visitor(visitors: Visitors, given: str | None, *, welcomes: bool) -> Visitor:
    # In a thread: to come back may wait for one's own work to be put away.
    known = await asyncio.to_thread(visitors.find, given)
    if known is None and not welcomes:
        raise UsageError("your session has ended; load the page again")
    if known is None:
        known = await asyncio.to_thread(visitors.welcome)
    return known


def _without_places(text: str, settings: WebSettings, visitor: Visitor | None) -> str:
    """Return a sentence without the folders of this machine, which are no visitor's business."""
    places: list[Path] = [] if visitor is None else [visitor.studio.workspace.root]
    if settings.root is not None:
        places.append(settings.root)
    for place in places:
        for written in (str(place.resolve()), str(place)):
            # "." is a place too, and a full stop.
            if len(written) > 1:
                text = text.replace(f"{written}/", "").replace(written, "the workspace")
    return text
