"""Work in several processes: the same results, errors told, nobody left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from rvsam_video.errors import RvsamError, UsageError
from rvsam_video.evals.workers import each


def square(number, tick):
    tick()
    return number * number


def fail_at_three(number, tick):
    if number == 3:
        raise UsageError("three is not allowed")
    return square(number, tick)


def break_at_three(number, tick):
    return 1 / (number - 3)


def die_at_three(number, tick):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return square(number, tick)


def wait_long(number, tick):
    for _ in range(600):
        tick()
        time.sleep(0.05)


class Notes:
    def __init__(self):
        self.ticks, self.results = 0, {}

    def ticked(self, count):
        self.ticks = count

    def finished(self, index, result):
        self.results[index] = result


@pytest.mark.parametrize("workers", [1, 2, 9])
@pytest.mark.parametrize("items", [[], [5], [5, 6, 7, 8]])
def test_results_come_in_the_order_of_the_items(workers, items):
    notes = Notes()
    want = [number * number for number in items]
    assert each(square, items, workers=workers, watch=notes) == want
    assert notes.results == dict(enumerate(want))
    assert notes.ticks == len(items)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_ends_the_work(workers):
    with pytest.raises(UsageError, match="three is not allowed"):
        each(fail_at_three, range(6), workers=workers)
    assert not multiprocessing.active_children()


def test_an_unforeseen_error_keeps_its_words():
    with pytest.raises(RuntimeError, match="ZeroDivisionError: division by zero"):
        each(break_at_three, range(6), workers=2)


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_a_killed_process_is_told():
    with pytest.raises(RvsamError, match="ended from outside"):
        each(die_at_three, range(6), workers=2)


def test_stopping_in_between_ends_the_processes():
    class Impatient(Notes):
        def ticked(self, count):
            if count > 2:
                raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        each(wait_long, range(4), workers=2, watch=Impatient())
    assert time.monotonic() - began < 10
    assert not multiprocessing.active_children()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_processes_do_not_outlive_the_one_that_started_them(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, time\n"
        "from rvsam_video.evals.workers import each\n"
        "def work(number, tick):\n"
        "    open(f'{os.getpid()}.pid', 'w').close()\n"
        "    while True:\n"
        "        tick()\n"
        "        time.sleep(0.02)\n"
        "each(work, [1, 2], workers=2)\n"
    )
    parent = subprocess.Popen([sys.executable, script], cwd=tmp_path)
    deadline = time.monotonic() + 30
    while len(list(tmp_path.glob("*.pid"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    pids = [path.stem for path in tmp_path.glob("*.pid")]
    assert len(pids) == 2
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
