"""`rvsam-video info`: quick about a file, and about what is on this machine."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest

from rvsam_video.cli.main import main
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.sources.video_file import VideoSource


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    SyntheticClip(frames=12, size=(96, 64)).write(path)
    return path


def told(capsys, *arguments):
    assert main(["info", *map(str, arguments), "--json"]) == 0
    facts: dict = json.loads(capsys.readouterr().out)
    return facts


def test_a_file_is_described_without_decoding_it(clip, capsys, monkeypatch):
    def read(_):
        raise AssertionError

    monkeypatch.setattr(VideoSource, "__iter__", read)
    facts = told(capsys, clip)
    assert facts["codec"].startswith("h264")
    assert (facts["width"], facts["height"], facts["rotation"]) == (96, 64, 0)
    assert (facts["sound"], facts["pixel aspect"]) == ("none", "1:1")
    assert facts["frames per second announced"] == 24
    assert "frames read" not in facts


def test_every_frame_is_decoded_when_asked(clip, capsys):
    facts = told(capsys, clip, "--full")
    assert (facts["frames read"], facts["damaged packets"]) == (12, 0)
    assert facts["frames per second"] == pytest.approx(24, abs=0.01)


def test_sound_and_colour_are_named(tmp_path, capsys):
    path = tmp_path / "loud.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.colorspace = video.codec_context.color_primaries = 9
        video.codec_context.color_trc = 16
        sound = container.add_stream("aac", rate=44100)
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        noise = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        noise.sample_rate = 44100
        for stream, frame in ((sound, noise), (sound, None), (video, None)):
            container.mux(stream.encode(frame))
    facts = told(capsys, path)
    assert facts["sound"].startswith("aac, 44100 Hz, ")
    assert "transfer PQ (HDR)" in facts["colour"]
    assert "matrix BT.2020" in facts["colour"]


def test_the_machine_is_described(capsys):
    facts = told(capsys)
    assert facts["devices"][0] == "cpu"
    assert facts["ffmpeg"][0].isdigit()
    assert "weights here" in facts


@pytest.mark.parametrize("command", ["track", "points", "web", "demo", "instances"])
def test_options_stand_under_titles(command, capsys):
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    titles = [line for line in shown.splitlines() if line.endswith(":") and line[0] != " "]
    assert "Method:" in titles
    assert titles[-1] == "Other:"
    # Under titles that say something; what is left over is not worth one.
    rest = shown.split("\nOther:\n")[1]
    assert len([line for line in rest.splitlines() if line.startswith("  -")]) <= 4
