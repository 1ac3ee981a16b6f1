"""The VOT toolkit's folder protocol: what is read, what is written, and from the command line."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from rvsam_video.cli.main import main
from rvsam_video.errors import SourceError
from rvsam_video.evals.vot.folder import read_task, run_task
from rvsam_video.trackers.base import TrackedPoints

FRAMES = 8


@pytest.fixture
def folder(tmp_path):
    """A folder as the toolkit makes it; all in its pictures moves by 2, 1 pixels a frame."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (30, 40, 3), np.uint8)
    texture = np.asarray(Image.fromarray(coarse).resize((200, 150), Image.Resampling.BICUBIC))
    pictures = tmp_path / "sequences" / "one" / "color"
    pictures.mkdir(parents=True)
    task = tmp_path / "task"
    task.mkdir()
    names = []
    for index in range(FRAMES):
        path = pictures / f"{index + 1:08d}.png"
        Image.fromarray(texture[20 - index :, 30 - 2 * index :][:96, :128]).save(path)
        names.append(str(path))
    (task / "frames_color.txt").write_text("".join(f"{name}\n" for name in names))
    (task / "query_obj0.txt").write_text("0\n60.5,40.25\n")
    (task / "query_obj10.txt").write_text("3\n30,50\nlabel=nose\n")
    return task


def lines(path):
    return path.read_text().splitlines()


class Delayed:
    """Answers two frames late, hides every point in frame 5, and notes what it was given."""

    name = "delayed"
    lookahead = 2

    def start(self, frame_size):
        self.size, self.waiting, self.queries, self.pushed = frame_size, [], None, []
        return self

    def add(self, queries):
        self.queries = queries

    def push(self, frame):
        self.pushed.append(frame.index)
        live = self.queries.frames <= frame.index
        seen = np.full(int(live.sum()), frame.index != 5)
        xy = self.queries.xy[live] + np.float32(frame.index)
        sure = np.full(len(seen), 0.5, np.float32)
        self.waiting.append(TrackedPoints(frame.index, self.queries.ids[live], xy, seen, sure))
        return [self.waiting.pop(0)] if len(self.waiting) > 2 else []

    def flush(self):
        return self.waiting


def test_points_are_read_with_their_names_and_frames(folder):
    task = read_task(folder)
    assert task.names == ("obj0", "obj10")
    assert task.queries.frames.tolist() == [0, 3]
    assert task.queries.xy.tolist() == [[60.5, 40.25], [30, 50]]
    assert [path.name for path in task.frames][:2] == ["00000001.png", "00000002.png"]


def test_every_frame_gets_a_place_from_the_points_own_on_hidden_or_not(folder):
    tracker = Delayed()
    told = []
    run_task(tracker, read_task(folder), folder, told.append)
    assert tracker.size == (128, 96)
    assert tracker.pushed == list(range(FRAMES))
    assert told == list(range(1, FRAMES + 1))
    first, later = lines(folder / "output_obj0.txt"), lines(folder / "output_obj10.txt")
    assert first == [f"{60.5 + index:.4f},{40.25 + index:.4f}" for index in range(FRAMES)]
    assert later[:3] == ["0", "0", "0"]
    assert later[3] == "33.0000,53.0000"
    assert len(later) == FRAMES
    assert lines(folder / "output_obj0_visible.txt") == list("11111011")
    assert lines(folder / "output_obj10_visible.txt") == list("00011011")
    assert lines(folder / "output_obj10_confidence.txt")[2:4] == ["0.0000", "0.5000"]


def test_frames_may_be_named_from_the_folder(folder):
    other = "../sequences/one/color/00000001.png"
    (folder / "frames_color.txt").write_text(f"{other}\n" * 2)
    (folder / "query_obj10.txt").unlink()
    run_task(Delayed(), read_task(folder), folder)
    assert len(lines(folder / "output_obj0.txt")) == 2


def test_the_command_line_is_a_tracker_of_the_toolkit(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["eval", "vot", "--tracker", "lucas-kanade"]) == 0
    assert "2 points, 8 frames" in capsys.readouterr().err
    found = np.array([line.split(",") for line in lines(folder / "output_obj0.txt")], float)
    wanted = np.array([60.5, 40.25]) + np.arange(FRAMES)[:, None] * [2, 1]
    np.testing.assert_allclose(found, wanted, atol=0.5)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("query_obj0.txt", "0\n1,2,3,4\n", "points are all that is followed"),
        ("query_obj0.txt", "0\n0\n", "points are all that is followed"),
        ("query_obj0.txt", "first\n1,2\n", "it must be the number of a frame"),
        ("query_obj0.txt", "", "it must be the number of a frame"),
        ("query_obj0.txt", "8\n1,2\n", "there are frames 0 to 7"),
        ("query_obj0.txt", "1\nnan,2\n", "there are frames 0 to 7"),
        ("frames_color.txt", "\n", "0 frames in frames_color.txt and 2 files"),
    ],
)
def test_what_is_no_task_is_refused(folder, name, content, sentence):
    (folder / name).write_text(content)
    with pytest.raises(SourceError, match=sentence):
        read_task(folder)


def test_missing_and_broken_pictures_are_told(folder, tmp_path):
    with pytest.raises(SourceError, match="made by the VOT toolkit"):
        read_task(tmp_path)
    (folder.parent / "sequences/one/color/00000004.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"00000004\.png cannot be read"):
        run_task(Delayed(), read_task(folder), folder)
