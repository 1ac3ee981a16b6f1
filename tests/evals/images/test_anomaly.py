"""Anomalies: the stages of SAA+ held against its public code, and MVTec-AD from its files."""

from __future__ import annotations

import dataclasses
import json

import deterministic_weights
import numpy as np
import pytest
import torch
from golden_data import DATA, document, golden
from PIL import Image, ImageDraw
from synthetic_picture import synthetic_picture
from torchvision.models import wide_resnet50_2

from rvsam_video.errors import SourceError, UsageError, WeightsError
from rvsam_video.evals.images.anomaly import run as anomaly_run
from rvsam_video.evals.images.anomaly.combining import combined, rescored
from rvsam_video.evals.images.anomaly.layout import find_mvtec
from rvsam_video.evals.images.anomaly.proposals import (
    TextBoxes,
    caption,
    load_proposals,
    object_area,
    suppressed_boxes,
)
from rvsam_video.evals.images.anomaly.run import AnomalyOptions, propose
from rvsam_video.evals.images.anomaly.scoring import read_map, score_anomaly
from rvsam_video.evals.images.anomaly.settings import MVTEC_SETTINGS, load_settings
from rvsam_video.evals.images.anomaly.unlikeness import (
    Unlikeness,
    unlikeness_in_this_process,
)

ARRAYS = golden("images/anomaly")
EXPECTED = document("images/anomaly")
SETTINGS = DATA / "images" / "mvtec_settings.json"
SIZE = (120, 90)


def test_settings_are_what_the_published_sentences_are_read_as():
    assert load_settings(SETTINGS) == dict(MVTEC_SETTINGS)


def test_boxes_are_kept_as_in_the_public_code():
    """Two of the golden boxes lie exactly on the limits."""
    scores = ARRAYS["boxes/token_scores"]
    words = np.array(EXPECTED["words"])
    phrases = tuple(" ".join(words[row > np.float32(0.1)]) for row in scores)
    item = TextBoxes("", ARRAYS["boxes/cxcywh"], scores.max(1), phrases)
    kept = suppressed_boxes(item, "capsule", 0.25)
    np.testing.assert_array_equal(kept.boxes, ARRAYS["boxes/kept_cxcywh"])
    np.testing.assert_array_equal(kept.scores, ARRAYS["boxes/kept_score"].astype(np.float32))
    places = [np.flatnonzero((item.boxes == box).all(1))[0] for box in kept.boxes]
    named = [text.rpartition("(")[0] for text in EXPECTED["kept_phrases"]]
    assert [phrases[place] for place in places] == named


def test_the_object_is_its_largest_sure_box():
    boxes = np.array([[0.5, 0.5, 0.5, 0.4], [0.5, 0.5, 1, 1], [0.5, 0.5, 0.9, 0.9]], np.float32)
    thing = TextBoxes("", boxes, np.array([0.2, 0.9, 0.1], np.float32), ("",) * 3)
    assert object_area(thing) == pytest.approx(0.2)
    unsure = dataclasses.replace(thing, scores=np.array([0.1, 0.9, 0.1], np.float32))
    assert object_area(unsure) == 1


@pytest.fixture(scope="module")
def backbone():
    network = wide_resnet50_2(weights=None)
    deterministic_weights.fill(network, gain=1.0)
    return network


@pytest.fixture(scope="module")
def unlikeness(backbone):
    return Unlikeness(backbone, torch.device("cpu"))


def test_features_and_saliency_are_those_of_the_public_code(unlikeness):
    picture = np.ascontiguousarray(synthetic_picture(200, 260, seed=21)[..., ::-1])
    features = unlikeness.features(picture)
    assert list(features.shape) == EXPECTED["features_shape"]
    found = features[0, ::64, ::8, ::8].numpy()
    np.testing.assert_allclose(found, ARRAYS["saliency/features_strided"], atol=1e-5)
    np.testing.assert_allclose(unlikeness(picture), ARRAYS["saliency/map"], atol=1e-5)


def test_scores_and_maps_are_combined_as_in_the_public_code():
    shape = (9, 200, 260)
    packed = ARRAYS["combine/masks"]
    masks = list(np.unpackbits(packed, count=int(np.prod(shape))).reshape(shape) > 0)
    scores = rescored(masks, ARRAYS["combine/score"], ARRAYS["saliency/map"])
    np.testing.assert_allclose(scores, ARRAYS["combine/rescored"], rtol=1e-6)
    assert scores[8] == ARRAYS["combine/score"][8]  # its mask is empty
    for side in (400, 64):
        found = combined(masks, ARRAYS["combine/rescored"], 5, side=side)
        np.testing.assert_allclose(found, ARRAYS[f"combine/map_{side}"], atol=1e-6)


def test_one_mask_has_half_of_its_score_and_none_gives_zeros():
    mask = np.ones((4, 5), np.bool_)
    np.testing.assert_allclose(combined([mask], np.array([0.6]), 5, side=3), 0.3)
    assert not combined([], np.zeros(0), 5).any()


def disc(number):
    """Where the defect of a picture is."""
    return 30 + 10 * number, 25, 55 + 10 * number, 50


@pytest.fixture
def tree(tmp_path):
    """Two categories of two good and two defective pictures, with boxes around the defects."""
    for category in ("capsule", "screw"):
        images = {}
        for kind in ("good", "crack"):
            for number in range(2):
                picture = Image.fromarray(synthetic_picture(SIZE[1], SIZE[0], number, shapes=1))
                mask = Image.new("L", SIZE)
                if kind == "crack":
                    ImageDraw.Draw(picture).ellipse(disc(number), (255, 30, 30))
                    ImageDraw.Draw(mask).ellipse(disc(number), 255)
                    folder = tmp_path / "root" / category / "ground_truth" / kind
                    folder.mkdir(parents=True, exist_ok=True)
                    mask.save(folder / f"{number:03d}_mask.png")
                folder = tmp_path / "root" / category / "test" / kind
                folder.mkdir(parents=True, exist_ok=True)
                picture.save(folder / f"{number:03d}.png")
                images[f"test/{kind}/{number:03d}.png"] = answers(category, kind, number)
        (tmp_path / "boxes").mkdir(exist_ok=True)
        content = {"category": category, "detector": "by hand", "images": images}
        (tmp_path / "boxes" / f"{category}.json").write_text(json.dumps(content))
    return tmp_path


def answers(category, kind, number):
    x0, y0, x1, y1 = disc(number)
    box = [(x0 + x1) / 240, (y0 + y1) / 180, (x1 - x0 + 4) / 120, (y1 - y0 + 4) / 90]
    defect = {
        "boxes": [box, [0.5, 0.5, 0.95, 0.95], [0.2, 0.8, 0.1, 0.1]],
        "scores": [0.4, 0.5, 0.05],
        "phrases": ["crack", "defect", "hole"],
    }
    if kind == "good":
        defect = {"boxes": [], "scores": [], "phrases": []}
    settings = MVTEC_SETTINGS[category]
    return {
        "object": {
            "text": caption(settings.object_prompt),
            "boxes": [[0.5, 0.5, 0.9, 0.9]],
            "scores": [0.6],
        },
        "defects": [
            {"text": caption(prompt.text), "background": prompt.background, **defect}
            for prompt in settings.prompts
        ],
    }


def evaluate(tree, out, *more, saliency=("--saliency", "none")):
    return [
        "eval", "anomaly", "--root", tree / "root", "--proposals", tree / "boxes", "--out", out,
        "--categories", "capsule,screw", "--segmenter", "grabcut", *saliency, *more,
    ]  # fmt: skip


def test_a_stopped_run_goes_on_to_the_same_maps(tree, run_command, tmp_path, stop_at):
    code, whole, _ = run_command(*evaluate(tree, tmp_path / "whole"))
    assert code == 0
    assert whole["F_p"] > 0.9
    assert whole["categories"]["capsule"]["nothing found"] == 2
    assert whole["notes"][0].startswith("not the published protocol")
    assert "4 of 8 pictures have no box of a defect" in whole["notes"]
    state = stop_at(anomaly_run, "segment_boxes", 3)
    out = tmp_path / "out"
    assert run_command(*evaluate(tree, out))[0] == 130
    code, told, _ = run_command(*evaluate(tree, out))
    assert (code, state["calls"]) == (0, 9)
    assert {**told, "files": 0} == {**whole, "files": 0}
    for path in (tmp_path / "whole" / "maps").rglob("*.npz"):
        twin = out / path.relative_to(tmp_path / "whole")
        with np.load(path) as one, np.load(twin) as two:
            assert set(one.files) == {"map", "boxes", "proposed", "scores", "rescored"}
            for name in one.files:
                np.testing.assert_array_equal(one[name], two[name])
    assert Image.open(out / "best_and_worst.png").width > 300
    again = ["score", "anomaly", "--root", tree / "root", "--categories", "capsule,screw"]
    _, scored, _ = run_command(*again, "--results", out / "maps", "--workers", 2)
    assert scored["categories"] == told["categories"]


def test_a_killed_run_goes_on_to_the_same_bytes(tree, run_command, kill_when_there_is, tmp_path):
    assert run_command(*evaluate(tree, tmp_path / "whole"))[0] == 0
    out = tmp_path / "out"
    kill_when_there_is(evaluate(tree, out), out, "maps/*/*/*.npz")
    assert run_command(*evaluate(tree, out))[0] == 0
    for name in ("scores.csv", "scores.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_processes_give_the_same_scores(tree, run_command, tmp_path):
    told = [
        run_command(*evaluate(tree, tmp_path / f"{workers}", "--every", 2, "--workers", workers))[1]
        for workers in (1, 2)
    ]
    assert {**told[0], "files": 0} == {**told[1], "files": 0}


def test_boxes_that_changed_are_segmented_again(tree, run_command, tmp_path):
    out = tmp_path / "out"
    run_command(*evaluate(tree, out))
    path = tree / "boxes" / "capsule.json"
    content = json.loads(path.read_text())
    for item in content["images"].values():
        for defect in item["defects"]:
            defect["scores"] = [0.0 for _ in defect["scores"]]
    path.write_text(json.dumps(content))
    code, told, _ = run_command(*evaluate(tree, out))
    assert code == 0
    assert told["categories"]["capsule"]["F_p"] == 0
    assert told["categories"]["screw"]["F_p"] > 0.9


def test_saliency_raises_scores_and_channels_are_swapped(tree, run_command, tmp_path, backbone):
    torch.save(backbone.state_dict(), tmp_path / "weights.pt")
    own = ("--saliency-checkpoint", tmp_path / "weights.pt", "--limit", 1)
    unlikeness_in_this_process.cache_clear()
    code, told, _ = run_command(*evaluate(tree, tmp_path / "out", saliency=own))
    assert code == 0
    assert not any("not the published" in note for note in told["notes"])
    with np.load(tmp_path / "out" / "maps" / "capsule" / "crack" / "000.npz") as file:
        assert (file["rescored"] > file["scores"]).all()
    run_command(*evaluate(tree, tmp_path / "rgb", "--channels", "rgb", saliency=own))
    with np.load(tmp_path / "rgb" / "maps" / "capsule" / "crack" / "000.npz") as file:
        changed = file["rescored"]
    with np.load(tmp_path / "out" / "maps" / "capsule" / "crack" / "000.npz") as file:
        assert not np.allclose(changed, file["rescored"])


def test_weights_that_are_not_there_or_for_nothing_are_refused(tree, run_command, tmp_path):
    own = ("--saliency-checkpoint", tmp_path / "none.pt")
    code, told, _ = run_command(*evaluate(tree, tmp_path / "out", saliency=own))
    assert code == 1
    assert "none.pt" in told["message"]
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="leave one of them out"):
        AnomalyOptions(saliency="none", saliency_checkpoint=tmp_path / "none.pt")


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="do not fit this network"):
        unlikeness_in_this_process("wide-resnet50-racm", tmp_path / "other.pt", "cpu")


def test_maps_of_any_tool_and_size_are_scored(tree, run_command, tmp_path):
    chosen = find_mvtec(tree / "root", ["capsule"])
    results = tmp_path / "results"
    for place, item in enumerate(chosen.pictures):
        truth = np.zeros(SIZE[::-1], np.uint8)
        if item.truth is not None:
            truth = np.asarray(Image.open(item.truth))
        folder = results / item.category / item.kind
        folder.mkdir(parents=True, exist_ok=True)
        if place == 0:
            np.savez(folder / f"{item.name}.npz", anything=truth / 255)
        elif place == 1:
            Image.fromarray(truth.astype(np.float32) / 255).save(folder / f"{item.name}.tiff")
        else:
            Image.fromarray(truth).resize((60, 45)).save(folder / f"{item.name}.png")
    scores = score_anomaly(chosen, results)["capsule"]
    assert scores.pixels.max_f1 > 0.95
    assert scores.pixels.auroc > 0.99
    assert all(scores.pictures[f"capsule/crack/{n:03d}"] > 0.95 for n in range(2))
    code, told, _ = run_command(
        "score", "anomaly", "--root", tree / "root", "--results", results,
        "--categories", "capsule", "--names", "capsule/crack/000",
    )  # fmt: skip
    assert code == 0
    assert told["notes"][0] == "partial: 1 of 4 pictures"


def test_maps_that_cannot_be_read_are_named(tmp_path):
    np.savez(tmp_path / "nan.npz", map=np.full((3, 3), np.nan))
    with pytest.raises(SourceError, match="must be finite numbers"):
        read_map(tmp_path / "nan.npz")
    np.savez(tmp_path / "flat.npz", map=np.zeros(3))
    with pytest.raises(SourceError, match=r"has shape \(3,\)"):
        read_map(tmp_path / "flat.npz")
    (tmp_path / "no.npz").write_bytes(b"no")
    with pytest.raises(SourceError, match=r"no\.npz cannot be read"):
        read_map(tmp_path / "no.npz")
    np.savez(tmp_path / "code.npz", map=np.array([print], object))
    with pytest.raises(SourceError, match="cannot be read"):
        read_map(tmp_path / "code.npz")


def edited(tree, edit):
    path = tree / "boxes" / "capsule.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def first(content):
    return content["images"]["test/crack/000.png"]


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda content: content.update(category="pill"), "of category 'pill', not 'capsule'"),
        (lambda content: content.pop("images"), "with category and images"),
        (
            lambda content: content["images"].pop("test/good/001.png"),
            "no boxes for 1 pictures, the first test/good/001.png",
        ),
        (
            lambda content: first(content).pop("defects"),
            "must be an object with object and defects",
        ),
        (lambda content: first(content).pop("object"), "the object of test/crack/000.png must be"),
        (lambda content: first(content)["defects"][1]["scores"].pop(), "has 3 boxes and 2 scores"),
        (
            lambda content: first(content)["defects"][1]["boxes"][0].__setitem__(2, 17.0),
            r"defects\[1\] of test/crack/000.png has boxes outside of 0 to 1",
        ),
        (
            lambda content: first(content)["defects"][1].update(boxes=[["a"]]),
            "has boxes that are no numbers",
        ),
        (
            lambda content: first(content)["defects"][1].update(boxes=[[1, 1]] * 3),
            r"has boxes of shape \(3, 2\)",
        ),
        (lambda content: first(content)["defects"].pop(2), "has no boxes for the text 'flaw on"),
    ],
)
def test_proposals_that_cannot_be_used_are_named(tree, edit, sentence):
    edited(tree, edit)
    with pytest.raises(SourceError, match=sentence):
        propose(find_mvtec(tree / "root", ["capsule"]), tree / "boxes", MVTEC_SETTINGS)


def test_files_that_are_no_proposals_are_named(tree, tmp_path):
    with pytest.raises(SourceError, match=r"demos/examples/grounding_dino_proposals.py"):
        load_proposals(tmp_path / "none.json", "pill", [])
    (tmp_path / "no.json").write_text("{")
    with pytest.raises(SourceError, match="is not JSON"):
        load_proposals(tmp_path / "no.json", "pill", [])


def test_a_category_without_settings_is_named(tree):
    with pytest.raises(UsageError, match="no settings of category 'capsule'; there are: pill"):
        propose(
            find_mvtec(tree / "root", ["capsule"]),
            tree / "boxes",
            {"pill": MVTEC_SETTINGS["pill"]},
        )


def test_settings_that_cannot_be_used_are_named(tmp_path):
    (tmp_path / "own.json").write_text('{"pill": {"k": 5}}')
    with pytest.raises(SourceError, match="each needs object_prompt, prompts"):
        load_settings(tmp_path / "own.json")


def test_missing_parts_of_the_set_are_named(tree):
    with pytest.raises(SourceError, match=r"there is no folder .*carpet"):
        find_mvtec(tree / "root")
    (tree / "root" / "capsule" / "ground_truth" / "crack" / "001_mask.png").unlink()
    with pytest.raises(SourceError, match=r"there is no truth .*001_mask\.png"):
        find_mvtec(tree / "root", ["capsule"])
