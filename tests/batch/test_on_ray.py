"""The workers as actors of a local Ray; where Ray is not installed, only that this is told."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import pytest

import rvsam_video as rv
from rvsam_video.batch.clips import unit_list
from rvsam_video.batch.loop import WorkOrder
from rvsam_video.batch.manifest import batch_clips
from rvsam_video.batch.on_ray import work_on_ray
from rvsam_video.batch.report import save_batch
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.methods import Method
from rvsam_video.runs.objects import RunOptions

HAS_RAY = importlib.util.find_spec("ray") is not None


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_the_extra_is_named(tmp_path):
    with pytest.raises(rv.UsageError, match=r"rvsam-video\[ray\]"):
        work_on_ray([], WorkOrder(place=tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="needs rvsam-video[ray]")
def test_two_actors_track_all_clips(tmp_path):
    for number in range(2):
        clip = SyntheticClip(frames=6, size=(96, 64), seed=number)
        clip.write(tmp_path / f"sea{number}.mp4")
        prompt = rv.Prompt.create(1, 3, mask=clip.truth(3) == 1)
        rv.save_prompts(tmp_path / f"sea{number}.json", [prompt])
    common = RunOptions(
        source="", out=Path(), prompts=(), save=("masks",), direction="auto",
        method=Method(tracker="lucas-kanade", segmenter="grabcut"),
    )  # fmt: skip
    out = tmp_path / "runs"
    out.mkdir()
    units = unit_list(batch_clips(tmp_path, common), out)
    work_on_ray(units, WorkOrder(place=out, since=time.time(), workers=2), gpus=0)
    assert [line.status for line in save_batch(units, out)] == ["complete"] * 2
