"""Standard input, pipes and network streams; every server is on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from numbered_clips import FRAMES, read_number

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.sources import container as opening
from rvsam_video.sources import open_source

_READ_STANDARD_INPUT = """
import sys
from rvsam_video.errors import SourceError
from rvsam_video.sources import open_source
try:
    with open_source("-", start=int(sys.argv[1])) as source:
        frames = [frame.index for frame in source]
        print(source.name, source.live, source.size, frames[0], len(frames))
        list(source)
except SourceError as error:
    print(error)
"""


def read_standard_input(data, start=0):
    done = subprocess.run(
        [sys.executable, "-c", _READ_STANDARD_INPUT, str(start)],
        input=data,
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


@pytest.mark.parametrize("name", ["MPEG-TS", "mkv H.264", "fragmented mp4", "GIF", "avi MJPEG"])
def test_standard_input_is_read_as_it_comes_but_only_once(clip, name):
    lines = read_standard_input(clip(name)[0].read_bytes())

    assert lines[0] == f"standard input False (320, 240) 0 {FRAMES}"
    assert lines[1] == ("standard input has ended and cannot be read a second time; open it again")


def test_standard_input_can_start_later(clip):
    lines = read_standard_input(clip("MPEG-TS")[0].read_bytes(), start=50)

    assert lines[0] == "standard input False (320, 240) 50 10"


@pytest.mark.parametrize("data", [b"", b"no video"])
def test_standard_input_without_video_says_what_can_be_sent(data):
    assert "send MP4, MPEG-TS or Matroska" in read_standard_input(data)[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_read_once_without_seeking(clip, tmp_path):
    data, path = clip("MPEG-TS")[0].read_bytes(), tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    with open_source(path) as source:
        assert len(list(source)) == FRAMES
        with pytest.raises(SourceError, match="cannot be read a second time"):
            list(source)
    writer.join()


@contextmanager
def http_server(data, *, announced=None, status=200, keep_open=None):
    """Serve `data` at every path, maybe less than was announced."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            if announced is not None:
                self.send_header("Content-Length", str(announced))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()
            if keep_open is not None:
                keep_open.wait(20)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/clip.ts"
    finally:
        if keep_open is not None:
            keep_open.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_file_on_a_server_is_read_like_a_file(clip):
    data = clip("mkv H.264")[0].read_bytes()
    with http_server(data, announced=len(data)) as address, open_source(address) as source:
        assert not source.live
        assert [read_number(frame.image) for frame in source] == list(range(FRAMES))
        assert len(list(source)) == FRAMES


def test_a_stream_without_end_is_live_and_goes_on_where_it_was(clip):
    data = clip("MPEG-TS")[0].read_bytes()
    with http_server(data) as address:
        with open_source(address) as source:
            assert source.live
            assert source.frame_count is None
            half = iter(source)
            assert [next(half).index for _ in range(10)] == list(range(10))
            half.close()
            rest = []
            # Without a length nobody can tell whether the server has finished or died.
            with pytest.raises(SourceError, match=f"was lost after frame {FRAMES - 1} "):
                rest.extend(frame.index for frame in source)
            assert rest == list(range(10, FRAMES))
            with pytest.raises(SourceError, match="has ended and cannot be read a second time"):
                list(source)
        with pytest.raises(UsageError, match="is live, so it cannot begin at frame 3"):
            open_source(address, start=3)


def test_a_stream_that_falls_silent_is_lost_behind_its_last_frame(clip, monkeypatch):
    monkeypatch.setattr(opening, "READ_SECONDS", 0.5)
    data = clip("MPEG-TS")[0].read_bytes()
    seen = []
    with (
        http_server(data, keep_open=threading.Event()) as address,
        open_source(address) as source,
        pytest.raises(SourceError, match=r"was lost after frame \d+ \(nothing came for 0\.5 s"),
    ):
        seen.extend(frame.index for frame in source)
    assert len(seen) > FRAMES // 2


def test_a_connection_that_breaks_in_the_middle_of_a_file_is_lost(clip):
    data = clip("MPEG-TS")[0].read_bytes()
    with (
        http_server(data[: len(data) // 2], announced=len(data)) as address,
        open_source(address) as source,
        pytest.raises(SourceError, match="was lost after"),
    ):
        list(source)


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(opening, "OPEN_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/clip.ts"
        with pytest.raises(SourceError, match=r"sent no video for 0\.5 seconds; check the address"):
            open_source(address)


@pytest.mark.parametrize(
    ("status", "message"),
    [(404, "404 not found"), (401, "user name or password"), (403, "user name or password")],
)
def test_what_a_server_refuses_is_said_in_plain_words(status, message):
    with http_server(b"", status=status) as address, pytest.raises(SourceError, match=message):
        open_source(address)


def test_a_page_that_is_no_video_is_refused():
    page = b"<html><body>This camera wants a newer browser.</body></html>"
    assert len(page) == 60
    with (
        http_server(page, announced=60) as address,
        pytest.raises(SourceError, match="is no video that can be"),
    ):
        open_source(address)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_refused_connection_names_the_address_without_the_password(scheme):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    address = f"{scheme}://someone:secret@127.0.0.1:{port}/live?token=secret"
    with pytest.raises(SourceError) as caught:
        open_source(address)

    assert f"{scheme}://127.0.0.1:{port}/live refused the connection" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_address_of_an_unknown_kind_is_refused_with_those_that_are_known():
    with pytest.raises(SourceError, match="begin with gopher:// cannot be read; choose one of: rt"):
        open_source("gopher://127.0.0.1/clip.mp4")


def test_decord_does_not_read_streams():
    for what, name in (("-", "standard input"), ("http://127.0.0.1/x", "http://127.0.0.1/x")):
        with pytest.raises(UsageError, match=f"video files only, not {name}"):
            open_source(what, reader="decord")
