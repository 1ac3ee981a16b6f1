"""What a video file says of itself: read from its head, without decoding more than a frame."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from rvsam_video.errors import SourceError
from rvsam_video.sources.container import open_container, video_stream
from rvsam_video.sources.finding import IMAGE_SUFFIXES
from rvsam_video.sources.place import video_file


def stream_facts(source: str) -> dict[str, object]:
    """Return codec, rate, length, rotation, aspect, colour and sound of a video file.

    Args:
        source: as `open_source` takes it; of anything but a video file nothing is said.
    """
    path = Path(source)
    if not path.is_file() or path.suffix.lower() in IMAGE_SUFFIXES:
        return {}
    try:
        with open_container(video_file(source)) as container:
            stream = video_stream(container, source)
            return {**_of_video(container, stream), "sound": _sound(container)}
    # It was opened a moment ago, so this says nothing that a user could act on.
    except (SourceError, FFmpegError):
        return {}


def _of_video(container: InputContainer, stream: VideoStream) -> dict[str, object]:
    context, rate = stream.codec_context, stream.average_rate
    seconds = container.duration / av.time_base if container.duration else None
    facts: dict[str, object] = {
        "container": container.format.name,
        "codec": " ".join(filter(None, (context.name, context.profile))),
        "pixels": context.pix_fmt,
        "seconds announced": None if seconds is None else round(seconds, 3),
        "frames per second announced": None if rate is None else round(float(rate), 3),
        "rotation": 0,
        "pixel aspect": str(stream.sample_aspect_ratio or "1:1").replace("/", ":"),
        "colour": _colour(context),
    }
    # Rotation stands beside the frames; nothing is lost if the first cannot be decoded.
    with suppress(FFmpegError, StopIteration):
        frame = next(container.decode(stream))
        facts["rotation"] = int(frame.rotation)
        facts["interlaced"] = bool(frame.interlaced_frame)
    return facts


def _colour(context: object) -> str:
    """Say matrix, primaries, transfer and range, as far as the file names them."""
    words = []
    for name in ("colorspace", "color_primaries", "color_trc", "color_range"):
        value = getattr(context, name, None)
        # Numbers of ITU-T H.273; 2 stands for "not specified", of the range 0 does.
        unknown = {None, 0} if name == "color_range" else {None, 2}
        if value not in unknown and isinstance(value, int):
            words.append(_COLOUR_NAMES.get((name, int(value)), f"{name} {int(value)}"))
    return ", ".join(words) or "not said"


_COLOUR_NAMES = {
    ("colorspace", 1): "matrix BT.709",
    ("colorspace", 5): "matrix BT.601",
    ("colorspace", 6): "matrix BT.601",
    ("colorspace", 9): "matrix BT.2020",
    ("color_primaries", 1): "primaries BT.709",
    ("color_primaries", 9): "primaries BT.2020",
    ("color_trc", 1): "transfer BT.709",
    ("color_trc", 13): "transfer sRGB",
    ("color_trc", 16): "transfer PQ (HDR)",
    ("color_trc", 18): "transfer HLG (HDR)",
    ("color_range", 1): "limited range",
    ("color_range", 2): "full range",
}


def _sound(container: InputContainer) -> str:
    if not container.streams.audio:
        return "none"
    first = container.streams.audio[0]
    context = first.codec_context
    more = len(container.streams.audio) - 1
    named = f"{context.name}, {context.sample_rate} Hz, {context.layout.name}"
    return f"{named}, and {more} more" if more else named
