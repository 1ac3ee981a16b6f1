"""The example that writes proposals, with a stand-in for its detector, as they are read."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from rvsam_video.evals.images.anomaly.layout import find_mvtec
from rvsam_video.evals.images.anomaly.proposals import defect_boxes, load_proposals
from rvsam_video.evals.images.anomaly.settings import MVTEC_SETTINGS

SCRIPT = Path(__file__).parents[3] / "demos" / "examples" / "grounding_dino_proposals.py"
UNSURE = -9.0
"""A logit that stands for a probability of next to nothing."""


class Inputs(dict):
    def to(self, device):
        return self


class Words:
    """Reads one word, or full stop, as one token, with marks at both ends."""

    def __init__(self):
        self.known = ["[CLS]", "[SEP]"]
        self.tokenizer = self

    def __call__(self, images, text, return_tensors):
        words = ["[CLS]", *text.replace(".", " .").split(), "[SEP]"]
        self.known += [word for word in words if word not in self.known]
        return Inputs(input_ids=torch.tensor([[self.known.index(word) for word in words]]))

    def decode(self, tokens):
        return " ".join(self.known[token] for token in tokens)


class Boxes:
    """Three boxes: a small one of the first word, one of the last word, and one of no word."""

    device = torch.device("cpu")

    def __call__(self, input_ids):
        count = input_ids.shape[1]
        logits = torch.full((1, 3, 256), UNSURE)
        logits[0, 0, 1] = 1.0
        logits[0, 1, count - 3] = 2.0
        logits[0, 1, [0, count - 1]] = -1.5
        boxes = torch.tensor([[[0.5, 0.5, 0.1, 0.2], [0.4, 0.4, 0.6, 0.6], [0.1, 0.1, 0.1, 0.1]]])
        return SimpleNamespace(logits=logits, pred_boxes=boxes)


@pytest.fixture
def script(monkeypatch):
    spec = importlib.util.spec_from_file_location("grounding_dino_proposals", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root" / "capsule" / "test" / "good"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(folder / "000.png")
    return tmp_path / "root"


def test_what_it_writes_is_what_the_evaluation_reads(script, root, tmp_path):
    detector = script.Detector(Boxes(), Words(), "a stand-in")
    path = script.write_category(detector, root, tmp_path / "boxes", "capsule")
    keys = [item.key for item in find_mvtec(root, ["capsule"]).pictures]
    (found,) = load_proposals(path, "capsule", keys).values()
    assert found.thing.text == "capsule,."
    assert [item.text for item in found.defects] == [
        "defect on capsule.",
        "damage on capsule.",
        "flaw on capsule.",
        "white crack. hole.",
    ]
    assert found.defects[0].phrases == ("defect", "capsule")
    np.testing.assert_allclose(found.defects[0].scores, torch.tensor([1.0, 2.0]).sigmoid())
    # The second box of each text is the object's, or too large to be a defect of it.
    kept = defect_boxes(found, MVTEC_SETTINGS["capsule"], "here")
    np.testing.assert_allclose(kept.boxes, np.float32([[0.5, 0.5, 0.1, 0.2]] * 4))
