"""One file over HTTP into a partial file: resumed where it broke off, tried again, never mixed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rvsam_video.errors import WeightsError

if TYPE_CHECKING:
    from requests import Response

_LOGGER = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and, where the server tells, the bytes of the whole."""

_CHUNK = 1 << 16
"""Bytes at a time. When a connection breaks, what came of the last chunk is lost."""

_TIMEOUT = (15.0, 30.0)
"""Seconds to connect, and seconds without a single byte, before an attempt is given up."""

_OK, _PARTIAL, _RANGE_REFUSED = 200, 206, 416
_CLIENT_ERRORS, _SERVER_ERRORS = 400, 500
_PASSING = (408, 425, 429)
"""Client errors that say "later", not "never"."""


class _TryAgainError(Exception):
    """An answer that may be better next time."""


class _CompleteError(Exception):
    """An answer that says that nothing is missing."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How stubborn a download is.

    Attributes:
        attempts: failures in a row, without a byte gained, after which it is given up.
        pause: seconds before the second attempt; doubles with each failure in a row.
    """

    attempts: int = 5
    pause: float = 1.0


def download(
    url: str,
    part: Path,
    *,
    size: int | None = None,
    resumable: bool = False,
    progress: Progress | None = None,
    retries: Retries | None = None,
) -> None:
    """Bring the content of `url` into `part`, going on behind the bytes it already has.

    Bytes are only joined to earlier ones if the server says they belong to the same version of the
    file (its ETag is kept beside `part`), or if the caller checks a hash afterwards.

    Args:
        url: an http(s) address; redirects are followed.
        part: the partial file; stays behind when the download fails, for the next try.
        size: bytes the whole must have, or None if unknown.
        resumable: the caller checks a hash of the whole, so going on without an ETag is safe.
        progress: told of every chunk.
        retries: how often and how quickly to try again.

    Raises:
        WeightsError: if the server refuses, announces another size or sends a web page, if it
            keeps failing, or if `part` cannot be written.
    """
    retries = retries or Retries()
    furthest, failures = _size_of(part), 0
    while True:
        try:
            _attempt(url, part, size=size, resumable=resumable, progress=progress)
        except _TryAgainError as error:
            there = _size_of(part)
            # Counted from the last byte gained: a slow line that gets on is not given up.
            failures = 1 if there > furthest else failures + 1
            furthest = max(furthest, there)
            if failures >= retries.attempts:
                msg = f"{url} could not be downloaded in {failures} attempts: {error}"
                raise WeightsError(msg) from error
            _LOGGER.info("%s: %s; trying again", url, error)
            # Doubling: a server in trouble is not helped by haste.
            time.sleep(retries.pause * 2 ** (failures - 1))
        else:
            _etag_file(part).unlink(missing_ok=True)
            return


def discard(part: Path) -> None:
    """Remove a partial file and what is kept beside it."""
    for path in (part, _etag_file(part)):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _attempt(
    url: str, part: Path, *, size: int | None, resumable: bool, progress: Progress | None
) -> None:
    with part.open("ab") as file:
        transfer = _Transfer(file, _etag_file(part), size=size, progress=progress)
        # All of it came, and only the check afterwards was cut off.
        if size is not None and transfer.done == size:
            return
        try:
            _stream(url, transfer, transfer.headers(resumable=resumable))
        except _CompleteError:
            return
        # Servers and proxies close connections early without an error.
        if transfer.total is not None and transfer.done < transfer.total:
            msg = f"the connection ended after {transfer.done} of {transfer.total} bytes"
            raise _TryAgainError(msg)


def _stream(url: str, transfer: _Transfer, headers: dict[str, str]) -> None:
    import pooch
    from requests import ConnectionError as NoConnection
    from requests import RequestException, Timeout
    from requests.exceptions import ChunkedEncodingError

    downloader = pooch.HTTPDownloader(
        chunk_size=_CHUNK,
        timeout=_TIMEOUT,
        headers=headers,
        # The status must be seen before the body is appended to what is there.
        hooks={"response": transfer.begin},
    )
    try:
        downloader(url, transfer, None)
    except (NoConnection, Timeout, ChunkedEncodingError) as error:
        raise _TryAgainError(_reason(error)) from error
    except RequestException as error:
        msg = f"{url} cannot be had: {_reason(error)}"
        raise WeightsError(msg) from error


class _Transfer:
    """The file-like object that the downloader writes to, and its look at the answer's head.

    Args:
        file: the partial file, opened to append.
        etag_file: where the version that its bytes belong to is kept.
        size: bytes the whole must have, or None.
        progress: told of every chunk.
    """

    def __init__(
        self, file: BinaryIO, etag_file: Path, *, size: int | None, progress: Progress | None
    ) -> None:
        self._file, self._etag_file, self._size = file, etag_file, size
        self._progress = progress
        self.done = file.tell()
        self.total: int | None = None

    def headers(self, *, resumable: bool) -> dict[str, str]:
        """Return the request's headers; starts the file anew if its bytes cannot be trusted."""
        # A body compressed on the way could not be resumed: ranges would count other bytes.
        headers = {"Accept-Encoding": "identity"}
        etag = self._etag_file.read_text() if self._etag_file.is_file() else ""
        # Bytes of an unknown version, and nothing that would notice a mixture.
        if self.done and not etag and not resumable:
            self._restart()
        if self.done:
            headers["Range"] = f"bytes={self.done}-"
            # If the file has changed meanwhile, the server sends all of it instead of the rest.
            headers |= {"If-Range": etag} if etag else {}
        return headers

    def begin(self, response: Response, **_: object) -> None:
        """Read the answer's status and headers, before any of its body is written."""
        # The hook is called for each answer on the way; only the last one has the file.
        if response.is_redirect:
            return
        status = response.status_code
        if status == _RANGE_REFUSED:
            self._range_refused(response.headers.get("Content-Range", ""))
        if status in _PASSING or status >= _SERVER_ERRORS:
            msg = f"the server answered {status} {response.reason}"
            raise _TryAgainError(msg)
        if status >= _CLIENT_ERRORS:
            msg = f"{response.url} cannot be had: the server answered {status} {response.reason}"
            raise WeightsError(msg)
        # Many servers answer with a page and 200 where there is no file.
        self._refuse_web_page(response)
        if status == _PARTIAL:
            self._continue(response.headers.get("Content-Range", ""))
        else:
            self._restart()
            length = response.headers.get("Content-Length", "")
            self.total = int(length) if length.isdigit() else None
        self._compare_size(response.url)
        self._keep_etag(response.headers.get("ETag", ""))

    def write(self, data: bytes) -> None:
        """Append a chunk."""
        self._file.write(data)
        self.done += len(data)
        if self._progress is not None:
            self._progress(self.done, self.total)

    def flush(self) -> None:
        """Hand the bytes to the system, so that they outlive this process."""
        self._file.flush()

    def _restart(self) -> None:
        self._file.truncate(0)
        self._file.seek(0)
        self._etag_file.unlink(missing_ok=True)
        self.done = 0

    def _continue(self, content_range: str) -> None:
        start, total = _parse_range(content_range)
        if start != self.done:
            self._restart()
            msg = f"the server sent bytes from {start} on instead of the ones asked for"
            raise _TryAgainError(msg)
        self.total = total

    def _range_refused(self, content_range: str) -> None:
        """Nothing lies behind our bytes: either we have all of them, or of another file."""
        total = content_range.rpartition("/")[2]
        if total.isdigit() and int(total) == self.done:
            raise _CompleteError
        self._restart()
        msg = "the server has no bytes where the partial file ends"
        raise _TryAgainError(msg)

    def _refuse_web_page(self, response: Response) -> None:
        if response.headers.get("Content-Type", "").startswith("text/html"):
            msg = (
                f"{response.url} is a web page, not a file of weights; a login page or proxy may "
                "stand in between"
            )
            raise WeightsError(msg)

    def _compare_size(self, url: str) -> None:
        if None not in (self._size, self.total) and self._size != self.total:
            self._restart()
            msg = f"{url} has {self.total} bytes, but the published file has {self._size}"
            raise WeightsError(msg)

    def _keep_etag(self, etag: str) -> None:
        # Weak ones ("W/...") promise likeness, not the same bytes.
        if etag.startswith('"'):
            self._etag_file.write_text(etag)


def _parse_range(content_range: str) -> tuple[int | None, int | None]:
    """Read `bytes START-END/TOTAL`; None for what is missing."""
    span, _, total = content_range.removeprefix("bytes").strip().partition("/")
    start = span.partition("-")[0]
    return (
        int(start) if start.isdigit() else None,
        int(total) if total.isdigit() else None,
    )


def _reason(error: Exception) -> str:
    """The innermost cause, without the addresses of objects that wrap it."""
    inner: BaseException = error
    while (cause := inner.__cause__ or inner.__context__) is not None:
        inner = cause
    return str(inner) or type(inner).__name__


def _etag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _size_of(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
