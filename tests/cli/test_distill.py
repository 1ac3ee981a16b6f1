"""`rvsam-video distill`: from pictures to a checkpoint that tracks, by commands alone."""

from __future__ import annotations

import csv
import json

import pytest
import tiny_distillation
import torch
from torch import nn

from rvsam_video.cli.main import main
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.registry import SAM_VARIANTS, SamVariant


class Patches(nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = nn.Conv2d(3, 256, 16, 16)

    def forward(self, x):
        return self.proj(x)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Twenty pictures, one of them damaged, and a teacher of one convolution."""
    variant = SamVariant("mobile-sam", Patches, fusible=False)
    monkeypatch.setitem(SAM_VARIANTS, "mobile-sam", variant)
    torch.manual_seed(0)
    torch.save(sam_around(Patches()).state_dict(), tmp_path / "teacher.pt")
    tiny_distillation.make_pictures(tmp_path / "pictures", 21)
    (tmp_path / "pictures" / "005.png").write_bytes(b"\x89PNG")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def events(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


EMBED = [
    "distill", "embed", "--images", "pictures", "--teacher", "mobile-sam", "--checkpoint",
    "teacher.pt", "--side", "64", "--out", "embeddings", "--workers", "0", "--device", "cpu",
]  # fmt: skip
TRAIN = [
    "distill", "train", "--embeddings", "embeddings", "--student", "repvit-m0.6", "--out", "run",
    "--epochs", "2", "--batch", "6", "--log-every", "1", "--workers", "0", "--device", "cpu",
    "--score-prompts", "1",
]  # fmt: skip


def test_from_pictures_to_a_checkpoint(place, capsys):
    assert main([*EMBED, "--json"]) == 0
    done = events(capsys)[-1]
    assert (done["embedded"], list(done["skipped"])) == (20, ["005.png"])
    assert main([*TRAIN, "--tensorboard", "--json"]) == 0
    said = events(capsys)
    assert said[-1]["status"] == "complete"
    assert said[-1]["step"] == 6
    assert 0 <= said[-1]["waiting_share"] < 1
    with (place / "run" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert list((place / "run" / "tensorboard").iterdir())
    # Again: there is nothing left to do, and nothing changes.
    assert main([*TRAIN, "--json"]) == 0
    assert events(capsys)[-1]["pictures"] == 0
    assert main(["distill", "export", "run", "--out", "my.pt"]) == 0
    assert "--segmenter repvit-sam --checkpoint my.pt" in capsys.readouterr().out
    assert set(torch.load("my.pt", weights_only=True)) > {"image_encoder.neck.0.weight"}
    assert main(["distill", "evaluate", "run"]) == 0
    assert "squared distance to the teacher's embeddings" in capsys.readouterr().out
    again = ["--embeddings", "embeddings", "--prompts", "1", "--most", "2", "--device", "cpu"]
    assert main(["distill", "evaluate", "run", *again, "--json"]) == 0
    scores = events(capsys)[-1]
    assert scores["embedding_mse"] > 0
    assert -1 <= scores["cosine"] <= 1


def test_a_start_is_said_and_belongs_to_the_training(place, capsys):
    main(EMBED)
    torch.manual_seed(1)
    from rvsam_video.training.students import find_student

    torch.save(find_student("repvit-m0.6").build().state_dict(), place / "first.pt")
    capsys.readouterr()
    assert main([*TRAIN[:-2], "--score-prompts", "0", "--init", "first.pt", "--json"]) == 0
    assert any("0 random" in event.get("text", "") for event in events(capsys))
    assert main([*TRAIN, "--json"]) == 1
    assert "start was" in events(capsys)[-1]["message"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--student", "repvit-m9"], "there is no student named"),
        (["--recipe", "papers"], "did you mean 'paper'"),
        (["--batch", "100"], "do not fill a batch of 100"),
    ],
)
def test_what_cannot_be_is_bad_usage(place, capsys, more, said):
    main(EMBED)
    assert main([*TRAIN, *more]) == 2
    assert said in capsys.readouterr().err


def test_the_teacher_must_be_a_learned_segmenter(place, capsys):
    assert main([*EMBED, "--teacher", "grabcut"]) == 2
    assert "'grabcut' is no teacher" in capsys.readouterr().err
