"""Image tasks: time and memory of a picture, and speed of scoring beside public code.

    python benchmarks/image_tasks.py pictures [--segmenter repvit-sam] [--tasks edges,salient,...]
    python benchmarks/image_tasks.py scoring [--bsds BENCH_DATA]

`pictures` works on one rendered picture of 481x321 pixels (anomalies: 700x700), in a process for
each task, with weights made by rule, and prints CPU and wall seconds, and how far the resident
memory rose above that of the loaded networks. Needs Linux.

`scoring` takes what public scorers are installed: PySODMetrics (pip install pysodmetrics) for
salient objects, scikit-learn for anomalies, and py-bsds500 (built from its repository, with its
folder in PYTHONPATH) for edges, which reads the benchmark's own test data: the folder `bench/data`
of the BSDS500 repository. COCO and SegInW are scored by pycocotools itself.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / "data"), str(TESTS / "support")]

TASKS = ("edges", "instances", "salient", "anomaly")
EDGE_THRESHOLDS = 19
"""Public code takes minutes a picture for all 99."""


def work_of(task: str, segmenter_name: str) -> Callable[[], object]:
    """Load what a task needs; return what it does to a picture."""
    from sam_weights import sam_with_golden_weights
    from synthetic_picture import synthetic_picture

    from rvsam_video.evals.images.edges.drawing import EdgeSettings, draw_edges
    from rvsam_video.evals.images.instances.run import segment_boxes
    from rvsam_video.segmenters.sam.automatic import automatic_masks

    segmenter = sam_with_golden_weights(segmenter_name)
    picture = synthetic_picture(321, 481, seed=3)
    if task == "edges":
        return lambda: draw_edges(segmenter, picture, EdgeSettings())
    if task == "salient":
        return lambda: automatic_masks(segmenter, picture)
    count, side = (100, (481, 321)) if task == "instances" else (20, (700, 700))
    rng = np.random.default_rng(0)
    first = rng.uniform((0, 0), np.array(side) * 0.7, (count, 2))
    boxes = np.concatenate([first, first + rng.uniform(20, 120, (count, 2))], 1).astype(np.float32)
    if task == "instances":
        return lambda: segment_boxes(lambda: segmenter, picture, boxes)
    return anomaly_work(segmenter, synthetic_picture(*side, seed=3), boxes)


def anomaly_work(segmenter: object, picture: np.ndarray, boxes: np.ndarray) -> Callable[[], object]:
    """Load the network of saliency too; return the whole way to a map."""
    import deterministic_weights
    import torch
    from torchvision.models import wide_resnet50_2

    from rvsam_video.evals.images.anomaly.combining import combined, rescored
    from rvsam_video.evals.images.anomaly.unlikeness import Unlikeness
    from rvsam_video.evals.images.instances.run import segment_boxes

    network = wide_resnet50_2(weights=None)
    deterministic_weights.fill(network, gain=1.0)
    measure = Unlikeness(network, torch.device("cpu"))

    def draw() -> object:
        answers = segment_boxes(lambda: segmenter, picture, boxes)  # type: ignore[arg-type, return-value]
        masks = [mask for mask, _ in answers]
        scores = rescored(masks, np.linspace(0.1, 0.9, len(masks)), measure(picture))
        return combined(masks, scores, 5)

    return draw


def picture(task: str, segmenter: str) -> None:
    """Do a task once, in this process, and print what it cost."""
    work = work_of(task, segmenter)
    # The highest memory so far was that of reading weights: it is forgotten.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = psutil.Process().memory_info().rss / 1024
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"| {task} | {cpu:.1f} | {wall:.1f} | {before / 1024:.0f} | {grown:.0f} |", flush=True)


def pictures(tasks: list[str], segmenter: str) -> None:
    """Print a row for each task, each from a process of its own."""
    print(f"{segmenter}, one picture")
    print("| task | CPU s | wall s | MiB before | MiB on top |\n|---|---|---|---|---|", flush=True)
    for task in tasks:
        command = [sys.executable, __file__, "picture", "--tasks", task, "--segmenter", segmenter]
        subprocess.run(command, check=True)


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Return CPU seconds and the result."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def ratio(what: str, ours: float, public: float) -> None:
    """Print a line."""
    print(f"{what}: {ours:.3f} s here, {public:.3f} s there, {public / ours:.1f} times as fast")


def edge_scoring(data: Path) -> None:
    """Count the benchmark's own pictures at some thresholds, here and by its Python port."""
    for name, kind in (("float", float), ("bool", bool), ("int", int)):
        # The port was written for a NumPy that had these.
        if not hasattr(np, name):
            setattr(np, name, kind)
    from bsds import evaluate_boundaries

    from rvsam_video.evals.images.edges.layout import read_annotators
    from rvsam_video.evals.images.pictures import read_grey
    from rvsam_video.evals.metrics.edge_scores import edge_counts, thresholds

    at = thresholds(EDGE_THRESHOLDS)
    for path in sorted((data / "png").glob("*.png"))[:2]:
        annotators = read_annotators(data / "groundTruth" / f"{path.stem}.mat")
        strength = read_grey(path)
        ours, _ = timed(lambda: edge_counts(strength, annotators, at))  # noqa: B023
        public, _ = timed(
            lambda: evaluate_boundaries.evaluate_boundaries(
                strength,  # noqa: B023
                list(annotators),  # noqa: B023
                thresholds=at,
                max_dist=0.0075,
                apply_thinning=True,
            )
        )
        ratio(f"edges, {path.stem}, {len(annotators)} annotators, {len(at)} cuts", ours, public)


def salient_scoring() -> None:
    """Measure ten maps of 400x300, here and by PySODMetrics; print how far they differ too."""
    import py_sod_metrics as public_code

    from rvsam_video.evals.metrics.saliency import mean_measures, saliency_measures, stretched

    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:300, :400]
    pairs = []
    for _ in range(10):
        x, y, r = rng.uniform(100, 300), rng.uniform(80, 220), rng.uniform(30, 80)
        distance = np.hypot(columns - x, rows - y)
        soft = 255 / (1 + np.exp((distance - r * rng.uniform(0.8, 1.2)) / 4))
        found = np.clip(soft + rng.normal(0, 20, soft.shape), 0, 255).astype(np.uint8)
        pairs.append((found, np.uint8(255) * (distance < r)))

    def here() -> dict[str, float]:
        measured = [
            saliency_measures(stretched(found / 255.0), truth > 128) for found, truth in pairs
        ]
        return mean_measures(measured)

    def there() -> dict[str, float]:
        names = ("MAE", "Smeasure", "Emeasure", "Fmeasure", "WeightedFmeasure")
        parts = [getattr(public_code, name)() for name in names]
        for found, truth in pairs:
            for part in parts:
                part.step(found, truth)
        results = {key: value for part in parts for key, value in part.get_results().items()}
        return {
            "MAE": results["mae"],
            "S": results["sm"],
            "wF": results["wfm"],
            "maxF": results["fm"]["curve"].max(),
            "adpF": results["fm"]["adp"],
            "maxE": results["em"]["curve"].max(),
            "adpE": results["em"]["adp"],
        }

    (ours, mine), (public, theirs) = timed(here), timed(there)
    ratio("salient objects, 10 maps, all measures", ours, public)
    far = max(abs(mine[name] - value) for name, value in theirs.items())  # type: ignore[index, attr-defined]
    print(f"salient objects: largest difference {far:.3g}")


def anomaly_scoring() -> None:
    """Score 40 maps of 400x400, here and by scikit-learn as SAA+ calls it."""
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

    from rvsam_video.evals.metrics.pixel_scores import pixel_scores

    rng = np.random.default_rng(0)
    found = rng.random(40 * 400 * 400).astype(np.float32)
    truth = rng.random(found.size) < 0.02 + 0.1 * (found > 0.9)

    def there() -> tuple[float, float, float]:
        precision, recall, _ = precision_recall_curve(truth, found)
        total = np.where(precision + recall == 0, 1, precision + recall)
        best = float((2 * precision * recall / total).max())
        return best, roc_auc_score(truth, found), average_precision_score(truth, found)

    (ours, mine), (public, theirs) = timed(lambda: pixel_scores(found, truth)), timed(there)
    ratio("anomalies, 6.4 million pixels", ours, public)
    numbers = mine.max_f1, mine.auroc, mine.average_precision  # type: ignore[attr-defined]
    print(f"anomalies: largest difference {np.abs(np.subtract(numbers, theirs)).max():.3g}")


def scoring(data: Path | None) -> None:
    """Score with what is installed."""
    if data is not None and find_spec("bsds"):
        edge_scoring(data)
    if find_spec("py_sod_metrics"):
        salient_scoring()
    if find_spec("sklearn"):
        anomaly_scoring()


def main() -> None:
    """Measure one of both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["pictures", "picture", "scoring"])
    parser.add_argument("--segmenter", default="repvit-sam")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--bsds", type=Path)
    given = parser.parse_args()
    if given.what == "scoring":
        scoring(given.bsds)
    elif given.what == "picture":
        picture(given.tasks, given.segmenter)
    else:
        pictures(given.tasks.split(","), given.segmenter)


if __name__ == "__main__":
    main()
