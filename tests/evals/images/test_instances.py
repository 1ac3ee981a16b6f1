"""Instances: scores equal to pycocotools called by hand, and boxes segmented and gone on with."""

from __future__ import annotations

import json

import numpy as np
import pytest
from golden_data import document
from PIL import Image
from synthetic_picture import synthetic_picture

from rvsam_video.errors import SourceError
from rvsam_video.evals.images.instances import run as instances_run
from rvsam_video.evals.images.instances.detections import load_detections
from rvsam_video.evals.images.instances.run import segment_boxes
from rvsam_video.evals.images.instances.scoring import load_masks, score_instances
from rvsam_video.evals.images.instances.truth import load_instances
from rvsam_video.mask_rle import encode_mask
from rvsam_video.segmenters.sam.prompts import DecodeRequest

GOLDEN = document("images/instances")
EXPECTED = GOLDEN["expected"]
CLOSE = 1e-9
SETS = ("Bottles", "Chicken")


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def results(detections, masks):
    """Detections with their masks, as `eval instances` writes them."""
    return [
        {
            "image_id": box["image_id"],
            "category_id": box["category_id"],
            "segmentation": mask["segmentation"],
            "score": box["score"] * mask["predicted_iou"],
            "detector_score": box["score"],
            "predicted_iou": mask["predicted_iou"],
            "bbox": box["bbox"],
        }
        for box, mask in zip(detections, masks, strict=True)
    ]


@pytest.fixture
def files(tmp_path):
    """The golden set as files; pictures are drawn."""
    truth = GOLDEN["instances_val_mini"]
    for item in truth["images"]:
        picture = synthetic_picture(item["height"], item["width"], seed=item["id"])
        path = tmp_path / "val" / item["file_name"]
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(picture).save(path, quality=95)
    return {
        "truth": save(tmp_path / "truth.json", truth),
        "zero": save(tmp_path / "zero.json", GOLDEN["instances_val_mini_ids_from_0"]),
        "boxes": save(tmp_path / "boxes.json", GOLDEN["detections_mini"]),
        "masks": save(
            tmp_path / "masks" / "masks.json",
            results(GOLDEN["detections_mini"], GOLDEN["masks_mini"]),
        ),
        "images": tmp_path / "val",
    }


def check(scores, name):
    expected = EXPECTED[name]
    assert list(scores.stats.values()) == pytest.approx(list(expected["stats"].values()), abs=CLOSE)
    each = {str(key): value for key, value in scores.categories.items()}
    assert each == pytest.approx(expected["AP_by_category"], abs=CLOSE)


CALIBRATED = "segm, score of the detector x predicted IoU"
MMDET = next(name for name in EXPECTED if "maxDets 100, 300, 1000" in name)


@pytest.mark.parametrize(
    ("kind", "protocol", "name"),
    [
        ("detector", "coco", "segm, score of the detector"),
        ("calibrated", "coco", CALIBRATED),
        ("given", "coco", CALIBRATED),
        ("calibrated", "mmdet", MMDET),
    ],
)
def test_scores_of_the_golden_set(files, kind, protocol, name):
    truth = load_instances(files["truth"])
    check(score_instances(truth, load_masks(files["masks"], truth, kind), protocol=protocol), name)


def test_an_id_of_zero_is_lost_as_in_official_numbers_until_it_is_renumbered(files):
    truth = load_instances(files["zero"])
    assert truth.has_id_zero
    masks = load_masks(files["masks"], truth, "detector")
    check(score_instances(truth, masks), "segm, score of the detector, annotation ids from 0")
    check(score_instances(truth.renumbered(), masks), "segm, score of the detector")
    assert not truth.renumbered().has_id_zero


def test_without_masks_everything_is_missed(files):
    scores = score_instances(load_instances(files["truth"]), [])
    assert scores.stats["AP"] == 0
    assert set(scores.counts.values()) == {0}
    assert all(value == 0 for values in scores.overlaps.values() for value in values)


def test_masks_are_measured_by_themselves_where_there_are_boxes_too(files):
    """With a box pycocotools takes its area for that of the mask."""
    truth = load_instances(files["truth"])
    assert all(set(item) == {"image_id", "category_id", "segmentation", "score"}
               for item in load_masks(files["masks"], truth))  # fmt: skip


def command(files, *more):
    return [
        "score",
        "instances",
        "--annotations",
        files["truth"],
        "--results",
        files["masks"],
        *more,
    ]


def test_a_file_of_results_is_scored(files, run_command):
    code, told, _ = run_command(*command(files, "--images", files["images"]))
    assert code == 0
    assert told["AP"] == pytest.approx(EXPECTED[MMDET]["stats"]["AP"], abs=CLOSE)
    assert told["APm"] == pytest.approx(EXPECTED[MMDET]["stats"]["APm"], abs=CLOSE)
    folder = files["masks"].parent
    rows = (folder / "scores.csv").read_text().splitlines()
    assert len(rows) == 6
    assert Image.open(folder / "best_and_worst.png").width > 300
    code, told, _ = run_command(*command(files, "--score", "detector", "--protocol", "coco"))
    assert told["AP50"] == pytest.approx(
        EXPECTED["segm, score of the detector"]["stats"]["AP50"], abs=CLOSE
    )
    code, told, _ = run_command(*command(files, "--names", "100,107"))
    assert told["pictures"] == 2
    assert told["notes"][0] == "partial: 2 of 5 pictures"


def change(files, name, edit):
    content = json.loads(files[name].read_text())
    edit(content)
    files[name].write_text(json.dumps(content))


def set_to(at, key, value):
    return lambda content: content[at].__setitem__(key, value)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (set_to(3, "image_id", 5), "result 3 has image_id 5, which is not in"),
        (set_to(3, "category_id", 2), "result 3 has category_id 2, which is not in"),
        (set_to(3, "score", float("nan")), "result 3 has score nan; it must be a finite number"),
        (set_to(3, "score", "high"), "result 3 has score 'high'"),
        (set_to(3, "segmentation", None), "the mask of result 3 cannot be used: there is none"),
        (
            set_to(3, "segmentation", {"size": [9, 9], "counts": "1"}),
            r"the mask of result 3 cannot be used: .*size is \[9, 9\]",
        ),
        (
            lambda content: content[3]["segmentation"].update(counts="00"),
            "the mask of result 3 cannot be used: the runs of the mask cover 0 pixels",
        ),
        (lambda content: content.insert(3, 7), "result 3 must be a JSON object"),
    ],
)
def test_results_that_cannot_be_used_are_named(files, edit, sentence):
    change(files, "masks", edit)
    with pytest.raises(SourceError, match=sentence):
        load_masks(files["masks"], load_instances(files["truth"]))


def test_other_scores_need_the_fields_they_are_made_of(files):
    change(files, "masks", lambda content: content[3].pop("predicted_iou"))
    truth = load_instances(files["truth"])
    assert load_masks(files["masks"], truth)
    with pytest.raises(SourceError, match="result 3 has no detector_score and predicted_iou"):
        load_masks(files["masks"], truth, "calibrated")


def annotation(key, value):
    return lambda content: content["annotations"][2].__setitem__(key, value)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda content: content.pop("images"), "'images' must be a list of objects"),
        (lambda content: content["images"][0].update(width=0), "image 100 has width and height 0"),
        (lambda content: content["images"][0].update(id="a"), "an image has the id 'a'"),
        (annotation("image_id", 1), "annotation 3 is of image 1 and category"),
        (annotation("category_id", 99), "and category 99, which are not both in the file"),
        (annotation("area", None), "annotation 3 has the area None"),
        (annotation("iscrowd", 2), "annotation 3 has iscrowd 2"),
        (annotation("segmentation", []), "the mask of annotation 3 cannot be used: there is none"),
        (annotation("segmentation", [[1, 2, 3, 4]]), "the mask of annotation 3 cannot be used"),
    ],
)
def test_annotations_that_cannot_be_used_are_named(files, edit, sentence):
    change(files, "truth", edit)
    with pytest.raises(SourceError, match=sentence):
        load_instances(files["truth"])


def test_files_that_are_no_annotations_are_named(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        load_instances(tmp_path / "none.json")
    (tmp_path / "no.json").write_text("{")
    with pytest.raises(SourceError, match="is not JSON"):
        load_instances(tmp_path / "no.json")
    (tmp_path / "no.json").write_text("[]")
    with pytest.raises(SourceError, match="must be a JSON object"):
        load_instances(tmp_path / "no.json")


def test_the_surest_boxes_are_taken_and_empty_ones_left_out(files):
    change(files, "boxes", set_to(0, "bbox", [1, 2, 0, 5]))
    found = load_detections(files["boxes"], load_instances(files["truth"]), 100)
    assert found.empty == 1
    boxes = found.boxes[100]
    assert len(boxes.scores) == 100
    assert (np.diff(boxes.scores) <= 0).all()
    assert found.notes(100) == [
        "1 boxes without width or height were left out",
        f"{found.surplus} boxes beyond the best 100 of a picture were left out",
    ]
    best = max(
        (item for item in GOLDEN["detections_mini"][1:] if item["image_id"] == 100),
        key=lambda item: item["score"],
    )
    x, y, width, height = best["bbox"]
    np.testing.assert_allclose(boxes.corners[0], [x, y, x + width, y + height], rtol=1e-6)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (set_to(1, "image_id", 1), "detection 1 has image_id 1"),
        (set_to(1, "bbox", [1, 2, 3]), r"detection 1 has bbox \[1, 2, 3\]"),
        (set_to(1, "bbox", [1, 2, float("nan"), 3]), "detection 1 has bbox"),
    ],
)
def test_boxes_that_cannot_be_used_are_named(files, edit, sentence):
    change(files, "boxes", edit)
    with pytest.raises(SourceError, match=sentence):
        load_detections(files["boxes"], load_instances(files["truth"]), 100)


def test_each_box_is_one_prompt_and_one_mask_of_the_network(tiny_segmenter):
    picture = synthetic_picture(60, 90, seed=2)
    corners = np.array([[5.5, 6.25, 40, 50], [-3, 2, 95, 70], [1, 1, 9, 9]], np.float32)
    found = segment_boxes(lambda: tiny_segmenter, picture, corners)
    embedding = tiny_segmenter.embed(picture)
    for (mask, iou), box in zip(found, corners, strict=True):
        alone = tiny_segmenter.decoder.decode(embedding, [DecodeRequest(box=box)], multimask=False)
        assert iou == pytest.approx(float(alone.iou[0, 0]), abs=1e-5)
        logits = tiny_segmenter.full_size(embedding, alone.low_res_logits[:, 0])[0]
        assert np.mean(mask != (logits > 0)) < 1e-3
    assert segment_boxes(lambda: pytest.fail("not needed"), picture, corners[:0]) == []


def evaluate(files, out, *more, segmenter="grabcut"):
    return [
        "eval", "instances", "--images", files["images"], "--annotations", files["truth"],
        "--detections", files["boxes"], "--out", out, "--segmenter", segmenter, "--most", 4, *more,
    ]  # fmt: skip


def test_boxes_are_segmented_scored_and_gone_on_with(files, run_command, tmp_path, stop_at):
    code, whole, _ = run_command(*evaluate(files, tmp_path / "whole"))
    assert code == 0
    state = stop_at(instances_run, "segment_boxes", 3)
    out = tmp_path / "out"
    assert run_command(*evaluate(files, out))[0] == 130
    assert not (out / "results.json").exists()
    code, told, _ = run_command(*evaluate(files, out))
    assert (code, state["calls"]) == (0, 6)
    assert {**told, "files": 0} == {**whole, "files": 0}
    for name in ("results.json", "scores.csv"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    entries = json.loads((out / "results.json").read_text())
    # Four boxes of four pictures; the fifth has none.
    assert len(entries) == 16
    for item in entries:
        product = item["detector_score"] * item["predicted_iou"]
        assert item["score"] == pytest.approx(product)
    again = [
        "score",
        "instances",
        "--annotations",
        files["truth"],
        "--results",
        out / "results.json",
    ]
    _, scored, _ = run_command(*again, "--score", "calibrated", "--out", tmp_path / "again")
    assert scored["AP"] == told["AP"]


def test_processes_give_the_same_results(files, run_command, tmp_path):
    """Of single pictures, since those of several processes come in any order."""
    one, two = tmp_path / "one", tmp_path / "two"
    assert run_command(*evaluate(files, one, "--limit", 2))[0] == 0
    assert run_command(*evaluate(files, two, "--limit", 2, "--workers", 2))[0] == 0
    assert (one / "results.json").read_bytes() == (two / "results.json").read_bytes()


def test_a_killed_run_goes_on_to_the_same_bytes(files, run_command, kill_when_there_is, tmp_path):
    assert run_command(*evaluate(files, tmp_path / "whole"))[0] == 0
    out = tmp_path / "out"
    kill_when_there_is(evaluate(files, out), out, ".parts/image-*.json")
    assert run_command(*evaluate(files, out))[0] == 0
    assert (out / "results.json").read_bytes() == (tmp_path / "whole" / "results.json").read_bytes()


def test_boxes_that_changed_need_a_fresh_start(files, run_command, tmp_path):
    out = tmp_path / "out"
    assert run_command(*evaluate(files, out, "--limit", 1))[0] == 0
    change(files, "boxes", set_to(0, "score", 0.5))
    code, told, _ = run_command(*evaluate(files, out, "--limit", 1))
    assert code == 1
    assert "detections_sha256" in told["message"]
    assert run_command(*evaluate(files, out, "--limit", 1, "--overwrite"))[0] == 0


def test_pictures_of_another_size_are_refused(files, run_command, tmp_path):
    name = GOLDEN["instances_val_mini"]["images"][0]["file_name"]
    Image.new("RGB", (20, 30)).save(files["images"] / name)
    code, told, _ = run_command(*evaluate(files, tmp_path / "out"))
    assert code == 1
    assert "has 20x30 pixels, but the annotations say 200x150" in told["message"]
    (files["images"] / name).unlink()
    code, told, _ = run_command(*evaluate(files, tmp_path / "out2"))
    assert "1 of 5 have no picture in" in told["message"]


@pytest.fixture
def wild(tmp_path):
    """Two of the 25 sets, with boxes, masks and drawn pictures."""
    for name in SETS:
        content = GOLDEN[f"seginw/{name}"]
        folder = tmp_path / "wild" / name / "valid"
        save(folder / "_annotations_min1cat.coco.json", content["annotations"])
        for item in content["annotations"]["images"]:
            picture = synthetic_picture(item["height"], item["width"], seed=item["id"])
            Image.fromarray(picture).save(folder / item["file_name"])
        save(tmp_path / "boxes" / f"{name}.json", content["detections"])
        done = results(content["detections"], content["masks"])
        save(tmp_path / "masks" / f"seginw-{name}_val.json", done)
    return tmp_path


def score_wild(wild, *more):
    where = ("--root", wild / "wild", "--results", wild / "masks")
    return ["score", "seginw", *where, "--names", ",".join(SETS), "--score", "detector", *more]


def test_sets_in_the_wild_are_scored_one_by_one(wild, run_command):
    code, told, _ = run_command(*score_wild(wild))
    assert code == 0
    assert told["mean AP"] == pytest.approx(EXPECTED["seginw mean AP of the two"], abs=CLOSE)
    for name in SETS:
        expected = EXPECTED[f"seginw {name}"]["stats"]["AP"]
        assert told["AP"][name] == pytest.approx(expected, abs=CLOSE)
    assert told["sets"] == 2


def test_a_set_with_an_id_of_zero_is_noted(wild, run_command):
    path = wild / "wild" / "Chicken" / "valid" / "_annotations_min1cat.coco.json"
    content = json.loads(path.read_text())
    for number, item in enumerate(content["annotations"]):
        item["id"] = number
    path.write_text(json.dumps(content))
    _, told, _ = run_command(*score_wild(wild))
    assert any("id 0 (Chicken)" in note for note in told["notes"])
    _, mended, _ = run_command(*score_wild(wild, "--renumber"))
    expected = EXPECTED["seginw Chicken"]["stats"]["AP"]
    assert mended["AP"]["Chicken"] == pytest.approx(expected, abs=CLOSE)
    assert not any("id 0" in note for note in mended["notes"])


def test_boxes_in_the_wild_are_segmented_and_scored(wild, run_command, tmp_path):
    out = tmp_path / "run"
    where = ("--root", wild / "wild", "--detections", wild / "boxes", "--out", out)
    arguments = ["eval", "seginw", *where, "--segmenter", "grabcut", "--most", 3]
    code, told, _ = run_command(*arguments, "--names", ",".join(SETS))
    assert code == 0
    assert set(told["AP"]) == set(SETS)
    entries = json.loads((out / "Chicken" / "seginw-Chicken_val.json").read_text())
    assert all(item["score"] == item["detector_score"] for item in entries)
    code, again, _ = run_command(
        "score", "seginw", "--root", wild / "wild", "--results", out, "--names", ",".join(SETS)
    )
    assert again["AP"] == told["AP"]
    assert Image.open(out / "best_and_worst.png").width > 300


def test_missing_sets_are_named(wild, run_command):
    where = ("--root", wild / "wild", "--results", wild / "masks")
    code, told, _ = run_command("score", "seginw", *where)
    assert code == 1
    assert "23 of 25 files are missing" in told["message"]
    code, told, _ = run_command("score", "seginw", *where, "--names", "Cow")
    assert code == 2
    (wild / "masks" / "seginw-Chicken_val.json").unlink()
    code, told, _ = run_command(*score_wild(wild))
    assert "1 of 2 files are missing" in told["message"]


def test_empty_masks_stay_in_the_results(files):
    height, width = 150, 200
    empty = {"size": [height, width], "counts": encode_mask(np.zeros((height, width), np.bool_))}
    change(files, "masks", set_to(0, "segmentation", empty))
    truth = load_instances(files["truth"])
    masks = load_masks(files["masks"], truth)
    assert len(masks) == len(GOLDEN["detections_mini"])
    assert score_instances(truth, masks).stats["AP"] >= 0
