"""The demo: it tracks a real file from the prompts, writes everything, and scores honestly."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rvsam_video.demos.run import DemoReport, run_demo
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.errors import OutputError, UsageError
from rvsam_video.methods import Method
from rvsam_video.results import FrameResult
from rvsam_video.sources import open_source


class Notes:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.results: list[FrameResult] = []
        self.totals: list[int | None] = []

    def message(self, text: str) -> None:
        assert text == "tracker lucas-kanade, segmenter grabcut (no weights); objects 1, 2, 3"

    def started(self, total: int | None, done: int) -> None:
        self.totals.append(total)
        assert done == 0

    def result(self, result: FrameResult) -> None:
        self.results.append(result)


Demo = tuple[DemoReport, Notes, Path]


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first & second).sum() / (first | second).sum())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    notes = Notes()
    return run_demo(out, frames=4, listener=notes), notes, out


def test_the_pair_without_weights_follows_every_object(demo: Demo) -> None:
    report, _, _ = demo
    assert [item.object_id for item in report.objects] == [1, 2, 3]
    for item in report.objects:
        assert item.mean_iou > 0.85
    assert report.mean_iou == pytest.approx(np.mean([item.mean_iou for item in report.objects]))


def test_scores_compare_each_result_with_the_truth(demo: Demo) -> None:
    report, notes, _ = demo
    clip = SyntheticClip(frames=4)
    for item in report.objects:
        ious = [
            iou(result.masks[item.object_id], clip.truth(result.index) == item.object_id)
            for result in notes.results
        ]
        assert item.mean_iou == pytest.approx(np.mean(ious))
        assert item.worst_iou == pytest.approx(min(ious))
        assert item.worst_frame == int(np.argmin(ious))


def test_the_caller_hears_of_every_frame(demo: Demo) -> None:
    _, notes, _ = demo
    assert [result.index for result in notes.results] == [0, 1, 2, 3]
    assert notes.totals == [4]


def test_the_folder_holds_the_clip_the_sheet_and_an_ordinary_run(demo: Demo) -> None:
    report, _, out = demo
    assert {item.name for item in out.iterdir()} == {"synthetic.mp4", "contact_sheet.png", "run"}
    assert report.clip == out / "synthetic.mp4"
    assert report.contact_sheet == out / "contact_sheet.png"
    assert report.run.folder == out / "run"
    assert report.run.frames == 4
    assert report.run.frames_per_second > 0
    assert json.loads((out / "run" / "run.json").read_text())["status"] == "complete"
    assert len(list((out / "run" / "masks").glob("*.png"))) == 4
    with open_source(str(report.clip)) as source:
        assert len(list(source)) == 4


def test_a_second_demo_replaces_the_first(tmp_path: Path) -> None:
    run_demo(tmp_path, frames=2)
    second = run_demo(tmp_path, frames=1)
    assert second.run.frames == 1
    assert len(list((tmp_path / "run" / "masks").glob("*.png"))) == 1


def test_a_stopped_demo_reports_what_was_done(tmp_path: Path) -> None:
    notes = Notes()
    report = run_demo(
        tmp_path, frames=4, listener=notes, should_stop=lambda: len(notes.results) >= 2
    )
    assert report.run.status == "interrupted"
    assert report.run.frames == len(notes.results) < 4
    assert len(report.objects) == 3
    assert report.contact_sheet is not None
    assert report.contact_sheet.exists()


@pytest.mark.parametrize(
    "wrong",
    [{"method": Method(tracker="none")}, {"method": Method(segmenter="none")}, {"frames": 0}],
)
def test_what_makes_no_demo_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"'none'|frames of a synthetic clip is 0"):
        run_demo(tmp_path, **{"frames": 1, **wrong})


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        run_demo(tmp_path / "file" / "out", frames=1)
