"""TAP-Vid: its file layouts, its queries, and running a tracker on it from the command line."""

from __future__ import annotations

import io
import json
import pickle

import numpy as np
import pytest
from PIL import Image

from rvsam_video.cli.main import main
from rvsam_video.errors import OutputError, SourceError, UsageError
from rvsam_video.evals.tapvid.clips import (
    PointClip,
    PointTracks,
    load_clips,
    sample_queries,
    save_tracks,
    score_tapvid,
)
from rvsam_video.evals.tapvid.run import TapvidOptions, follow_clip, run_tapvid
from rvsam_video.trackers.base import TrackedPoints

FRAMES, POINTS = 12, 4
STEP = np.array([2.0, 1.0])
"""Pixels that everything moves to the right and down from one frame to the next."""


def record(seed=0):
    """A textured clip of 256x256 in which everything moves by `STEP`."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (80, 80, 3), np.uint8)
    texture = np.asarray(Image.fromarray(coarse).resize((320, 320), Image.Resampling.BICUBIC))
    x, y = STEP.astype(int)
    video = [texture[40 - y * t :][:256, 40 - x * t :][:, :256] for t in range(FRAMES)]
    start = rng.uniform(60, 180, (POINTS, 1, 2)).round()
    # The centre of the first pixel is half a pixel from the edge.
    points = (start + np.arange(FRAMES)[None, :, None] * STEP + 0.5) / 256
    hidden = np.zeros((POINTS, FRAMES), bool)
    return {"video": np.array(video), "points": points.astype(np.float32), "occluded": hidden}


def as_jpeg(video):
    pictures = []
    for frame in video:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=98, subsampling=0)
        pictures.append(buffer.getvalue())
    return pictures


class Following:
    """A tracker that knows how everything moves; notes the pictures it is given."""

    name = "following"
    lookahead = 0

    def __init__(self, direction=1, hide=False):
        self.direction, self.hide, self.runs = direction, hide, []

    def start(self, frame_size):
        assert frame_size == (256, 256)
        self.runs.append([])
        return FollowingState(self, 1 if len(self.runs) % 2 else self.direction)


class FollowingState:
    def __init__(self, tracker, direction):
        self.tracker, self.direction = tracker, direction

    def add(self, queries):
        self.queries = queries
        self.tracker.asked = queries.xy

    def push(self, frame):
        self.tracker.runs[-1].append(frame.image)
        alive = self.queries.frames <= frame.index
        since = frame.index - self.queries.frames[alive, None]
        xy = self.queries.xy[alive] + self.direction * since * STEP.astype(np.float32)
        visible = np.full(alive.sum(), not self.tracker.hide)
        ids = self.queries.ids[alive]
        return [TrackedPoints(frame.index, ids, xy, visible, np.ones(len(ids), np.float32))]

    def flush(self):
        return []


@pytest.fixture
def davis(tmp_path):
    path = tmp_path / "tapvid_davis.pkl"
    path.write_bytes(pickle.dumps({"first": record(1), "second": record(2)}))
    return path


def test_every_layout_holds_the_same_clips(tmp_path, davis):
    records = [record(1), record(2)]
    stacking = tmp_path / "tapvid_rgb_stacking.pkl"
    stacking.write_bytes(pickle.dumps(records, 2))
    kinetics = tmp_path / "kinetics"
    kinetics.mkdir()
    for index, item in enumerate(records):
        shard = [item | {"video": as_jpeg(item["video"])}]
        (kinetics / f"{index:04d}_of_0010.pkl").write_bytes(pickle.dumps(shard))
    single = tmp_path / "npz"
    single.mkdir()
    for index, item in enumerate(records):
        np.savez(single / f"clip{index}.npz", **item)
    expected = list(load_clips(davis))
    assert [clip.name for clip in expected] == ["first", "second"]
    for root in (stacking, kinetics, single):
        clips = list(load_clips(root))
        assert len({clip.name for clip in clips}) == 2
        for clip, same in zip(clips, expected, strict=True):
            assert np.array_equal(clip.points, same.points)
            assert np.array_equal(clip.hidden, same.hidden)
            for one, other in zip(clip.frames(), same.frames(), strict=True):
                assert one.shape == (256, 256, 3)
                assert np.abs(one.astype(int) - other).mean() < 3


def test_pictures_of_any_size_become_256_by_256():
    video = np.zeros((2, 90, 160, 3), np.uint8)
    video[:, :, 80:] = 200
    clip = PointClip("clip", video, np.zeros((1, 2, 2)), np.zeros((1, 2), bool))
    first, _ = clip.frames()
    assert first.shape == (256, 256, 3)
    assert (first[:, :120] == 0).all()
    assert (first[:, 136:] == 200).all()


def test_first_queries_are_where_a_point_first_shows():
    hidden = np.array([[1, 1, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]], bool)
    points = np.arange(36, dtype=float).reshape(3, 6, 2) / 100
    clip = PointClip("clip", np.zeros((6, 8, 8, 3), np.uint8), points, hidden)
    wanted = sample_queries(clip, "first")
    assert wanted.queries[:, 0].tolist() == [2, 0]
    assert np.allclose(wanted.queries[0, 1:] / 256, [0.05, 0.04])
    assert np.array_equal(wanted.hidden, hidden[:2])
    assert np.array_equal(wanted.truth, points[:2] * 256)
    assert np.array_equal(sample_queries(clip, "first", 255).truth, points[:2] * 255)


def test_strided_queries_are_in_every_fifth_frame():
    hidden = np.array([[1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], bool)
    clip = PointClip("clip", np.zeros((6, 8, 8, 3), np.uint8), np.ones((2, 6, 2)), hidden)
    wanted = sample_queries(clip, "strided")
    assert wanted.queries[:, 0].tolist() == [0, 5, 5]
    assert np.array_equal(wanted.hidden, hidden[[1, 0, 1]])


@pytest.mark.parametrize("scale", [256, 255])
def test_points_go_to_the_tracker_in_its_own_pixels(davis, scale, tmp_path):
    clip = next(load_clips(davis))
    wanted = sample_queries(clip, "first", scale)
    options = TapvidOptions(root=davis, out=tmp_path, scale=scale)
    tracker = Following()
    found = follow_clip(tracker, list(clip.frames()), wanted, options)
    assert np.array_equal(tracker.runs[0], clip.video)
    assert np.allclose(found.tracks[:, 0], wanted.queries[:, :0:-1], atol=1e-4)
    if scale == 255:
        assert np.allclose(tracker.asked, clip.points[:, 0] * 255, atol=1e-4)
    else:
        # The points are centres of pixels, which are whole numbers for trackers.
        assert np.allclose(tracker.asked, np.round(tracker.asked), atol=1e-4)
        assert np.allclose(found.tracks, wanted.truth, atol=1e-3)


def test_frames_before_a_query_come_from_the_clip_backwards(davis, tmp_path):
    clip = next(load_clips(davis))
    wanted = sample_queries(clip, "strided")
    options = TapvidOptions(root=davis, out=tmp_path, mode="strided")
    tracker = Following(direction=-1)
    found = follow_clip(tracker, list(clip.frames()), wanted, options)
    assert np.array_equal(tracker.runs[1], clip.video[::-1])
    assert np.allclose(found.tracks, wanted.truth, atol=1e-3)
    assert not found.hidden.any()


class FollowingClips(Following):
    """The same, for whole clips: it knows where points were before their own frames."""

    def track_clip(self, frames, queries):
        state = self.start((256, 256))
        state.queries = queries
        for frame in frames():
            state.push(frame)
            since = np.float32(frame.index) - queries.frames[:, None]
            xy = queries.xy + since * STEP.astype(np.float32)
            visible = np.ones(len(xy), bool)
            yield TrackedPoints(frame.index, queries.ids, xy, visible, visible.astype(np.float32))


@pytest.mark.parametrize("mode", ["first", "strided"])
def test_trackers_for_whole_clips_go_through_them_once(davis, tmp_path, mode):
    tracker = FollowingClips()
    options = TapvidOptions(root=davis, out=tmp_path / "out", mode=mode, names=["first"])
    run_tapvid(tracker, options)
    assert [len(run) for run in tracker.runs] == [FRAMES]
    report = score_tapvid(davis, options.out, mode, names=["first"])
    assert report.mean.average_jaccard == 1


def test_before_a_first_query_a_point_is_hidden():
    hidden = np.zeros((1, FRAMES), bool)
    hidden[0, :3] = True
    plain = record()
    clip = PointClip("clip", plain["video"], plain["points"][:1].astype(float), hidden)
    wanted = sample_queries(clip, "first")
    options = TapvidOptions(root=None, out=None)
    found = follow_clip(Following(), list(clip.frames()), wanted, options)
    assert np.array_equal(found.hidden, hidden)


def test_a_run_goes_on_where_it_was_stopped(davis, tmp_path):
    tracker, options = Following(), TapvidOptions(root=davis, out=tmp_path / "out")
    log = []

    def stop_after_one(name, there):
        log.append((name, there))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tapvid(tracker, options, stop_after_one)
    run_tapvid(tracker, options, lambda name, there: log.append((name, there)))
    assert log == [("first", False), ("first", True), ("second", False)]
    assert len(tracker.runs) == 2
    report = score_tapvid(davis, options.out, "first")
    assert report.mean.average_jaccard == 1
    assert report.clips.keys() == {"first", "second"}


def test_ctrl_c_leaves_a_folder_to_go_on_with(davis, tmp_path, capsys, monkeypatch):
    def interrupted(*_arguments):
        raise KeyboardInterrupt

    arguments = ["eval", "tapvid", "--root", str(davis), "--out", str(tmp_path / "out")]
    with monkeypatch.context() as patch:
        patch.setattr("rvsam_video.evals.tapvid.run.follow_clip", interrupted)
        assert main(arguments) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    assert main(arguments) == 0
    assert "mean of 2" in capsys.readouterr().out


def test_a_folder_of_other_tracks_is_refused(davis, tmp_path):
    options = TapvidOptions(root=davis, out=tmp_path / "out")
    run_tapvid(Following(), options)
    other = TapvidOptions(root=davis, out=options.out, mode="strided")
    with pytest.raises(OutputError, match='query_mode was "first" and is now "strided"'):
        run_tapvid(Following(), other)
    (options.out / "first.npz").write_bytes(b"PK damaged")
    with pytest.raises(OutputError, match=r"first\.npz .* remove it"):
        run_tapvid(Following(), options)
    (options.out / "tapvid.json").write_text("{")
    with pytest.raises(OutputError, match=r"tapvid\.json is damaged"):
        run_tapvid(Following(), options)


def change(**values):
    return record() | values


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("text", "holds neither clips by name nor a list"),
        ({"../evil": record()}, "a clip is called '../evil'"),
        ([{"video": 1}], "must have 'video', 'points' and 'occluded'"),
        ([5], "must have 'video', 'points' and 'occluded'"),
        ([change(video=np.zeros((2, 4, 4, 3), np.float32))], "must have a video of"),
        ([change(video=[])], "must have a video of"),
        ([change(video=[b"x", 5])], "must have a video of"),
        ([change(points=np.zeros((POINTS, 3, 2)))], "has 12 frames, points"),
        ([change(occluded=np.zeros((POINTS, FRAMES - 1), bool))], "has 12 frames, points"),
        ([change(points=np.full((POINTS, FRAMES, 2), np.nan))], "not finite"),
    ],
)
def test_sets_that_make_no_sense_are_refused(content, sentence, tmp_path):
    path = tmp_path / "set.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(SourceError, match=sentence):
        list(load_clips(path))


def test_damaged_pictures_and_missing_sets_are_refused(tmp_path):
    clip = PointClip("clip", [b"no picture"], np.zeros((1, 1, 2)), np.zeros((1, 1), bool))
    with pytest.raises(SourceError, match="frame 0 of clip clip cannot be read"):
        list(clip.frames())
    with pytest.raises(SourceError, match=r"is no \.pkl or \.npz file"):
        list(load_clips(tmp_path))
    (tmp_path / "clip.npz").write_bytes(b"no archive")
    with pytest.raises(SourceError, match=r"clip\.npz is damaged"):
        list(load_clips(tmp_path))
    np.savez(tmp_path / "clip.npz", video=np.array([None]))
    with pytest.raises(SourceError, match=r"clip\.npz is damaged or no NPZ file of plain arrays"):
        list(load_clips(tmp_path))


def test_tracks_that_do_not_fit_are_refused(davis, tmp_path):
    clip = next(load_clips(davis))
    wanted = sample_queries(clip, "first")
    good = PointTracks(wanted.truth.astype(np.float32), wanted.hidden)

    def score():
        return score_tapvid(davis, tmp_path, "first", names=["first"])

    path = tmp_path / "first.npz"
    with pytest.raises(SourceError, match=r"first\.npz cannot be read: No such file"):
        score()
    save_tracks(path, good, wanted)
    assert score().mean.average_jaccard == 1
    with pytest.raises(SourceError, match="made for other queries"):
        score_tapvid(davis, tmp_path, "first", scale=255, names=["first"])
    np.savez(path, tracks=good.tracks, occluded=good.hidden)
    assert score().mean.average_jaccard == 1
    np.savez(path, tracks=good.tracks[:, 1:], occluded=good.hidden)
    with pytest.raises(SourceError, match=r"it must hold tracks \(4, 12, 2\) and occluded"):
        score()
    np.savez(path, tracks=good.tracks.astype(int), occluded=good.hidden)
    with pytest.raises(SourceError, match="must hold real numbers"):
        score()
    with pytest.raises(UsageError, match=r"there is no clip 'third' .* first, second"):
        score_tapvid(davis, tmp_path, "first", names=["third"])


def test_the_command_line_tracks_and_scores(davis, tmp_path, capsys):
    out = tmp_path / "out"
    common = ["--root", str(davis), "--query-mode", "strided", "--sequences", "first"]
    assert main(["eval", "tapvid", *common, "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert "tracker lucas-kanade (no weights), queries strided" in shown.err
    assert "first: done" in shown.err
    assert "AJ" in shown.out
    assert "mean of 1" in shown.out
    assert main(["eval", "tapvid", *common, "--out", str(out), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "first: was there already" in [line.get("text") for line in lines]
    scores = lines[-1]["mean"]
    assert scores["average_jaccard"] > 0.9
    # Nothing comes back in this clip.
    assert scores["AJ_RD"] is None
    assert lines[-1]["clips"]["first"]["returns"] == 0
    assert json.loads((out / "scores.json").read_text())["mean"] == scores
    assert main(["score", "tapvid", *common, "--results", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean"] == scores


def test_points_that_come_back_are_scored_for_it(davis, tmp_path, capsys):
    content = record(1)
    content["occluded"][0, 4:7] = True
    davis.write_bytes(pickle.dumps({"first": content}))
    out = tmp_path / "out"
    common = ["--root", str(davis), "--sequences", "first"]
    assert main(["eval", "tapvid", *common, "--out", str(out), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out.splitlines()[-1])
    # What is said while a point is hidden is no fault after its return.
    assert scores["clips"]["first"]["returns"] == 1
    assert scores["mean"]["AJ_RD"] == pytest.approx(1, abs=0.1)
    assert main(["score", "tapvid", *common, "--results", str(out)]) == 0
    assert "AJ_RD" in capsys.readouterr().out


def test_names_on_the_command_line_are_checked(davis, tmp_path, capsys):
    arguments = ["score", "tapvid", "--root", str(davis), "--results", str(tmp_path)]
    assert main([*arguments, "--sequences", "first,,"]) == 2
    assert "write names with commas" in capsys.readouterr().err
    assert main([*arguments, "--sequences", "third"]) == 2
    assert "there is no clip 'third'" in capsys.readouterr().err
