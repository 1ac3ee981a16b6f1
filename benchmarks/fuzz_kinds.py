"""The kinds of files that `fuzz.py` mutates: good ones of each, how they are changed and read."""

from __future__ import annotations

import json
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SURPRISES: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 10**30, 10**400, 1e308, -1e308, float("nan"), float("inf"), "",
    "x" * 1000, "\ud800", "../../etc/passwd", [], [[]], {}, {"a": 1}, [1] * 1000,
)  # fmt: skip
"""What stands where a good value was."""


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return bytes with one to eight faults."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(max(1, len(changed)))
        kind = chance.randrange(6)
        if kind == 0 and changed:
            changed[place % len(changed)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            changed[place : place + 4] = chance.randbytes(4)
        elif kind == 2:
            del changed[place : place + chance.randint(1, 64)]
        elif kind == 3:
            changed[place:place] = changed[place : place + chance.randint(1, 64)]
        elif kind == 4:
            # Lengths are written as whole numbers; these are the worst ones.
            changed[place : place + 4] = chance.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
        else:
            changed[place:] = b"" if chance.random() < 0.2 else changed[place:]
    return bytes(changed)


def mutated_json(document: Any, chance: random.Random) -> Any:  # noqa: ANN401 (any JSON)
    """Return a document in which one value is a surprise, or a field is gone or new."""
    if isinstance(document, dict) and document and chance.random() < 0.85:
        key = chance.choice(list(document))
        copy = dict(document)
        if chance.random() < 0.1:
            del copy[key]
        else:
            copy[key] = mutated_json(copy[key], chance)
        return copy
    if isinstance(document, list) and document and chance.random() < 0.85:
        place = chance.randrange(len(document))
        return [*document[:place], mutated_json(document[place], chance), *document[place + 1 :]]
    return chance.choice(SURPRISES)


class Target:
    """One kind of input.

    Attributes:
        good: writes good examples into a folder, and returns the files to change.
        read: reads one.
        is_json: whether values are changed as well as bytes.
    """

    def __init__(
        self,
        good: Callable[[Path], list[Path]],
        read: Callable[[Path], object],
        *,
        is_json: bool = False,
    ) -> None:
        self.good, self.read, self.is_json = good, read, is_json

    def mutate(self, data: bytes, chance: random.Random) -> bytes:
        """Return a bad version of a good file."""
        if self.is_json and chance.random() < 0.7:
            changed = mutated_json(json.loads(data), chance)
            # A surprise may be no Unicode text; files from strangers may be so, too.
            return json.dumps(changed).encode("utf-8", "surrogatepass")
        return mutated(data, chance)


def _clips(folder: Path) -> list[Path]:
    from numbered_clips import Recipe, encode

    files = [folder / f"clip.{suffix}" for suffix in ("mp4", "mkv", "ts", "avi")]
    for path in files:
        encode(path, Recipe())
    return files


def _read_video(path: Path) -> None:
    from rvsam_video.sources import open_source

    with open_source(path) as source:
        for _ in source:
            pass


def _pictures(folder: Path) -> list[Path]:
    from PIL import Image

    numbers = np.zeros((60, 80), np.uint8)
    numbers[10:30, 10:40], numbers[35:50, 50:70] = 1, 2
    picture = Image.fromarray(numbers)
    picture.putpalette(list(range(256)) * 3)
    files = [folder / f"mask.{suffix}" for suffix in ("png", "gif", "bmp", "tif")]
    for path in files:
        picture.save(path)
    return files


def _read_mask(path: Path) -> None:
    from rvsam_video.prompts.words import parse_mask

    parse_mask(str(path))


def _read_index_map(path: Path) -> None:
    from rvsam_video.evals.davis.index_png import read_index_map

    read_index_map(path)


def _prompts(folder: Path) -> list[Path]:
    from rvsam_video import Prompt
    from rvsam_video.prompts.files import save_prompts

    mask = np.zeros((60, 80), bool)
    mask[10:30, 10:40] = True
    prompts = [
        Prompt.create(1, points=[[1, 2], [3, 4]], labels=[1, 0], name="bee"),
        Prompt.create(2, 3, box=[1, 2, 30, 40]),
        Prompt.create(3, mask=mask),
    ]
    save_prompts(folder / "prompts.json", prompts, frame_size=(80, 60), source="clip")
    return [folder / "prompts.json"]


def _read_prompts(path: Path) -> None:
    from rvsam_video import load_prompts

    load_prompts(path)


def _query_points(folder: Path) -> list[Path]:
    (folder / "points.txt").write_text("2\n0;10,20 30.5,40\n3;1,2 3,4 5,6\n")
    return [folder / "points.txt"]


def _read_query_points(path: Path) -> None:
    from rvsam_video.prompts.words import load_query_points

    load_query_points(path)


def _checkpoints(folder: Path) -> list[Path]:
    import torch

    state = {f"layer.{index}.weight": torch.randn(4, 5) for index in range(5)}
    torch.save({"model": state}, folder / "new.pt")
    torch.save(state, folder / "old.pt", _use_new_zipfile_serialization=False)
    return [folder / "new.pt", folder / "old.pt"]


def _read_checkpoint(path: Path) -> None:
    from rvsam_video.weights.read import check_stored_sums, load_state_dict

    load_state_dict(path)
    check_stored_sums(path)


def _tap_pickles(folder: Path) -> list[Path]:
    clip = {
        "video": np.zeros((3, 8, 8, 3), np.uint8),
        "points": np.zeros((2, 3, 2), np.float32),
        "occluded": np.zeros((2, 3), bool),
    }
    for protocol in range(6):
        (folder / f"p{protocol}.pkl").write_bytes(pickle.dumps({"a": clip, "b": [clip]}, protocol))
    return [folder / f"p{protocol}.pkl" for protocol in range(6)]


def _read_pickle(path: Path) -> None:
    from rvsam_video.evals.tapvid.array_pickle import load_array_pickle

    load_array_pickle(path)


_CODE = {"size": [4, 5], "counts": "53"}


def _uvo_truth(folder: Path) -> list[Path]:
    track = {"video_id": 1, "category_id": 1, "iscrowd": 0}
    document = {
        "videos": [{"id": 1, "height": 4, "width": 5, "length": 2, "file_names": ["a", "b"]}],
        "categories": [{"id": 1}],
        "annotations": [
            track | {"areas": [3, None], "segmentations": [_CODE, None]},
            track
            | {"areas": [9, 9], "segmentations": [[[0, 0, 3, 0, 3, 3]], [[1, 1, 3, 0, 3, 3]]]},
        ],
    }
    (folder / "truth.json").write_text(json.dumps(document))
    return [folder / "truth.json"]


def _uvo_results(folder: Path) -> list[Path]:
    entry = {"video_id": 1, "category_id": 1, "score": 0.5, "segmentations": [_CODE, None]}
    (folder / "results.json").write_text(json.dumps([entry, entry | {"score": 0.25}]))
    return [folder / "results.json"]


def _score_uvo_truth(path: Path) -> None:
    from rvsam_video.evals.uvo.scores import score_track_files

    (results,) = _uvo_results(path.parent)
    score_track_files(path, results)


def _score_uvo_results(path: Path) -> None:
    from rvsam_video.evals.uvo.scores import score_track_files

    (truth,) = _uvo_truth(path.parent)
    score_track_files(truth, path)


def _records(folder: Path) -> list[Path]:
    from rvsam_video.runs.folder import RunFolder

    with RunFolder.open(folder / "run", {"source": "clip", "save": ["masks"]}) as run:
        run.update(counts={"frames": 3}, timings={"total": 1.5}, message="m")
        run.update(pictures={"masks": [["00000.png", "00002.png"]]})
    return [folder / "run" / "run.json"]


def _read_record(path: Path) -> None:
    from rvsam_video.runs.folder import RunFolder

    folder = path.with_name(f"{path.name}-run")
    folder.mkdir()
    shutil.copy(path, folder / "run.json")
    RunFolder.open(folder, {"source": "clip", "save": ["masks"]}, overwrite=True).close()
    shutil.rmtree(folder)


def _states(folder: Path) -> list[Path]:
    _stopped_run(folder)
    parts = folder / "run" / ".parts"
    return sorted(path for path in parts.iterdir() if path.is_file())


def _stopped_run(folder: Path) -> None:
    from rvsam_video import Prompt
    from rvsam_video.demos.synthetic import SyntheticClip
    from rvsam_video.runs.objects import RunOptions, run

    SyntheticClip(frames=28, size=(96, 64)).write(folder / "clip.mp4")
    seen = 0

    def stop() -> bool:
        nonlocal seen
        seen += 1
        return seen > 26

    run(
        RunOptions(
            source=str(folder / "clip.mp4"),
            prompts=[Prompt.create(points=[[48, 32]])],
            out=folder / "run",
            save=("overlay", "masks", "rle", "points", "coco", "summary"),
        ),
        should_stop=stop,
    )


def _finish_state(path: Path) -> None:
    from rvsam_video.runs.finishing import finish_run

    # The file is one of a run that stands beside its good version.
    source = path.parent / "good" / "run"
    folder = path.with_name(f"{path.name}-run")
    shutil.copytree(source, folder)
    name = path.name.partition("-")[2]
    shutil.copy(path, folder / ".parts" / name)
    try:
        finish_run(folder)
    finally:
        shutil.rmtree(folder)


TARGETS = {
    "video": Target(_clips, _read_video),
    "mask": Target(_pictures, _read_mask),
    "index map": Target(_pictures, _read_index_map),
    "prompt file": Target(_prompts, _read_prompts, is_json=True),
    "query points": Target(_query_points, _read_query_points),
    "checkpoint": Target(_checkpoints, _read_checkpoint),
    "TAP-Vid pickle": Target(_tap_pickles, _read_pickle),
    "UVO truth": Target(_uvo_truth, _score_uvo_truth, is_json=True),
    "UVO results": Target(_uvo_results, _score_uvo_results, is_json=True),
    "run record": Target(_records, _read_record, is_json=True),
    "state of a run": Target(_states, _finish_state),
}
