"""`Taking`: results leave as single files, or as one ZIP archive of one video or of all."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from rvsam_video.runs.layout import RUN_FILE
from rvsam_video.web.archive import Entry, file_chunks, zip_chunks
from rvsam_video.web.desk import Desk, files_of
from rvsam_video.web.files import printable_name
from rvsam_video.web.handlers import done
from rvsam_video.web.visitors import Visitor


class Taking:
    """What the addresses of results do, one method each."""

    async def files(self, _request: Request, visitor: Visitor) -> Response:
        """Say what there is to take away."""
        folder, paths = await done(visitor.studio.do(Desk.files))
        names = [
            {"name": path.relative_to(folder).as_posix(), "size": path.stat().st_size}
            for path in paths
            if path.parent == folder
        ]
        return JSONResponse({"files": names})

    async def file(self, request: Request, visitor: Visitor) -> Response:
        """Send one file of the run; only names that the run itself has written are known."""
        folder, paths = await done(visitor.studio.do(Desk.files))
        # Looked up in what the run holds, never joined to a folder: no name can lead out of it.
        known = {path.relative_to(folder).as_posix(): path for path in paths}
        path = known.get(request.path_params["name"])
        if path is None:
            return JSONResponse({"error": "the run has no such file"}, 404)
        content = iter([public_record(path)]) if path.name == RUN_FILE else file_chunks(path)
        return StreamingResponse(
            content,
            media_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{printable_name(path.name)}"'},
        )

    async def archive(self, request: Request, visitor: Visitor) -> Response:
        """Send a run, or all of them, as a ZIP file that is made while it is sent."""
        folder, paths = await done(visitor.studio.do(Desk.files))
        everything = request.query_params.get("all") == "1"
        entries = _entries(folder, paths, f"{folder.name}/" if everything else "")
        if everything:
            workspace = visitor.studio.workspace
            for video in await asyncio.to_thread(workspace.videos):
                other = workspace.run_folder(video["key"])
                if other != folder and other.is_dir():
                    entries += _entries(other, files_of(other), f"{other.name}/")
        return StreamingResponse(
            zip_chunks(entries),
            media_type="application/zip",
            headers={"Content-Disposition": 'attachment; filename="rvsam-video.zip"'},
        )


def _entries(folder: Path, paths: list[Path], before: str) -> list[Entry]:
    return [_entry(path, before + path.relative_to(folder).as_posix()) for path in paths]


def _entry(path: Path, name: str) -> Entry:
    return Entry(name, path, public_record(path) if path.name == RUN_FILE else None)


def public_record(path: Path) -> bytes:
    """Return `run.json` with names in place of the paths of this machine."""
    record = json.loads(path.read_text(encoding="utf-8"))
    return (json.dumps(_named(record), indent=2, ensure_ascii=False) + "\n").encode()


def _named(value: object) -> object:
    if isinstance(value, dict):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item) for item in value]
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name
    return value
