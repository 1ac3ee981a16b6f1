"""Largest differences of the image tasks from what public code computed.

    python benchmarks/image_golden.py [--network]

Reads the golden files of `tests/data/images`, which tests hold to limits; this prints how near to
those they are. `--network` adds the whole way from a picture to its edges, and the saliency of
WideResNet-50-2, with weights made by rule. Differences are absolute unless they say otherwise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / "data"), str(TESTS / "support")]

from golden_data import DATA, document, golden, golden_part  # noqa: E402 - found by the line above

from rvsam_video.evals.images.anomaly.combining import combined, rescored  # noqa: E402
from rvsam_video.evals.images.edges.drawing import EdgeSettings, outline, smoothed  # noqa: E402
from rvsam_video.evals.images.edges.suppression import orientations, suppressed  # noqa: E402
from rvsam_video.evals.metrics.edge_scores import (  # noqa: E402
    EdgeCounts,
    edge_counts,
    edge_scores,
    thresholds,
)
from rvsam_video.evals.metrics.pixel_scores import pixel_scores  # noqa: E402
from rvsam_video.evals.metrics.saliency import saliency_measures, stretched  # noqa: E402

AT = thresholds()


def show(what: str, found: ArrayLike, expected: ArrayLike) -> None:
    """Print the largest difference of two arrays, where the second has a number."""
    one, other = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    known = np.isfinite(other)
    print(f"{what:58} {np.abs(one[known] - other[known]).max(initial=0):.3g}")


def edge_counting() -> None:
    """Counts of each golden map, and the scores of all."""
    expected = document("images/edges")
    cases = expected["cases in this order"]
    for name in cases:
        arrays = golden_part("images/edges", name)
        shape = tuple(arrays["shape"])
        bits = np.unpackbits(arrays["boundaries"], count=int(np.prod(shape)))
        found = edge_counts(arrays["strength"] / 255.0, list(bits.reshape(shape) > 0), AT)
        exact = EdgeCounts.of(arrays["exact"])
        show(f"edges, {name}: cntR, sumR, sumP", found.table[[0, 1, 3]], exact.table[[0, 1, 3]])
        show(f"edges, {name}: cntP, of {exact.right.max()}", found.right, exact.right)
    tables = [golden_part("images/edges", name)["exact"] for name in cases]
    scores, known = edge_scores([EdgeCounts.of(table) for table in tables], AT), expected["exact"]
    ods = [scores.ods.threshold, scores.ods.recall, scores.ods.precision, scores.ods.f]
    show("edges: ODS", ods, known["ODS interpolated (BSDS bench): T R P F"])
    show("edges: OIS", [scores.ois.recall, scores.ois.precision, scores.ois.f], known["OIS: R P F"])
    show("edges: AP", scores.ap, known["AP bench (recall 0:.01:1, 101 values x 0.01)"])
    show(
        "edges: AP (trapezoid)",
        scores.ap_trapezoid,
        known["AP trapezoid over thresholds (SCESAME)"],
    )
    show("edges: R50", scores.r50 or 0.0, known["R50"])


def edge_drawing() -> None:
    """Outlines, scaling and suppression."""
    maps = golden("images/edge_maps")
    show("edges: outlines", [outline(item) for item in maps["filter/logits"]], maps["filter/edges"])
    show("edges: smooth", smoothed(maps["grid/strongest"], EdgeSettings()), maps["grid/smooth"])
    for name in sorted({key.split("/")[1] for key in maps if key.startswith("nms/")}):
        case = golden_part("images/edge_maps", f"nms/{name}")
        direction = orientations(case["smooth"])
        show(f"edges, {name}: orientation (bits)", direction, case["orientation"])
        show(f"edges, {name}: thinned (bits)", suppressed(case["smooth"], direction), case["nms"])


def instances() -> None:
    """All numbers of pycocotools."""
    import json

    from rvsam_video.evals.images.instances.scoring import load_masks, score_instances
    from rvsam_video.evals.images.instances.truth import load_instances

    golden_set: dict[str, Any] = document("images/instances")
    entries = [
        {
            **mask,
            **box,
            "detector_score": box["score"],
            "predicted_iou": mask["predicted_iou"],
        }
        for box, mask in zip(golden_set["detections_mini"], golden_set["masks_mini"], strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        truth_file, masks_file = Path(folder, "truth.json"), Path(folder, "masks.json")
        truth_file.write_text(json.dumps(golden_set["instances_val_mini"]))
        masks_file.write_text(json.dumps(entries))
        truth = load_instances(truth_file)
        for name, expected in golden_set["expected"].items():
            if not name.startswith("segm") or "ids from 0" in name:
                continue
            kind = "calibrated" if "predicted IoU" in name else "detector"
            protocol = "mmdet" if "1000" in name else "coco"
            masks = load_masks(masks_file, truth, kind)  # type: ignore[arg-type]
            scores = score_instances(truth, masks, protocol=protocol)  # type: ignore[arg-type]
            found = list(scores.stats.values())
            show(f"instances: {name[:46]}", found, list(expected["stats"].values()))


def salient() -> None:
    """Error of the best mask, and the usual measures."""
    from rvsam_video.evals.images.salient.scoring import best_mask

    expected = document("images/salient")
    for name, known in expected.items():
        if not isinstance(known, dict):
            continue
        case = golden_part("images/salient", name)
        truth = case["truth"] / (case["truth"].max() + 1e-8) > 0.5
        chosen, iou = best_mask(list(case["masks"]), truth)
        mae = 1.0 if chosen is None else float(np.mean(case["masks"][chosen] != truth))
        show(
            f"salient, {name}: IoU and MAE",
            [iou, mae],
            [max(known["iou"], default=0.0), known["mae_public"]],
        )
    arrays = golden("images/saliency_measures")
    numbers = sorted({key.split("/")[0] for key in arrays}, key=int)
    measured = []
    for number in numbers:
        case = golden_part("images/saliency_measures", number)
        found = saliency_measures(stretched(case["found"] / 255.0), case["truth"] > 128)
        measured.append((case, found))
    for name in ("mae", "s", "weighted_f", "f_adaptive", "e_adaptive", "f_curve", "e_curve"):
        show(
            f"salient, {len(numbers)} maps: {name}",
            [getattr(found, name) for _, found in measured],
            [case[name] for case, _ in measured],
        )


def anomalies() -> None:
    """Scores and maps of masks, and those of a category."""
    arrays = golden("images/anomaly")
    shape = (9, 200, 260)
    bits = np.unpackbits(arrays["combine/masks"], count=int(np.prod(shape)))
    masks = list(bits.reshape(shape) > 0)
    scores = rescored(masks, arrays["combine/score"], arrays["saliency/map"])
    expected = arrays["combine/rescored"]
    show("anomalies: rescored (relative)", scores / expected, np.ones_like(expected))
    for side in (400, 64):
        found = combined(masks, expected, 5, side=side)
        show(f"anomalies: map of {side}", found, arrays[f"combine/map_{side}"])
    pixels = pixel_scores(arrays["score/maps"].ravel(), arrays["score/truth_64"].ravel() > 0)
    known = document("images/anomaly")["category_score_percent"]
    found = [100 * pixels.max_f1, 100 * pixels.auroc, 100 * pixels.average_precision]
    show(
        "anomalies: F_p, AUROC, AP in percent", found, [known[k] for k in ("p_f1", "p_roc", "p_ap")]
    )


def networks() -> None:
    """Edges of a picture by MobileSAM, and its saliency by WideResNet-50-2."""
    import deterministic_weights
    import torch
    from sam_weights import sam_with_golden_weights
    from synthetic_picture import synthetic_picture
    from torchvision.models import wide_resnet50_2

    from rvsam_video.evals.images.anomaly.unlikeness import Unlikeness
    from rvsam_video.evals.images.edges.drawing import strongest_edges
    from rvsam_video.segmenters.sam.automatic import automatic_candidates

    maps, arrays = golden("images/edge_maps"), golden("images/anomaly")
    picture = synthetic_picture(150, 210, seed=7)
    segmenter = sam_with_golden_weights("mobile-sam")
    masks = automatic_candidates(segmenter, picture, EdgeSettings().automatic())
    strongest = strongest_edges([mask.logits() for mask in masks], picture.shape[:2])
    far = np.abs(strongest - maps["sam/strongest"])
    print(f"edges by mobile-sam: {len(masks)} mask is left of 768")
    print(f"edges by mobile-sam: within 1e-3 are {np.mean(far <= 1e-3):.5%} of the pixels")
    network = wide_resnet50_2(weights=None)
    deterministic_weights.fill(network, gain=1.0)
    measure = Unlikeness(network, torch.device("cpu"))
    turned = np.ascontiguousarray(synthetic_picture(200, 260, seed=21)[..., ::-1])
    features = measure.features(turned)[0, ::64, ::8, ::8].numpy()
    show("anomalies: features", features, arrays["saliency/features_strided"])
    show("anomalies: saliency", measure(turned), arrays["saliency/map"])


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", action="store_true")
    given = parser.parse_args()
    print(f"largest differences, {DATA / 'images'}")
    for part in (edge_counting, edge_drawing, instances, salient, anomalies):
        part()
    if given.network:
        networks()


if __name__ == "__main__":
    main()
