"""`Taking`: results leave as single files, or as one ZIP archive of one video or of all."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from rvsam_video.runs.layout import PROMPTS_FILE, RUN_FILE
from rvsam_video.web.desk import Desk, files_of
from rvsam_video.web.files import printable_name
from rvsam_video.web.handlers import done
from rvsam_video.web.settings import WebSettings
from rvsam_video.web.visitors import Visitor

_CHUNK = 1 << 18
_STORED = {".mp4", ".mov", ".png", ".npz", ".jpg"}
"""Compressed already; a second time only costs time."""

RECORDS = frozenset((RUN_FILE, PROMPTS_FILE))
"""Files that say where a run was made."""


class Taking:
    """What the addresses of results do, one method each.

    Args:
        settings: of the page.
    """

    def __init__(self, settings: WebSettings) -> None:
        # On one's own machine files are those of the commands to the last byte; strangers are
        # not told where things lie here.
        self._told = RECORDS if not settings.shared else frozenset[str]()

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
        return StreamingResponse(
            self._packed(path, path.name).chunks(),
            media_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{printable_name(path.name)}"'},
        )

    async def archive(self, request: Request, visitor: Visitor) -> Response:
        """Send a run, or all of them, as a ZIP file that is made while it is sent."""
        folder, paths = await done(visitor.studio.do(Desk.files))
        everything = request.query_params.get("all") == "1"
        entries = self._entries(folder, paths, f"{folder.name}/" if everything else "")
        if everything:
            workspace = visitor.studio.workspace
            for video in await asyncio.to_thread(workspace.videos):
                other = workspace.run_folder(video["key"])
                if other != folder and other.is_dir():
                    entries += self._entries(other, files_of(other), f"{other.name}/")
        return StreamingResponse(
            zip_chunks(entries),
            media_type="application/zip",
            headers={"Content-Disposition": 'attachment; filename="rvsam-video.zip"'},
        )

    def _entries(self, folder: Path, paths: list[Path], before: str) -> list[Packed]:
        return [self._packed(path, before + path.relative_to(folder).as_posix()) for path in paths]

    def _packed(self, path: Path, name: str) -> Packed:
        return Packed(name, path, public_record(path) if path.name in self._told else None)


def public_record(path: Path) -> bytes:
    """Return a record with names in place of the paths of this machine."""
    text = path.read_text(encoding="utf-8")
    record = json.loads(text)
    if path.name == PROMPTS_FILE:
        source = record.get("source", "")
        # In place: the file has a line for each prompt, and keeps them.
        return text.replace(json.dumps(source), json.dumps(Path(source).name), 1).encode()
    return (json.dumps(_named(record), indent=2, ensure_ascii=False) + "\n").encode()


def _named(value: object) -> object:
    if isinstance(value, dict):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item) for item in value]
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name
    return value


def file_chunks(path: Path) -> Iterator[bytes]:
    """Yield a file piece by piece."""
    with path.open("rb") as file:
        yield from iter(lambda: file.read(_CHUNK), b"")


@dataclass(frozen=True, slots=True)
class Packed:
    """One file of an archive.

    Attributes:
        name: in the archive.
        path: the file.
        content: what to put there instead of the file's own content, or None.
    """

    name: str
    path: Path
    content: bytes | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yield the content piece by piece."""
        return file_chunks(self.path) if self.content is None else iter([self.content])


def zip_chunks(entries: Sequence[Packed]) -> Iterator[bytes]:
    """Yield a ZIP archive of files, while it is being made.

    Args:
        entries: the files.
    """
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w") as archive:
        for item in entries:
            path = item.path
            kind = zipfile.ZIP_STORED if path.suffix in _STORED else zipfile.ZIP_DEFLATED
            # With the file's own date and size, as if it had been added whole.
            info = zipfile.ZipInfo.from_file(path, item.name)
            info.compress_type = kind
            # The size must be settled before the entry begins, and videos can be larger than 2 GiB.
            with archive.open(info, "w", force_zip64=True) as entry:
                for chunk in item.chunks():
                    entry.write(chunk)
                    # After each chunk: the archive is never whole in memory or on disk.
                    yield from pieces.take()
            yield from pieces.take()
    yield from pieces.take()


class _Pieces(io.RawIOBase, BinaryIO):
    """A file that cannot be gone back in, whose content is taken away as it comes."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._held.append(bytes(data))
        return len(data)

    def take(self) -> list[bytes]:
        held, self._held = self._held, []
        return held
