"""Video instance segmentation: everything in a clip, found without prompts.

Masks of everything in one frame are the proposals; each is followed through the whole clip as an
object of its own. The numbers are those of SAM-PT's evaluation on UVO: pictures of a shortest side
of 360, at most 100 proposals from the first frame, no refinement, no points of other objects.

Source: `sam_pt/vis_eval` and `sam_pt/modeling/vis_to_vos_adapter.py` of SysCV/sam-pt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from rvsam_video.clips.frames import ClipFrames, Size, Source, resize_mask, shortest_side
from rvsam_video.clips.restarts import RestartingClipSegmenter
from rvsam_video.clips.segmenter import ClipObject, ClipSegmenter
from rvsam_video.errors import UsageError
from rvsam_video.frame import Image
from rvsam_video.mask_rle import decode_mask, encode_mask
from rvsam_video.presets import find_preset
from rvsam_video.results import FrameResult
from rvsam_video.segmenters.base import Segmenter
from rvsam_video.settings import RestartSettings, SegmentationSettings
from rvsam_video.trackers.base import ClipTracker


class MeanScores:
    """The mean score of each object over the frames in which it was looked for.

    Args:
        sam_pt_exact: average over all frames instead, as SAM-PT's public code does: one frame
            without a prompt, whose score is minus infinity, then decides.
    """

    def __init__(self, *, sam_pt_exact: bool = False) -> None:
        self._exact = sam_pt_exact
        self._sums: dict[int, float] = {}
        self._counts: dict[int, int] = {}

    def add(self, result: FrameResult) -> None:
        """Take the scores of one frame into account."""
        for item in result.objects:
            counts = item.prompted or self._exact
            before = self._sums.get(item.object_id, 0.0)
            self._sums[item.object_id] = before + (item.score if counts else 0.0)
            self._counts[item.object_id] = self._counts.get(item.object_id, 0) + counts

    def means(self) -> dict[int, float]:
        """Return object id to score; 0 for an object that was never looked for."""
        return {
            key: total / self._counts[key] if self._counts[key] else 0.0
            for key, total in self._sums.items()
        }


Proposer = Callable[[Image], Iterator[NDArray[np.bool_]]]
"""From an (H, W, 3) picture to (H, W) bool masks of all that is in it, best first."""


def instance_settings(base: SegmentationSettings | None = None) -> SegmentationSettings:
    """Return settings for instances: overlapping masks, no refinement, no points of others.

    Args:
        base: what else holds; None takes the preset "paper" without its oddities.
    """
    if base is None:
        base = replace(find_preset("paper").settings, sam_pt_exact=False)
    # As SAM-PT's documented command for UVO.
    return replace(
        base, overlap=True, refinements=0, other_objects_as_negatives=False, group_size=100
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceOptions:
    """How instances are found.

    Attributes:
        shortest_side: pixels of the shortest side of the pictures that are worked on.
        longest_side: most pixels of the longest side.
        most: proposals that are followed at most.
        batch_size: so many share a tracker's group, and see each other's points if settings say.
        propose_every: look for new objects in every so many frames; 0 looks at the first only.
        duplicate_iou: a later proposal is new if its IoU with no known object's mask is higher.
    """

    shortest_side: int = 360
    longest_side: int = 1333
    most: int = 100
    batch_size: int = 100
    propose_every: int = 0
    duplicate_iou: float = 0.5

    def __post_init__(self) -> None:
        """Refuse values that no run could use.

        Raises:
            UsageError: naming the value.
        """
        for name in ("shortest_side", "longest_side", "most", "batch_size"):
            if getattr(self, name) < 1:
                msg = f"{name} is {getattr(self, name)}; it must be at least 1"
                raise UsageError(msg)
        if self.propose_every < 0 or not 0 <= self.duplicate_iou <= 1:
            msg = (
                f"propose_every is {self.propose_every} and duplicate_iou {self.duplicate_iou}; "
                "the first must be 0 or more, the second 0 to 1"
            )
            raise UsageError(msg)


@dataclass(slots=True, eq=False)
class Instance:
    """One object of a clip.

    Attributes:
        object_id: from 1 on.
        frame: index of the frame it was proposed in.
        size: (width, height) of its masks.
        score: mean predicted IoU over the frames in which it was looked for.
        counts: one compressed run-length code per frame; also for empty masks.
    """

    object_id: int
    frame: int
    size: Size
    score: float = 0.0
    counts: list[str] = field(default_factory=list)

    def mask(self, position: int) -> NDArray[np.bool_]:
        """Return the (H, W) bool mask in the frame that was read as number `position`."""
        return decode_mask(self.counts[position], self.size[1], self.size[0])

    def to_dict(self, video_id: str | int, category_id: int = 1) -> dict[str, object]:
        """Return the entry of a YouTube-VIS result file."""
        size = [self.size[1], self.size[0]]
        return {
            "video_id": video_id,
            "category_id": category_id,
            "score": self.score,
            "segmentations": [{"size": size, "counts": code} for code in self.counts],
        }


class InstanceSegmenter:
    """Finds and follows everything in clips that can be read again.

    Args:
        tracker: follows points through a whole clip.
        segmenter: turns points into masks.
        propose: finds masks in a picture, see `automatic_proposals`.
        settings: constants of the engine, see `instance_settings`.
        options: how instances are found.
        restarts: when tracking is restarted from predicted masks; None never does.
    """

    def __init__(
        self,
        tracker: ClipTracker,
        segmenter: Segmenter,
        propose: Proposer,
        settings: SegmentationSettings | None = None,
        options: InstanceOptions | None = None,
        restarts: RestartSettings | None = None,
    ) -> None:
        self.settings = settings or instance_settings()
        self.options = options or InstanceOptions()
        self._propose = propose
        self._rule = shortest_side(self.options.shortest_side, self.options.longest_side)
        self._engine: ClipSegmenter | RestartingClipSegmenter
        if restarts is None:
            self._engine = ClipSegmenter(
                tracker,
                segmenter,
                self.settings,
                rule=self._rule,
                batch_size=self.options.batch_size,
            )
        else:
            self._engine = RestartingClipSegmenter(
                tracker, segmenter, self.settings, restarts, rule=self._rule
            )

    def segment(
        self,
        source: Source,
        size: Size | None = None,
        *,
        known: Mapping[int, Sequence[Instance]] | None = None,
        keep: Callable[[int, Sequence[Instance]], None] = lambda _position, _found: None,
    ) -> list[Instance]:
        """Return the objects of a clip in the order in which they were found; maybe none.

        Args:
            source: begins to read the clip; called several times.
            size: (width, height) of the masks, None for that of the clip.
            known: what `keep` was told by an earlier call that was interrupted.
            keep: is told what was found in each frame that was looked at, by the frame's position.

        Raises:
            SourceError: if the clip has no frame.
        """
        clip = ClipFrames(source, self._rule)
        size = size or clip.source_size
        instances: list[Instance] = []
        # Frames are only looked at here; every batch of objects reads the clip for itself.
        for position, original in enumerate(clip.originals()):
            if position and not self._looks_at(position):
                # The rest of the clip need not be decoded for nothing.
                if not self.options.propose_every:
                    break
                continue
            if known is not None and position in known:
                instances += known[position]
                continue
            missing = self.options.most - len(instances)
            new = self._new_masks(clip.resized(original).image, instances, position)
            objects = [
                ClipObject(object_id=len(instances) + 1 + k, frame=original.index, mask=mask)
                # Best first, so those beyond the limit are the least sure. Lazily: what is not
                # followed is not compared with what is known.
                for k, mask in enumerate(islice(new, missing))
            ]
            followed = self._follow(source, objects, size) if objects else []
            keep(position, followed)
            instances += followed
        return instances

    def _looks_at(self, position: int) -> bool:
        every = self.options.propose_every
        return every > 0 and position % every == 0

    def _new_masks(
        self, image: Image, known: Sequence[Instance], position: int
    ) -> Iterator[NDArray[np.bool_]]:
        """Yield the proposals of a picture that are no object that is known there."""
        size = image.shape[1::-1]
        # At the size proposals are made at; the masks are kept at that of the results.
        there = [resize_mask(item.mask(position), (size[0], size[1])) for item in known]
        for mask in self._propose(image):
            if all(_iou(mask, other) <= self.options.duplicate_iou for other in there):
                yield mask

    def _follow(self, source: Source, objects: Sequence[ClipObject], size: Size) -> list[Instance]:
        instances = {item.object_id: Instance(item.object_id, item.frame, size) for item in objects}
        scores = MeanScores(sam_pt_exact=self.settings.sam_pt_exact)
        for result in self._engine.segment(source, objects, size):
            scores.add(result)
            masks, nothing = result.masks, np.zeros(size[::-1], np.bool_)
            # Encoded at once: a hundred masks of every frame would fill the memory. An engine may
            # leave an object out before its own frame, but each has one code per frame.
            for object_id, instance in instances.items():
                instance.counts.append(encode_mask(masks.get(object_id, nothing)))
        for object_id, score in scores.means().items():
            instances[object_id].score = score
        return list(instances.values())


def _iou(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    union = np.count_nonzero(mask | other)
    return np.count_nonzero(mask & other) / union if union else 0.0


def automatic_proposals(segmenter: Segmenter) -> Proposer:
    """Propose the masks of everything mode, by falling predicted IoU.

    Args:
        segmenter: one of the SAM family.

    Raises:
        UsageError: if it is another one.
    """
    from rvsam_video.segmenters.sam.automatic import automatic_masks, with_everything_mode

    finder = with_everything_mode(segmenter)

    def propose(image: Image) -> Iterator[NDArray[np.bool_]]:
        return (item.mask for item in automatic_masks(finder, image))

    return propose
