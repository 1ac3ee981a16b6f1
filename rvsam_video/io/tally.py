"""The counters behind a `ReadReport`, and the sentences they turn into."""

from __future__ import annotations

from rvsam_video.io.base import ReadReport


def count(number: int, thing: str) -> str:
    """Return e.g. "1 frame" or "3 frames"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


class Tally:
    """Counts what happens during one reading.

    Args:
        piece: what a broken piece is called: a packet or a picture.
        expected: how many frames the file says it has, or None.
        about: whether that number is rough.

    Attributes:
        frames: frames decoded so far.
        bad: broken pieces so far.
        damaged: frames that may look wrong so far.
        expected: how many frames the file says it has, or None.
        piece: what a broken piece is called: a packet or a picture.
        stopped: whether reading was ended because of damage.
        resized: whether the change of the picture's size was noted.
        notes: sentences about things that cannot be counted.
    """

    def __init__(
        self, piece: str = "packet", expected: int | None = None, *, about: bool = False
    ) -> None:
        self.piece = piece
        self.expected = expected
        self._about = "about " if about else ""
        self.frames = self.bad = self.damaged = 0
        self.stopped = self.resized = False
        self.notes: list[str] = []

    def of_expected(self) -> str:
        """Return e.g. "119 of 200 frames", or "119 of about 200 frames"."""
        if self.expected is None or self.expected <= self.frames:
            return count(self.frames, "frame")
        return f"{self.frames} of {self._about}{count(self.expected, 'frame')}"

    def note(self, sentence: str) -> None:
        """Keep a sentence for the report; the same sentence is kept once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def report(self) -> ReadReport:
        """Return the account so far."""
        return ReadReport(
            self.frames, self.bad, self.damaged, self.expected, tuple(self._sentences())
        )

    def _sentences(self) -> list[str]:
        sentences = list(self.notes)
        if self.stopped:
            sentences.append(f"stopped at a damaged {self.piece} after {self.of_expected()}")
        elif self.bad:
            sentences.append(f"passed over {count(self.bad, f'damaged {self.piece}')}")
        if self.damaged:
            sentences.append(
                f"{count(self.damaged, 'frame')} may look wrong, building on damaged ones"
            )
        return sentences
