"""`WebSettings`: what the page may read, keep and accept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rvsam_video.errors import UsageError
from rvsam_video.runs.objects import RunOptions

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

PLAIN = RunOptions(source="", out=Path(), prompts=())
"""What a command without options would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Where the page listens, what it reads and what it keeps.

    Attributes:
        host: address to listen on; anything but this machine's own needs a token.
        port: TCP port; 0 takes a free one.
        root: folder whose videos can be chosen on the page; None offers uploads only.
        source: a video, folder, camera or stream that every visitor starts with, or None.
        out: run folder for that source; None gives it one in the workspace.
        workspace: folder for run folders, uploads and what else must outlive the page.
        token: asked of every visitor; None asks nothing.
        allowed_hosts: further names under which the page is reached, such as that of a proxy.
        cameras: whether cameras of this machine can be chosen.
        max_upload: bytes of one upload.
        max_visitors: sessions at a time; each has a worker and a folder.
        keep_seconds: an idle visitor's session is put away after this; its files stay.
        shared: all browsers see the same work, as on one's own machine; else each its own.
        max_pixels: of one picture; larger ones are refused before they are decoded.
        max_disk: bytes of all uploads together; older ones make room for new ones.
        view_width: pixels; frames are sent no wider unless they are looked at closely.
        jpeg_quality: of the frames sent, 1 to 100.
        run: what else holds for every run: outputs, and how sources are read. Its source, prompts
            and folder are not looked at. The output `masks` shows tracked frames again.

    Raises:
        UsageError: for a value that makes no sense, or an open address without a token.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    root: Path | None = None
    source: str | None = None
    out: Path | None = None
    workspace: Path = Path("rvsam-runs")
    token: str | None = None
    allowed_hosts: frozenset[str] = frozenset()
    cameras: bool = False
    max_upload: int = 2 * 1024**3
    max_visitors: int = 4
    keep_seconds: float = 3600.0
    shared: bool = False
    max_pixels: int = 36_000_000
    max_disk: int = 20 * 1024**3
    view_width: int = 960
    jpeg_quality: int = 85
    run: RunOptions = PLAIN

    def __post_init__(self) -> None:
        """Refuse what would be unsafe or cannot work."""
        # Refused rather than warned about: the page opens files and cameras of this machine.
        if self.host not in LOOPBACK and not self.token:
            msg = (
                f"{self.host} can be reached from other machines; give a token with --token, or "
                "leave --host at 127.0.0.1"
            )
            raise UsageError(msg)
        if self.root is not None and not self.root.is_dir():
            msg = f"{self.root} is no folder; --root is the folder whose videos can be chosen"
            raise UsageError(msg)
        if "masks" not in self.run.save:
            msg = "the page needs the output masks; add it to --save"
            raise UsageError(msg)
        for name, low, high in (
            ("port", 0, 65535),
            ("max_upload", 1, 2**50),
            ("max_visitors", 1, 1000),
            ("max_pixels", 1, 2**31),
            ("max_disk", 1, 2**50),
            ("view_width", 64, 8192),
            ("jpeg_quality", 1, 100),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                msg = f"{name} is {value}; allowed is {low} to {high}"
                raise UsageError(msg)
