"""Speed and memory of the CoTracker versions, by themselves and against the plain method.

    python benchmarks/trackers.py [--names cotracker1,cotracker3-online] [--points 100,10,1000,4000]
                                  [--frames 50,200,2000] [--threads 1,2]
    python benchmarks/trackers.py --compare v3_online,v3_offline,v1 [--frames 48] [--repeats 1]

The first form streams a clip of 384x512 pixels through the tracker as a run does. One number is
varied at a time, while the others are the first of their lists. It prints frames per second, CPU
seconds, memory above the loaded model, and the shares of the parts.

The second form follows 100 points of the first frame with the networks of this package and with
`cotracker_plain.py`, the method written down step by step. Each form has a process of its own, one
runs after another in turns, and both have the same weights. It prints CPU seconds, memory above the
loaded model, their ratios, and the largest difference of the answers. Ours keeps freed memory, as
the command line does; the plain form has the allocator that PyTorch comes with.

Weights are those of the golden files, so nothing is downloaded. Needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cotracker_weights import golden_clip, golden_network, spread_points
from segmenters import WAITING, peak_memory

AXES = ("points", "frames", "threads")
COMPARED_POINTS = 100
NAMES = {"v1": "cotracker1", "v3_online": "cotracker3-online", "v3_offline": "cotracker3-offline"}
VERSIONS = "cotracker1,cotracker2,cotracker3-online,cotracker3-offline"
ITERATIONS = 6


class Profile:
    """CPU seconds of the parts of a tracker."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, part: str, function: Callable) -> Callable:
        """Return the function, its time added to a part."""

        def call(*given, **named):  # noqa: ANN002, ANN003, ANN202
            began = time.process_time()
            found = function(*given, **named)
            self._add(part, began)
            return found

        return call

    def timed_steps(self, part: str, function: Callable[..., Iterator]) -> Callable:
        """Return a generator function, the time of its steps added to a part."""

        def call(*given, **named):  # noqa: ANN002, ANN003, ANN202
            steps = function(*given, **named)
            while True:
                began = time.process_time()
                item = next(steps, None)
                self._add(part, began)
                if item is None:
                    return
                yield item

        return call

    def _add(self, part: str, began: float) -> None:
        self.seconds[part] = self.seconds.get(part, 0.0) + time.process_time() - began

    def watch(self, network) -> None:  # noqa: ANN001 - any version
        """Time the encoder, the correlation and the transformer of a network."""
        from rvsam_video.trackers.cotracker import v1 as vector_tracker
        from rvsam_video.trackers.cotracker import v3

        network.fnet.forward = self.timed("encoder", network.fnet.forward)
        former = network.updateformer
        former.forward = self.timed("transformer", former.forward)
        vector_tracker.correlate = self.timed("correlation", vector_tracker.correlate)
        v3.volumes = self.timed_steps("correlation", v3.volumes)
        if hasattr(network, "corr_mlp"):
            network.corr_mlp.forward = self.timed("correlation", network.corr_mlp.forward)


def stream(name: str, points: int, frames: int, threads: int) -> dict[str, float]:
    """Be the process of one measurement of the first form."""
    from rvsam_video.segmenters.sam.allocator import keep_freed_memory

    keep_freed_memory()
    import torch

    from rvsam_video import Frame
    from rvsam_video.trackers import COTRACKER_VARIANTS, QueryPoints
    from rvsam_video.trackers.cotracker.tracker import CoTracker

    torch.set_num_threads(threads)
    network = golden_network(name)
    profile = Profile()
    profile.watch(network)
    tracker = CoTracker(name, network, COTRACKER_VARIANTS[name].settings)
    clip = golden_clip(min(frames, 96))
    queries = QueryPoints(np.arange(points), np.zeros(points, np.int64), spread_points(points))

    def run() -> None:
        state = tracker.start((512, 384))
        state.add(queries)
        for index in range(frames):
            state.push(Frame(index, index / 25, clip[index % len(clip)]))
        state.flush()

    cpu, wall = time.process_time(), time.perf_counter()
    facts = peak_memory(run)
    facts |= {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    shares = {part: spent / facts["cpu"] for part, spent in profile.seconds.items()}
    return facts | shares | {"rest": 1 - sum(shares.values())}


def follow(version: str, form: str, frames: int, place: Path) -> dict[str, float]:
    """Be the process of one turn of the second form."""
    from rvsam_video.segmenters.sam.allocator import keep_freed_memory

    if form == "ours":
        keep_freed_memory()
    import torch

    torch.set_num_threads(1)
    network = golden_network(NAMES[version])
    clip, points = golden_clip(frames), spread_points(COMPARED_POINTS)
    answers: list[np.ndarray] = []

    def ours() -> None:
        from rvsam_video.trackers.cotracker.network import EncodedFrame, Inference
        from rvsam_video.trackers.cotracker.predictor import track_clip

        inference = Inference(network)
        pictures = (torch.from_numpy(image.transpose(2, 0, 1)[None]).float() for image in clip)
        encoded = (EncodedFrame(inference, picture) for picture in pictures)
        start = np.zeros(len(points), np.int64)
        found = track_clip(inference, encoded, start, points, iterations=ITERATIONS)
        answers.extend([found.xy, found.probabilities])

    def plain() -> None:
        from cotracker_plain import TRACK

        images = torch.from_numpy(clip.transpose(0, 3, 1, 2).copy()).float()
        with torch.inference_mode():
            places = torch.from_numpy(points)
            found = TRACK[version](network.state_dict(), images, places, ITERATIONS)
        answers.extend(part.numpy() for part in found)

    cpu = time.process_time()
    facts = peak_memory({"ours": ours, "plain": plain}[form])
    facts["cpu"] = time.process_time() - cpu
    np.savez(place, xy=answers[0], chances=answers[1])
    return facts


def in_child(**task: object) -> dict[str, float]:
    """Run a task in a process of its own and return what it measured."""
    command = [sys.executable, __file__, "--worker", json.dumps(task)]
    threads = {"OMP_NUM_THREADS": str(task.get("threads", 1))}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | WAITING | threads
    )
    return json.loads(done.stdout.splitlines()[-1])


@dataclass(frozen=True)
class Measured:
    """What one form took: the least of all turns."""

    cpu: float
    memory: float


def compare(version: str, frames: int, repeats: int) -> None:
    """Print both forms of a version side by side."""
    turns: dict[str, list[dict[str, float]]] = {"plain": [], "ours": []}
    with tempfile.TemporaryDirectory() as folder:
        places = {form: Path(folder) / f"{form}.npz" for form in turns}
        for _ in range(repeats):
            for form, facts in turns.items():
                task = {"version": version, "form": form, "frames": frames}
                facts.append(in_child(follow=task, place=str(places[form])))
        answers = [np.load(place) for place in places.values()]
        pairs = list(zip(*([item["xy"], item["chances"]] for item in answers), strict=True))
    best = {
        form: Measured(min(f["cpu"] for f in facts), min(f["growth"] for f in facts))
        for form, facts in turns.items()
    }
    for form, found in best.items():
        print(f"{version:<11} {form:<6} {found.cpu:9.1f} s CPU {found.memory:9.0f} MiB")
    plain, ours = best["plain"], best["ours"]
    pixels, chances = (float(np.abs(one - other).max()) for one, other in pairs)
    print(
        f"{version:<11} plain / ours: CPU {plain.cpu / ours.cpu:.2f}, memory "
        f"{plain.memory / ours.memory:.2f}; largest difference {pixels:.1e} px, {chances:.1e} "
        "in probability",
        flush=True,
    )


def sweep(name: str, options: argparse.Namespace) -> None:
    """Print the measurements of one tracker, one number varied at a time."""
    axes = {key: numbers(getattr(options, key)) for key in AXES}
    base = {key: values[0] for key, values in axes.items()}
    cases = [base | {key: value} for key, values in axes.items() for value in values]
    for case in [case for index, case in enumerate(cases) if case not in cases[:index]]:
        facts = in_child(stream={"name": name, **case}, threads=case["threads"])
        parts = ("encoder", "correlation", "transformer", "rest")
        print(
            f"{name:<19} {case['points']:6} {case['frames']:6} {case['threads']:7}"
            f" {case['frames'] / facts['wall']:7.2f} {facts['cpu']:8.1f} {facts['growth']:8.0f}   "
            + "  ".join(f"{facts.get(part, 0):11.0%}" for part in parts),
            flush=True,
        )


def numbers(text: str) -> list[int]:
    """Read numbers with commas."""
    return [int(part) for part in text.split(",")]


def main() -> None:
    """Print one of the two tables."""
    if sys.argv[1:2] == ["--worker"]:
        task = json.loads(sys.argv[2])
        found = (
            stream(**task["stream"])
            if "stream" in task
            else follow(**task["follow"], place=Path(task["place"]))
        )
        print(json.dumps(found))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", default=VERSIONS)
    parser.add_argument("--points", default="100,10,1000,4000")
    parser.add_argument("--frames", default=None, help="default: 50,200,2000, or 48 to compare")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--compare", metavar="VERSIONS", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    if options.compare:
        for version in options.compare.split(","):
            compare(version, int(options.frames or 48), options.repeats)
        return
    options.frames = options.frames or "50,200,2000"
    print(
        f"{'tracker':<19} points frames threads  fps    CPU s  mem MiB   "
        "    encoder  correlation  transformer         rest"
    )
    for name in options.names.split(","):
        sweep(name, options)


if __name__ == "__main__":
    main()
