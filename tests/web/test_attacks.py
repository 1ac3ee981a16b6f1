"""Requests that no browser of ours sends: one sentence and a status of 4xx, never a bug."""

from __future__ import annotations

import http.client
import struct
import zlib
from typing import Any

import pytest
from page_tests import Client, click_on

BIG = "9" * 400


def picture(width: int, height: int) -> bytes:
    """Return a PNG that is small in the file and large when it is decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(rows.compress(row) for _ in range(height)) + rows.flush()
    head = b"\x89PNG\r\n\x1a\n"
    return head + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


HEADERS = [
    {"Host": "["},
    {"Host": "[::1"},
    {"Host": "evil.example"},
    {"Host": ""},
    {"Host": "127.0.0.1@evil.example"},
    {"Origin": "http://["},
    {"Origin": "null"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", HEADERS, ids=str)
def test_hostile_headers(headers: dict[str, str], serve: Any) -> None:
    client = serve()
    client.post("/api/start")
    status, answer = client.ask("POST", "/api/pause", {}, **headers)
    assert 400 <= status < 500
    assert "error" in answer


BODIES = [
    ("/api/click", f'{{"object": 1, "frame": 0, "point": [{BIG}, 1], "label": 1}}'),
    ("/api/click", f'{{"object": {BIG}, "frame": 0, "point": [1, 1], "label": 1}}'),
    ("/api/click", f'{{"object": 1, "frame": {BIG}, "point": [1, 1], "label": 1}}'),
    ("/api/click", f'{{"object": 1, "frame": 0, "box": [1, 1, {BIG}, 9]}}'),
    ("/api/click", '{"object": 1, "frame": 0, "point": [NaN, Infinity], "label": 1}'),
    ("/api/click", '{"object": 1, "frame": 0, "point": [true, 1], "label": 1}'),
    ("/api/click", "[" * 50_000),
    ("/api/click", '{"object": 1, "frame": ' + "9" * 5000 + "}"),
    ("/api/rename", r'{"object": 1, "name": "\ud800"}'),
    ("/api/open", r'{"video": "\ud800.mp4"}'),
    ("/api/open", r'{"key": "\ud800"}'),
    ("/api/open", '{"key": "../.."}'),
    ("/api/discard", '{"key": ".."}'),
    ("/api/move", '{"number": 0, "point": [1e999, 0]}'),
    ("/api/mask", '{"object": 1, "frame": 0, "size": [16384, 16384], "counts": "0"}'),
    ("/api/mask", '{"object": 1, "frame": 0, "size": [-1, 2], "counts": "0"}'),
    ("/api/mask", r'{"object": 1, "frame": 0, "size": [180, 320], "counts": "\ud800"}'),
    ("/api/load?name=p.json", '{"version": 1, "prompts": [{"mask": {"file": "/etc/passwd"}}]}'),
    ("/api/load?name=p.json&frame=-1", "{}"),
    ("/api/load?name=m.png", "no picture"),
    ("/api/upload?name=%ED%A0%80.exe", "x"),
]


@pytest.fixture
def opened(serve: Any, clip: Any) -> Client:
    client: Client = serve()
    client.post("/api/start")
    client.post("/api/open", {"video": "sea.mp4"})
    client.post("/api/click", {"object": 1, "frame": 0, "point": click_on(clip, 1, 0), "label": 1})
    return client


def test_hostile_bodies_and_addresses(opened: Client, tmp_path: Any) -> None:
    before = opened.ask("GET", "/api/state")[1]["objects"]
    for path, body in BODIES:
        status, answer = opened.ask("POST", path, body.encode())
        assert 400 <= status < 500, (path, body[:60], status, answer)
        assert "\n" not in answer["error"]
        assert str(tmp_path) not in answer["error"]
    for path in (
        f"/api/frame/{BIG}",
        f"/api/masks/{BIG}",
        "/api/frame/-1",
        "/api/file/..%2f..%2frun.json",
        "/api/file/%00",
        "/settings.py",
        "/..%2fapp.py",
    ):
        assert 400 <= opened.ask("GET", path)[0] < 500, path
    assert opened.ask("GET", "/api/state")[1]["objects"] == before


@pytest.mark.parametrize("name", ["bomb.png", "bomb.gif"])
def test_a_small_file_of_a_large_picture_is_refused_unseen(name: str, serve: Any) -> None:
    client = serve(root=None)
    client.post("/api/start")
    content = picture(20_000, 20_000)
    if name.endswith("gif"):
        content = b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + b"\x2c" + bytes(40)
    assert len(content) < 100_000
    status, answer = client.ask("POST", f"/api/upload?name={name}", content)
    assert status == 400
    assert "at most 36 million are taken" in answer["error"]


def test_a_made_up_cookie_names_no_folder(serve: Any) -> None:
    client = serve()
    client.cookie = "rvsam_visitor=../../x"
    assert client.ask("GET", "/api/state")[0] == 400
    client.post("/api/start")
    assert client.cookie.split("=")[1] != "x"


def test_two_hosts_in_one_request(serve: Any) -> None:
    client = serve()
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
    connection.putrequest("GET", "/", skip_host=True)
    connection.putheader("Host", "evil.example")
    connection.putheader("Host", "127.0.0.1")
    connection.endheaders()
    assert 400 <= connection.getresponse().status < 500
    connection.close()


def test_records_hold_no_path_of_the_server(opened: Client, videos: Any) -> None:
    import io
    import zipfile

    status, record = opened.ask("GET", "/api/file/run.json")
    assert status == 200
    assert str(videos) not in record.decode()
    data = opened.ask("GET", "/api/zip")[1]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            assert str(videos).encode() not in archive.read(name), name
