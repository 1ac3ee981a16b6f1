"""One run, whichever face starts it: a command, the page or Python leave the same folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rvsam_video import OutputError
from rvsam_video.cli.main import main
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.runs.feed import Feed
from rvsam_video.runs.objects import RunOptions, run
from rvsam_video.runs.repeating import options_of_run
from rvsam_video.streaming.engine import VideoSegmenter

TIMES = ("started", "updated", "finished", "timings", "resumed")
SAVE = "masks,rle,points,coco,overlay,summary"


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "sea.mp4"
    SyntheticClip(frames=40, size=(160, 90)).write(path)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {"run.json", ".lock"}
    }


def record(folder: Path) -> dict[str, object]:
    content = json.loads((folder / "run.json").read_text())
    return {key: value for key, value in content.items() if key not in TIMES}


def on_the_page(clip: Path, out: Path, clicks: list[dict[str, object]]) -> None:
    """Do what a visitor does: open, click, track to the end, go back to correct, track on."""
    pytest.importorskip("starlette", reason="the page needs rvsam-video[web]")
    from rvsam_video.web.clicks import Click
    from rvsam_video.web.settings import PLAIN, WebSettings
    from rvsam_video.web.studio import Studio

    settings = WebSettings(
        source=str(clip), out=out, run=replace(PLAIN, save=tuple(SAVE.split(",")))
    )
    studio = Studio(VideoSegmenter(), out.parent / "visitor", settings)
    try:
        studio.open(str(clip), "sea").result()
        for number, click in enumerate(clicks):
            if number == 1:
                studio.do(lambda desk: desk.new_object()).result()
            studio.click(Click(**click)).result()
            studio.do(lambda desk: desk.track()).result()
            while studio.do(lambda desk: desk.tell()).result()["state"] != "done":
                pass
    finally:
        studio.close()


def test_the_page_and_a_command_leave_the_same_bytes(clip, tmp_path):
    page, command, again = (tmp_path / name for name in ("page", "command", "again"))
    on_the_page(
        clip,
        page,
        [
            {"object_id": 1, "frame": 0, "point": (60.0, 40.0)},
            {"object_id": 2, "frame": 31, "box": (90.0, 30.0, 140.0, 80.0)},
            {"object_id": 1, "frame": 12, "point": (10.0, 10.0), "label": 0},
        ],
    )
    prompts = page / "prompts.json"
    arguments = ["track", str(clip), "--points", str(prompts), "--save", SAVE]
    # The page goes forward.
    arguments += ["--direction", "forward"]
    assert main([*arguments, "--out", str(command)]) == 0
    assert files(command) == files(page)
    assert record(command) == record(page)
    assert record(page)["status"] == "complete"

    run(options_of_run(page, again))
    assert files(again) == files(page)
    assert record(again) == record(page)
    # The folder of the page is the command's own: nothing is left to do.
    stamp = (page / "overlay.mp4").stat().st_mtime_ns
    assert main([*arguments, "--out", str(page)]) == 0
    assert (page / "overlay.mp4").stat().st_mtime_ns == stamp


def test_a_record_says_enough_to_repeat_unusual_options(clip, tmp_path):
    out = tmp_path / "run"
    arguments = [
        "track", str(clip), "--box", "3:10,10,60,60", "--save", "cutout-png,points",
        "--background", "red", "--max-frames", "9", "--seed", "4", "--tracker-option", "window=15",
        "--segmenter-option", "rounds=9", "--restart-every", "3", "--overlap", "--out", str(out),
    ]  # fmt: skip
    assert main(arguments) == 0
    options = options_of_run(out, tmp_path / "again")
    assert (options.max_frames, options.background) == (9, (255, 0, 0))
    run(options)
    assert files(tmp_path / "again") == files(out)
    assert record(tmp_path / "again") == record(out)


def test_a_folder_that_is_no_run_of_objects_is_refused(clip, tmp_path):
    assert main(["points", str(clip), "--grid", "2", "--out", str(tmp_path / "points")]) == 0
    with pytest.raises(OutputError, match="not the record of a run that follows objects"):
        options_of_run(tmp_path / "points", tmp_path / "again")
    with pytest.raises(OutputError, match="damaged or cannot be read"):
        options_of_run(tmp_path, tmp_path / "again")


def test_a_feed_that_was_set_forward_can_be_set_back_before_it_was_read(clip):
    with Feed(RunOptions(source=str(clip), out=clip.parent / "none", prompts=())) as feed:
        feed.stand_at(7)
        feed.stand_at(0)
        frame = feed.next()
        assert frame is not None
        assert frame.index == 0
