"""A SAM of one convolution under a name of its own, and a way to run commands."""

from __future__ import annotations

import json

import pytest
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
