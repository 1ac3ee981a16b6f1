"""What the table of published weights says."""

from __future__ import annotations

import re

import pytest

from rvsam_video.errors import UsageError
from rvsam_video.weights.fetch import (
    PUBLISHED,
    find_weights,
)


@pytest.mark.parametrize("entry", PUBLISHED.values(), ids=list(PUBLISHED))
def test_every_entry_says_what_a_user_must_know(entry):
    assert entry.url.startswith("https://")
    assert entry.file_name == entry.url.rpartition("/")[2]
    free = not entry.name.startswith("cotracker")
    assert entry.licence in ({"Apache-2.0", "BSD-3-Clause"} if free else {"CC-BY-NC-4.0"})
    assert ("non-commercial use only" in entry.notice) is not free
    assert "arXiv" in entry.citation
    assert entry.sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.sha256)
    assert entry.md5 is None or re.fullmatch("[0-9a-f]{32}", entry.md5)
    assert [entry.sha256, entry.reported_sha256, entry.md5].count(None) >= 2
    assert entry.reported_sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.reported_sha256)
    assert entry.sha256_start in entry.file_name


def test_the_table_has_every_published_segmenter():
    assert set(PUBLISHED) >= {"repvit-sam", "mobile-sam", "sam-vit-b", "sam-vit-l", "sam-vit-h"}


def test_the_table_has_every_published_tracker_once():
    trackers = {name: entry for name, entry in PUBLISHED.items() if entry.part == "tracker"}
    assert set(trackers) == {
        *(f"cotracker1{variant}" for variant in ("", "-wind12", "-stride8")),
        *("cotracker2", "cotracker2.1"),
        *(
            f"cotracker3-{kind}{data}"
            for kind in ("online", "offline")
            for data in ("", "-baseline")
        ),
        *("tapir-online", "tapir-offline", "tapir-offline-baseline"),
    }
    assert len({entry.file_name for entry in trackers.values()}) == len(trackers)
    known = {
        name: entry.sha256 or entry.md5 or entry.reported_sha256 for name, entry in trackers.items()
    }
    assert len(set(known.values())) == len(trackers)
    assert [name for name, digest in known.items() if digest is None] == ["cotracker2.1"]


def test_the_hash_of_a_folder_around_a_file_is_not_taken_for_that_of_the_file():
    # Nix records SHA-256 of an archive of the folder; the file itself never has it.
    of_the_folder = "59ecb29c1a9da98496a299f0604458b7ed08eaa46ae1559487aaab887a11d344"
    assert all(entry.sha256 != of_the_folder for entry in PUBLISHED.values())
    assert PUBLISHED["cotracker1"].sha256 is None


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"no set of weights named 'sam2'.*repvit-sam"):
        find_weights("sam2")
