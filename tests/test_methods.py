"""Methods: one rule that makes names into parts, for Python, commands, the page and evaluations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rvsam_video import SegmentationSettings, UsageError, VideoSegmenter
from rvsam_video.methods import Method, announced
from rvsam_video.presets import PRESETS
from rvsam_video.segmenters.grabcut.segmenter import GrabCut
from rvsam_video.trackers.lucas_kanade.tracker import LucasKanade
from rvsam_video.weights.fetch import PUBLISHED

PLAIN = {"tracker": "lucas-kanade", "segmenter": "grabcut"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of weights."""
    monkeypatch.setenv("RVSAM_CACHE", str(tmp_path))
    return tmp_path


def names(method: Method) -> tuple[str, str]:
    return tuple(part.name for part in method.resolve().parts)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_brings_its_parts_and_names_replace_them(name):
    preset = PRESETS[name]
    pair = Method(preset=name).resolve()
    assert (pair.tracker.name, pair.segmenter.name) == (preset.tracker, preset.segmenter)
    assert (pair.settings, pair.longest_side) == (preset.settings, preset.longest_side)
    assert names(Method(preset=name, tracker="cotracker2", segmenter="grabcut")) == (
        "cotracker2",
        "grabcut",
    )
    own = replace(preset.settings, seed=5)
    assert Method(preset=name, settings=own).resolve().settings == own


def test_auto_takes_weights_that_are_there_and_else_needs_none(cache):
    assert names(Method()) == ("lucas-kanade", "grabcut")
    (cache / PUBLISHED["repvit-sam"].file_name).touch()
    assert names(Method()) == ("lucas-kanade", "repvit-sam")
    (cache / PUBLISHED["cotracker3-online"].file_name).touch()
    assert names(Method()) == ("cotracker3-online", "repvit-sam")
    assert names(Method(**PLAIN)) == ("lucas-kanade", "grabcut")


def test_auto_prefers_weights_that_everyone_may_use_and_says_instead_of_what(cache):
    for name in ("cotracker3-online", "tapir-online"):
        (cache / PUBLISHED[name].file_name).touch()
    assert names(Method()) == ("tapir-online", "grabcut")
    part = Method().resolve_tracker()
    licences = r"tapir-online (Apache-2.0, instead of cotracker3-online, CC-BY-NC-4.0)"
    assert announced(part).startswith(f"tracker {licences}")
    assert "instead" not in announced(Method(tracker="tapir-online").resolve_tracker())
    # Those who ask for the most exact one, or for the paper's, get it.
    assert names(Method(preset="accurate"))[0] == "cotracker3-online"
    assert names(Method(preset="paper"))[0] == "cotracker1"


def test_a_file_of_weights_is_for_the_learned_part():
    assert names(Method(checkpoint=Path("own.pt"))) == ("lucas-kanade", "repvit-sam")
    assert names(Method(tracker_checkpoint=Path("own.pt"))) == ("cotracker3-online", "grabcut")


def test_a_presets_limit_of_scores_is_for_networks():
    assert Method(preset="paper").resolve().settings.score_threshold == 0.7
    plain = Method(preset="paper", tracker="lucas-kanade", segmenter="grabcut").resolve()
    assert plain.settings.score_threshold == 0.0


def test_python_chooses_by_the_same_rule():
    segmenter = VideoSegmenter()
    assert isinstance(segmenter.tracker, LucasKanade)
    assert isinstance(segmenter.segmenter, GrabCut)
    own = LucasKanade()
    assert VideoSegmenter(own).tracker is own
    assert VideoSegmenter(own).pair is None
    # Beside an own part, the other may still be named.
    other = GrabCut()
    mixed = VideoSegmenter("lucas-kanade", other)
    assert mixed.segmenter is other
    assert isinstance(mixed.tracker, LucasKanade)
    assert mixed.pair is None
    live = VideoSegmenter("lucas-kanade", "grabcut", preset="live")
    assert live.settings == PRESETS["live"].settings


def test_the_identity_is_json_and_says_what_decides_results():
    identity = Method(tracker_options=(("window", "15"),)).resolve().identity()
    assert json.loads(json.dumps(identity)) == identity
    assert identity["tracker_options"] == {"window": "15"}
    assert (identity["weights"], identity["tracker_weights"]) == (None, None)
    assert identity["settings"] == SegmentationSettings().to_dict()
    assert identity["device"] == "cpu"


@pytest.mark.parametrize("part", ["preset", "tracker", "segmenter"])
def test_unknown_names_are_told_with_those_there_are(part):
    with pytest.raises(UsageError, match=f"no {part} named 'nobody'; choose one of: "):
        Method(**{part: "nobody"}).resolve()


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ({"tracker": "lukas-kanade"}, "lucas-kanade"),
        ({"segmenter": "RepVit-SAM"}, "repvit-sam"),
        ({"preset": "papper"}, "paper"),
    ],
)
def test_the_nearest_name_is_proposed(asked, near):
    with pytest.raises(UsageError, match=f"did you mean '{near}'"):
        Method(**asked).resolve()


def test_a_device_is_for_the_parts_with_a_network():
    def devices(tracker, segmenter):
        pair = Method(tracker=tracker, segmenter=segmenter, device="cuda").resolve()
        return pair.tracker.device, pair.segmenter.device

    assert devices("cotracker1", "grabcut") == ("cuda", "auto")
    assert devices("lucas-kanade", "repvit-sam") == ("auto", "cuda")
    assert devices("cotracker1", "repvit-sam") == ("cuda", "cuda")
    # Nothing is there that could run on it, so it does no harm.
    Method(device="cuda", **PLAIN).resolve().load()


def test_settings_of_parts_come_from_words():
    method = Method(
        tracker_options=(("window", "15"), ("velocity_decay", "0.5")),
        segmenter_options=(("rounds", "10"),),
        **PLAIN,
    )
    tracker, segmenter = method.resolve().load()
    assert (tracker.settings.window, tracker.settings.velocity_decay) == (15, 0.5)
    assert segmenter.settings.rounds == 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("windw", "15"), "no setting of lucas-kanade named 'windw'; did you mean 'window'"),
        (("window", "wide"), "window of lucas-kanade is 'wide'; it must be a whole number"),
        (("patch", "1.5"), "patch of lucas-kanade is '1.5'; it must be a whole number"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_loaded(words, message):
    with pytest.raises(UsageError, match=message):
        Method(tracker_options=(words,), **PLAIN).resolve()


def test_a_network_says_its_licence_and_a_file_its_name():
    learned = Method(tracker="cotracker3-online", segmenter="repvit-sam", device="cpu").resolve()
    line = str(learned)
    assert line == (
        "tracker cotracker3-online (CC-BY-NC-4.0), segmenter repvit-sam (Apache-2.0), on cpu"
    )
    own = Method(segmenter="repvit-sam", checkpoint=Path("own.pt"), device="cpu").resolve()
    assert "repvit-sam from own.pt" in str(own)
    assert announced(*Method(**PLAIN).resolve().parts) == (
        "tracker lucas-kanade, segmenter grabcut (no weights)"
    )
