"""Speed, memory and agreement of the image encoders: as official code runs them, and as here.

    python benchmarks/segmenters.py [--models repvit-sam,mobile-sam] [--repeats 5] [--threads 2]

Three forms of each encoder encode the same 1024x1024 picture, each in a process of its own, one
after another in turns, so that other work on the machine meets all of them alike:

* official: the trained form as the official repositories run it, default allocator;
* fused: the inference form, default allocator;
* ours: the inference form with freed memory kept, as the command line runs it.

Prints seconds (CPU of the process, and wall) as minimum / median, the highest resident memory and
its growth in the first pass (memory kept from the preparation is not growth), parameters,
multiply-accumulates, ratios to official, and the largest difference of the embeddings. Weights are
those of the golden files, so nothing is downloaded. Needs Linux.
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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"
GAINS = {"repvit-sam": 0.66, "mobile-sam": 1.0}
FORMS = ("official", "fused", "ours")
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
WAITING = {"OMP_WAIT_POLICY": "passive"}
"""Threads that wait sleep: on a busy machine their spinning would count as CPU time of the form."""


def build_encoder(model: str, *, fused: bool):  # noqa: ANN201 - torch loads in workers only
    """Build an encoder with the weights of the golden files."""
    from torch import nn

    from rvsam_video.segmenters.sam.fusing import fuse
    from rvsam_video.segmenters.sam.repvit import RepViTEncoder
    from rvsam_video.segmenters.sam.tiny_vit import TinyViTEncoder

    whole = nn.Module()
    whole.image_encoder = {"repvit-sam": RepViTEncoder, "mobile-sam": TinyViTEncoder}[model]()
    importlib.import_module("deterministic_weights").fill(whole, gain=GAINS[model])
    return fuse(whole.image_encoder) if fused else whole.image_encoder


def read_picture() -> np.ndarray:
    """Return the normalised (1, 3, 1024, 1024) float32 picture."""
    picture = importlib.import_module("synthetic_picture").synthetic_picture(1024, 1024, seed=11)
    normal = (picture.astype(np.float32) - np.float32(MEAN)) / np.float32(STD)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])


def peak_memory(run) -> dict[str, float]:  # noqa: ANN001 - any callable
    """Run once; return the highest resident memory and its rise above the start, in MiB."""
    before = psutil.Process().memory_info().rss / 2**20
    Path("/proc/self/clear_refs").write_text("5")
    run()
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    highest = int(peak.split()[1]) / 2**10
    return {"peak": highest, "growth": highest - before}


def work(model: str, form: str, threads: int, place: Path) -> None:
    """Be the process of one form: describe it, then time one pass per line of standard input."""
    from rvsam_video.segmenters.sam.allocator import keep_freed_memory

    kept = keep_freed_memory() if form == "ours" else False
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.set_num_threads(threads)
    encoder = build_encoder(model, fused=form != "official")
    x = torch.from_numpy(read_picture())
    facts: dict[str, float] = {"parameters": sum(p.numel() for p in encoder.parameters())}
    facts["kept"] = kept
    with torch.inference_mode():
        facts |= peak_memory(lambda: np.save(place, encoder(x).numpy()))
        with FlopCounterMode(display=False) as counter:
            encoder(x)
        facts["gmac"] = counter.get_total_flops() / 2 / 1e9
        print(json.dumps(facts), flush=True)
        for _ in sys.stdin:
            cpu, wall = time.process_time(), time.perf_counter()
            encoder(x)
            spent = (time.process_time() - cpu, time.perf_counter() - wall)
            print(json.dumps(spent), flush=True)


@dataclass(frozen=True, eq=False)
class Worker:
    """A process that holds one form of an encoder."""

    process: subprocess.Popen[str]
    facts: dict[str, float]
    embedding: np.ndarray
    times: list[tuple[float, float]]

    @classmethod
    def start(cls, model: str, form: str, threads: int, folder: str) -> Worker:
        """Start the process and wait for its first pass."""
        place = Path(folder) / f"{form}.npy"
        command = [sys.executable, __file__, "--worker", model, form, str(threads), str(place)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | WAITING,
        )
        assert process.stdout is not None
        return cls(process, json.loads(process.stdout.readline()), np.load(place), [])

    def turn(self) -> None:
        """Time one pass."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print("pass", file=self.process.stdin, flush=True)
        self.times.append(tuple(json.loads(self.process.stdout.readline())))

    def best(self) -> np.ndarray:
        """Return [[cpu, wall] minimum, [cpu, wall] median] in seconds."""
        return np.array([np.min(self.times, axis=0), np.median(self.times, axis=0)])


def compare(model: str, repeats: int, threads: int) -> None:
    """Run all forms of a model in turns and print their table."""
    with tempfile.TemporaryDirectory() as folder:
        workers = {form: Worker.start(model, form, threads, folder) for form in FORMS}
    for _ in range(repeats):
        for worker in workers.values():
            worker.turn()
    print(f"\n{model}, 1024x1024, {threads} threads, {repeats} turns")
    print("form      CPU s min/median  wall s min/median  peak (growth) MiB   parameters     GMAC")
    for form, worker in workers.items():
        (cpu, wall), (cpu_median, wall_median) = worker.best()
        facts = worker.facts
        print(
            f"{form:<9} {cpu:7.2f} /{cpu_median:7.2f} {wall:9.2f} /{wall_median:7.2f}"
            f" {facts['peak']:10.0f} ({facts['growth']:5.0f})"
            f" {int(facts['parameters']):12,} {facts['gmac']:8.2f}"
        )
    official = workers["official"]
    for form in FORMS[1:]:
        (cpu, wall), (cpu_median, wall_median) = official.best() / workers[form].best()
        apart = np.abs(workers[form].embedding - official.embedding).max()
        print(
            f"official / {form:<6} CPU {cpu:.2f} / {cpu_median:.2f}, wall {wall:.2f} /"
            f" {wall_median:.2f}; embeddings within {apart:.1e}"
        )
    if not workers["ours"].facts["kept"]:
        print("freed memory was NOT kept: this C library has no such setting")
    for worker in workers.values():
        worker.process.communicate()


def main() -> None:
    """Print one table per model."""
    if sys.argv[1:2] == ["--worker"]:
        sys.path.insert(0, str(DATA))
        model, form, threads, place = sys.argv[2:]
        work(model, form, int(threads), Path(place))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(GAINS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    for model in options.models.split(","):
        compare(model, options.repeats, options.threads)


if __name__ == "__main__":
    main()
