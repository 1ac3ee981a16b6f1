"""Students out of their folders: checkpoints in the official layout, other runtimes, scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny_distillation
import torch

from rvsam_video.errors import OutputError, UsageError
from rvsam_video.segmenters import create_segmenter
from rvsam_video.segmenters.base import ObjectPrompt
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.transforms import network_input
from rvsam_video.training.finished import export_student, score_student, trained_student
from rvsam_video.training.processes import Processes
from rvsam_video.training.scoring import ScoringPlan
from rvsam_video.training.students import find_student


@pytest.fixture(scope="module")
def run(store, tmp_path_factory):
    """RepViT-M0.6 after two steps, scored on two pictures, with an average."""
    out = tmp_path_factory.mktemp("student") / "run"
    entry = find_student("repvit-m0.6")
    recipe = replace(tiny_distillation.RECIPE, epochs=1, rate=1e-3, average=0.5)
    data = tiny_distillation.open_data(store, recipe, scoring_store=store, held_out=2)
    torch.manual_seed(0)
    job = tiny_distillation.make_job(store, out, recipe, student=entry.build(), data=data)
    tiny_distillation.train(job)
    return out


@pytest.fixture(scope="module")
def checkpoint(run):
    export_student(trained_student(run), run.parent / "my.pt")
    return run.parent / "my.pt"


def test_statistics_and_all_weights_have_moved(run):
    torch.manual_seed(0)
    before = find_student("repvit-m0.6").build().state_dict()
    after = trained_student(run, "last").encoder
    same = [name for name, value in before.items() if torch.equal(value, after[name])]
    assert same == []


def test_the_checkpoint_loads_strictly_under_the_official_names(checkpoint):
    state = torch.load(checkpoint, weights_only=True)
    network = sam_around(find_student("repvit-m0.6").build())
    found = network.load_state_dict(state, strict=True)
    assert (found.missing_keys, found.unexpected_keys) == ([], [])


def test_the_segmenter_sees_what_was_trained(run, checkpoint):
    encoder = find_student("repvit-m0.6").build().eval()
    encoder.load_state_dict(trained_student(run).encoder)
    segmenter = create_segmenter("repvit-sam", checkpoint, device="cpu")
    picture = np.random.default_rng(0).integers(0, 256, (72, 128, 3), np.uint8)
    with torch.inference_mode():
        pixels = network_input(picture, torch.device("cpu"))
        wanted, found = encoder(pixels), segmenter._encoder(pixels)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    box = ObjectPrompt(
        object_id=1, points=np.array([[60.0, 30.0]], np.float32), labels=np.ones(1, np.int8),
        point_ids=np.arange(1),
    )  # fmt: skip
    (answer,) = segmenter.predict(segmenter.embed(picture), [box])
    assert answer.logits.shape == (72, 128)


def test_an_average_is_exported_too(run):
    last, average = (trained_student(run, which) for which in ("last", "average"))
    name = "neck.0.weight"
    assert not torch.equal(last.encoder[name], average.encoder[name])


def test_files_are_not_replaced_unasked(run, checkpoint):
    with pytest.raises(OutputError, match="is there already"):
        export_student(trained_student(run), checkpoint)


@pytest.mark.slow
def test_onnx_is_written_and_compared(run, tmp_path):
    pytest.importorskip("onnxruntime")
    said = export_student(trained_student(run), tmp_path / "my.onnx", kind="onnx")
    assert "largest difference from PyTorch" in said
    assert (tmp_path / "my.onnx").stat().st_size > 5e6


def test_scores_can_be_had_again(run, store):
    student = trained_student(run, "last")
    plan = ScoringPlan(prompts=0)
    scores = score_student(student, store, Processes(torch.device("cpu")), plan, most=2)
    assert scores["embedding_mse"] == pytest.approx(student.scores["embedding_mse"], rel=1e-4)


def test_another_teacher_s_store_is_refused(run, store):
    student = trained_student(run)
    other = replace(student, learning={**student.learning, "teacher_sha256": "1"})
    with pytest.raises(UsageError, match="is of another teacher"):
        score_student(other, store, Processes(torch.device("cpu")), ScoringPlan())


def test_what_is_not_there_is_said(store, tmp_path):
    with pytest.raises(OutputError, match="no folder of a training"):
        trained_student(tmp_path)
    tiny_distillation.train(tiny_distillation.make_job(store, tmp_path / "run"), 1)
    with pytest.raises(UsageError, match="no average of its weights"):
        trained_student(tmp_path / "run", "average")
