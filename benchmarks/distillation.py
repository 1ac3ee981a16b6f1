"""What distillation takes on this machine, and that a kill and several processes change nothing.

A teacher with weights made by rule and a small RepViT learn on your pictures, by commands alone:

    python benchmarks/distillation.py --images PICTURES --work FOLDER --side 64

Reported are pictures a second of `embed` and `train`, the share of time spent waiting for pictures,
how the loss falls, whether a training that is killed with signal 9 at a random step and run again
ends with the same bits, and the cost of the paper's recipe by multiply-accumulates.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "data"))
import deterministic_weights

from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.registry import SAM_VARIANTS
from rvsam_video.training.run_folder import TrainingFolder, read_table
from rvsam_video.training.students import find_student

PICTURES, EPOCHS = 112_000, 8
"""The paper's: ten archives of SA-1B."""

TEACHER_GMAC = 2981
TEACHER_RATE, STUDENT_RATE = 100.0, 15.0
"""TMAC a second that a large GPU is assumed to reach in half precision: a fifth of an H100's peak
for the matrix products of ViT-H, much less for RepViT's many small layers."""


def command(*words: object) -> list[str]:
    """Return the words of a `distill` command that speaks JSON."""
    return [sys.executable, "-m", "rvsam_video", "distill", *map(str, words), "--json"]


def last_event(words: list[str]) -> dict[str, object]:
    """Run a command and return the last thing that it says."""
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    event: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return event


def make_teacher(path: Path) -> None:
    """Write a checkpoint of MobileSAM with weights made by rule."""
    sam = sam_around(SAM_VARIANTS["mobile-sam"].encoder())
    deterministic_weights.fill(sam)
    torch.save(sam.state_dict(), path)


def gmacs(student: str) -> float:
    """Return the GMAC of a student for one picture of 1024 x 1024."""
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        find_student(student).build().eval()(torch.zeros(1, 3, 1024, 1024))
    return counter.get_total_flops() / 2e9


def killed(words: list[str], out: Path, steps: int) -> int:
    """Start a training and kill it behind a random step; return how far it had come."""
    # Not before the first checkpoint: there would be nothing to go on from.
    wanted = random.Random(7).randrange(steps // 4, steps - 2)  # noqa: S311
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        log = read_table(out / "log.csv") if (out / "log.csv").is_file() else []
        if log and log[-1]["step"] >= wanted:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.05)
    process.wait()
    return int(read_table(out / "log.csv")[-1]["step"])


def weights(out: Path) -> dict[str, torch.Tensor]:
    """Return the last weights of a training."""
    found: dict[str, torch.Tensor] = TrainingFolder.look(out).chosen("last")["modules"]["student"]
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--student", default="repvit-m0.6")
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    make_teacher(given.work / "teacher.pt")
    store = given.work / "embeddings"
    began = time.perf_counter()
    event = last_event(
        command("embed", "--images", given.images, "--teacher", "mobile-sam", "--checkpoint",
                given.work / "teacher.pt", "--side", given.side, "--out", store, "--workers", 1)
    )  # fmt: skip
    took = time.perf_counter() - began
    print(f"embed: {event['embedded']} pictures in {took:.1f} s, start included")
    runs = [given.work / name for name in ("whole", "killed")]
    words = [
        command("train", "--embeddings", store, "--student", given.student, "--epochs", 2,
                "--batch", given.batch, "--log-every", 1, "--save-every", 5, "--workers", 1,
                "--score-prompts", 0, "--out", out)
        for out in runs
    ]  # fmt: skip
    event = last_event(words[0])
    log = read_table(runs[0] / "log.csv")
    waiting = 100 * float(str(event["waiting_share"]))
    print(f"train: {event['pictures']} pictures in {event['seconds']} s, {waiting:.2f} % waiting")
    print(f"loss: {log[0]['loss']:.4f} at step 1, {log[-1]['loss']:.4f} at step {len(log)}")
    step = killed(words[1], runs[1], len(log))
    again = last_event(words[1])
    same = all(torch.equal(value, weights(runs[1])[name]) for name, value in
               weights(runs[0]).items())  # fmt: skip
    print(f"killed at step {step}, went on for {again['pictures']} pictures: "
          f"{'the same bits' if same else 'OTHER weights'}")  # fmt: skip
    teacher = TEACHER_GMAC * PICTURES / 1e6
    student = 3 * gmacs("repvit-sam") * PICTURES * EPOCHS / 1e6
    for name, work, rate in (("embed", teacher, TEACHER_RATE), ("train", student, STUDENT_RATE)):
        hours = work * 1e3 / rate / 3600
        print(f"{name}, {PICTURES} pictures: {work:.0f} PMAC; at {rate:.0f} TMAC/s "
              f"{hours:.1f} h on one GPU, {hours / 8:.2f} h on eight")  # fmt: skip


if __name__ == "__main__":
    main()
