"""What somebody removed from or changed in the folder of an interrupted run is noticed."""

from __future__ import annotations

import io
import json
import os
import shutil
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rvsam_video import OutputError, Prompt, RvsamError
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.runs.objects import RunOptions, run

FRAMES = 40


class StopAt:
    """Says stop once so many results have come."""

    def __init__(self, frame):
        self.frame, self.seen, self.messages = frame, 0, []

    def message(self, text):
        self.messages.append(text)

    def started(self, total, done):
        self.done = done

    def result(self, result):
        self.seen = result.index + 1

    def __call__(self):
        return self.seen >= self.frame


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A folder with a clip and a run of it that stopped after 30 frames."""
    folder = tmp_path_factory.mktemp("stopped")
    SyntheticClip(frames=FRAMES, size=(96, 64)).write(folder / "clip.mp4")
    stop = StopAt(30)
    options = options_in(folder, source=folder / "clip.mp4")
    run(options, stop, stop)
    return folder


def options_in(folder, source, **changes):
    return RunOptions(
        source=str(source),
        prompts=[Prompt.create(points=[[48, 32]])],
        out=folder / "run",
        save=("masks", "rle", "points", "overlay"),
        **changes,
    )


@pytest.fixture
def own(stopped, tmp_path):
    shutil.copytree(stopped / "run", tmp_path / "run")
    return options_in(tmp_path, source=stopped / "clip.mp4")


def test_masks_that_were_removed_from_an_interrupted_run_are_missed(own):
    for number in range(5, 25):
        (own.out / "masks" / f"{number:05d}.png").unlink()
    with pytest.raises(OutputError, match=r"20 of the 30 pictures .* the first is 00005\.png"):
        run(own)


def test_files_that_were_removed_from_a_complete_run_are_missed(own):
    assert run(own).status == "complete"
    assert run(own).status == "complete"
    (own.out / "masks" / "00007.png").unlink()
    (own.out / "results.json").unlink()
    with pytest.raises(OutputError, match=r"2 of its files are gone: results\.json and others"):
        run(own)


def test_pictures_of_others_outlive_a_resumed_run(own):
    (own.out / "masks" / "00035.png.bak").write_text("mine")
    (own.out / "masks" / "shot.png").write_text("mine")
    assert run(own).status == "complete"
    assert (own.out / "masks" / "shot.png").read_text() == "mine"
    assert (own.out / "masks" / "00035.png.bak").read_text() == "mine"


@pytest.mark.parametrize("name", ["masks", ".parts", ".parts/rle.jsonl", "points.csv"])
def test_a_link_planted_in_an_interrupted_run_is_not_followed(own, tmp_path, name):
    victim = tmp_path / "victim"
    planted = own.out / name
    shutil.move(planted, victim)
    before = victim.read_bytes() if victim.is_file() else sorted(victim.iterdir())
    planted.symlink_to(victim)
    with pytest.raises(OutputError, match="a link stands there, which is not followed"):
        run(own)
    assert before == (victim.read_bytes() if victim.is_file() else sorted(victim.iterdir()))


def rewritten(path: Path, change) -> None:
    """Change the header and the arrays of a checkpoint as somebody with an editor could."""
    with np.load(path) as arrays:
        content = dict(arrays)
    header = json.loads(content["header"].tobytes())
    change(header, content)
    content["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **content)
    path.write_bytes(buffer.getvalue())


def _cut_state(header, content):
    for name in list(content):
        if name.startswith("state:points/"):
            content[name] = content[name][:0] if content[name].ndim else content[name]


CHANGES = {
    "another next frame": lambda header, _: header.update(next_frame=3),
    "a negative next frame": lambda header, _: header.update(next_frame=-3),
    "no marks": lambda header, _: header.update(marks={}),
    "marks without sizes": lambda header, _: header["marks"].update(masks={}),
    "marks beyond the end": lambda header, _: header["marks"]["points"].update(size=10**9),
    "marks below zero": lambda header, _: header["marks"]["overlay"].update(stream_size=-5),
    "no frames": lambda header, _: header.update(info={}),
    "frames as text": lambda header, _: header.update(info={"frames": "many"}),
    "no state": lambda header, _: header.update(state=[]),
    "info as a list": lambda header, _: header.update(info=[1]),
    "empty arrays": _cut_state,
    "arrays of text": lambda _, content: content.update(
        {name: np.array("x") for name in content if name.startswith("state:masks/")}
    ),
    "a half frame": lambda _, content: content.update(
        {"state:frames/image": content["state:frames/image"][:, :20]}
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_tampered_checkpoint_is_one_sentence(own, change):
    rewritten(own.out / ".parts" / "checkpoint.npz", change)
    with pytest.raises(RvsamError, match=r"--overwrite|open a new session"):
        run(own)


@pytest.mark.parametrize(
    "file", [".parts/rle.jsonl", ".parts/overlay.index", "run.json", ".parts/masks.names"]
)
def test_a_tampered_working_file_is_one_sentence(own, file):
    path = own.out / file
    path.write_bytes(b"\xff\x00" * 20 + path.read_bytes()[40:])
    with pytest.raises(OutputError, match=r"--overwrite|--out"):
        run(own)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timings", {"total": "long"}),
        ("counts", {"frames": None}),
        ("resumed", "twice"),
        ("pictures", {"../..": [["x.png"]]}),
        ("pictures", {"masks": [["../x.png"]]}),
        ("pictures", {"masks": [[1, 2]]}),
        ("started", 5),
        ("timings", {"total": 10**400}),
        ("timings", {"total": float("nan")}),
        ("files", ["\ud800"]),
        ("files", ["a\0b"]),
        ("pictures", {"masks": [["\ud800.png"]]}),
        ("pictures", {"masks/\ud800": []}),
        ("pictures", {"masks/../..": []}),
    ],
)
def test_a_tampered_record_is_one_sentence(own, key, value):
    path = own.out / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(OutputError, match="make no sense"):
        run(own)


def test_a_zip_bomb_in_place_of_a_checkpoint_is_refused(own):
    path = own.out / ".parts" / "checkpoint.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(50_000_000))
    with pytest.raises(OutputError, match="damaged"):
        run(own)


def test_pictures_of_a_pattern_that_changed_are_another_run(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for frame in SyntheticClip(frames=4, size=(96, 64)):
        Image.fromarray(frame.image).save(folder / f"{frame.index}.png")
    options = options_in(tmp_path, source=folder / "*.png")
    run(options)
    run(options)
    (folder / "3.png").unlink()
    with pytest.raises(OutputError, match=r"fingerprint was .pictures, 4 files"):
        run(options)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_run_of_a_named_pipe_is_not_gone_on_with(tmp_path):
    clip, pipe = tmp_path / "clip.ts", tmp_path / "pipe"
    SyntheticClip(frames=30, size=(96, 64)).write(tmp_path / "clip.mp4")
    remux(tmp_path / "clip.mp4", clip)
    os.mkfifo(pipe)

    def fill():
        # A reader that stops early closes the pipe.
        try:
            pipe.write_bytes(clip.read_bytes())
        except BrokenPipeError:
            return

    options = options_in(tmp_path, source=pipe)
    stop = StopAt(27)
    for attempt in range(2):
        thread = threading.Thread(target=fill, daemon=True)
        thread.start()
        if attempt == 0:
            assert run(options, stop, stop).frames == 27
        else:
            with pytest.raises(OutputError, match=r"cannot be read again.*finish"):
                run(options)
        thread.join(timeout=20)
    assert json.loads((options.out / "run.json").read_text())["command"]["fingerprint"] is None


def remux(source: Path, target: Path) -> None:
    import av

    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                writing.mux(packet)
