"""Write the boxes that `rvsam-video eval anomaly` needs, with Grounding-DINO from transformers.

    pip install "rvsam-video[grounding-dino]"
    python demos/examples/grounding_dino_proposals.py mvtec_anomaly_detection boxes
    rvsam-video eval anomaly --root mvtec_anomaly_detection --proposals boxes --out runs/mvtec

The published evaluation used Swin-T OGC, which transformers knows as
IDEA-Research/grounding-dino-tiny. A category whose file is there is not done again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from rvsam_video.evals.images.anomaly.layout import AnomalyPicture, find_mvtec
from rvsam_video.evals.images.anomaly.proposals import caption
from rvsam_video.evals.images.anomaly.settings import MVTEC_SETTINGS, CategorySettings
from rvsam_video.writing import replacing

LEAST = 0.1
"""Tokens must be surer than this to name a box, and boxes to be written."""


@dataclass(frozen=True)
class Detector:
    """Grounding-DINO, the processor that goes with it, and its name."""

    model: Any
    processor: Any
    name: str


@torch.inference_mode()
def answer(detector: Detector, image: Image.Image, text: str) -> dict[str, Any]:
    """Return boxes, scores and phrases for a text.

    Args:
        detector: finds them.
        image: RGB.
        text: in lower case, with a full stop at its end.
    """
    model, processor = detector.model, detector.processor
    inputs = processor(images=image, text=text, return_tensors="pt").to(model.device)
    found = model(**inputs)
    tokens = inputs["input_ids"][0]
    # Without the marks at both ends of the text, which name nothing.
    shares = found.logits[0].sigmoid()[:, : len(tokens)]
    named = (shares > LEAST) & (torch.arange(len(tokens), device=shares.device) > 0)
    named[:, -1] = False
    scores = shares.max(1).values
    kept = torch.nonzero(scores > LEAST)[:, 0].tolist()
    return {
        "text": text,
        "boxes": found.pred_boxes[0, kept].clamp(0, 1).tolist(),
        "scores": scores[kept].tolist(),
        "phrases": [processor.tokenizer.decode(tokens[named[row]]) for row in kept],
    }


def proposals(
    detector: Detector, item: AnomalyPicture, settings: CategorySettings
) -> dict[str, Any]:
    """Return the answers to all texts on one picture."""
    with Image.open(item.picture) as picture:
        image = picture.convert("RGB")
    thing = answer(detector, image, caption(settings.object_prompt))
    defects = []
    for prompt in settings.prompts:
        found = answer(detector, image, caption(prompt.text))
        defects.append({**found, "background": prompt.background})
    return {"object": thing, "defects": defects}


def write_category(detector: Detector, root: Path, out: Path, category: str) -> Path:
    """Write the file of one category; return its path."""
    settings = MVTEC_SETTINGS[category]
    pictures = find_mvtec(root, [category]).pictures
    images = {item.key: proposals(detector, item, settings) for item in pictures}
    content = {"category": category, "detector": detector.name, "images": images}
    target = out / f"{category}.json"
    out.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")
    return target


def main() -> None:
    """Write a file for each category that has none."""
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder of MVTec-AD")
    parser.add_argument("out", type=Path, help="folder for CATEGORY.json")
    parser.add_argument("--model", default="IDEA-Research/grounding-dino-tiny")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--categories", nargs="+", default=list(MVTEC_SETTINGS))
    given = parser.parse_args()
    processor: Any = AutoProcessor.from_pretrained(given.model)
    model: Any = AutoModelForZeroShotObjectDetection.from_pretrained(given.model)
    detector = Detector(model.to(given.device).eval(), processor, given.model)
    for category in given.categories:
        if not (given.out / f"{category}.json").exists():
            write_category(detector, given.root, given.out, category)


if __name__ == "__main__":
    main()
