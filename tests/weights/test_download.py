"""Downloads end whole or not at all, whatever the server does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from weights_server import CUT, QUICK, TENSOR, WEIGHTS, Answer, damaged, left_behind, saved

from rvsam_video.errors import WeightsError
from rvsam_video.weights.fetch import (
    fetch,
)


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
