"""A distillation small enough for tests; run as a program it trains in a process of its own."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import deterministic_weights
import numpy as np
import torch
from PIL import Image
from torch import nn

from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.training.embedding import EmbedSettings, Teacher, embed_pictures, plan_store
from rvsam_video.training.pictures import find_pictures
from rvsam_video.training.processes import Processes, joined_processes
from rvsam_video.training.recipe import Recipe
from rvsam_video.training.train import Readers, TrainingJob, open_data, train_student
from rvsam_video.training.trainer import TrainingPace, TrainOutcome

SIDE = 128
RECIPE = Recipe(epochs=20, batch=8, rate=1e-2, rate_batch=8, warm_up=0.0)
"""40 steps on 16 pictures."""


class TinyEncoder(nn.Sequential):
    """Few channels inside, 256 outside, a position for every 16 x 16 pixels, no BatchNorm."""

    def __init__(self, width: int = 32, norm: bool = False) -> None:
        super().__init__(
            nn.Conv2d(3, width, 16, 16),
            nn.BatchNorm2d(width) if norm else nn.GroupNorm(2, width),
            nn.GELU(),
            nn.Conv2d(width, 256, 1),
        )


class Watch:
    """Notes what it is told; asks to stop after so many steps."""

    def __init__(self, stop_at: int | None = None, batch: int = RECIPE.batch) -> None:
        self.stop_at, self.batch = stop_at, batch
        self.rows: list[Mapping[str, float]] = []
        self.scores: list[Mapping[str, float]] = []
        self.step = 0

    def stepped(self, pictures: int) -> None:
        self.step = pictures // self.batch

    def logged(self, row: Mapping[str, float]) -> None:
        self.rows.append(row)

    def scored(self, row: Mapping[str, float]) -> None:
        self.scores.append(row)

    def asked_to_stop(self) -> bool:
        return self.stop_at is not None and self.step >= self.stop_at


def make_pictures(folder: Path, count: int) -> Path:
    """Random blocks, so that neighbouring pixels have something to do with each other."""
    folder.mkdir()
    random = np.random.default_rng(3)
    for number in range(count):
        height, width = random.integers(60, 140, 2)
        blocks = random.integers(0, 256, (-(-height // 8), -(-width // 8), 3), np.uint8)
        picture = np.kron(blocks, np.ones((8, 8, 1), np.uint8))[:height, :width]
        Image.fromarray(picture).save(folder / f"{number:03d}.png")
    return folder


def make_teacher() -> Teacher:
    torch.manual_seed(1)
    encoder = TinyEncoder(4).eval()
    sam = sam_around(nn.Identity())
    deterministic_weights.fill(sam, gain=1.3)
    decoder = {
        name: value
        for name, value in sam.state_dict().items()
        if name.startswith(("prompt_encoder", "mask_decoder"))
    }
    return Teacher("tiny", "0" * 64, encoder, decoder)


def make_store(images: Path, folder: Path, **settings: int) -> Path:
    chosen = EmbedSettings(side=SIDE, workers=0, device="cpu", **settings)
    pictures, teacher = find_pictures([images]), make_teacher()
    facts = plan_store(pictures, teacher, [images], chosen)
    embed_pictures(pictures, teacher, folder, facts, chosen)
    return folder


def make_job(store: Path, out: Path, recipe: Recipe = RECIPE, **changes: object) -> TrainingJob:
    torch.manual_seed(2)
    job = TrainingJob(
        student=TinyEncoder(),
        name="repvit-m0.6",
        start="random",
        data=open_data(store, recipe, held_out=0),
        recipe=recipe,
        out=out,
        pace=TrainingPace(log=4, save=5),
        readers=Readers(workers=0, prompts=0),
    )
    return replace(job, **changes)


def train(job: TrainingJob, stop_at: int | None = None) -> tuple[TrainOutcome, Watch]:
    watch = Watch(stop_at, job.recipe.batch)
    return train_student(job, Processes(torch.device("cpu")), watch), watch


class SlowWatch(Watch):
    """Leaves time to be killed in."""

    def stepped(self, pictures: int) -> None:
        time.sleep(0.05)


def main() -> None:
    """Train as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--norm", action="store_true")
    parser.add_argument("--rate", type=float, default=RECIPE.rate)
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    given = parser.parse_args()
    torch.set_num_threads(1)
    recipe = replace(RECIPE, rate=given.rate, epochs=given.epochs)
    job = make_job(given.store, given.out, recipe)
    if given.norm:
        job = replace(job, student=TinyEncoder(norm=True))
    with joined_processes("cpu") as processes:
        train_student(job, processes, SlowWatch() if given.slow else Watch())


if __name__ == "__main__":
    main()
