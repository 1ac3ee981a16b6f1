"""The addresses of the page, and what each does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from importlib.resources import files
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from rvsam_video.errors import RvsamError, UsageError
from rvsam_video.web.archive import file_chunks, zip_chunks
from rvsam_video.web.bodies import Body
from rvsam_video.web.clicks import Click
from rvsam_video.web.desk import Desk
from rvsam_video.web.files import file_below, printable_name, receive, videos_below
from rvsam_video.web.guard import Guard
from rvsam_video.web.settings import WebSettings
from rvsam_video.web.visitors import Visitor, Visitors

COOKIE = "rvsam_visitor"
CLEANING_SECONDS = 60.0
_T = TypeVar("_T")

# By name and not by path: nothing else of the package can be asked for.
_PAGE = {
    "": ("index.html", "text/html"),
    "app.js": ("app.js", "text/javascript"),
    "style.css": ("style.css", "text/css"),
}

Handler = Callable[[Request, Visitor], Awaitable[Response]]


def create_app(visitors: Visitors, settings: WebSettings) -> Starlette:
    """Return the application; the caller serves it and closes `visitors` afterwards.

    Args:
        visitors: those who come.
        settings: of the page.
    """
    page = Page(settings)

    def route(path: str, handler: Handler, method: str) -> Route:
        return Route(path, _visiting(visitors, handler), methods=[method])

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
            route("/api/start", page.start, "POST"),
            route("/api/upload", page.upload, "POST"),
            route("/api/open", page.open, "POST"),
            route("/api/object", page.new_object, "POST"),
            route("/api/rename", page.rename, "POST"),
            route("/api/remove", page.remove, "POST"),
            route("/api/click", page.click, "POST"),
            route("/api/undo", page.simple(Desk.undo), "POST"),
            route("/api/track", page.simple(Desk.track), "POST"),
            route("/api/pause", page.simple(Desk.pause), "POST"),
            route("/api/stop", page.simple(Desk.stop), "POST"),
            route("/api/frame/{index:int}", page.frame, "GET"),
            route("/api/files", page.list_files, "GET"),
            route("/api/file/{name:path}", page.file, "GET"),
            route("/api/zip", page.archive, "GET"),
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
        # Removing files and ending workers takes time that the server's loop does not have.
        await asyncio.to_thread(visitors.clean)


def _visiting(visitors: Visitors, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Find the visitor of a request, or make one; turn errors for people into answers."""

    async def answer(request: Request) -> Response:
        try:
            known = visitors.find(request.cookies.get(COOKIE))
            # Only loading the page makes a visitor: stray requests must not use up the places.
            if known is None and request.url.path != "/api/start":
                raise UsageError("your session has ended; load the page again")
            visitor = known or visitors.welcome()
            response = await handler(request, visitor)
            if known is None:
                # Not for scripts, and never sent along by pages of other sites.
                response.set_cookie(COOKIE, visitor.key, httponly=True, samesite="strict")
        except RvsamError as error:
            # As on the command line: the visitor's mistake, or the run's failure.
            status = 400 if error.exit_code == UsageError.exit_code else 500
            return JSONResponse({"error": str(error)}, status)
        return response

    return answer


class Page:
    """What the addresses do, one method each.

    Args:
        settings: of the page.
    """

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings

    async def asset(self, request: Request) -> Response:
        """Send a file of the page itself; there are three."""
        entry = _PAGE.get(request.path_params.get("name", ""))
        if entry is None:
            return JSONResponse({"error": "there is no such page"}, 404)
        name, kind = entry
        content = files("rvsam_video.web").joinpath("page").joinpath(name).read_bytes()
        return Response(content, media_type=kind)

    async def start(self, _request: Request, visitor: Visitor) -> Response:
        """Say what can be chosen; open the video that was given on the command line."""
        settings = self._settings
        if settings.source is not None:
            await _done(visitor.studio.open_once(settings.source, settings.source))
        listed = await asyncio.to_thread(videos_below, settings.root) if settings.root else []
        return JSONResponse(
            {
                "videos": listed,
                "cameras": settings.cameras,
                "upload": settings.source is None,
                "max_upload": settings.max_upload,
                **visitor.studio.about(),
            }
        )

    async def upload(self, request: Request, visitor: Visitor) -> Response:
        """Take a video and open it."""
        name = request.query_params.get("name", "")
        # Checked before the studio hears of it: a bad upload leaves the open video as it is.
        path = await receive(
            name, request.stream(), visitor.studio.folder, self._settings.max_upload
        )
        return JSONResponse(await _done(visitor.studio.open(str(path), printable_name(name))))

    async def open(self, request: Request, visitor: Visitor) -> Response:
        """Open a video of the folder, or a camera."""
        body = await Body.of(request)
        if "camera" in body.fields:
            number = body.whole("camera", 0, 99)
            if not self._settings.cameras:
                raise UsageError("cameras are not offered here; start the page with --cameras")
            return JSONResponse(await _done(visitor.studio.open(str(number), f"camera {number}")))
        name = body.text("video")
        if self._settings.root is None:
            raise UsageError("no folder is offered here; start the page with --root FOLDER")
        path = await asyncio.to_thread(file_below, self._settings.root, name)
        return JSONResponse(await _done(visitor.studio.open(str(path), name)))

    async def new_object(self, _request: Request, visitor: Visitor) -> Response:
        """Add an object."""
        return JSONResponse(await _done(visitor.studio.do(Desk.new_object)))

    async def rename(self, request: Request, visitor: Visitor) -> Response:
        """Name an object."""
        body = await Body.of(request)
        object_id, name = body.whole("object", 1, 255), body.text("name")
        return JSONResponse(
            await _done(visitor.studio.do(lambda desk: desk.rename(object_id, name)))
        )

    async def remove(self, request: Request, visitor: Visitor) -> Response:
        """Remove an object."""
        object_id = (await Body.of(request)).whole("object", 1, 255)
        return JSONResponse(await _done(visitor.studio.do(lambda desk: desk.remove(object_id))))

    async def click(self, request: Request, visitor: Visitor) -> Response:
        """Take a click or a box."""
        body = await Body.of(request)
        # Ranges here, meaning at the desk: it knows which objects and frames there are.
        object_id, frame = body.whole("object", 1, 255), body.whole("frame", 0, 2**31 - 1)
        if "box" in body.fields:
            x0, y0, x1, y1 = body.numbers("box", 4)
            click = Click(object_id, frame, box=(x0, y0, x1, y1))
        else:
            x, y = body.numbers("point", 2)
            click = Click(object_id, frame, point=(x, y), label=body.whole("label", 0, 1))
        return JSONResponse(await _done(visitor.studio.click(click)))

    def simple(self, work: Callable[[Desk], dict[str, Any]]) -> Handler:
        """Return a handler that does something at the visitor's desk."""

        async def handler(_request: Request, visitor: Visitor) -> Response:
            return JSONResponse(await _done(visitor.studio.do(work)))

        return handler

    async def frame(self, request: Request, visitor: Visitor) -> Response:
        """Send a frame with its masks."""
        index: int = request.path_params["index"]
        picture = await _done(visitor.studio.do(lambda desk: desk.view(index)))
        return Response(picture, media_type="image/jpeg")

    async def list_files(self, _request: Request, visitor: Visitor) -> Response:
        """Say what there is to take away."""
        folder, paths = await _done(visitor.studio.do(Desk.files))
        names = [
            {"name": path.relative_to(folder).as_posix(), "size": path.stat().st_size}
            for path in paths
            if path.parent == folder
        ]
        return JSONResponse({"files": names})

    async def file(self, request: Request, visitor: Visitor) -> Response:
        """Send one file of the run; only names that the run itself has written are known."""
        folder, paths = await _done(visitor.studio.do(Desk.files))
        # Looked up in what the run holds, never joined to a folder: no name can lead out of it.
        known = {path.relative_to(folder).as_posix(): path for path in paths}
        path = known.get(request.path_params["name"])
        if path is None:
            return JSONResponse({"error": "the run has no such file"}, 404)
        return StreamingResponse(
            file_chunks(path),
            media_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{printable_name(path.name)}"'},
        )

    async def archive(self, _request: Request, visitor: Visitor) -> Response:
        """Send the whole run as a ZIP file that is made while it is sent."""
        folder, paths = await _done(visitor.studio.do(Desk.files))
        return StreamingResponse(
            zip_chunks(folder, paths),
            media_type="application/zip",
            headers={"Content-Disposition": 'attachment; filename="rvsam-video.zip"'},
        )

    async def events(self, _request: Request, visitor: Visitor) -> Response:
        """Send states and pictures while they come."""

        async def stream() -> AsyncIterator[str]:
            # An open stream means a page that is looked at, however long nothing is clicked.
            visitor.listening += 1
            try:
                async for message in visitor.studio.board.listen():
                    yield message
            finally:
                visitor.listening -= 1
                visitor.touch()

        return StreamingResponse(stream(), media_type="text/event-stream")


async def _done(future: Future[_T]) -> _T:
    # The worker's future, waited for without holding up the other visitors.
    return await asyncio.wrap_future(future)
