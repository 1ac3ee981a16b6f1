"""`rvsam-video weights`: list, fetch, verify and path, for people and for scripts."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from rvsam_video.cli.main import main
from rvsam_video.weights.fetch import PUBLISHED, PublishedWeights


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and weights named tiny that a server on this machine offers."""
    folder = tmp_path / "published"
    folder.mkdir()
    torch.save({"a": torch.arange(100.0)}, folder / "tiny.pt")
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    entry = PublishedWeights(
        name="tiny",
        url=f"http://127.0.0.1:{httpd.server_port}/tiny.pt",
        file_name="tiny.pt",
        licence="MIT",
        citation="nobody",
        sha256=hashlib.sha256((folder / "tiny.pt").read_bytes()).hexdigest(),
    )
    monkeypatch.setitem(PUBLISHED, "tiny", entry)
    monkeypatch.setenv("RVSAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RVSAM_OFFLINE", raising=False)
    yield tmp_path / "cache"
    httpd.shutdown()
    httpd.server_close()


def test_list_shows_licences_and_what_is_here(cache, capsys):
    assert main(["weights", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert str(cache) in lines[0]
    assert all("not fetched" in line for line in lines[1:])
    assert any(line.startswith("mobile-sam") and "40.7 MB  Apache-2.0" in line for line in lines)
    shown = {line.split()[0]: line for line in lines[1:]}
    assert "101.7 MB  CC-BY-NC-4.0" in shown["cotracker3-online"]
    assert shown["cotracker2.1"].split()[1:3] == ["?", "CC-BY-NC-4.0"]


def test_fetch_tells_of_a_licence_that_forbids_commercial_use(cache, capsys, monkeypatch):
    assert main(["weights", "fetch", "tiny"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setitem(PUBLISHED, "tiny", replace(PUBLISHED["tiny"], licence="CC-BY-NC-4.0"))
    assert main(["weights", "fetch", "tiny"]) == 0
    streams = capsys.readouterr()
    assert "tiny are for non-commercial use only (CC-BY-NC-4.0)" in streams.err
    assert "commercial" not in streams.out


def test_fetch_path_verify(cache, capsys):
    assert main(["weights", "fetch", "tiny"]) == 0
    assert main(["weights", "path", "tiny"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [f"tiny  {cache / 'tiny.pt'}", str(cache / "tiny.pt")]
    assert main(["weights", "verify"]) == 0
    assert "ok  sha256" in capsys.readouterr().out
    assert main(["weights", "list"]) == 0
    assert "MIT           here" in capsys.readouterr().out


def test_machines_get_json(cache, capsys):
    assert main(["weights", "fetch", "tiny", "--json"]) == 0
    fetched = json.loads(capsys.readouterr().out)
    assert fetched["event"] == "fetched"
    assert fetched["path"] == str(cache / "tiny.pt")
    assert main(["weights", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["weights"]}
    assert rows["tiny"]["present"]
    assert not rows["repvit-sam"]["present"]
    assert main(["weights", "verify", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sha256"] == PUBLISHED["tiny"].sha256
    assert main(["weights", "path", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["licence"] == "MIT"


def test_verify_finds_a_changed_file(cache, capsys):
    assert main(["weights", "fetch", "tiny"]) == 0
    (cache / "tiny.pt").write_bytes(b"something else")
    capsys.readouterr()
    assert main(["weights", "verify"]) == 1
    assert "not the one published" in capsys.readouterr().out
    assert main(["weights", "verify", "tiny", "--json"]) == 1
    assert not json.loads(capsys.readouterr().out)["ok"]


def test_verify_without_weights_says_so(cache, capsys):
    assert main(["weights", "verify"]) == 0
    assert "no weights in the cache" in capsys.readouterr().out
    assert main(["weights", "verify", "tiny"]) == 1


def test_another_cache_can_be_given(cache, tmp_path, capsys):
    assert main(["weights", "fetch", "tiny", "--cache", str(tmp_path / "own")]) == 0
    assert (tmp_path / "own" / "tiny.pt").is_file()
    assert not cache.exists()


def test_path_of_missing_weights_fails_with_the_command_to_run(cache, capsys):
    assert main(["weights", "path", "tiny"]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "rvsam-video weights fetch tiny" in streams.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fetch", "nothing"], "no set of weights named 'nothing'"),
        (["fetch"], "or use --all"),
        (["path"], "Missing argument"),
        ([], "Missing command"),
    ],
)
def test_bad_usage_is_one_sentence(cache, capsys, arguments, sentence):
    assert main(["weights", *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize("how", ["option", "environment"])
def test_offline_downloads_nothing(cache, capsys, monkeypatch, how):
    monkeypatch.setenv("RVSAM_OFFLINE", "1" if how == "environment" else "")
    option = ["--offline"] if how == "option" else []
    assert main(["weights", "fetch", "tiny", *option]) == 1
    assert "--checkpoint PATH" in capsys.readouterr().err
    assert not cache.exists()


def test_a_file_of_unknown_hash_is_not_called_ok(cache, capsys, monkeypatch):
    monkeypatch.setitem(PUBLISHED, "tiny", replace(PUBLISHED["tiny"], sha256=None, size=None))
    cache.mkdir()
    torch.save({"a": torch.zeros(2)}, cache / "tiny.pt")
    assert main(["weights", "verify", "tiny"]) == 0
    first = capsys.readouterr().out
    assert "nobody published its hash" in first
    assert not first.startswith("tiny  ok")
    assert main(["weights", "verify", "tiny"]) == 0
    assert "unchanged since it was first seen" in capsys.readouterr().out
    (cache / "tiny.pt.json").unlink()
    found = []
    for _ in range(2):
        assert main(["weights", "verify", "tiny", "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert [(item["ok"], item["against"]) for item in found] == [(None, None), (True, "first seen")]
