"""`rvsam-video bench`: what the segmenters take on this machine."""

from __future__ import annotations

import json

import pytest

from rvsam_video.cli.main import main


@pytest.fixture
def small_ones(monkeypatch):
    """Networks of the family with a thin encoder, so that a measurement takes no time."""
    from torch import nn

    from rvsam_video.segmenters.sam import registry

    def encoder() -> nn.Module:
        thin = nn.Sequential(nn.Conv2d(3, 256, 16, 16))
        thin.img_size = 1024
        return thin

    variant = registry.SamVariant("mobile-sam", encoder, fusible=False)
    monkeypatch.setattr(registry, "SAM_VARIANTS", {"mobile-sam": variant})
    monkeypatch.setattr("rvsam_video.segmenters.sam.timing.SAM_VARIANTS", {"mobile-sam": variant})


def test_machines_get_every_figure(small_ones, capsys):
    arguments = ["bench", "mobile-sam", "--objects", "1,2", "--repeats", "1", "--json"]
    assert main(arguments) == 0
    (line,) = capsys.readouterr().out.splitlines()
    speed = json.loads(line)
    assert speed["parameters"] == 3 * 256 * 16 * 16 + 256
    assert speed["gmacs"] == pytest.approx(3 * 256 * 16 * 16 * 64 * 64 / 1e9)
    assert speed["encode_seconds"] > 0
    assert speed["decode_seconds"]["1"] > 0
    assert set(speed["decode_seconds"]) == {"1", "2"}


def test_people_get_a_table_and_what_to_expect(small_ones, capsys):
    assert main(["bench", "mobile-sam", "--objects", "1", "--repeats", "1"]) == 0
    shown = capsys.readouterr().out
    assert "mobile-sam on torch: expect" in shown
    assert "frames per second" in shown
    assert "GMAC" in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sam-3"], "repvit-sam"),
        (["--objects", "none"], "1,5,20"),
        (["--objects", "0"], "1 to 1000"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, sentence, capsys):
    assert main(["bench", *arguments]) == 2
    assert sentence in capsys.readouterr().err
