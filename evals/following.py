"""Following objects through the pictures of a folder: frame by frame, or clip by clip.

And noting how that ended, which evaluations of objects have in common, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..clips.frames import longest_side
from ..clips.restarts import RestartingClipSegmenter
from ..clips.segmenter import ClipObject, ClipSegmenter
from ..errors import RvsamError
from ..frame import Frame
from ..methods import Pair
from ..prompts.prompt import Prompt
from ..results import FrameResult, PointTable
from ..runs.folder import RunFolder
from ..settings import RestartSettings
from ..sources import open_source
from ..streaming.engine import VideoSegmenter

Objects = Mapping[int, NDArray[np.bool_]]
"""Number of an object to its (H, W) mask in the first frame."""


class Follower(Protocol):
    """Follows objects through the pictures of a folder."""

    def follow(self, pictures: Path, objects: Objects) -> Iterator[FrameResult]:
        """Yield one result a frame, with masks of the size of those given."""


def follower_of(pair: Pair) -> Follower:
    """Load what is evaluated.

    Presets that say on which size of pictures they work take whole clips, as SAM-PT does; all
    others stream.

    Raises:
        UsageError: if there is no such device or backend.
        WeightsError: if weights cannot be had, or are those of another network.
    """
    if pair.longest_side is None:
        return Streaming(VideoSegmenter.of(pair))
    tracker, segmenter = pair.load_clip_tracker(), pair.segmenter.load_segmenter()
    rule = longest_side(pair.longest_side)
    restarts = restarts_of(pair)
    if restarts is None:
        return WholeClips(ClipSegmenter(tracker, segmenter, pair.settings, rule=rule))
    return WholeClips(
        RestartingClipSegmenter(tracker, segmenter, pair.settings, restarts, rule=rule)
    )


def restarts_of(pair: Pair) -> RestartSettings | None:
    """Return how a method restarts tracking from predicted masks; None if it does not."""
    if pair.restarts is None:
        return None
    return RestartSettings(variant=pair.restarts, sam_pt_exact=pair.settings.sam_pt_exact)


class Streaming:
    """Follows objects frame by frame, as a run does."""

    def __init__(self, segmenter: VideoSegmenter) -> None:
        self._segmenter = segmenter

    def follow(self, pictures: Path, objects: Objects) -> Iterator[FrameResult]:
        """Yield one result a frame."""
        prompts = [Prompt.create(number, mask=mask) for number, mask in objects.items()]
        return self._segmenter.track(pictures, prompts)


class WholeClips:
    """Follows objects through a clip that is read several times."""

    def __init__(self, segmenter: ClipSegmenter | RestartingClipSegmenter) -> None:
        self._segmenter = segmenter

    def follow(self, pictures: Path, objects: Objects) -> Iterator[FrameResult]:
        """Yield one result a frame."""
        asked = [
            ClipObject(object_id=number, frame=0, mask=mask) for number, mask in objects.items()
        ]
        if not asked:
            return _nothing(pictures)
        height, width = next(iter(objects.values())).shape
        return self._segmenter.segment(partial(read_pictures, pictures), asked, (width, height))


def _nothing(pictures: Path) -> Iterator[FrameResult]:
    """Yield results without objects, as a run without prompts does."""
    for frame in read_pictures(pictures):
        yield FrameResult(frame.index, frame.time, frame.image, (), PointTable.empty())


def read_pictures(folder: Path) -> Iterator[Frame]:
    """Read the pictures of a folder, from the first on each time it is called."""
    with open_source(folder) as source:
        yield from source


@contextmanager
def noting_the_end(folder: RunFolder) -> Iterator[None]:
    """Note how the block ended, if it did not end well."""
    try:
        yield
    except KeyboardInterrupt:
        folder.finish("interrupted")
        raise
    except RvsamError as error:
        folder.finish("failed", str(error))
        raise
