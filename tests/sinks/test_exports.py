"""What other tools read of a run: annotations, arrays, cut-outs and the summary pictures."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from rvsam_video.results import FrameResult
from rvsam_video.sinks.base import SinkContext, SinkWriter, create_sinks
from rvsam_video.sinks.labelling import OUTLINE_TOLERANCE, outlines, simplified

MakeResult = Callable[..., FrameResult]
FRAMES = 20


@pytest.fixture(scope="module")
def results(make_result: MakeResult) -> list[FrameResult]:
    return [make_result(index) for index in range(FRAMES)]


def write(
    folder: Path, results: list[FrameResult], name: str, context: SinkContext | None = None
) -> list[Path]:
    with SinkWriter(create_sinks([name], folder, context)) as sinks:
        sinks.start()
        for result in results:
            sinks.write(result)
        sinks.commit()
        return sinks.finish(complete=True)


def filled(mask: np.ndarray) -> np.ndarray:
    """Fill the holes of a mask: all that the background cannot reach from outside."""
    padded = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(padded, None, (0, 0), 2, flags=4)
    return padded[1:-1, 1:-1] != 2


def drawn(polygons: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    if not polygons:
        return np.zeros(shape, bool)
    codes = coco_mask.frPyObjects([polygon.ravel().tolist() for polygon in polygons], *shape)
    return coco_mask.decode(coco_mask.merge(codes)).astype(bool)


@given(arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24))))
def test_outlines_drawn_by_coco_tools_are_the_mask_with_its_holes_filled(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(drawn(outlines(mask), mask.shape), filled(mask))


def test_the_largest_part_comes_first() -> None:
    mask = np.zeros((30, 30), bool)
    mask[2:4, 2:4] = True
    mask[10:25, 10:25] = True
    assert [polygon.min() for polygon in outlines(mask)] == [10.25, 2.25]


def test_coco_tools_read_the_annotations(tmp_path: Path, results: list[FrameResult]) -> None:
    stems = [f"frame-{index}" for index in range(FRAMES)]
    files = [f"{stem}.png" for stem in stems]
    context = SinkContext("clip", stems.__getitem__, files.__getitem__)
    (path,) = write(tmp_path, results, "coco", context)
    dataset = COCO(str(path))
    assert [image["file_name"] for image in dataset.dataset["images"]] == files
    assert dataset.dataset["categories"] == [{"id": 1, "name": "object", "supercategory": ""}]
    for result in results:
        found = dataset.loadAnns(dataset.getAnnIds(imgIds=[result.index + 1]))
        visible = {item.object_id: item for item in result.objects if item.visible}
        assert {item["track_id"] for item in found} == set(visible)
        for item in found:
            mask = visible[item["track_id"]].mask
            assert item["area"] == mask.sum()
            np.testing.assert_array_equal(dataset.annToMask(item).astype(bool), filled(mask))
            x, y, width, height = item["bbox"]
            assert mask[y : y + height, x : x + width].sum() == mask.sum()


def test_cvat_tracks_follow_the_objects(tmp_path: Path, results: list[FrameResult]) -> None:
    (path,) = write(tmp_path, results, "cvat")
    root = ET.parse(path).getroot()  # noqa: S314 (written by the line above)
    assert root.findtext("version") == "1.1"
    assert root.findtext("meta/task/size") == str(FRAMES)
    labels = [label.text for label in root.findall("meta/task/labels/label/name")]
    assert labels == ["object 1", "object 2", "object 9"]
    shape = results[0].image.shape[:2]
    for key in (1, 2, 9):
        polygons: dict[int, list[np.ndarray]] = {}
        for track in root.findall(f"track[@label='object {key}']"):
            for item in track.findall("polygon[@outside='0']"):
                corners = [pair.split(",") for pair in item.attrib["points"].split(";")]
                polygons.setdefault(int(item.attrib["frame"]), []).append(
                    np.array(corners, np.float64)
                )
        for result in results:
            mask = result.masks.get(key, np.zeros(shape, bool))
            found, truth = drawn(polygons.get(result.index, []), shape), filled(mask)
            # Simplified, so pixels of the edge may differ, and no others.
            core = cv2.erode(truth.astype(np.uint8), np.ones((3, 3)), borderValue=0) > 0
            rim = cv2.dilate(truth.astype(np.uint8), np.ones((3, 3))) > 0
            assert found[core].all()
            assert not found[~rim].any()


@given(arrays(bool, st.tuples(st.integers(2, 40), st.integers(2, 40))))
def test_simplified_outlines_stay_within_their_tolerance(mask: np.ndarray) -> None:
    for polygon in outlines(mask):
        reduced = simplified(polygon)
        assert 3 <= len(reduced) <= len(polygon)
        for x, y in polygon.tolist():
            assert abs(cv2.pointPolygonTest(reduced, (x, y), True)) <= OUTLINE_TOLERANCE + 1e-3


def test_a_large_smooth_outline_keeps_few_corners() -> None:
    y, x = np.mgrid[:400, :400]
    (polygon,) = outlines((x - 200) ** 2 + (y - 200) ** 2 < 150**2)
    assert len(polygon) > 500
    assert len(simplified(polygon)) < 60


def test_frames_that_do_not_change_are_no_key_frames(
    tmp_path: Path, make_result: MakeResult
) -> None:
    moving, still = make_result(1), make_result(2)
    results = [moving, *(replace(still, index=index) for index in range(2, 7)), make_result(8)]
    (path,) = write(tmp_path, results, "cvat")
    root = ET.parse(path).getroot()  # noqa: S314 (written by the line above)
    keys = [
        (int(item.attrib["frame"]), int(item.attrib["keyframe"]))
        for item in root.findall("track[@label='object 1']/polygon")
    ]
    assert keys == [(1, 1), (2, 1), (3, 0), (4, 0), (5, 0), (6, 1), (8, 1)]


def test_objects_have_the_names_that_the_user_gave(
    tmp_path: Path, results: list[FrameResult]
) -> None:
    context = SinkContext("clip", names={1: "bee", 2: 'a "b" <é>', 9: "bee"})
    (coco,) = write(tmp_path, results, "coco", context)
    dataset = COCO(str(coco))
    assert {item["id"]: item["name"] for item in dataset.dataset["categories"]} == {
        1: "bee", 2: 'a "b" <é>',
    }  # fmt: skip
    found = {item["track_id"]: item["category_id"] for item in dataset.dataset["annotations"]}
    assert found == {1: 1, 2: 2, 9: 1}
    (cvat,) = write(tmp_path, results, "cvat", context)
    root = ET.parse(cvat).getroot()  # noqa: S314 (written by the line above)
    labels = [label.text for label in root.findall("meta/task/labels/label/name")]
    assert labels == ["bee", 'a "b" <é>']
    assert {track.attrib["label"] for track in root.findall("track")} == set(labels)
    (rle,) = write(tmp_path, results, "rle", context)
    tracks = json.loads(rle.read_text())
    assert [(track["object_id"], track["name"]) for track in tracks] == list(context.names.items())
    (npz,) = write(tmp_path, results, "npz", context)
    with np.load(npz) as data:
        assert data["object_names"].tolist() == list(context.names.values())


def test_objects_without_a_name_are_the_category_object(
    tmp_path: Path, results: list[FrameResult]
) -> None:
    (path,) = write(tmp_path, results, "coco", SinkContext("clip", names={2: "bee"}))
    dataset = COCO(str(path))
    assert [item["name"] for item in dataset.dataset["categories"]] == ["bee", "object"]
    found = {item["track_id"]: item["category_id"] for item in dataset.dataset["annotations"]}
    assert found == {1: 2, 2: 1, 9: 2}


@pytest.mark.parametrize("kind", ["00042.jpg", "7.png", "a.TIF", "b.webp", "c.pgm", "d.bmp"])
def test_frames_have_the_names_of_the_annotations(
    kind: str, tmp_path: Path, make_result: MakeResult
) -> None:
    context, result = SinkContext(picture_name=lambda _: kind), make_result(0)
    (folder,) = write(tmp_path, [result], "frames", context)
    assert [path.name for path in folder.iterdir()] == [kind]
    with Image.open(folder / kind) as picture:
        found = np.asarray(picture.convert("RGB")).astype(int)
    difference = np.abs(found - result.image)
    assert difference.mean() < (6 if kind[-3:] in {"jpg", "ebp"} else 1e-9)


def test_a_cvat_track_ends_where_its_object_does(
    tmp_path: Path, results: list[FrameResult]
) -> None:
    (path,) = write(tmp_path, results, "cvat")
    root = ET.parse(path).getroot()  # noqa: S314 (written by the line above)
    ends = {
        track.attrib["label"]: [int(p.attrib["frame"]) for p in track.findall("*[@outside='1']")]
        for track in root.findall("track")
    }
    assert ends == {"object 1": [7, 14], "object 2": [], "object 9": [13]}


def test_numpy_loads_the_arrays(tmp_path: Path, results: list[FrameResult]) -> None:
    (path,) = write(tmp_path, results, "npz")
    with np.load(path, allow_pickle=False) as data:
        assert data["frames"].tolist() == list(range(FRAMES))
        assert data["object_ids"].tolist() == [1, 2, 9]
        np.testing.assert_allclose(data["times"], [result.time for result in results])
        for row, result in enumerate(results):
            for column, key in enumerate((1, 2, 9)):
                score = result.scores.get(key, np.nan)
                assert data["scores"][row, column] == pytest.approx(score, nan_ok=True)
                mask = result.masks.get(key, np.zeros(result.image.shape[:2], bool))
                np.testing.assert_array_equal(data["masks"][row, column], mask)


def test_alpha_is_opaque_on_the_objects_and_keeps_their_colours(
    tmp_path: Path, make_result: MakeResult
) -> None:
    results = [make_result(index, size=(64, 48)) for index in range(5)]
    (path,) = write(tmp_path, results, "alpha")
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "prores"
        for frame, result in zip(container.decode(video=0), results, strict=True):
            assert float(frame.time) == pytest.approx(result.time, abs=0.001)
            rgba = frame.to_ndarray(format="rgba")
            inside = result.foreground()
            np.testing.assert_array_equal(rgba[..., 3] > 127, inside)
            core = cv2.erode(inside.astype(np.uint8), np.ones((3, 3))) > 0
            difference = np.abs(rgba[core][:, :3].astype(int) - result.image[core])
            assert difference.mean() < 6


def test_cutout_pictures_are_exact(tmp_path: Path, results: list[FrameResult]) -> None:
    (folder,) = write(tmp_path, results, "cutout-png")
    for result in results:
        with Image.open(folder / f"{result.index:05d}.png") as picture:
            assert picture.mode == "RGBA"
            rgba = np.asarray(picture)
        inside = result.foreground()
        np.testing.assert_array_equal(rgba[..., 3], np.where(inside, 255, 0))
        np.testing.assert_array_equal(rgba[inside][:, :3], result.image[inside])
        assert not rgba[~inside].any()


def test_the_cutout_video_has_the_chosen_background(
    tmp_path: Path, make_result: MakeResult
) -> None:
    results = [make_result(0, size=(64, 48))]
    (path,) = write(tmp_path, results, "cutout", SinkContext(background=(20, 40, 220)))
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    outside = cv2.dilate(results[0].foreground().astype(np.uint8), np.ones((9, 9))) == 0
    np.testing.assert_allclose(picture[outside].mean(axis=0), (20, 40, 220), atol=8)


def test_side_by_side_shows_the_source_on_the_left(tmp_path: Path, make_result: MakeResult) -> None:
    results = [make_result(0, size=(64, 48))]
    (path,) = write(tmp_path, results, "side-by-side")
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert picture.shape == (48, 128, 3)
    assert np.abs(picture[:, :64].astype(int) - results[0].image).mean() < 20


@pytest.mark.parametrize("frames", [1, 5, 12, 300])
def test_the_contact_sheet_shows_at_most_twelve_frames_from_first_to_last(
    frames: int, tmp_path: Path, make_result: MakeResult
) -> None:
    results = [make_result(index, size=(64, 48)) for index in range(frames)]
    sheet, plots = write(tmp_path, results, "summary")
    with Image.open(sheet) as picture:
        columns = min(4, frames)
        assert picture.width == columns * (64 + 12)
        rows = -(-min(12, frames) // columns)
        assert picture.height == rows * (48 + 6 + 22)
    with Image.open(plots) as picture:
        objects = len({key for result in results for key in result.masks})
        assert picture.height == 30 + objects * 110 + 34


def test_plots_show_where_an_object_lives(tmp_path: Path, make_result: MakeResult) -> None:
    """Object 9 lives in frames 0 to 12 of 26: its panel is empty in the right half."""
    results = [make_result(index) for index in range(26)]
    _, plots = write(tmp_path, results, "summary")
    with Image.open(plots) as picture:
        panel = np.asarray(picture)[30 + 2 * 110 : 30 + 2 * 110 + 96, 84 : 84 + 960]
    floor = (panel == panel[0, -1]).all(axis=2)
    assert floor[:, 480:].all()
    assert not floor[-1, :450].any()
