"""Salient objects: the choice and the errors of the public script, and DUTS-TE from its files."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from golden_data import document, golden_part
from PIL import Image

from rvsam_video.errors import SourceError
from rvsam_video.evals.images.salient import run as salient_run
from rvsam_video.evals.images.salient.layout import duts_folders, find_salient, read_truth
from rvsam_video.evals.images.salient.scoring import best_mask, score_salient
from rvsam_video.mask_rle import encode_mask

EXPECTED = document("images/salient")
NAMES = sorted(name for name, value in EXPECTED.items() if isinstance(value, dict))
CLOSE = 1e-12


@pytest.fixture
def tree(tmp_path):
    """The golden pictures in the layout of DUTS-TE, and masks as `eval salient` keeps them."""
    root = tmp_path / "DUTS-TE"
    for folder in ("DUTS-TE-Image", "DUTS-TE-Mask", "results"):
        (root / folder).mkdir(parents=True)
    for name in NAMES:
        case = golden_part("images/salient", name)
        height, width = case["truth"].shape
        Image.fromarray(case["truth"]).save(root / "DUTS-TE-Mask" / f"{name}.png")
        picture = np.repeat(case["truth"][..., None] // 2 + 40, 3, axis=2)
        Image.fromarray(picture).save(root / "DUTS-TE-Image" / f"{name}.jpg")
        masks = [{"counts": encode_mask(mask)} for mask in case["masks"]]
        content = {"size": [height, width], "masks": masks}
        (root / "results" / f"{name}.json").write_text(json.dumps(content))
    return root


def found(tree):
    return find_salient(*duts_folders(tree))


def test_choice_overlap_and_error_are_those_of_the_public_script(tree):
    scores = {score.name: score for score in score_salient(found(tree), tree / "results")}
    assert sorted(scores) == NAMES
    for name in NAMES:
        score, expected = scores[name], EXPECTED[name]
        assert (score.masks, score.chosen) == (expected["masks"], expected["chosen"])
        assert score.iou == pytest.approx(max(expected["iou"], default=0.0), abs=CLOSE)
        assert score.mae == pytest.approx(expected["mae_public"], abs=CLOSE)
        assert score.found_nothing == (expected["chosen"] is None)


@pytest.mark.parametrize(
    ("missing", "key"),
    [
        ("one", "mean MAE, public (1 where nothing fits)"),
        ("empty", "mean MAE, an empty mask where nothing fits"),
    ],
)
def test_pictures_without_a_mask_count_one_or_as_empty(tree, missing, key):
    scores = score_salient(found(tree), tree / "results", missing=missing)
    assert np.mean([score.mae for score in scores]) == pytest.approx(EXPECTED[key], abs=CLOSE)


@pytest.mark.parametrize("name", NAMES)
def test_errors_of_single_masks_are_those_of_the_field(tree, name):
    """There the truth is what is brighter than 128."""
    case = golden_part("images/salient", name)
    truth = read_truth(tree / "DUTS-TE-Mask" / f"{name}.png").absolute
    for mask, expected in zip(
        case["masks"], EXPECTED[name]["pysodmetrics_mae_of_each"], strict=True
    ):
        assert np.mean(mask != truth) == pytest.approx(expected, abs=CLOSE)


def test_of_equal_masks_the_first_is_taken_and_empty_ones_never():
    truth = np.zeros((4, 4), np.bool_)
    truth[1:3, 1:3] = True
    empty = np.zeros_like(truth)
    assert best_mask([empty, truth, truth], truth) == (1, 1.0)
    assert best_mask([empty], truth) == (None, 0.0)
    assert best_mask([empty], empty) == (None, 0.0)


def score(tree, *more):
    return ["score", "salient", "--root", tree, "--results", tree / "results", *more]


def test_masks_of_any_tool_are_scored_alike(tree, run_command):
    code, told, _ = run_command(*score(tree))
    assert code == 0
    assert told["MAE"] == pytest.approx(EXPECTED["mean MAE, public (1 where nothing fits)"])
    assert told["without an overlapping mask"] == 2
    assert set(told["measures"]) == {
        "MAE", "S", "wF", "maxF", "meanF", "adpF", "maxE", "meanE", "adpE",
    }  # fmt: skip
    assert any("best mask by the truth; 2 of 7" in note for note in told["notes"])
    folders = tree.parent / "folders"
    for name in NAMES:
        (folders / name).mkdir(parents=True)
        for place, mask in enumerate(golden_part("images/salient", name)["masks"]):
            Image.fromarray(np.uint8(255) * mask).save(folders / name / f"{place}.png")
    command = ["score", "salient", "--root", tree, "--results", folders, "--workers", 2]
    _, others, _ = run_command(*command)
    assert {**others, "files": 0} == {**told, "files": 0}
    csv = [(place / "scores.csv").read_text() for place in (folders, tree / "results")]
    assert csv[0] == csv[1]
    assert Image.open(folders / "best_and_worst.png").width > 300


def test_grey_maps_are_scored_as_they_are(tree, run_command):
    maps = tree.parent / "maps"
    maps.mkdir()
    for name in NAMES:
        truth = golden_part("images/salient", name)["truth"]
        Image.fromarray(255 - truth).save(maps / f"{name}.png")
    command = ["score", "salient", "--root", tree, "--results", maps]
    _, told, _ = run_command(*command)
    assert told["MAE"] > 0.9
    assert told["mean IoU"] is None
    assert told["without an overlapping mask"] == 0
    for name in NAMES:
        shutil.copy(tree / "DUTS-TE-Mask" / f"{name}.png", maps)
    _, told, _ = run_command(*command)
    assert told["MAE"] < 0.02
    # Another size is brought to that of the truth.
    small = Image.open(maps / "plain.png").resize((60, 45))
    small.save(maps / "plain.png")
    _, changed, _ = run_command(*command)
    assert told["MAE"] < changed["MAE"] < 0.04


def test_maps_are_stretched_before_they_are_scored(tree):
    truth = np.asarray(Image.open(tree / "DUTS-TE-Mask" / "iou_is_not_error.png"))
    dim = np.where(truth > 128, 90, 50).astype(np.uint8)
    Image.fromarray(dim).save(tree / "results" / "iou_is_not_error.png")
    (tree / "results" / "iou_is_not_error.json").unlink()
    scores = {score.name: score for score in score_salient(found(tree), tree / "results")}
    assert scores["iou_is_not_error"].mae == 0


@pytest.fixture
def proposed(monkeypatch):
    """Everything mode finds what is bright, and the left half."""
    from rvsam_video.segmenters.sam.automatic import AutomaticMask

    def find(segmenter, image, settings):
        bright = image[..., 0] > 100
        left = np.zeros_like(bright)
        left[:, : left.shape[1] // 2] = True
        size = image.shape[1::-1]
        return [
            AutomaticMask(
                encode_mask(mask), size, (0, 0, 0, 0), 0.9, 0.99, (1.0, 2.0), (0, 0, *size)
            )
            for mask in (left, bright)
        ]

    monkeypatch.setattr(salient_run, "automatic_masks", find)


def evaluate(tree, out, *more):
    return [
        "eval",
        "salient",
        "--root",
        tree.parent,
        "--out",
        out,
        "--segmenter",
        "tiny-sam",
        *more,
    ]


def test_a_stopped_run_goes_on_to_the_same_scores(
    tree, run_command, tiny_name, proposed, tmp_path, stop_at
):
    code, whole, _ = run_command(*evaluate(tree, tmp_path / "whole"))
    assert code == 0
    assert whole["MAE"] < 0.03
    assert whole["mean masks"] == 2
    state = stop_at(salient_run, "automatic_masks", 3)
    out = tmp_path / "out"
    assert run_command(*evaluate(tree, out))[0] == 130
    assert len(list((out / "everything").iterdir())) == 2
    code, told, _ = run_command(*evaluate(tree, out))
    assert (code, state["calls"]) == (0, 8)
    assert {**told, "files": 0} == {**whole, "files": 0}
    for name in ("scores.csv", "everything/plain.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    _, again, _ = run_command(
        "score", "salient", "--root", tree, "--results", out / "everything", "--out", tmp_path / "x"
    )
    assert again["MAE"] == told["MAE"]


def test_a_real_network_finds_what_it_finds(tree, run_command, tiny_name, tmp_path):
    more = ("--points-per-side", 1, "--limit", 2)
    code, told, _ = run_command(*evaluate(tree, tmp_path / "out", *more))
    assert code == 0
    assert told["notes"][0] == "partial: 2 of 7 pictures"
    content = json.loads((tmp_path / "out" / "everything" / "grey_200.json").read_text())
    assert content["size"] == EXPECTED["grey_200"]["size_hw"]


def test_a_killed_run_goes_on_to_the_same_bytes(
    tree, run_command, tiny_name, kill_when_there_is, tmp_path
):
    more = ("--points-per-side", 4)
    assert run_command(*evaluate(tree, tmp_path / "whole", *more))[0] == 0
    out = tmp_path / "out"
    left = kill_when_there_is(evaluate(tree, out, *more), out, "everything/*.json")
    assert left < len(NAMES)
    assert run_command(*evaluate(tree, out, *more))[0] == 0
    for name in ("scores.csv", "scores.json", *(f"everything/{n}.json" for n in NAMES)):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_segmenter_that_finds_nothing_is_refused(tree, run_command, tmp_path):
    arguments = evaluate(tree, tmp_path / "out")
    code, told, _ = run_command(*arguments[:-1], "grabcut")
    assert code == 2
    assert "grabcut has no everything mode" in told["message"]


def test_folders_are_named_in_one_way(tree, run_command):
    images, masks = duts_folders(tree)
    both = ("--images", images, "--masks", masks)
    code, told, _ = run_command("score", "salient", *both, "--results", tree / "results")
    assert code == 0
    for given in (both[:2], (*both, "--root", tree), ()):
        code, told, _ = run_command("score", "salient", *given, "--results", tree / "results")
        assert code == 2
        assert "give either --root" in told["message"]


def broken(tree, what):
    results = tree / "results"
    if what == "no truth":
        (tree / "DUTS-TE-Mask" / "plain.png").unlink()
    elif what == "no picture":
        (tree / "DUTS-TE-Image" / "plain.jpg").unlink()
    elif what == "no result":
        (results / "plain.json").unlink()
    elif what == "damaged":
        (results / "plain.json").write_text("{}")
    elif what == "size":
        content = {"size": [2, 3], "masks": [{"counts": encode_mask(np.zeros((2, 3), np.bool_))}]}
        (results / "plain.json").write_text(json.dumps(content))
    elif what == "no results":
        shutil.rmtree(results)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("no truth", "1 of 7 have no truth in .*: plain"),
        ("no picture", "1 of 7 have no picture in .*: plain"),
        ("no result", "there is no result of plain in"),
        ("damaged", "plain.json does not hold masks"),
        ("size", "plain.json has 3x2 pixels, but the truth has 120x90"),
        ("no results", "there is no folder"),
    ],
)
def test_what_is_wrong_with_a_set_is_said(tree, what, sentence):
    broken(tree, what)
    with pytest.raises(SourceError, match=sentence):
        score_salient(found(tree), tree / "results")


def test_a_folder_without_the_set_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"there is no folder .*DUTS-TE-Image"):
        duts_folders(tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(SourceError, match="there are no pictures in"):
        find_salient(tmp_path / "a", tmp_path / "a")


def test_the_same_name_twice_is_refused(tree):
    shutil.copy(tree / "DUTS-TE-Image" / "plain.jpg", tree / "DUTS-TE-Image" / "plain.png")
    with pytest.raises(SourceError, match="have the same name"):
        found(tree)


def test_without_scipy_all_but_one_measure_is_there(tree, run_command, monkeypatch):
    from rvsam_video.evals.metrics import saliency

    monkeypatch.setattr(saliency, "find_spec", lambda _: None)
    code, told, _ = run_command(*score(tree))
    assert code == 0
    assert told["measures"]["wF"] is None
    assert told["measures"]["S"] > 0
    assert any('pip install "rvsam-video[evals]"' in note for note in told["notes"])
