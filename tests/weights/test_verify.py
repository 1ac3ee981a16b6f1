"""Files are held against what was published, or what was seen first."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from weights_server import CUT, TENSOR, WEIGHTS, Answer, damaged, left_behind, saved

from rvsam_video.errors import WeightsError
from rvsam_video.weights.fetch import (
    PUBLISHED,
    describe_weights,
    file_sha256,
    verify,
)


def test_the_first_hash_is_noted_and_held_to(unpinned, get):
    path = get(unpinned)
    note = json.loads((path.parent / "unpinned.pt.json").read_text())
    assert note["sha256"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert note["url"] == unpinned.url
    path.write_bytes(saved({"other": TENSOR}))
    with pytest.raises(WeightsError, match=r"not the one noted in .*unpinned.pt.json"):
        get(unpinned)


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("same", [False, True])
def test_another_file_than_others_reported_is_taken_and_said(
    unpinned, get, tmp_path, caplog, same, by_hand
):
    reported = hashlib.sha256(WEIGHTS).hexdigest() if same else "0" * 64
    entry = replace(unpinned, reported_sha256=reported)
    if by_hand:
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "unpinned.pt").write_bytes(WEIGHTS)
    assert get(entry).read_bytes() == WEIGHTS
    assert ("others have reported 0000" in caplog.text) is not same
    caplog.clear()
    get(entry)
    assert caplog.text == ""


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
    monkeypatch.setitem(PUBLISHED, entry.name, entry)
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
