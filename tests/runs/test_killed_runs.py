"""A process that is killed at any moment, and a rerun that ends with the bytes of a whole run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import made_results
import pytest

FRAMES = 40
CHECKPOINT_EVERY = 10

_RUNNER = """
import os, runpy, signal, sys
from pathlib import Path
import numpy as np
from rvsam_video.runs import folder as run_folder
from rvsam_video.sinks.background import BackgroundWriter
from rvsam_video.runs.checkpoint import Checkpoint
from rvsam_video.sinks.names import SINK_NAMES
from rvsam_video.sinks.base import create_sinks

made, folder, kill_at, moment = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
make_result = runpy.run_path(made)["make_result"]

def die(frame, now):
    if (frame, now) == (kill_at, moment):
        os.kill(os.getpid(), signal.SIGKILL)
    if (frame, moment) == (kill_at, "disk full"):
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))

frame = 0
with run_folder.RunFolder.open(folder, {"source": "made up"}) as run:
    writer = BackgroundWriter(create_sinks(SINK_NAMES, folder))
    total = np.zeros(1)
    if run.checkpoint is None:
        writer.start()
    else:
        writer.start(run.checkpoint.marks)
        total = run.checkpoint.state["total"].copy()
        frame = run.checkpoint.next_frame
    print("from", frame)

    def save():
        marks = writer.commit()
        die(frame, "between")
        run.save_checkpoint(Checkpoint(frame, marks, {"total": total}, {"frames": frame}))
        run.update(counts={"frames": frame})
        die(frame, "saved")

    while frame < FRAMES:
        result = make_result(frame, size=(94, 70))
        result.points.xy[0, 0] += total[0]
        total += 0.125
        writer.write(result)
        frame += 1
        die(frame, "writing")
        if frame % CHECKPOINT_EVERY == 0:
            save()
    save()
    writer.finish(complete=True)
    die(frame, "finished")
    run.finish("complete")
""".replace("FRAMES", str(FRAMES)).replace("CHECKPOINT_EVERY", str(CHECKPOINT_EVERY))


def run(folder: Path, kill_at: int = -1, moment: str = "", perturb: int = 0) -> tuple[int, str]:
    """Run in a process of its own; return its exit code and where it began.

    `perturb` makes the C library fill fresh memory with another pattern: output that depends on
    memory nobody wrote would show.
    """
    made = made_results.__file__
    command = [sys.executable, "-c", _RUNNER, made, folder, str(kill_at), moment]
    environment = os.environ | {"MALLOC_PERTURB_": str(perturb)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout.strip() or done.stderr


def files(folder: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "run.json"
    }


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, bytes]:
    folder = tmp_path_factory.mktemp("unkilled")
    assert run(folder) == (0, "from 0")
    return files(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize(
    ("kill_at", "moment", "resumed_from"),
    [
        (7, "writing", 0),
        (10, "between", 0),
        (29, "writing", 20),
        (30, "between", 20),
        (40, "saved", 40),
        (40, "finished", 40),
    ],
)
def test_a_rerun_after_kill_9_ends_with_the_same_bytes(
    kill_at: int, moment: str, resumed_from: int, tmp_path: Path, unkilled: dict[Path, bytes]
) -> None:
    code, _ = run(tmp_path, kill_at, moment)
    assert code == -signal.SIGKILL
    assert run(tmp_path, perturb=1) == (0, f"from {resumed_from}")
    assert files(tmp_path) == unkilled


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_run_that_is_killed_again_and_again_still_ends(
    tmp_path: Path, unkilled: dict[Path, bytes]
) -> None:
    for kill_at in (4, 13, 37):
        assert run(tmp_path, kill_at, "writing")[0] == -signal.SIGKILL
    assert run(tmp_path) == (0, "from 30")
    assert files(tmp_path) == unkilled


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")
@pytest.mark.parametrize(("full_at", "resumed_from"), [(3, 0), (25, 20), (40, 30)])
def test_a_run_that_met_a_full_disk_goes_on_when_there_is_space(
    full_at: int, resumed_from: int, tmp_path: Path, unkilled: dict[Path, bytes]
) -> None:
    code, told = run(tmp_path, full_at, "disk full")
    assert (code, told) == (1, "from 0")
    assert run(tmp_path) == (0, f"from {resumed_from}")
    assert files(tmp_path) == unkilled
