"""`CommonOptions`: what every kind of run reads, where it writes, and what it tracks with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rvsam_video.errors import OutputError, PromptError, UsageError
from rvsam_video.json_values import Json
from rvsam_video.methods import Method
from rvsam_video.runs.identity import fingerprint, pictures_fingerprint
from rvsam_video.sources import open_source
from rvsam_video.sources.base import BadFrames, FrameSource, Reader
from rvsam_video.sources.part import WHOLE, ClipPart
from rvsam_video.sources.pictures import ImageSequence
from rvsam_video.sources.reconnecting import RECONNECT_SECONDS, Reconnecting
from rvsam_video.streaming.directions import AskedDirection


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonOptions:
    """What every kind of run needs to know.

    Attributes:
        source: whatever `open_source` takes.
        out: the run folder.
        method: tracker and segmenter, their weights and constants, and the device.
        overwrite: begin anew where another run has been.
        max_frames: read only frames with a lower index; None reads all.
        fps: frames per second of pictures; None takes 25, or an animation's own times.
        reader: what decodes video files.
        on_bad_frame: skip damaged frames, or stop at the first.
        live: when frames come faster than they are tracked, `drop` old ones or `block`; None
            drops for live sources only.
        reconnect: seconds for which a live source that was lost is tried again; 0 gives up at
            once.
        part: which frames count.
        longest_side: pixels to which larger frames are reduced before; results keep their size.
        direction: in which direction of time things are followed from their prompts; "auto" goes
            both ways where the source can be read again and something begins in its middle.

    Raises:
        UsageError: if values contradict each other.
    """

    source: str
    out: Path
    method: Method = field(default_factory=Method)
    overwrite: bool = False
    max_frames: int | None = None
    fps: float | None = None
    reader: Reader = "pyav"
    on_bad_frame: BadFrames = "skip"
    live: Literal["drop", "block"] | None = None
    reconnect: float = RECONNECT_SECONDS
    part: ClipPart = WHOLE
    longest_side: int | None = None
    direction: AskedDirection = "forward"

    def __post_init__(self) -> None:
        """Refuse two ways of saying where to end."""
        if self.max_frames is not None and (self.part.start or self.part.stride > 1):
            msg = (
                f"max_frames is {self.max_frames} and counts from frame 0 on; "
                "say with --end where a part ends"
            )
            raise UsageError(msg)

    @property
    def once(self) -> bool:
        """Whether the source is a pipe, which nobody can read a second time."""
        path = Path(self.source)
        # Named pipes, /dev/stdin and what shells make of <(command).
        return self.source == "-" or (path.exists() and not (path.is_file() or path.is_dir()))

    def open(self, start: int = 0) -> FrameSource:
        """Open the source at the frame of this index.

        Raises:
            SourceError: if it cannot be read.
        """
        source = self._open(start)
        # A file that breaks off is damaged, and opening it again changes nothing.
        if not source.live or self.reconnect <= 0:
            return source
        return Reconnecting(source, self._open, self.reconnect)

    def _open(self, start: int = 0) -> FrameSource:
        return open_source(
            self.source,
            reader=self.reader,
            on_bad_frame=self.on_bad_frame,
            start=start,
            fps=self.fps,
            part=self.part,
        )

    def check_frames(self, named: Iterable[tuple[int, str]]) -> None:
        """Refuse prompts of frames that are not read.

        Args:
            named: index of a frame, and what belongs to it.

        Raises:
            PromptError: if one does not count; where a part begins at a time that is not known
                before.
        """
        part = self.part
        for frame, what in named:
            start = part.start if isinstance(part.start, int) else 0
            behind = isinstance(part.end, int) and frame >= part.end
            off = isinstance(part.start, int) and (frame - start) % part.stride != 0
            if frame < start or behind or off:
                msg = (
                    f"{what} belongs to frame {frame}, which is not read: only frames {part} are; "
                    "choose another frame or another part"
                )
                raise PromptError(msg)

    def refuse_going_on(self, source: FrameSource) -> None:
        """Refuse to go on with an interrupted run of a source that cannot be read again.

        Raises:
            OutputError: if it cannot.
        """
        if source.live or self.once:
            msg = (
                f"{self.out} holds an interrupted run of {source.name}, which "
                "cannot be read again from the same frame on; `rvsam-video finish "
                f"{self.out}` makes the files of what was tracked; use --overwrite to "
                "start again, or another folder with --out"
            )
            raise OutputError(msg)

    def reading(self, source: FrameSource) -> dict[str, Json]:
        """Return what of the reading decides the results; a part of the run's command."""
        path = Path(self.source)
        paths = source.paths if isinstance(source, ImageSequence) and not path.exists() else ()
        print_of = pictures_fingerprint(paths) if paths else None
        if path.exists() and not self.once:
            print_of = fingerprint(path)
        return {
            # Absolute, so that the same run is known from another folder. An address goes by its
            # name, which holds no password.
            "source": str(path.resolve()) if path.exists() else source.name,
            # Another file under the same name is another run.
            "fingerprint": print_of,
            "max_frames": self.max_frames,
            "fps": self.fps,
            "reader": self.reader,
            "on_bad_frame": self.on_bad_frame,
            "live": self.live,
            **self.part.to_json(),
            "longest_side": self.longest_side,
        }
