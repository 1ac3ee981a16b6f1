"""AP and AR of object tracks against the public evaluation, and what must hold for any masks.

`data/video_ap.npz` holds annotations and results with the output of `ytvoseval.py` of
youtubevos/cocoapi (as in SysCV/sam-pt, commit 874ff7e): plain videos, absent and empty masks,
crowds, ties, more than 100 predictions, areas and overlaps exactly on the limits, polygons and
uncompressed run lengths.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from golden_data import golden
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rvsam_video.errors import UsageError
from rvsam_video.evals.metrics.mask_runs import track_runs
from rvsam_video.evals.metrics.track_overlap import TruthTracks
from rvsam_video.evals.metrics.tracks import (
    RECALL_POINTS,
    THRESHOLDS,
    TrackGroup,
    match_tracks,
    precision_and_recall,
    track_scores,
    track_size,
)
from rvsam_video.evals.segmentations import runs_of_segmentations
from rvsam_video.evals.uvo.scores import score_track_files
from rvsam_video.mask_rle import encode_mask

GOLDEN = golden("video_ap")
RUNS = {
    "vis_class_aware": ("vis", "match"),
    "vis_class_agnostic": ("vis", "pool"),
    "vis_class_agnostic_remap": ("vis", "ignore"),
    "uvo_official": ("uvo", "ignore"),
    "uvo_no_remap": ("uvo", "pool"),
}
ALL_SIZES = (0.0, 1e10)


def document(name):
    return json.loads(GOLDEN[f"file/{name}"].tobytes())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks")
    for name in ("vis_gt", "vis_pred", "uvo_gt", "uvo_pred"):
        (folder / f"{name}.json").write_bytes(GOLDEN[f"file/{name}"].tobytes())
    return folder


@pytest.mark.parametrize("run", RUNS)
def test_the_twelve_numbers_equal_the_public_evaluation(run, files):
    kind, categories = RUNS[run]
    truth, results = files / f"{kind}_gt.json", files / f"{kind}_pred.json"
    report = score_track_files(truth, results, categories=categories)
    assert list(report.scores.named().values()) == GOLDEN[f"{run}/stats"].tolist()


def golden_groups(run, least):
    """The groups of a run, made without the code that reads files; and the videos' ids."""
    kind, categories = RUNS[run]
    truth, results = document(f"{kind}_gt"), document(f"{kind}_pred")
    known = sorted(category["id"] for category in truth["categories"])
    if categories == "ignore":
        results = [entry | {"category_id": 1} for entry in results]
    results = [entry for entry in results if entry["category_id"] in known]
    videos = {video["id"]: video for video in truth["videos"]}

    def chosen(entries, video, category):
        entries = sorted(entries, key=lambda entry: entry["category_id"])
        return [
            entry
            for entry in entries
            if entry["video_id"] == video and category in {None, entry["category_id"]}
        ]

    def runs(entries, video):
        sides = videos[video]["height"], videos[video]["width"]
        return [runs_of_segmentations(entry["segmentations"], *sides) for entry in entries]

    groups = {}
    for category in known if categories == "match" else [None]:
        groups[category or -1] = []
        for video in sorted(videos):
            true = chosen(truth["annotations"], video, category)
            found = chosen(results, video, category)
            tracks, predicted = TruthTracks(runs(true, video)), runs(found, video)
            overlaps = [tracks.overlaps(track, least) for track in predicted]
            groups[category or -1].append(
                TrackGroup(
                    np.array(overlaps).reshape(len(found), len(true)),
                    np.array([entry["score"] for entry in found], float),
                    np.array([track_size(track.areas) for track in predicted]),
                    np.array([track_size([a or 0 for a in entry["areas"]]) for entry in true]),
                    np.array([entry["iscrowd"] == 1 for entry in true], bool),
                )
            )
    return groups, sorted(videos)


@pytest.mark.parametrize("run", RUNS)
def test_overlaps_and_curves_equal_the_public_evaluation(run):
    groups, videos = golden_groups(run, least=0.0)
    compared = 0
    for category, per_video in groups.items():
        for video, group in zip(videos, per_video, strict=True):
            expected = GOLDEN.get(f"{run}/iou_{video}_{category}")
            if expected is not None:
                assert np.array_equal(group.best(100).overlaps, expected)
                compared += 1
    assert compared == sum(key.startswith(f"{run}/iou_") for key in GOLDEN)
    curves = [precision_and_recall(groups[category]) for category in sorted(groups)]
    precision, recall = (np.stack([pair[i] for pair in curves], 2 - i) for i in (0, 1))
    assert np.array_equal(precision, GOLDEN[f"{run}/precision"])
    assert np.array_equal(recall, GOLDEN[f"{run}/recall"])


def test_overlaps_that_cannot_matter_may_be_left_out():
    for run in RUNS:
        whole, _ = golden_groups(run, least=0.0)
        quick, _ = golden_groups(run, least=THRESHOLDS[0])
        for category, groups in whole.items():
            for first, second in zip(groups, quick[category], strict=True):
                near = first.overlaps >= THRESHOLDS[0]
                assert np.array_equal(second.overlaps[near], first.overlaps[near])
                assert (second.overlaps[~near] < THRESHOLDS[0]).all()


def test_limits_are_the_doubles_of_the_public_evaluation():
    assert [value.hex() for value in THRESHOLDS.tolist()][8] == "0x1.cccccccccccccp-1"
    apart = [k for k in range(101) if RECALL_POINTS[k] != k / 100]
    assert apart == [35, 41, 47, 57, 69, 70, 82, 83, 94, 95]


sides = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))
clip_pairs = sides.flatmap(
    lambda shape: st.tuples(
        st.integers(1, 3).flatmap(lambda count: hnp.arrays(np.bool_, (count, *shape))),
        hnp.arrays(np.bool_, shape),
        hnp.arrays(np.bool_, shape[:1]),
    )
)


def codes_of(masks, present=None):
    there = np.ones(len(masks), bool) if present is None else present
    return [encode_mask(m).encode() if p else None for m, p in zip(masks, there, strict=True)]


@given(clip_pairs)
def test_overlap_is_that_of_the_pixels(clips):
    truths, prediction, present = clips
    height, width = prediction.shape[1:]
    tracks = TruthTracks([track_runs(codes_of(masks), height, width) for masks in truths])
    found = tracks.overlaps(track_runs(codes_of(prediction, present), height, width))
    prediction = prediction & present[:, None, None]
    shared = (truths & prediction).sum(axis=(1, 2, 3))
    union = (truths | prediction).sum(axis=(1, 2, 3))
    assert found.tolist() == [a / b if b else 0.0 for a, b in zip(shared, union, strict=True)]


@given(clip_pairs)
def test_runs_say_where_the_pixels_are(clips):
    _, masks, present = clips
    runs = track_runs(codes_of(masks, present), *masks.shape[1:])
    masks = masks & present[:, None, None]
    assert np.array_equal(runs.areas, masks.sum(axis=(1, 2)))
    line = np.zeros(masks.size, bool)
    for start, end in zip(runs.starts, runs.ends, strict=True):
        line[start:end] = True
    assert np.array_equal(line, masks.transpose(0, 2, 1).ravel())
    for mask, (left, top, right, bottom) in zip(masks, runs.boxes, strict=True):
        inside = np.zeros_like(mask)
        inside[top:bottom, left:right] = True
        assert not (mask & ~inside).any()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_runs_of_no_length_change_nothing(lengths):
    total = sum(lengths) + 1
    counts = [*lengths, 1]
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    segmentation = {"size": [total, 1], "counts": counts}
    runs = runs_of_segmentations([segmentation], total, 1)
    assert runs.areas[0] == flat.sum()
    whole = TruthTracks([track_runs(codes_of(flat[None, :, None]), total, 1)])
    assert whole.overlaps(runs)[0] == (1.0 if flat.any() else 0.0)


@given(st.binary(min_size=1, max_size=12), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=300)
def test_any_bytes_are_decoded_or_refused(code, height, width):
    try:
        runs = track_runs([code], height, width)
    except ValueError:
        return
    assert 0 <= runs.areas[0] <= height * width
    assert (runs.starts <= runs.ends).all()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (b"", "frame 1 has an empty code"),
        (b"5\x7f", "frame 1 holds '\\\\x7f'"),
        (b"5o", "ends in the middle of a number"),
        (b"5", "frame 1 cover 5 pixels, but 3x2 has 6"),
        (b"N8", "frame 1 holds a run of negative length"),
        (b"PPPPPPPPPP6", "more than 6 digits"),
    ],
)
def test_damaged_codes_are_refused(code, sentence):
    with pytest.raises(ValueError, match=sentence):
        track_runs([b"6", code], 2, 3)


def group_of(overlaps, scores, crowd=None):
    overlaps = np.array(overlaps, float)
    truths = overlaps.shape[1]
    return TrackGroup(
        overlaps,
        np.array(scores, float),
        np.full(len(scores), 50.0),
        np.full(truths, 50.0),
        np.array(crowd if crowd is not None else [False] * truths, bool),
    )


def test_the_last_of_equally_good_true_tracks_is_taken():
    matches = match_tracks(group_of([[0.8, 0.8], [0.8, 0.8]], [2, 1]), ALL_SIZES)
    assert matches.truths[0].tolist() == [1, 0]
    assert matches.truths[-1].tolist() == [-1, -1]


def test_a_crowd_may_be_found_often_and_counts_neither_way():
    matches = match_tracks(group_of([[0.9], [0.9]], [2, 1], crowd=[True]), ALL_SIZES)
    assert matches.truths[0].tolist() == [0, 0]
    assert matches.ignored[0].all()
    assert matches.wanted == 0


def test_a_track_that_must_be_found_goes_before_a_better_one_that_need_not():
    matches = match_tracks(group_of([[0.9, 0.6]], [1], crowd=[True, False]), ALL_SIZES)
    assert matches.truths[0].tolist() == [1]
    assert matches.truths[5].tolist() == [0]


@given(st.integers(1, 5), st.integers(1, 4))
def test_perfect_predictions_score_one_and_none_score_zero(videos, tracks):
    perfect = [group_of(np.eye(tracks), np.ones(tracks)) for _ in range(videos)]
    scores = track_scores({1: perfect})
    assert scores.ar100 == 1
    assert scores.ap == pytest.approx(1)
    assert scores.ar1 == pytest.approx(1 / tracks)
    nothing = [group_of(np.zeros((0, tracks)), []) for _ in range(videos)]
    assert track_scores({1: nothing}).ar100 == 0
    assert track_scores({1: nothing}).ap == 0
    assert track_scores({}).ap == -1


def test_nothing_to_find_is_minus_one():
    scores = track_scores({1: [group_of(np.zeros((2, 0)), [1, 2])]})
    assert set(scores.named().values()) == {-1.0}


def test_groups_and_tracks_that_do_not_fit_together_are_refused():
    with pytest.raises(UsageError, match="need overlaps"):
        group_of(np.zeros((2, 1)), [1.0])
    with pytest.raises(UsageError, match="cannot be of one video"):
        TruthTracks([track_runs([b"6"], 2, 3), track_runs([b"6", b"6"], 2, 3)])
    with pytest.raises(UsageError, match="2 frames is compared with 1"):
        TruthTracks([track_runs([b"6"], 2, 3)]).overlaps(track_runs([b"6", b"6"], 2, 3))
