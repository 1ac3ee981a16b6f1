"""Weights arrive whole, once, and as published, whatever the server, the disk or others do."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from rvsam_video.checkpoints import (
    CHECKPOINTS,
    Checkpoint,
    checkpoint_path,
    describe_weights,
    fetch,
    file_sha256,
    find_checkpoint,
    load_state_dict,
    verify,
)
from rvsam_video.downloading import Retries
from rvsam_video.errors import RvsamError, UsageError, WeightsError

QUICK = Retries(attempts=3, pause=0)


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


# Noise, so that nothing could compress it or find it twice in the file.
TENSOR = torch.from_numpy(np.random.default_rng(0).standard_normal((600, 500), np.float32))
WEIGHTS = saved({"layer.weight": TENSOR, "layer.bias": torch.zeros(3)})
# A multiple of what is written at a time.
CUT = 8 << 16


@dataclass
class Answer:
    """What the server does with one request."""

    body: bytes = WEIGHTS
    status: int = 200
    ranges: bool = True
    cut: int | None = None
    etag: str | None = None
    pause: float = 0.0
    length: bool = True
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """A web server whose answers are scripted; the last one repeats."""

    url: str
    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def script(self, *answers: Answer) -> None:
        self.answers[:] = answers

    def take(self, path: str, headers: dict[str, str]) -> Answer:
        self.requests.append((path, headers))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.requests]


class Handler(BaseHTTPRequestHandler):
    script: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        answer = self.script.take(self.path, dict(self.headers))
        body, status = answer.body, answer.status
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        fresh = self.headers.get("If-Range") in (None, answer.etag)
        head = dict(answer.headers)
        if asked and answer.ranges and fresh and status == 200:
            start = int(asked[1])
            status = 206 if start < len(body) else 416
            span = f"{start}-{len(body) - 1}" if status == 206 else "*"
            head["Content-Range"] = f"bytes {span}/{len(body)}"
            body = body[start:]
        self.send_response(status)
        if answer.length:
            head["Content-Length"] = str(len(body))
        if answer.etag:
            head["ETag"] = answer.etag
        for key, value in head.items():
            self.send_header(key, value)
        self.end_headers()
        self._send(body[: answer.cut], answer.pause)

    def _send(self, body: bytes, pause: float) -> None:
        pieces = 8 if pause else 1
        step = -(-len(body) // pieces) or 1
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            self.wfile.flush()
            time.sleep(pause)


@pytest.fixture
def server() -> Iterator[Server]:
    handler = type("Scripted", (Handler,), {})
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.script = Server(f"http://127.0.0.1:{httpd.server_port}")
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield handler.script
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def known(server) -> Checkpoint:
    """Weights with a published size and hash."""
    return Checkpoint(
        name="known",
        url=f"{server.url}/known.pt",
        file_name="known.pt",
        licence="Apache-2.0",
        citation="nobody",
        size=len(WEIGHTS),
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
    )


@pytest.fixture
def unpinned(known) -> Checkpoint:
    """Weights whose authors published neither size nor hash."""
    return replace(known, name="unpinned", file_name="unpinned.pt", size=None, sha256=None)


@pytest.fixture
def old(unpinned) -> Checkpoint:
    """Weights of which only an MD5 was published."""
    digest = hashlib.md5(WEIGHTS, usedforsecurity=False).hexdigest()
    return replace(unpinned, name="old", file_name="old.pt", md5=digest)


@pytest.fixture
def get(tmp_path) -> Callable[[Checkpoint], Path]:
    return lambda entry: fetch(entry, cache=tmp_path / "cache", retries=QUICK)


def left_behind(cache: Path) -> list[str]:
    """Everything in the cache but lock files."""
    names = [path.name for path in cache.iterdir()] if cache.is_dir() else []
    return sorted(name for name in names if not name.endswith(".lock"))


# The table


@pytest.mark.parametrize("entry", CHECKPOINTS.values(), ids=list(CHECKPOINTS))
def test_every_entry_says_what_a_user_must_know(entry):
    assert entry.url.startswith("https://")
    assert entry.file_name == entry.url.rpartition("/")[2]
    free = entry.part == "segmenter"
    assert entry.licence == ("Apache-2.0" if free else "CC-BY-NC-4.0")
    assert ("non-commercial use only" in entry.notice) is not free
    assert "arXiv" in entry.citation
    assert entry.sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.sha256)
    assert entry.md5 is None or re.fullmatch("[0-9a-f]{32}", entry.md5)
    assert not (entry.sha256 and entry.md5)


def test_the_table_has_every_published_segmenter():
    assert set(CHECKPOINTS) >= {"repvit-sam", "mobile-sam", "sam-vit-b", "sam-vit-l", "sam-vit-h"}


def test_the_table_has_every_published_tracker_once():
    trackers = {name: entry for name, entry in CHECKPOINTS.items() if entry.part == "tracker"}
    assert set(trackers) == {
        *(f"cotracker1{variant}" for variant in ("", "-wind12", "-stride8")),
        *("cotracker2", "cotracker2.1"),
        *(
            f"cotracker3-{kind}{data}"
            for kind in ("online", "offline")
            for data in ("", "-baseline")
        ),
    }
    assert len({entry.file_name for entry in trackers.values()}) == len(trackers)
    known = [entry.sha256 or entry.md5 for entry in trackers.values()]
    assert len(set(known)) == len(trackers)
    assert [name for name, entry in trackers.items() if not (entry.sha256 or entry.md5)] == [
        "cotracker2.1"
    ]


def test_the_hash_of_a_folder_around_a_file_is_not_taken_for_that_of_the_file():
    # Nix records SHA-256 of an archive of the folder; the file itself never has it.
    of_the_folder = "59ecb29c1a9da98496a299f0604458b7ed08eaa46ae1559487aaab887a11d344"
    assert all(entry.sha256 != of_the_folder for entry in CHECKPOINTS.values())
    assert CHECKPOINTS["cotracker1"].sha256 is None


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"no weights named 'sam2'.*repvit-sam"):
        find_checkpoint("sam2")


# Downloads that end well


def test_a_download_is_verified_and_kept(server, known, get, tmp_path):
    path = get(known)
    assert path == tmp_path / "cache" / "known.pt"
    assert path.read_bytes() == WEIGHTS
    assert left_behind(path.parent) == ["known.pt"]
    assert get(known) == path
    assert len(server.requests) == 1


def test_progress_reaches_the_whole(known, tmp_path):
    seen: list[tuple[int, int | None]] = []
    fetch(known, cache=tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(WEIGHTS), len(WEIGHTS))
    assert seen == sorted(seen)


def test_a_slow_server_is_waited_for(server, known, get):
    server.script(Answer(pause=0.05))
    assert get(known).read_bytes() == WEIGHTS


def test_a_cut_download_goes_on_where_it_broke(server, known, get):
    server.script(Answer(cut=CUT), Answer())
    assert get(known).read_bytes() == WEIGHTS
    assert server.ranges == [None, f"bytes={CUT}-"]


def test_a_download_goes_on_in_the_next_run(server, known, get, tmp_path):
    server.script(Answer(cut=CUT), Answer(status=503))
    with pytest.raises(WeightsError, match="503"):
        get(known)
    assert left_behind(tmp_path / "cache") == ["known.pt.part"]
    server.script(Answer())
    assert get(known).read_bytes() == WEIGHTS
    assert server.ranges[-1] == f"bytes={CUT}-"
    assert left_behind(tmp_path / "cache") == ["known.pt"]


def test_many_cuts_do_not_use_up_the_attempts_while_bytes_arrive(server, known, get):
    cuts = [Answer(cut=CUT // 4) for _ in range(2 * QUICK.attempts)]
    server.script(*cuts, Answer())
    assert get(known).read_bytes() == WEIGHTS


def test_a_server_without_ranges_starts_again(server, known, get):
    server.script(Answer(cut=CUT, ranges=False), Answer(ranges=False))
    assert get(known).read_bytes() == WEIGHTS


def test_a_part_that_is_already_whole_is_not_asked_for(server, known, get, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "known.pt.part").write_bytes(WEIGHTS)
    assert get(known).read_bytes() == WEIGHTS
    assert server.requests == []


def test_a_whole_part_of_unknown_size_ends_with_416(server, known, get, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "known.pt.part").write_bytes(WEIGHTS)
    assert get(replace(known, size=None)).read_bytes() == WEIGHTS
    assert len(server.requests) == 1


def test_a_part_longer_than_the_file_is_thrown_away(known, get, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "known.pt.part").write_bytes(WEIGHTS + b"more")
    assert get(known).read_bytes() == WEIGHTS


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_passing_failure_is_tried_again(server, known, get, status):
    server.script(Answer(status=status, body=b"busy"), Answer())
    assert get(known).read_bytes() == WEIGHTS


def test_redirects_are_followed(server, known, get):
    away = Answer(status=302, body=b"", headers={"Location": "/elsewhere.pt"})
    server.script(away, Answer())
    assert get(known).read_bytes() == WEIGHTS
    assert [path for path, _ in server.requests] == ["/known.pt", "/elsewhere.pt"]


def test_a_server_that_announces_no_length_is_fine(server, known, get):
    server.script(Answer(length=False))
    assert get(known).read_bytes() == WEIGHTS


# Versions of a file are never mixed


def test_without_a_hash_bytes_are_joined_by_etag(server, unpinned, get):
    server.script(Answer(cut=CUT, etag='"one"'), Answer(etag='"one"'))
    assert get(unpinned).read_bytes() == WEIGHTS
    assert server.ranges == [None, f"bytes={CUT}-"]


def test_a_file_that_changed_in_between_starts_again(server, unpinned, get):
    newer = saved({"layer.weight": TENSOR + 1})
    server.script(Answer(cut=CUT, etag='"one"'), Answer(body=newer, etag='"two"'))
    assert get(unpinned).read_bytes() == newer


def test_without_hash_and_etag_it_starts_again(server, unpinned, get):
    server.script(Answer(cut=CUT), Answer())
    assert get(unpinned).read_bytes() == WEIGHTS
    assert server.ranges == [None, None]


# Downloads that must not enter the cache


def damaged() -> bytes:
    data = bytearray(WEIGHTS)
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(body=damaged()), "not the one published"),
        (Answer(body=WEIGHTS[:CUT]), f"has {CUT} bytes, but the published file has {len(WEIGHTS)}"),
        (Answer(body=WEIGHTS[:CUT], length=False), f"sent {CUT} bytes instead of {len(WEIGHTS)}"),
        (Answer(status=404, body=b"no"), "answered 404 Not Found"),
        (Answer(status=403, body=b"no"), "answered 403 Forbidden"),
        (Answer(status=500, body=b"no"), "in 3 attempts: the server answered 500"),
        (Answer(body=b"<html>log in</html>", headers={"Content-Type": "text/html"}), "a web page"),
        (Answer(cut=0), "in 3 attempts"),
        (Answer(status=302, headers={"Location": "/"}), "cannot be had: Exceeded 30 redirects"),
    ],
    ids=["hash", "size", "late size", "404", "403", "500", "html", "hangs up", "loop"],
)
def test_a_wrong_answer_never_enters_the_cache(server, known, get, tmp_path, answer, sentence):
    server.script(answer)
    with pytest.raises(WeightsError, match=sentence):
        get(known)
    assert "known.pt" not in left_behind(tmp_path / "cache")
    server.script(Answer())
    assert get(known).read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"<!DOCTYPE html><html>sign in</html>", "a web page"),
        (WEIGHTS[:CUT], "not a readable PyTorch checkpoint"),
        (damaged(), "does not have its check sum"),
        (saved([1, 2, 3]), "holds list instead of named tensors"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"", "not a readable PyTorch checkpoint"),
    ],
    ids=["html", "truncated", "damaged", "no tensors", "lfs", "empty"],
)
def test_without_a_hash_the_content_must_be_weights(
    server, unpinned, get, tmp_path, body, sentence
):
    server.script(Answer(body=body))
    with pytest.raises(WeightsError, match=sentence):
        get(unpinned)
    assert left_behind(tmp_path / "cache") == []


def test_a_failure_says_what_else_can_be_done(server, known, get):
    server.script(Answer(status=404))
    with pytest.raises(WeightsError, match=r"--checkpoint PATH.*--segmenter grabcut"):
        get(known)


def test_no_server_at_all_is_one_sentence(known, get):
    nowhere = replace(known, url="http://127.0.0.1:9/known.pt")
    with pytest.raises(WeightsError, match=r"in 3 attempts: .*refused"):
        get(nowhere)


# First use


def test_the_first_hash_is_noted_and_held_to(unpinned, get):
    path = get(unpinned)
    note = json.loads((path.parent / "unpinned.pt.json").read_text())
    assert note["sha256"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert note["url"] == unpinned.url
    path.write_bytes(saved({"other": TENSOR}))
    with pytest.raises(WeightsError, match=r"not the one noted in .*unpinned.pt.json"):
        get(unpinned)


def test_a_second_download_must_equal_the_first(server, unpinned, get):
    get(unpinned).unlink()
    server.script(Answer(body=saved({"other": TENSOR})))
    with pytest.raises(WeightsError, match="not the one of the first download"):
        get(unpinned)
    server.script(Answer())
    assert get(unpinned).read_bytes() == WEIGHTS


def test_a_file_put_there_by_hand_is_checked_and_noted(server, unpinned, get, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "unpinned.pt").write_bytes(WEIGHTS)
    path = get(unpinned)
    assert (path.parent / "unpinned.pt.json").is_file()
    assert server.requests == []


def test_where_only_an_md5_is_published_it_must_fit_and_a_sha256_is_noted(server, old, get):
    server.script(Answer(cut=CUT), Answer())
    path = get(old)
    assert server.ranges == [None, f"bytes={CUT}-"]
    note = json.loads((path.parent / "old.pt.json").read_text())
    assert note["sha256"] == hashlib.sha256(WEIGHTS).hexdigest()
    path.write_bytes(saved({"other": TENSOR}))
    with pytest.raises(WeightsError, match=r"not the one noted in .*old.pt.json"):
        get(old)


def test_a_download_with_another_md5_is_not_kept(server, old, get, tmp_path):
    server.script(Answer(body=saved({"other": TENSOR})))
    with pytest.raises(WeightsError, match=r"MD5 .* not the one published .*nothing was kept"):
        get(old)
    assert left_behind(tmp_path / "cache") == []


def test_a_file_put_there_by_hand_must_have_the_published_md5(old, get, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "old.pt").write_bytes(saved({"other": TENSOR}))
    with pytest.raises(WeightsError, match=r"MD5 .* not the one published .*weights fetch old"):
        get(old)
    assert left_behind(tmp_path / "cache") == ["old.pt"]


@pytest.mark.parametrize("entry", ["known", "old"])
def test_the_licence_of_a_file_is_known_if_it_is_the_published_one(
    entry, request, tmp_path, monkeypatch
):
    entry = replace(request.getfixturevalue(entry), licence="CC-BY-NC-4.0")
    monkeypatch.setitem(CHECKPOINTS, entry.name, entry)
    (tmp_path / "same.pt").write_bytes(WEIGHTS)
    (tmp_path / "own.pt").write_bytes(saved({"other": TENSOR}))
    same, own = (describe_weights(entry.name, tmp_path / f"{name}.pt") for name in ("same", "own"))
    assert same["licence"] == "CC-BY-NC-4.0"
    assert same["citation"] == entry.citation
    assert set(own) == {"file", "sha256"}


def test_a_damaged_note_is_named(unpinned, get):
    note = get(unpinned).parent / "unpinned.pt.json"
    note.write_text("{")
    with pytest.raises(WeightsError, match=r"unpinned.pt.json .* remove it"):
        get(unpinned)


def test_a_cached_file_that_was_damaged_is_refused(known, get):
    path = get(known)
    path.write_bytes(damaged())
    with pytest.raises(WeightsError, match=r"not the one published.*weights fetch known"):
        get(known)
    with pytest.raises(WeightsError, match="changed or damaged"):
        verify(known, path)


def test_verify_returns_the_hash(known, get):
    path = get(known)
    assert verify(known, path) == known.sha256 == file_sha256(path)
    with pytest.raises(WeightsError, match="there is no file"):
        verify(known, path.with_name("missing.pt"))


# Others at the same time

_FETCH = """
import sys
from rvsam_video.checkpoints import Checkpoint, fetch
entry = Checkpoint(name="both", url=sys.argv[1], file_name="both.pt", licence="", citation="")
print(fetch(entry, cache=sys.argv[2]))
"""


def test_two_processes_download_once(server, tmp_path):
    server.script(Answer(pause=0.3))
    command = [sys.executable, "-c", _FETCH, f"{server.url}/both.pt", str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    shown = [process.communicate(timeout=120)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert shown == [str(tmp_path / "both.pt")] * 2
    assert len(server.requests) == 1


def test_a_killed_download_is_taken_over(server, known, tmp_path):
    server.script(Answer(pause=60))
    command = [sys.executable, "-c", _FETCH, f"{server.url}/both.pt", str(tmp_path)]
    part = tmp_path / "both.pt.part"
    with subprocess.Popen(command) as process:
        while not server.requests or not part.is_file():
            time.sleep(0.01)
        process.kill()
    server.script(Answer())
    path = fetch(replace(known, file_name="both.pt"), cache=tmp_path, retries=QUICK)
    assert path.read_bytes() == WEIGHTS


# The disk


class FullDisk:
    """A file on a disk with room for `room` bytes."""

    def __init__(self, file: io.BufferedWriter, room: int) -> None:
        self.file, self.room = file, room

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)

    def write(self, data: bytes) -> None:
        if self.file.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.file.write(data)


def test_a_full_disk_is_said_and_nothing_enters(known, get, tmp_path, monkeypatch):
    usual = Path.open

    def full(path: Path, mode: str = "r", **options: object) -> object:
        file = usual(path, mode, **options)
        return FullDisk(file, CUT) if path.suffix == ".part" and "a" in mode else file

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(WeightsError, match=r"the disk is full.*--cache or RVSAM_CACHE"):
        get(known)
    assert "known.pt" not in left_behind(tmp_path / "cache")
    monkeypatch.undo()
    assert get(known).read_bytes() == WEIGHTS


def test_a_file_in_the_place_of_the_cache_is_said(known, tmp_path):
    (tmp_path / "cache").write_text("I was here first")
    with pytest.raises(WeightsError, match=r"a file stands where a folder is needed.*--cache"):
        fetch(known, cache=tmp_path / "cache")


def test_a_cache_without_permission_is_said(known, tmp_path, monkeypatch):
    def refuse(*args: object, **options: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(WeightsError, match=r"no permission to write there.*--cache"):
        fetch(known, cache=tmp_path / "cache")


def test_a_cache_that_is_shared_for_reading_serves(unpinned, get, tmp_path, monkeypatch, caplog):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "unpinned.pt").write_bytes(WEIGHTS)

    def refuse(*args: object, **options: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    assert get(unpinned).read_bytes() == WEIGHTS
    assert "could not be noted" in caplog.text


# Where, and whether at all


def test_the_cache_is_chosen_by_argument_then_environment(server, known, tmp_path, monkeypatch):
    monkeypatch.setitem(CHECKPOINTS, "known", known)
    monkeypatch.setenv("RVSAM_CACHE", str(tmp_path / "environment"))
    assert checkpoint_path("known") == tmp_path / "environment" / "known.pt"
    assert checkpoint_path("known", cache=tmp_path / "own") == tmp_path / "own" / "known.pt"


@pytest.mark.parametrize(("argument", "variable"), [(True, ""), (None, "1"), (None, "true")])
def test_offline_never_touches_the_network(
    server, known, tmp_path, monkeypatch, argument, variable
):
    monkeypatch.setenv("RVSAM_OFFLINE", variable)
    with pytest.raises(WeightsError) as caught:
        fetch(known, cache=tmp_path, offline=argument)
    assert server.requests == []
    for part in ("known", known.url, "--checkpoint PATH", "--tracker lucas-kanade", "grabcut"):
        assert part in str(caught.value)


def test_offline_uses_what_is_here(server, known, get, tmp_path, monkeypatch):
    path = get(known)
    monkeypatch.setenv("RVSAM_OFFLINE", "1")
    assert fetch(known, cache=tmp_path / "cache") == path
    monkeypatch.setenv("RVSAM_OFFLINE", "0")
    path.unlink()
    assert fetch(known, cache=tmp_path / "cache") == path


# Loading


@pytest.mark.parametrize("wrap", [None, "model", "state_dict"])
def test_flat_and_wrapped_checkpoints_load(tmp_path, wrap):
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(4)}
    content = state if wrap is None else {wrap: state, "epoch": 3, "optimizer": {"lr": 0.1}}
    torch.save(content, tmp_path / "own.pt")
    loaded = load_state_dict(tmp_path / "own.pt")
    assert list(loaded) == list(state)
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_the_older_file_format_loads(tmp_path):
    torch.save({"a": TENSOR}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert torch.equal(load_state_dict(str(tmp_path / "old.pt"))["a"], TENSOR)


class Malicious:
    """Would make a folder if it were unpickled in the usual way."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.folder,)


def test_code_in_a_file_is_refused_and_not_run(server, unpinned, get, tmp_path):
    body = saved({"layer.weight": Malicious(tmp_path / "owned")})
    server.script(Answer(body=body))
    with pytest.raises(WeightsError, match="wants to run code"):
        get(unpinned)
    (tmp_path / "own.pt").write_bytes(pickle.dumps(Malicious(tmp_path / "owned")))
    with pytest.raises(WeightsError, match=r"own\.pt"):
        load_state_dict(tmp_path / "own.pt")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({}, "an empty mapping"),
        ({"a": TENSOR, "epoch": 3}, "holds int under 'epoch'"),
        ({1: TENSOR}, "under 1"),
        (TENSOR, "holds Tensor instead of named tensors"),
        ({"model": {"a": [1.0]}}, "holds list under 'a'"),
        (torch.nn.Linear(2, 2), "wants to run code"),
    ],
)
def test_anything_but_named_tensors_is_refused(tmp_path, content, sentence):
    torch.save(content, tmp_path / "own.pt")
    with pytest.raises(WeightsError, match=sentence):
        load_state_dict(tmp_path / "own.pt")


def test_a_missing_file_is_both_kinds_of_error(tmp_path):
    with pytest.raises(OSError, match=r"nothing.pt cannot be read as weights: No such file"):
        load_state_dict(tmp_path / "nothing.pt")
    with pytest.raises(RvsamError, match="Is a directory"):
        load_state_dict(tmp_path)
