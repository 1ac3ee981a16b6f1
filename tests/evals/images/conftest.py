"""A SAM of one convolution under a name of its own, and a way to run commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_command
from golden_data import DATA
from tiny_sam import tiny_sam

from rvsam_video.cli.main import main
from rvsam_video.evals.images import running
from rvsam_video.segmenters import SEGMENTERS, SegmenterEntry
from rvsam_video.segmenters.sam.segmenter import SamSegmenter


@pytest.fixture(scope="session")
def tiny_segmenter():
    return SamSegmenter("tiny-sam", tiny_sam(), "cpu")


@pytest.fixture
def tiny_name(tiny_segmenter, monkeypatch):
    """The name under which commands find it."""
    found = SEGMENTERS.find

    def find(name):
        if name == "tiny-sam":
            return SegmenterEntry(build=lambda _: tiny_segmenter)
        return found(name)

    monkeypatch.setattr(SEGMENTERS, "find", find)
    running.segmenter_in_this_process.cache_clear()
    yield "tiny-sam"
    running.segmenter_in_this_process.cache_clear()


@pytest.fixture
def run_command(capsys):
    """Runs a command; returns its exit code, the last JSON line and what went to standard error."""

    def run(*arguments):
        code = main([str(item) for item in arguments] + ["--json"])
        shown = capsys.readouterr()
        lines = [json.loads(line) for line in shown.out.splitlines()]
        return code, lines[-1], lines

    return run


@pytest.fixture
def kill_when_there_is():
    """Runs a command in a process of its own, and kills that when a file has appeared."""

    def run(arguments, out, pattern):
        command = [sys.executable, tiny_command.__file__, *map(str, arguments)]
        folders = [str(Path(tiny_command.__file__).parent), str(DATA)]
        if "PYTHONPATH" in os.environ:
            folders.append(os.environ["PYTHONPATH"])
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        )
        try:
            for _ in range(3000):
                if list(out.glob(pattern)) or process.poll() is not None:
                    break
                time.sleep(0.02)
            os.kill(process.pid, signal.SIGKILL)
        finally:
            process.kill()
            process.wait()
        left = len(list(out.glob(pattern)))
        assert left
        assert json.loads((out / "run.json").read_text())["status"] == "running"
        return left

    return run


@pytest.fixture
def stop_at(monkeypatch):
    """Makes a function of a module stop a run, as Ctrl-C does, before its call of a number."""

    def arrange(module, name, number):
        original, state = getattr(module, name), {"calls": 0}

        def counted(*arguments, **named):
            state["calls"] += 1
            if state["calls"] == number:
                raise KeyboardInterrupt
            return original(*arguments, **named)

        monkeypatch.setattr(module, name, counted)
        return state

    return arrange
