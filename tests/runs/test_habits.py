"""Files and names as people have them: bytes that are no letters, pixels that are no squares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from rvsam_video import Prompt, PromptError, load_prompts, save_prompts
from rvsam_video.cli.main import main
from rvsam_video.demos.synthetic import SyntheticClip

CLIP = SyntheticClip(frames=3, size=(160, 90))
PARTS = ["--tracker", "lucas-kanade", "--segmenter", "grabcut"]


def encode(path, aspect=Fraction(1), count=3, options=None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        stream.options = options or {}
        for frame in SyntheticClip(frames=count, size=(160, 90)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_the_shape_of_pixels_is_carried_into_the_videos(tmp_path):
    path = encode(tmp_path / "dv.mkv", Fraction(64, 45))
    arguments = ["--points", "80,45", "--save", "overlay,alpha,cutout,side-by-side", *PARTS]
    assert main(["track", str(path), *arguments, "--out", str(tmp_path / "run")]) == 0
    for name in ("overlay.mp4", "alpha.mov", "cutout.mp4", "side-by-side.mp4"):
        with av.open(str(tmp_path / "run" / name)) as container:
            assert container.streams.video[0].sample_aspect_ratio == Fraction(64, 45), name


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("locale", [{"LC_ALL": "C.UTF-8"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_names_that_are_no_text_are_survived(tmp_path, locale):
    pictures = tmp_path / os.fsdecode(b"fr\xe9")
    pictures.mkdir()
    for frame in CLIP:
        with (pictures / os.fsdecode(b"b\xff_%d.png" % frame.index)).open("wb") as file:
            Image.fromarray(frame.image).save(file, "PNG")
    mask, out = tmp_path / os.fsdecode(b"m\xfe.png"), tmp_path / os.fsdecode(b"run\xfd")
    with mask.open("wb") as file:
        Image.fromarray((CLIP.truth(0) == 1).astype(np.uint8) * 255).save(file, "PNG")
    command = [sys.executable, "-m", "rvsam_video", "track", pictures, "--mask", mask, *PARTS]
    command += ["--save", "overlay,masks,rle,points,summary,cutout-png,coco,cvat,npz", "--out", out]
    for _ in range(2):  # the second time it says that all is done
        done = subprocess.run(
            command, capture_output=True, env={**os.environ, **locale}, check=False
        )
        assert done.returncode == 0, done.stderr
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "complete"
    assert record["command"]["source"] == str(pictures)


def test_a_piped_mp4_with_its_index_at_the_end_is_read(tmp_path):
    path = tmp_path / "clip.mp4"
    rng = np.random.default_rng(0)
    # Noise, so that FFmpeg cannot hold all of the file by itself until the index comes.
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuvj444p"
        stream.options = {"qmin": "1", "qmax": "1"}
        for _ in range(20):
            noise = rng.integers(0, 256, (480, 640, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    assert content.find(b"mdat") < content.rfind(b"moov")
    assert len(content) > 8_000_000
    command = [sys.executable, "-m", "rvsam_video", "info", "-", "--full", "--json"]
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert json.loads(done.stdout)["frames read"] == 20


def test_a_hundred_thousand_points_take_seconds(tmp_path):
    path = tmp_path / "many.json"
    places = np.random.default_rng(0).uniform(0, 89, (100_000, 2)).round(2)
    save_prompts(path, [Prompt.create(points=places)])
    began = time.process_time()
    (prompt,) = load_prompts(path)
    assert len(prompt.points) == 100_000
    prompts = [
        {"object": 1 + n % 255, "frame": n // 255, "points": [[1, 2]]} for n in range(100_000)
    ]
    path.write_text(json.dumps({"version": 1, "prompts": prompts}))
    assert len(load_prompts(path)) == 100_000
    assert time.process_time() - began < 20


def test_prompt_files_may_not_ask_for_much_memory(tmp_path, monkeypatch):
    path = tmp_path / "masks.json"
    masks = [Prompt.create(number, mask=np.ones((100, 100), bool)) for number in (1, 2, 3)]
    save_prompts(path, masks)
    assert len(load_prompts(path)) == 3
    monkeypatch.setenv("RVSAM_MAX_PIXELS", "1800")
    with pytest.raises(PromptError, match="100x100 pixels are more than the 1800"):
        load_prompts(path)
    monkeypatch.setenv("RVSAM_MAX_PIXELS", "10")
    with pytest.raises(PromptError, match=r"has \d+ bytes, more than the 10 that are read"):
        load_prompts(path)
    small = [Prompt.create(number, mask=np.ones((20, 20), bool)) for number in range(1, 100)]
    save_prompts(path, small)
    monkeypatch.setenv("RVSAM_MAX_PIXELS", str(path.stat().st_size))
    assert len(load_prompts(path)) == 99
    monkeypatch.setattr("rvsam_video.limits.MASKS_TO_PICTURE", 1)
    with pytest.raises(PromptError, match=r"its masks have .* pixels together, more than the"):
        load_prompts(path)


def test_negative_numbers_are_told_as_places(tmp_path, capsys):
    path = encode(tmp_path / "clip.mkv")
    for words in (["--points", "-5,10"], ["--points=-5,10"]):
        assert main(["track", str(path), *words, *PARTS, "--out", str(tmp_path / "run")]) == 2
        assert "point (-5, 10) of object 1 in frame 0 is outside" in capsys.readouterr().err


def test_percentages_and_times_are_of_the_video(tmp_path):
    path = encode(tmp_path / "clip.mkv")
    out = tmp_path / "run"
    words = ["--points", "50%,50%@0.05s", "--save", "rle", *PARTS]
    assert main(["track", str(path), *words, "--out", str(out)]) == 0
    (prompt,) = load_prompts(out / "prompts.json")
    assert (prompt.frame, prompt.points.tolist()) == (1, [[79.5, 44.5]])


def test_a_table_of_points_may_come_from_a_spreadsheet(tmp_path):
    path = encode(tmp_path / "clip.mkv")
    for number, text in enumerate(
        ("\ufeff X ; Y \n80;45\n", "x,y\n80,45\n", "FRAME\tX\tY\n0\t80\t45\n")
    ):
        table = tmp_path / "points.csv"
        table.write_text(text, encoding="utf-8")
        out = tmp_path / f"run{number}"
        words = ["--points-file", str(table), "--tracker", "lucas-kanade", "--save", "csv"]
        assert main(["points", str(path), *words, "--out", str(out)]) == 0
