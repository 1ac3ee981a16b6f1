"""What lies on disk after a run, and that cutting a run anywhere leaves no trace in it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as coco_mask

from rvsam_video.errors import OutputError, UsageError
from rvsam_video.palette import davis_palette
from rvsam_video.results import FrameResult
from rvsam_video.sinks.base import (
    Mark,
    SinkContext,
    SinkWriter,
    create_sinks,
)
from rvsam_video.sinks.colours import drawing_colour
from rvsam_video.sinks.names import DEFAULT_SINKS, SINK_NAMES
from rvsam_video.sinks.rle import coco_code

MakeResult = Callable[..., FrameResult]
FRAMES = 32


def writer(folder: Path, *names: str, context: SinkContext | None = None) -> SinkWriter:
    return SinkWriter(create_sinks(names or SINK_NAMES, folder, context))


def run(folder: Path, results: list[FrameResult], *names: str) -> list[Path]:
    with writer(folder, *names) as sinks:
        sinks.start()
        for result in results:
            sinks.write(result)
        sinks.commit()
        return sinks.finish(complete=True)


def final_files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".parts" not in path.parts
    }


@pytest.fixture(scope="module")
def results(make_result: MakeResult) -> list[FrameResult]:
    return [make_result(index) for index in range(FRAMES)]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory, results: list[FrameResult]) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run(folder, results)
    return folder


def test_a_run_leaves_the_files_it_names(tmp_path: Path, results: list[FrameResult]) -> None:
    paths = run(tmp_path, results[:3])
    assert [path.name for path in paths] == [
        "overlay.mp4",
        "masks",
        "results.json",
        "points.csv",
        "contact_sheet.png",
        "plots.png",
        "side-by-side.mp4",
        "cutout.mp4",
        "cutouts",
        "alpha.mov",
        "frames",
        "coco.json",
        "cvat.xml",
        "masks.npz",
    ]
    assert all(path.exists() for path in paths)


def test_an_unknown_output_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'video'.*overlay, masks, rle, points"):
        create_sinks(["masks", "video"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_naming_outputs_loads_neither_ffmpeg_nor_opencv() -> None:
    code = (
        "import sys, rvsam_video.sinks.base, rvsam_video.sinks.background, rvsam_video.runs.folder"
        ";"
        "print({'av', 'cv2', 'PIL', 'pycocotools', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_mask_files_hold_the_object_ids_and_the_davis_palette(
    whole_run: Path, results: list[FrameResult]
) -> None:
    files = sorted((whole_run / "masks").iterdir())
    assert [path.name for path in files] == [f"{index:05d}.png" for index in range(FRAMES)]
    for path, result in zip(files, results, strict=True):
        with Image.open(path) as picture:
            assert picture.mode == "P"
            np.testing.assert_array_equal(np.asarray(picture), result.index_map())
            palette = np.array(picture.getpalette(), np.uint8).reshape(-1, 3)
            np.testing.assert_array_equal(palette, davis_palette())


def test_the_palette_is_the_published_one() -> None:
    published = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128)]
    assert davis_palette()[:6].tolist() == [list(colour) for colour in published]
    assert davis_palette()[[15, 20, 255]].tolist() == [
        [192, 128, 128],
        [0, 64, 128],
        [224, 224, 192],
    ]
    assert len(np.unique(davis_palette(), axis=0)) == 256


def test_no_two_objects_are_drawn_in_one_colour() -> None:
    assert len({drawing_colour(object_id) for object_id in range(1, 256)}) == 255


def test_masks_take_the_names_of_the_source_pictures(
    tmp_path: Path, make_result: MakeResult
) -> None:
    stems = ["left", "right"]
    with writer(tmp_path, "masks", context=SinkContext(mask_stem=stems.__getitem__)) as sinks:
        sinks.start()
        sinks.write(make_result(1))
        assert [path.name for path in (tmp_path / "masks").iterdir()] == ["right.png"]
        sinks.start({"masks": {"names": 0}})
    assert list((tmp_path / "masks").iterdir()) == []


@given(arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_run_length_codes_decode_to_the_mask(mask: np.ndarray) -> None:
    code = json.loads(json.dumps(coco_code(mask)))
    assert code["size"] == list(mask.shape)
    np.testing.assert_array_equal(coco_mask.decode(code), mask)


def test_results_json_has_one_entry_per_object_and_a_place_per_frame(
    whole_run: Path, results: list[FrameResult]
) -> None:
    entries = json.loads((whole_run / "results.json").read_text())
    assert [entry["object_id"] for entry in entries] == [1, 2, 9]
    for entry in entries:
        lived = [r.scores[entry["object_id"]] for r in results if entry["object_id"] in r.masks]
        assert entry["score"] == pytest.approx(sum(lived) / len(lived))
        assert (entry["video_id"], entry["category_id"]) == (0, 1)
        assert len(entry["segmentations"]) == FRAMES
        for code, result in zip(entry["segmentations"], results, strict=True):
            mask = result.masks.get(entry["object_id"])
            if mask is None or not mask.any():
                assert code is None
            else:
                np.testing.assert_array_equal(coco_mask.decode(code), mask)


def test_frames_that_were_not_read_are_null_in_results_json(
    tmp_path: Path, make_result: MakeResult
) -> None:
    run(tmp_path, [make_result(index) for index in (3, 4, 8)], "rle")
    entry = json.loads((tmp_path / "results.json").read_text())[0]
    present = [index for index, code in enumerate(entry["segmentations"]) if code]
    assert present == [3, 4, 8]


def test_a_run_longer_than_what_is_sorted_in_memory_keeps_all_frames(
    tmp_path: Path, make_result: MakeResult
) -> None:
    frames = [make_result(index, size=(8, 6)) for index in range(1203)]
    run(tmp_path, frames, "rle")
    entries = json.loads((tmp_path / "results.json").read_text())
    assert [len(entry["segmentations"]) for entry in entries] == [1203] * 3
    assert entries[1]["segmentations"][:5] == [None] * 5
    assert [p.name for p in (tmp_path / ".parts").iterdir()] == ["rle.jsonl"]


def test_memory_for_results_json_does_not_grow_with_the_video(
    tmp_path: Path, make_result: MakeResult
) -> None:
    peaks = []
    for length in (1000, 8000):
        frames = (make_result(index, size=(8, 6)) for index in range(length))
        with writer(tmp_path / str(length), "rle") as sinks:
            sinks.start()
            for result in frames:
                sinks.write(result)
            tracemalloc.start()
            sinks.finish(complete=True)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]


def test_points_are_a_table_with_their_states(whole_run: Path) -> None:
    with (whole_run / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * FRAMES
    assert [row["state"] for row in rows[:4]] == ["visible", "hidden", "outside", "visible"]
    assert [row["used"] for row in rows[:4]] == ["1", "0", "0", "1"]
    assert rows[5] == {
        "frame": "1",
        "time": "0.040000",
        "object_id": "1",
        "point_id": "1",
        "label": "1",
        "x": "12.000",
        "y": "22.250",
        "visible": "0",
        "used": "0",
        "state": "hidden",
        "confidence": "0.4000",
    }


def test_a_run_without_frames_leaves_valid_files(tmp_path: Path) -> None:
    paths = run(tmp_path, [], *DEFAULT_SINKS)
    assert [path.name for path in paths] == ["masks", "results.json", "points.csv"]
    assert json.loads((tmp_path / "results.json").read_text()) == []
    assert len((tmp_path / "points.csv").read_text().splitlines()) == 1


@pytest.mark.parametrize("name", SINK_NAMES)
@pytest.mark.parametrize("cut", [0, 1, 4, 5, 24, 25, 26, 31, 32])
def test_going_on_from_a_mark_gives_the_bytes_of_a_run_in_one_go(
    name: str, cut: int, tmp_path: Path, whole_run: Path, results: list[FrameResult]
) -> None:
    with writer(tmp_path, name) as killed:
        killed.start()
        for result in results[:cut]:
            killed.write(result)
        marks = stored(killed.commit())
        for result in results[cut : cut + 7]:
            killed.write(result)
    finish_from(tmp_path, name, marks, results[cut:])
    ours = final_files(tmp_path)
    assert ours == {path: data for path, data in final_files(whole_run).items() if path in ours}
    assert ours


@pytest.mark.parametrize("name", SINK_NAMES)
def test_an_interrupted_run_shows_what_there_is_and_goes_on_to_the_same_bytes(
    name: str, tmp_path: Path, whole_run: Path, results: list[FrameResult]
) -> None:
    done = 0
    marks = None
    for stop in (3, 17, 28):
        with writer(tmp_path, name) as sinks:
            sinks.start(marks)
            for result in results[done:stop]:
                sinks.write(result)
            marks, done = stored(sinks.commit()), stop
            assert all(path.exists() for path in sinks.finish(complete=False))
    finish_from(tmp_path, name, marks, results[done:])
    ours = final_files(tmp_path)
    assert ours == {path: data for path, data in final_files(whole_run).items() if path in ours}


def test_the_checkpoint_before_the_last_commit_is_still_good(
    tmp_path: Path, whole_run: Path, results: list[FrameResult]
) -> None:
    """A kill between the sinks' commit and the new checkpoint goes back to the one before."""
    with writer(tmp_path, "overlay") as killed:
        killed.start()
        for result in results[:10]:
            killed.write(result)
        marks = stored(killed.commit())
        for result in results[10:30]:
            killed.write(result)
        killed.commit()
    finish_from(tmp_path, "overlay", marks, results[10:])
    assert (tmp_path / "overlay.mp4").read_bytes() == (whole_run / "overlay.mp4").read_bytes()


def stored(marks: dict[str, Mark]) -> dict[str, Mark]:
    """Return marks as they come back from a checkpoint."""
    back: dict[str, Mark] = json.loads(json.dumps(marks))
    return back


def finish_from(
    folder: Path, name: str, marks: dict[str, Mark] | None, rest: list[FrameResult]
) -> None:
    with writer(folder, name) as resumed:
        resumed.start(marks)
        for result in rest:
            resumed.write(result)
        resumed.commit()
        resumed.finish(complete=True)


@pytest.mark.parametrize("name", ["overlay", "rle", "points"])
def test_output_that_was_cut_short_by_somebody_is_not_gone_on_with(
    name: str, tmp_path: Path, results: list[FrameResult]
) -> None:
    with writer(tmp_path, name) as sinks:
        sinks.start()
        for result in results[:26]:
            sinks.write(result)
        marks = sinks.commit()
    for path in [*tmp_path.glob("*.csv"), *tmp_path.glob(".parts/*")]:
        path.write_bytes(path.read_bytes()[:10])
    with writer(tmp_path, name) as sinks, pytest.raises(OutputError, match="--overwrite"):
        sinks.start(marks)


def test_marks_of_other_outputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="outputs rle, not points"):
        writer(tmp_path, "points").start({"rle": {"size": 0}})


def test_scores_of_frames_where_nothing_was_looked_for_do_not_count(
    tmp_path: Path, results: list[FrameResult]
) -> None:
    hidden = [
        replace(item, prompted=False, score=0.0) for result in results for item in result.objects
    ]
    unseen = replace(results[1], objects=tuple(hidden[: len(results[1].objects)]))
    run(tmp_path / "seen", [results[0]], "rle")
    run(tmp_path / "both", [results[0], unseen], "rle")
    seen, both = (
        {item["object_id"]: item["score"] for item in json.loads(path.read_text())}
        for path in (tmp_path / "seen" / "results.json", tmp_path / "both" / "results.json")
    )
    assert {key: both[key] for key in seen} == seen
