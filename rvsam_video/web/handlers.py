"""`Page`: what the addresses do, but for taking results away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from rvsam_video.errors import UsageError
from rvsam_video.prompts.as_json import prompts_from_json
from rvsam_video.prompts.masks import load_mask
from rvsam_video.prompts.prompt import Prompt
from rvsam_video.web.bodies import LONGEST_MASK, Body, read_bytes
from rvsam_video.web.clicks import Click
from rvsam_video.web.desk import Desk
from rvsam_video.web.files import file_below, printable_name, receive, videos_below
from rvsam_video.web.limits import check_pixels
from rvsam_video.web.settings import WebSettings
from rvsam_video.web.visitors import Visitor, Visitors

_T = TypeVar("_T")

_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_MOST_FRAME = 2**31 - 1

Handler = Callable[[Request, Visitor], Awaitable[Response]]


class Page:
    """What the addresses do, one method each.

    Args:
        settings: of the page.
        visitors: those who come; asked for room.
    """

    def __init__(self, settings: WebSettings, visitors: Visitors) -> None:
        self._settings, self._visitors = settings, visitors
        folder = files("rvsam_video.web").joinpath("page")
        # By name and not by path: nothing else of the package can be asked for.
        self._assets = {
            item.name: (item.read_bytes(), _KINDS[Path(item.name).suffix])
            for item in folder.iterdir()
            if Path(item.name).suffix in _KINDS
        }

    async def asset(self, request: Request) -> Response:
        """Send a file of the page itself."""
        entry = self._assets.get(request.path_params.get("name", "index.html"))
        if entry is None:
            return JSONResponse({"error": "there is no such page"}, 404)
        return Response(entry[0], media_type=entry[1])

    async def start(self, _request: Request, visitor: Visitor) -> Response:
        """Say what can be chosen; open the video that was given on the command line."""
        settings, studio = self._settings, visitor.studio
        if settings.source is not None:
            await done(studio.open_once(settings.source, Path(settings.source).name))
        listed: list[str] = []
        if settings.root is not None:
            listed = await asyncio.to_thread(videos_below, settings.root, studio.workspace.root)
        return JSONResponse(
            {
                "videos": listed,
                "cameras": settings.cameras,
                "upload": settings.source is None,
                "max_upload": settings.max_upload,
                "view_width": settings.view_width,
                "worked_on": await asyncio.to_thread(studio.workspace.videos),
                **studio.about(),
            }
        )

    async def upload(self, request: Request, visitor: Visitor) -> Response:
        """Take a video and open it."""
        name, settings = request.query_params.get("name", ""), self._settings
        told = request.headers.get("content-length", "")
        size = min(int(told), settings.max_upload) if told.isdecimal() and len(told) < 20 else 0
        await asyncio.to_thread(self._visitors.make_room, size)
        # Checked before the studio hears of it: a bad upload leaves the open video as it is.
        path = await receive(
            name,
            request.stream(),
            visitor.studio.workspace.uploads,
            settings.max_upload,
            settings.max_pixels,
        )
        return JSONResponse(await done(visitor.studio.open(str(path), printable_name(name))))

    async def open(self, request: Request, visitor: Visitor) -> Response:
        """Open a video of the folder or of those worked on, or a camera."""
        body, studio = await Body.of(request), visitor.studio
        again = body.fields.get("again") is True
        if "camera" in body.fields:
            number = body.whole("camera", 0, 99)
            if not self._settings.cameras:
                raise UsageError("cameras are not offered here; start the page with --cameras")
            return JSONResponse(await done(studio.open(str(number), f"camera {number}")))
        if "key" in body.fields:
            return JSONResponse(await done(studio.reopen(body.text("key"), again=again)))
        name = body.text("video")
        if self._settings.root is None:
            raise UsageError("no folder is offered here; start the page with --root FOLDER")
        path = await asyncio.to_thread(file_below, self._settings.root, name)
        return JSONResponse(await done(studio.open(str(path), name, again=again)))

    async def discard(self, request: Request, visitor: Visitor) -> Response:
        """Remove a video with its results; the page asks first."""
        key = (await Body.of(request)).text("key")
        return JSONResponse(await done(visitor.studio.discard(key)))

    async def videos(self, _request: Request, visitor: Visitor) -> Response:
        """List the videos worked on."""
        listed = await asyncio.to_thread(visitor.studio.workspace.videos)
        return JSONResponse({"videos": listed})

    async def rename(self, request: Request, visitor: Visitor) -> Response:
        """Name an object."""
        body = await Body.of(request)
        key, name = body.whole("object", 1, 255), body.text("name")
        return await _changed(
            visitor, lambda desk: desk.change(lambda book: book.rename(key, name))
        )

    async def remove(self, request: Request, visitor: Visitor) -> Response:
        """Remove an object."""
        key = (await Body.of(request)).whole("object", 1, 255)
        return await _changed(visitor, lambda desk: desk.change(lambda book: book.remove(key)))

    async def click(self, request: Request, visitor: Visitor) -> Response:
        """Take a click or a box."""
        body = await Body.of(request)
        # Ranges here, meaning at the desk: it knows which objects and frames there are.
        key, frame = body.whole("object", 1, 255), body.whole("frame", 0, _MOST_FRAME)
        if "box" in body.fields:
            x0, y0, x1, y1 = body.numbers("box", 4)
            click = Click(key, frame, box=(x0, y0, x1, y1))
        else:
            x, y = body.numbers("point", 2)
            click = Click(key, frame, point=(x, y), label=body.whole("label", 0, 1))
        return JSONResponse(await done(visitor.studio.click(click)))

    async def unclick(self, request: Request, visitor: Visitor) -> Response:
        """Delete a click."""
        body = await Body.of(request)
        number, frame = body.whole("number", 0, 10**6), body.whole("frame", 0, _MOST_FRAME)
        return await _changed(
            visitor, lambda desk: desk.change(lambda book: book.delete(number), frame)
        )

    async def move(self, request: Request, visitor: Visitor) -> Response:
        """Move a click."""
        body = await Body.of(request)
        number, (x, y) = body.whole("number", 0, 10**6), body.numbers("point", 2)
        return await _changed(visitor, lambda desk: desk.move(number, (x, y)))

    async def mask(self, request: Request, visitor: Visitor) -> Response:
        """Take a painted mask."""
        body = await Body.of(request, LONGEST_MASK)
        key, frame = body.whole("object", 1, 255), body.whole("frame", 0, _MOST_FRAME)
        height, width = (int(side) for side in body.numbers("size", 2))
        click = Click(key, frame, mask=(height, width, body.text("counts")))
        return JSONResponse(await done(visitor.studio.click(click)))

    async def load(self, request: Request, visitor: Visitor) -> Response:
        """Take prompts from a prompt file, or a mask from a picture."""
        query = request.query_params
        content = await read_bytes(request, LONGEST_MASK)
        frame = query.get("frame", "0")
        if not frame.isdecimal() or len(frame) > 9:
            raise UsageError("frame must be a whole number")
        prompts = await asyncio.to_thread(
            _prompts_in, content, query.get("name", ""), int(frame), self._settings.max_pixels
        )
        return await _changed(visitor, lambda desk: desk.load(prompts))

    def simple(self, work: Callable[[Desk], dict[str, Any]]) -> Handler:
        """Return a handler that does something at the visitor's desk."""

        async def handler(_request: Request, visitor: Visitor) -> Response:
            return await _changed(visitor, work)

        return handler

    async def frame(self, request: Request, visitor: Visitor) -> Response:
        """Send a frame as it is."""
        index, full = _index(request), request.query_params.get("full") == "1"
        time, picture = await done(visitor.studio.do(lambda desk: desk.picture(index, full=full)))
        return Response(picture, media_type="image/jpeg", headers={"X-Time": f"{time:.6f}"})

    async def masks(self, request: Request, visitor: Visitor) -> Response:
        """Send the masks of a frame: a palette PNG, or nothing."""
        index = _index(request)
        picture = await done(visitor.studio.do(lambda desk: desk.masks(index)))
        if picture is None:
            return Response(status_code=204)
        return Response(picture, media_type="image/png")

    async def timeline(self, _request: Request, visitor: Visitor) -> Response:
        """Send what is known of each object in each frame."""
        return JSONResponse(await done(visitor.studio.do(Desk.timeline)))

    async def events(self, _request: Request, visitor: Visitor) -> Response:
        """Send states and pictures while they come."""

        async def stream() -> AsyncIterator[str]:
            # An open stream means a page that is looked at, however long nothing is clicked.
            visitor.listening += 1
            try:
                # A page that lost the server looks for it again after a second.
                yield "retry: 1000\n\n"
                async for message in visitor.studio.board.listen():
                    yield message
            finally:
                visitor.listening -= 1
                visitor.touch()

        # Proxies that collect answers would keep the pictures back.
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


async def _changed(visitor: Visitor, work: Callable[[Desk], dict[str, Any]]) -> Response:
    return JSONResponse(await done(visitor.studio.do(work)))


async def done(future: Future[_T]) -> _T:
    """Wait for what a studio does, without holding up the other visitors."""
    return await asyncio.wrap_future(future)


def _index(request: Request) -> int:
    index: int = request.path_params["index"]
    if index > _MOST_FRAME:
        raise UsageError(f"there is no frame of this number; the highest is {_MOST_FRAME}")
    return index


def _prompts_in(content: bytes, name: str, frame: int, max_pixels: int) -> list[Prompt]:
    """Read prompts from the bytes of a prompt file, or of a mask picture for one frame."""
    if Path(printable_name(name)).suffix.lower() != ".png":
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            msg = "the file is neither a prompt file (.json) nor a mask picture (.png)"
            raise UsageError(msg) from error
        # Without a folder: a file that names other files must not reach those of the server.
        return prompts_from_json(document)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mask.png"
        path.write_bytes(content)
        check_pixels(str(path), max_pixels)
        return load_mask(path, frame)
