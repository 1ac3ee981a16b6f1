"""Learn how first masks are ranked, and print the constants of `first_mask/weights.py`.

    python benchmarks/rank_first_masks.py DAVIS [--features]

A linear model of the figures of `ranking.describe`, fitted to the IoU of all masks that clicks in
the middle and at random places of the tuning half grow, by gradient descent with weight decay.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from davis_sequences import (
    annotations,
    middle_click,
    names_of,
    picture_of,
    pictures,
    random_clicks,
    truth_of,
)
from numpy.typing import NDArray

from rvsam_video.evals.metrics.region import region_similarity
from rvsam_video.segmenters.grabcut.first_mask.hypotheses import hypotheses
from rvsam_video.segmenters.grabcut.learned_features import LearnedFeatures

_FRAMES = 5
"""Frames of each sequence, evenly spread."""

_EPOCHS, _RATE, _DECAY = 30, 5e-3, 0.3

Rows = tuple[NDArray[np.float64], NDArray[np.float64]]


def rows_of(root: Path, names: list[str], features: LearnedFeatures | None) -> Rows:
    """Return (m, n) figures and (m,) IoU of all masks grown."""
    figures, overlap = [], []
    for name in names:
        pairs = list(zip(pictures(root, name), annotations(root, name), strict=True))
        for number in np.unique(np.linspace(0, len(pairs) - 4, _FRAMES).astype(int)):
            image, truth = picture_of(pairs[number][0]), truth_of(pairs[number][1])
            if not truth.any():
                continue
            seen = None if features is None else features(image)
            for places in (
                middle_click(truth),
                random_clicks(truth, 1, int(number)),
                random_clicks(truth, 3, int(number)),
            ):
                found = hypotheses(image, places, np.ones(len(places), np.int8), seen)
                small = found.crop.take_map(truth.astype(np.float32)) > 0.5
                figures.append(found.figures())
                overlap += [region_similarity(mask, small) for mask in found.masks]
    return np.concatenate(figures), np.array(overlap)


def fit(figures: NDArray[np.float64], overlap: NDArray[np.float64]) -> dict[str, object]:
    """Return mean, spread, weight and bias."""
    torch.manual_seed(0)
    mean, spread = figures.mean(axis=0), figures.std(axis=0) + 1e-3
    inputs = torch.tensor(np.clip((figures - mean) / spread, -3, 3), dtype=torch.float32)
    wanted = torch.tensor(overlap, dtype=torch.float32)
    model = torch.nn.Linear(inputs.shape[1], 1)
    steps = torch.optim.AdamW(model.parameters(), _RATE, weight_decay=_DECAY)
    for _ in range(_EPOCHS):
        for batch in torch.randperm(len(inputs)).split(128):
            loss = (torch.sigmoid(model(inputs[batch])[:, 0]) - wanted[batch]).square().mean()
            steps.zero_grad()
            loss.backward()
            steps.step()
    weight = model.weight.detach().numpy()[0]
    return {
        "mean": mean.round(4).tolist(),
        "spread": spread.round(4).tolist(),
        "weight": [round(float(item), 4) for item in weight],
        "bias": round(float(model.bias.detach()), 4),
    }


def main() -> None:
    """Print the constants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--features", action="store_true", help="with the extra `features`")
    options = parser.parse_args()
    features = LearnedFeatures() if options.features else None
    for name, values in fit(
        *rows_of(options.root, names_of(options.root, "tune"), features)
    ).items():
        print(name, values)


if __name__ == "__main__":
    main()
