"""Serve the page on this machine until it is told to stop."""

from __future__ import annotations

import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from rvsam_video.errors import UsageError
from rvsam_video.streaming.engine import VideoSegmenter
from rvsam_video.web.settings import LOOPBACK, WebSettings

if TYPE_CHECKING:
    from uvicorn import Server


def serve(
    segmenter: VideoSegmenter,
    settings: WebSettings,
    *,
    say: Callable[[str], None],
    open_browser: bool = True,
) -> None:
    """Serve the page until Ctrl-C, SIGTERM or the end of the terminal it was started in.

    Args:
        segmenter: the pair that tracks.
        settings: of the page.
        say: takes sentences for people, the address among them.
        open_browser: show the page in the visitor's browser, where there is one.

    Raises:
        UsageError: if the packages for the page are missing, or the port is taken.
    """
    try:
        import uvicorn

        from rvsam_video.web.app import create_app
        from rvsam_video.web.visitors import Visitors
    except ModuleNotFoundError as error:
        msg = f"the page needs the package {error.name}; run: pip install 'rvsam-video[web]'"
        raise UsageError(msg) from error
    # Bound here and handed on: a port taken is told in one sentence, and port 0 has its number.
    listener = _listen(settings)
    address = _address(settings, listener.getsockname()[1])
    with listener:
        visitors = Visitors(segmenter, settings.workspace, settings)
        config = uvicorn.Config(
            create_app(visitors, settings),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        server = _orderly(uvicorn.Server(config), visitors.end_streams)
        say(f"the page is at {address} (Ctrl-C ends it; work is saved as it is done)")
        if open_browser:
            # A moment later, when the server answers; a browser that comes too early shows an
            # error.
            threading.Timer(0.5, _show, (address,)).start()
        try:
            with suppress(KeyboardInterrupt), _ending_by_signals(server):
                server.run(sockets=[listener])
        # Also after an error: visitors' runs are finished, so that their files are whole.
        finally:
            say("finishing files ...")
            visitors.close()
            say(f"results are in {settings.out or settings.workspace}")


def _orderly(server: Server, ending: Callable[[], None]) -> Server:
    """Let a server end its endless streams first when it is told to stop."""
    before = server.shutdown

    async def shutdown(sockets: list[socket.socket] | None = None) -> None:
        # Else they are torn down in the middle, with a traceback for each open page.
        ending()
        await before(sockets)

    server.shutdown = shutdown  # type: ignore[method-assign]
    return server


@contextmanager
def _ending_by_signals(server: Server) -> Iterator[None]:
    """Let the server end in order when it is told to stop, or its terminal is closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    previous = {}
    # The server handles some itself, and then raises them again for whoever had them before; by
    # default that would end the process before files are finished.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # Ignored by the one who started us, as nohup does: that was meant.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            previous[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(16)


def free_port(wanted: int) -> int:
    """Return this port of the loopback address, or 0 (any) if it is taken."""
    with socket.socket() as probe:
        # Else a page that has just ended would keep its own port busy for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted


def _listen(settings: WebSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        # Now, so that a browser that comes before the server is ready waits for it.
        listener.listen()
    except OSError as error:
        listener.close()
        msg = (
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); choose another "
            "--port, or 0 for any free one"
        )
        raise UsageError(msg) from error
    return listener


def _address(settings: WebSettings, port: int) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    token = f"?token={settings.token}" if settings.token else ""
    if settings.host not in LOOPBACK and settings.host in ("0.0.0.0", "::"):  # noqa: S104
        # 0.0.0.0 is no address that a browser can go to.
        host = socket.gethostname()
    return f"http://{host}:{port}/{token}"


def _show(address: str) -> None:
    with suppress(webbrowser.Error):
        webbrowser.open(address)
