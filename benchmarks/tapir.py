"""Speed and memory of Online BootsTAPIR, by itself and against the plain method.

    python benchmarks/tapir.py [--points 1,10,100,1000] [--repeats 2]
    python benchmarks/tapir.py --stream 2000 [--stream-points 10]

The first form runs the network of this package and `tapir_plain.py`, the method written down step
by step, on the same pictures and points with the same weights. Each has a process of its own with
one thread, one after another in turns. It prints CPU seconds a frame of the encoder and of the
points, memory, their ratios, and the largest difference of the answers; and for ours what a frame
costs on which points are added.

The second form streams a long video through a tracker and prints the resident size on the way. A
frame of it is a new picture every tenth time, and else the one before, as encoded then: memory
would show the same, and it would take ten times as long.

Weights are those of the golden files, so nothing is downloaded. Needs Linux.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cotracker_weights import DATA
from segmenters import WAITING, peak_memory

from trackers import numbers

FRAMES = 4
"""Frames that points are followed through; what is remembered fills up in two."""

ENCODED = 3
"""Pictures encoded to time it; the first is not counted."""


def weights():  # noqa: ANN201 - torch loads in workers only
    """Return the weights of the golden files by name."""
    sys.path[:0] = [str(DATA), str(DATA.parent / "support")]
    return importlib.import_module("golden_tapir").tapir_state("tapir-online")


def pictures(count: int) -> np.ndarray:
    """Return (count, 256, 256, 3) uint8 of a moving texture."""
    sys.path.insert(0, str(DATA))
    return importlib.import_module("cotracker_clip").moving_texture(count, 256, 256, seed=21)


def places(count: int) -> np.ndarray:
    """Return (count, 2) float32 places spread over the picture."""
    return (8 + np.random.RandomState(5).rand(count, 2) * 240).astype(np.float32)


class Plain:
    """The method written down."""

    def __init__(self) -> None:
        import tapir_plain

        self.method, self.weights = tapir_plain, weights()

    def encode(self, picture: np.ndarray):  # noqa: ANN201
        """Encode a (256, 256, 3) uint8 picture."""
        import torch

        image = torch.from_numpy(picture.transpose(2, 0, 1)[None].copy()).float() / 255 * 2 - 1
        return self.method.encode(self.weights, image)

    def start(self, maps, xy: np.ndarray):  # noqa: ANN001, ANN201
        """Describe (N, 2) places of an encoded picture."""
        import torch

        return self.method.start(maps, torch.from_numpy(xy))

    def follow(self, maps, points) -> np.ndarray:  # noqa: ANN001
        """Find points in one more picture: (N, 4), places and logits."""
        return np.concatenate(self.method.follow(self.weights, maps, points), 1)


class Ours:
    """The network of this package; many points go through it in batches, as in a run."""

    def __init__(self) -> None:
        from rvsam_video.segmenters.sam.allocator import keep_freed_memory

        keep_freed_memory()
        from rvsam_video.trackers.tapir.loading import tapir_with_weights
        from rvsam_video.trackers.tapir.torch_engine import TorchEngine
        from rvsam_video.trackers.tapir.variants import TAPIR_VARIANTS, TapirSettings

        network = tapir_with_weights(TAPIR_VARIANTS["tapir-online"], weights(), source="here")
        network.pack()
        self.settings = TapirSettings()
        self.engine = TorchEngine(network, self.settings)
        self.encode = self.engine.encode

    def start(self, maps, xy: np.ndarray):  # noqa: ANN001, ANN201
        """Describe (N, 2) places of an encoded picture."""
        from rvsam_video.trackers.tapir.state import start_rows

        return list(start_rows(self.engine, maps, xy, self.settings))

    def follow(self, maps, points) -> np.ndarray:  # noqa: ANN001
        """Find points in one more picture: (N, 4), places and logits."""
        found = [self.engine.follow(maps, rows) for rows in points]
        return np.concatenate([np.concatenate([part.xy, part.logits], 1) for part in found])


def spent(run: Callable[[], object], repeats: int) -> float:
    """Return the least CPU seconds of a function."""
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        run()
        seconds.append(time.process_time() - began)
    return min(seconds)


def measure(form: str, counts: list[int], place: Path) -> dict[str, float]:
    """Be the process of one turn of the first form."""
    import torch

    torch.set_num_threads(1)
    method = {"plain": Plain, "ours": Ours}[form]()
    clip = pictures(FRAMES)
    facts, answers = {}, {}
    with torch.inference_mode():
        encoded = [method.encode(clip[0])]
        facts["encoder"] = spent(lambda: method.encode(clip[1]), ENCODED)
        encoded += [method.encode(picture) for picture in clip[1:]]
        for count in counts:
            given: list[np.ndarray] = []
            seconds: list[float] = []

            def run(count=count, given=given, seconds=seconds) -> None:  # noqa: ANN001
                points = method.start(encoded[0], places(count))
                for maps in encoded:
                    began = time.process_time()
                    given.append(method.follow(maps, points))
                    seconds.append(time.process_time() - began)

            facts[f"memory_{count}"] = peak_memory(run)["growth"]
            # Not the first, which finds its memory.
            facts[f"points_{count}"] = min(seconds[1:])
            answers[f"points_{count}"] = np.stack(given)
        if form == "ours":
            facts |= adding(method, clip)
    np.savez(place, **answers)
    return facts


def adding(ours: Ours, clip: np.ndarray) -> dict[str, float]:
    """Measure frames of a stream of 100 points, with and without ten more that begin there."""
    from rvsam_video import Frame
    from rvsam_video.trackers import QueryPoints
    from rvsam_video.trackers.tapir.tracker import Tapir

    usual, added = [], []
    for turn in range(3):
        state = Tapir("tapir-online", ours.engine, ours.settings).start((256, 256))
        ids = np.arange(100)
        state.add(QueryPoints(ids, np.zeros(100, np.int64), places(100)))
        for index, picture in enumerate(clip):
            if index == 2:
                new = np.arange(100, 110)
                state.add(QueryPoints(new, np.full(10, 2), places(10)))
            began = time.process_time()
            state.push(Frame(index, index / 25, picture))
            if turn and index:
                (added if index == 2 else usual).append((time.process_time() - began, index))
    # Frame 3 has the same 110 points, and none that are new.
    return {
        "adding": min(seconds for seconds, _ in added),
        "added": min(seconds for seconds, index in usual if index == 3),
    }


def stream(frames: int, count: int) -> None:
    """Print the resident size while a long video streams by."""
    import psutil
    import torch

    from rvsam_video import Frame
    from rvsam_video.trackers import QueryPoints
    from rvsam_video.trackers.tapir.tracker import Tapir

    torch.set_num_threads(1)
    ours, clip = Ours(), pictures(8)
    encode, kept = ours.engine.encode, [None]
    asked = 0

    def sparing(picture: np.ndarray):  # noqa: ANN202
        nonlocal asked
        if asked % 10 == 0:
            kept[0] = encode(picture)
        asked += 1
        return kept[0]

    ours.engine.encode = sparing
    state = Tapir("tapir-online", ours.engine, ours.settings).start((256, 256))
    state.add(QueryPoints(np.arange(count), np.zeros(count, np.int64), places(count)))
    process = psutil.Process()
    sizes: dict[int, float] = {}
    for index in range(frames):
        state.push(Frame(index, index / 25, clip[index % len(clip)]))
        if (index + 1) % max(frames // 10, 1) == 0:
            sizes[index + 1] = process.memory_info().rss / 2**20
            held = sum(rows.memory.nbytes for rows in state._batches)
            print(
                f"frame {index + 1:6}: {sizes[index + 1]:8.1f} MiB, state {held} bytes", flush=True
            )
    first, *_, last = sizes
    print(f"growth from frame {first} to {last}: {sizes[last] - sizes[first]:+.1f} MiB")


def in_child(**task: object) -> dict[str, float]:
    """Run a turn in a process of its own and return what it measured."""
    command = [sys.executable, __file__, "--worker", json.dumps(task)]
    environment = os.environ | WAITING | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def compare(counts: list[int], repeats: int) -> None:
    """Print both forms side by side."""
    turns: dict[str, list[dict[str, float]]] = {"plain": [], "ours": []}
    with tempfile.TemporaryDirectory() as folder:
        files = {form: Path(folder) / f"{form}.npz" for form in turns}
        for _ in range(repeats):
            for form, facts in turns.items():
                facts.append(in_child(form=form, counts=counts, place=str(files[form])))
        plain, ours = (
            {key: min(facts[key] for facts in turns[form]) for key in turns[form][0]}
            for form in ("plain", "ours")
        )
        answers = [np.load(files[form]) for form in ("plain", "ours")]
        apart = {
            count: np.abs(np.subtract(*(item[f"points_{count}"] for item in answers)))
            for count in counts
        }
    ratio = plain["encoder"] / ours["encoder"]
    print(f"encoder: plain {plain['encoder']:.3f}, ours {ours['encoder']:.3f} s, ratio {ratio:.2f}")
    print("points   plain s    ours s   ratio   whole frame   plain MiB  ours MiB   px apart")
    for count in counts:
        key = f"points_{count}"
        ratio = plain[key] / ours[key]
        whole = (plain["encoder"] + plain[key]) / (ours["encoder"] + ours[key])
        print(
            f"{count:6} {plain[key]:9.3f} {ours[key]:9.3f} {ratio:7.2f} {whole:13.2f}"
            f" {plain[f'memory_{count}']:11.0f} {ours[f'memory_{count}']:9.0f}"
            f"   {apart[count][..., :2].max():.1e}"
        )
    print(f"a frame with 110 points: {ours['added']:.3f} s; if 10 are new: {ours['adding']:.3f} s")


def main() -> None:
    """Print one of the two tables."""
    if sys.argv[1:2] == ["--worker"]:
        task = json.loads(sys.argv[2])
        print(json.dumps(measure(task["form"], task["counts"], Path(task["place"]))))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", default="1,10,100,1000")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--stream", type=int, metavar="FRAMES")
    parser.add_argument("--stream-points", type=int, default=10)
    options = parser.parse_args()
    if options.stream:
        stream(options.stream, options.stream_points)
        return
    compare(numbers(options.points), options.repeats)


if __name__ == "__main__":
    main()
