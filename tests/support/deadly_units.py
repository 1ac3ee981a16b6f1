"""Units of work for a crew of processes, which import them by this module's name."""

from __future__ import annotations

import os
import signal
from pathlib import Path


class Deadly:
    """A unit that ends the process that works on it."""

    name = "deadly"

    def __init__(self, log: Path) -> None:
        self.log = log

    def complete(self) -> bool:
        return False

    def progress(self) -> str:
        return ""

    def work(self, tick, should_stop) -> bool:
        with self.log.open("a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
        return True


class Fine(Deadly):
    name = "fine"

    def complete(self) -> bool:
        return self.log.exists()

    def work(self, tick, should_stop) -> bool:
        self.log.touch()
        return True
