"""Edges: drawn as public code draws them, and BSDS500 from its files to its tables."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from golden_data import DATA, golden, golden_part
from PIL import Image
from scipy.io import savemat
from synthetic_picture import synthetic_picture

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.evals.images.edges import drawing, scoring
from rvsam_video.evals.images.edges import run as edges_run
from rvsam_video.evals.images.edges.drawing import (
    EdgeSettings,
    draw_edges,
    outline,
    smoothed,
    strongest_edges,
)
from rvsam_video.evals.images.edges.layout import find_bsds, read_annotators
from rvsam_video.evals.images.edges.suppression import orientations, suppressed
from rvsam_video.evals.images.pictures import PictureChoice
from rvsam_video.export import extras
from rvsam_video.segmenters.sam.automatic import automatic_candidates

MINI = DATA / "images" / "bsds_mini"
NAMES = ["same_as_truth", "thin_tall", "tiny"]
MAPS = golden("images/edge_maps")
CLOSE = 2e-6


@pytest.mark.parametrize("name", ["tiny", "one_blank_annotator", "thin_tall", "dense"])
def test_edges_are_thinned_to_the_bits_of_opencv(name):
    case = golden_part("images/edge_maps", f"nms/{name}")
    direction = orientations(case["smooth"])
    np.testing.assert_array_equal(direction, case["orientation"])
    thin = suppressed(case["smooth"], direction)
    np.testing.assert_array_equal(thin, case["nms"])
    np.testing.assert_array_equal((255 * thin).astype(np.uint8), case["png"])


def test_outlines_of_masks_are_those_of_the_public_code():
    found = np.stack([outline(logits) for logits in MAPS["filter/logits"]])
    np.testing.assert_allclose(found, MAPS["filter/edges"], atol=CLOSE)


def logits_of(x, y):
    """The masks that the golden grid was asked with, and what was predicted of them."""
    rows, columns = np.mgrid[:96, :140].astype(np.float64)
    masks, ious = [], []
    for k, size in enumerate((9.0, 16.0, 40.0)):
        wide, high = size * (1 + 0.3 * np.sin(x / 17)), size * (1 + 0.3 * np.cos(y / 13))
        masks.append(6 * (1 - (columns - x) ** 2 / wide**2 - (rows - y) ** 2 / high**2))
        ious.append(0.5 + 0.4 * np.sin(0.7 * x + 1.3 * y + k) ** 2)
    return np.array(masks, np.float32), np.array(ious, np.float32)


def test_the_strongest_outline_of_the_golden_grid_and_how_it_is_scaled():
    kept = []
    for point, iou in zip(MAPS["grid/points"], MAPS["grid/predicted_iou"], strict=True):
        masks, ious = logits_of(*point)
        kept.append(masks[np.abs(ious - iou).argmin()])
    strongest = strongest_edges(iter(kept), (96, 140))
    np.testing.assert_allclose(strongest, MAPS["grid/strongest"], atol=CLOSE)
    for settings, name in ((EdgeSettings(blur=0), "unit"), (EdgeSettings(), "smooth")):
        found = smoothed(MAPS["grid/strongest"], settings)
        np.testing.assert_allclose(found, MAPS[f"grid/{name}"], atol=CLOSE)
    cleared = smoothed(MAPS["grid/strongest"], EdgeSettings(blur=0, clear_frame=5))
    expected = MAPS["grid/strongest_zero_frame_5"]
    np.testing.assert_allclose(cleared, expected / expected.max(), atol=CLOSE)


def test_a_mask_at_the_frame_draws_a_false_edge_there_unless_it_is_cleared():
    logits = np.full((40, 60), 8.0, np.float32)
    logits[:, 30:] = -8
    strongest = strongest_edges([logits], (40, 60))
    assert strongest[0, 10] > strongest[20, 29] > 0
    cleared = smoothed(strongest, EdgeSettings(blur=0, clear_frame=2))
    assert cleared[:2].max() == 0
    assert cleared[20, 29] == 1


def test_nothing_found_is_a_blank_map():
    blank = smoothed(strongest_edges([], (5, 6)), EdgeSettings())
    assert blank.shape == (5, 6)
    assert not blank.any()


def test_variants_say_what_is_filtered():
    paper, public = (EdgeSettings.variant(name).automatic() for name in ("paper", "public"))
    assert (paper.iou_threshold, paper.stability_threshold, paper.batch_overlap) == (0, 0, None)
    assert (public.iou_threshold, public.stability_threshold) == (0.88, 0.95)
    assert (public.points_per_batch, public.batch_overlap) == (64, 0.7)
    assert paper.points_per_side == public.points_per_side == 16


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"blur": 4}, "blur is 4"),
        ({"blur": -3}, "blur is -3"),
        ({"clear_frame": -1}, "clear_frame"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, sentence):
    with pytest.raises(UsageError, match=sentence):
        EdgeSettings(**change)


def test_an_unknown_variant_is_refused():
    with pytest.raises(UsageError, match="no variant 'papper'; choose one of: paper, public"):
        EdgeSettings.variant("papper")


@pytest.mark.slow
def test_the_whole_way_from_a_picture_with_a_golden_network(golden_mobile_sam, monkeypatch):
    """Of its 768 masks the public code leaves one."""
    picture = synthetic_picture(150, 210, seed=7)
    (mask,) = automatic_candidates(golden_mobile_sam, picture, EdgeSettings().automatic())
    box = (*mask.box[:2], *np.subtract(mask.box[2:], mask.box[:2]))
    np.testing.assert_allclose(box, MAPS["sam/boxes_xywh"][0], atol=1)
    assert mask.predicted_iou == pytest.approx(MAPS["sam/predicted_iou"][0], abs=1e-4)
    strongest = strongest_edges([mask.logits()], picture.shape[:2])
    assert np.mean(abs(strongest - MAPS["sam/strongest"]) <= 1e-3) > 0.999
    monkeypatch.setattr(drawing, "automatic_candidates", lambda *_: [mask])
    drawn = draw_edges(golden_mobile_sam, picture, EdgeSettings())
    smooth = MAPS["sam/smooth"]
    expected = (255 * suppressed(smooth, orientations(smooth))).astype(np.uint8)
    assert drawn.masks == 1
    assert np.mean(drawn.strength == expected) > 0.99


@pytest.fixture
def golden_mobile_sam():
    from sam_weights import sam_with_golden_weights

    return sam_with_golden_weights("mobile-sam")


def test_annotators_are_read_as_public_code_reads_them():
    for name in NAMES:
        arrays = golden_part("images/edges", name)
        shape = tuple(arrays["shape"])
        expected = np.unpackbits(arrays["boundaries"], count=int(np.prod(shape))).reshape(shape)
        found = read_annotators(MINI / "groundTruth" / "test" / f"{name}.mat")
        np.testing.assert_array_equal(np.stack(found), expected > 0)


def test_the_set_is_found_wherever_it_was_unpacked(tmp_path):
    for inner in ("BSDS500/data", "BSR/BSDS500/data", "data"):
        shutil.copytree(MINI, tmp_path / inner.replace("/", "-") / inner)
        found = find_bsds(tmp_path / inner.replace("/", "-"))
        assert [item.name for item in found.pictures] == NAMES
    (found.pictures[0].picture.parent / "Thumbs.db").write_bytes(b"")
    assert len(find_bsds(tmp_path / "data").pictures) == 3


def write_mat(path, annotators):
    cell = np.empty((1, len(annotators)), object)
    for place, edges in enumerate(annotators):
        cell[0, place] = {"Segmentation": edges.astype(np.uint16), "Boundaries": edges}
    savemat(path, {"groundTruth": cell})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"other": np.zeros(3)}, "holds no annotators"),
        ([], "maps of shapes none"),
        ([np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8)], r"\(3, 4\), \(4, 3\)"),
        (b"no matlab", "holds no annotators"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM", "MATLAB 7.3"),
    ],
)
def test_truth_that_cannot_be_read_is_named(tmp_path, content, sentence):
    path = tmp_path / "1.mat"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        savemat(path, content)
    else:
        write_mat(path, content)
    with pytest.raises(SourceError, match=sentence) as caught:
        read_annotators(path)
    assert str(path) in str(caught.value)


@pytest.fixture
def tree(tmp_path):
    return shutil.copytree(MINI, tmp_path / "bsds")


def score(tree, *more):
    return ["score", "edges", "--root", tree, "--results", tree / "predictions", *more]


def test_maps_of_any_tool_are_scored_to_the_tables_of_the_benchmark(tree, run_command, tmp_path):
    code, told, _ = run_command(*score(tree, "--out", tmp_path / "out"))
    assert code == 0
    total = sum(golden_part("images/edges", name)["exact"] for name in NAMES)
    best = told["ODS"]
    bench = tmp_path / "out" / "bench"
    table = np.loadtxt(bench / "eval_bdry_thr.txt")
    recall = total[0] / total[1]
    np.testing.assert_allclose(table[:, 1], recall, rtol=1e-5)
    line = (bench / "eval_bdry.txt").read_text().split()
    assert float(line[3]) == pytest.approx(best["f"], rel=1e-5)
    assert float(line[-1]) == pytest.approx(told["AP"], rel=1e-5)
    counts = np.loadtxt(bench / "tiny_ev1.txt").T[1:]
    np.testing.assert_array_equal(counts[0], golden_part("images/edges", "tiny")["exact"][0])
    rows = (tmp_path / "out" / "scores.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["picture", *NAMES]
    assert any("matched exactly" in note for note in told["notes"])
    for name in ("precision_recall.png", "best_and_worst.png"):
        assert Image.open(tmp_path / "out" / name).width > 300


def test_processes_count_the_same(tree, run_command, tmp_path):
    _, one, _ = run_command(*score(tree, "--out", tmp_path / "one"))
    _, two, _ = run_command(*score(tree, "--out", tmp_path / "two", "--workers", 2))
    assert {**one, "files": 0} == {**two, "files": 0}


def test_what_was_counted_is_kept_until_a_file_changes(tree, run_command, tmp_path, monkeypatch):
    calls = []
    count = scoring.edge_counts

    def counted(*arguments, **named):
        calls.append(1)
        return count(*arguments, **named)

    monkeypatch.setattr(scoring, "edge_counts", counted)
    command = score(tree, "--out", tmp_path / "out", "--thresholds", 5)
    _, first, _ = run_command(*command)
    _, again, _ = run_command(*command)
    assert (len(calls), first) == (3, again)
    Image.fromarray(np.zeros((31, 24), np.uint8).T).save(tree / "predictions" / "tiny.png")
    _, changed, _ = run_command(*command)
    assert len(calls) == 4
    assert changed["ODS"] != first["ODS"]
    run_command(*command[:-1], 6)
    assert len(calls) == 7
    (tmp_path / "out" / "counts" / "tiny.json").write_text("{")
    run_command(*command[:-1], 6)
    assert len(calls) == 8


def test_a_choice_of_pictures_is_called_partial(tree, run_command, tmp_path):
    _, told, _ = run_command(*score(tree, "--out", tmp_path / "out", "--names", "tiny,thin_tall"))
    assert told["pictures"] == 2
    assert told["notes"][0] == "partial: 2 of 3 pictures"
    assert find_bsds(tree, choice=PictureChoice(every=2)).pictures[1].name == "tiny"
    assert [it.name for it in find_bsds(tree, choice=PictureChoice(limit=1)).pictures] == NAMES[:1]


def test_sixteen_bits_are_read_as_they_are(tree, run_command, tmp_path):
    for name in NAMES:
        path = tree / "predictions" / f"{name}.png"
        deep = np.asarray(Image.open(path)).astype(np.uint16) * 257
        Image.fromarray(deep).save(path)
    _, deep, _ = run_command(*score(tree, "--out", tmp_path / "deep"))
    _, plain, _ = run_command(*score(MINI, "--out", tmp_path / "plain"))
    assert deep["ODS"] == plain["ODS"]


def broken(tree, what):
    predictions = tree / "predictions"
    if what == "missing":
        (predictions / "tiny.png").unlink()
    elif what == "size":
        Image.new("L", (9, 9)).save(predictions / "tiny.png")
    elif what == "colour":
        Image.new("RGB", (24, 31)).save(predictions / "tiny.png")
    elif what == "damaged":
        (predictions / "tiny.png").write_bytes(b"\x89PNG no more")
    elif what == "no folder":
        shutil.rmtree(predictions)
    elif what == "no truth":
        shutil.rmtree(tree / "groundTruth")


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("missing", "1 of 3 have no map of edges in"),
        ("size", "tiny.png has 9x9 pixels, but the annotators drew on 31x24"),
        ("colour", "no grey picture of 8 or 16 bits"),
        ("damaged", "tiny.png cannot be read"),
        ("no folder", "there is no folder"),
        ("no truth", "get it from https://github.com/BIDS/BSDS500"),
    ],
)
def test_what_is_wrong_with_a_set_is_said(tree, run_command, what, sentence):
    broken(tree, what)
    code, told, _ = run_command(*score(tree))
    assert code == 1
    assert sentence in told["message"]


def test_an_unknown_picture_is_named(tree, run_command):
    code, told, _ = run_command(*score(tree, "--names", "tinny"))
    assert code == 2
    assert "there is no picture named 'tinny'" in told["message"]


def test_without_scipy_the_extra_is_named(tree, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r'pip install "rvsam-video\[evals\]"'):
        find_bsds(tree)


def evaluate(tree, out, segmenter, *more):
    grid = ("--points-per-side", 2, "--thresholds", 5)
    return ["eval", "edges", "--root", tree, "--out", out, "--segmenter", segmenter, *grid, *more]


def test_a_stopped_run_goes_on_to_the_same_bytes(tree, run_command, tiny_name, tmp_path, stop_at):
    code, whole, _ = run_command(*evaluate(tree, tmp_path / "whole", tiny_name))
    assert code == 0
    assert whole["pictures"] == 3
    state = stop_at(edges_run, "draw_edges", 2)
    out = tmp_path / "out"
    code, told, _ = run_command(*evaluate(tree, out, tiny_name))
    assert code == 130
    assert "the same command goes on from here" in told["text"]
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    first = (out / "edges" / "same_as_truth.png").stat().st_mtime_ns
    code, told, _ = run_command(*evaluate(tree, out, tiny_name))
    assert (code, state["calls"]) == (0, 4)
    assert (out / "edges" / "same_as_truth.png").stat().st_mtime_ns == first
    assert {**told, "files": 0} == {**whole, "files": 0}
    for name in (
        "scores.csv",
        "scores.json",
        "best_and_worst.png",
        *(f"edges/{n}.png" for n in NAMES),
    ):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_killed_run_goes_on_to_the_same_bytes(
    tree, run_command, tiny_name, kill_when_there_is, tmp_path
):
    more = ("--points-per-side", 6)
    assert run_command(*evaluate(tree, tmp_path / "whole", tiny_name, *more))[0] == 0
    out = tmp_path / "out"
    left = kill_when_there_is(evaluate(tree, out, tiny_name, *more), out, "edges/*.png")
    assert left < len(NAMES)
    assert run_command(*evaluate(tree, out, tiny_name, *more))[0] == 0
    for name in ("scores.csv", "scores.json", *(f"edges/{n}.png" for n in NAMES)):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_other_settings_need_a_fresh_start(tree, run_command, tiny_name, tmp_path):
    run_command(*evaluate(tree, tmp_path / "out", tiny_name, "--limit", 1))
    code, told, _ = run_command(*evaluate(tree, tmp_path / "out", tiny_name, "--clear-frame", 5))
    assert code == 1
    assert "edges.clear_frame was 0 and is now 5" in told["message"]
    command = evaluate(tree, tmp_path / "out", tiny_name, "--clear-frame", 5, "--overwrite")
    assert run_command(*command, "--limit", 1)[0] == 0
    edges = np.asarray(Image.open(tmp_path / "out" / "edges" / "same_as_truth.png"))
    assert not edges[:4].any()


def test_a_segmenter_that_finds_nothing_is_refused_before_a_folder_is_made(
    tree, run_command, tmp_path
):
    code, told, _ = run_command(*evaluate(tree, tmp_path / "out", "grabcut"))
    assert code == 2
    assert "grabcut has no everything mode" in told["message"]
    assert not (tmp_path / "out").exists()


def test_missing_and_turned_pictures_are_refused(tree, run_command, tiny_name, tmp_path):
    picture = tree / "images" / "test" / "tiny.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(picture).save(picture, exif=exif)
    code, told, _ = run_command(*evaluate(tree, tmp_path / "out", tiny_name))
    assert code == 1
    assert "tiny.jpg is marked to be turned (EXIF orientation 6)" in told["message"]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "failed"
    picture.unlink()
    code, told, _ = run_command(*evaluate(tree, tmp_path / "out2", tiny_name))
    assert "1 of 3 have no picture in" in told["message"]
