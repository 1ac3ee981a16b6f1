"""The page ends in order by any signal, and takes its visitors' files with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from urllib.error import URLError

import pytest

pytest.importorskip("uvicorn")


def answers(address: str) -> bool:
    """Ask for the page until the server is there."""
    for _ in range(300):
        with (
            suppress(URLError),
            urllib.request.urlopen(address, timeout=30) as answer,  # noqa: S310 (of this machine)
        ):
            return bool(answer.status == 200)
        time.sleep(0.1)
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_uploads_are_gone_when_the_page_was_told_to_end(tmp_path, name):
    rooms = tmp_path / "tmp"
    rooms.mkdir()
    code = "import sys; from rvsam_video.cli.main import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "web", "--port", "0", "--no-browser"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(rooms)},
    )
    assert process.stderr is not None
    address = ""
    while not address:
        found = re.search(r"http://\S+/", process.stderr.readline())
        address = found[0] if found else ""
    assert answers(address)
    assert list(rooms.iterdir()) != []
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert [path for path in rooms.iterdir() if path.name.startswith("rvsam")] == []
    assert process.returncode in {0, 128 + getattr(signal, name)}
