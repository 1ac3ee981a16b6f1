"""`run_demo`: track the synthetic clip as a user would track a file, and compare with the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..evals.metrics.region import region_similarity
from ..methods import Method
from ..results import FrameResult
from ..runs.job import Ready, RunListener, RunSummary, Silent, nothing_to_do
from ..runs.objects import RunOptions, run
from ..sinks.contact_sheet import ContactSheet
from ..sinks.drawing import draw_overlay
from ..writing import writing
from .synthetic import SyntheticClip

DEFAULT_FRAMES = 72
"""Three seconds: long enough for the objects to pass each other."""

CLIP_FILE = "synthetic.mp4"
SHEET_FILE = "contact_sheet.png"
RUN_FOLDER = "run"
"""What a demo folder holds: the clip, the frames at a glance, and an ordinary run folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectScore:
    """How well one object was followed.

    Attributes:
        object_id: its id.
        mean_iou: mean over all frames of intersection over union with the truth, in [0, 1].
        worst_iou: the lowest of them.
        worst_frame: index of the frame where that was, the first if there are several.
    """

    object_id: int
    mean_iou: float
    worst_iou: float
    worst_frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What came out of a demo.

    Attributes:
        clip: the video that was tracked.
        click: (x, y) in pixels of its first frame, on an object: something to try.
        contact_sheet: its frames with the masks at a glance; None if no frame was finished.
        run: how the run ended, with its folder and speed.
        objects: one score per object, by rising id; empty if no frame was finished.
    """

    clip: Path
    click: tuple[int, int]
    contact_sheet: Path | None
    run: RunSummary
    objects: tuple[ObjectScore, ...]

    @property
    def mean_iou(self) -> float:
        """Mean of the objects' means, in [0, 1]; 0 without objects."""
        return float(np.mean([item.mean_iou for item in self.objects])) if self.objects else 0.0


def run_demo(
    out: Path,
    *,
    method: Method | None = None,
    frames: int = DEFAULT_FRAMES,
    listener: RunListener | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    ready: Ready = nothing_to_do,
) -> DemoReport:
    """Render the clip, track it from clicks and a box in its first frame, score every frame.

    Args:
        out: folder for everything; made if it is missing. An earlier demo in it is replaced.
        method: tracker and segmenter; None takes the best that is on this machine.
        frames: length of the clip.
        listener: is told what the run does.
        should_stop: asked after every frame; the report is of what was done until then.
        ready: is called before networks are loaded, see `rvsam_video.runs.objects.run`.

    Raises:
        UsageError: if a name is unknown or there are no frames.
        OutputError: if something cannot be written.
    """
    clip = SyntheticClip(frames=frames)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    # Tracked from the file, as a user's clip would be, so that reading is part of what is tried.
    clip.write(out / CLIP_FILE)
    prompts = clip.prompts()
    x, y = next(prompt.points[0] for prompt in prompts if len(prompt.points))
    judge = _Judge(clip, listener or Silent())
    options = RunOptions(
        source=str(out / CLIP_FILE),
        prompts=prompts,
        out=out / RUN_FOLDER,
        method=method or Method(),
        # The clip is new each time; an earlier run would be of other pixels.
        overwrite=True,
    )
    summary = run(options, judge, should_stop, ready)
    return DemoReport(
        clip=out / CLIP_FILE,
        click=(round(float(x)), round(float(y))),
        contact_sheet=judge.save_sheet(out / SHEET_FILE),
        run=summary,
        objects=judge.scores(),
    )


class _Judge:
    """Listens to a run: scores each frame and keeps some for the contact sheet."""

    def __init__(self, clip: SyntheticClip, listener: RunListener) -> None:
        self._clip = clip
        self._listener = listener
        self._ious: dict[int, list[float]] = {object_id: [] for object_id in clip.object_ids}
        self._frames: list[int] = []
        self._sheet = ContactSheet()

    def message(self, text: str) -> None:
        """Hand on a sentence."""
        self._listener.message(text)

    def started(self, total: int | None, done: int) -> None:
        """Hand on the start."""
        self._listener.started(total, done)

    def result(self, result: FrameResult) -> None:
        """Score a frame, then hand it on."""
        truth = self._clip.truth(result.index)
        nothing = np.zeros(truth.shape, np.bool_)
        for object_id, ious in self._ious.items():
            # An object that was lost counts as an empty mask: leaving it out would flatter the
            # mean.
            mask = result.masks.get(object_id, nothing)
            ious.append(region_similarity(mask, truth == object_id))
        self._frames.append(result.index)
        # Drawing costs more than scoring; most frames are not shown.
        if self._sheet.wants_next:
            self._sheet.add(draw_overlay(result), self._caption(result))
        else:
            self._sheet.skip()
        self._listener.result(result)

    def _caption(self, result: FrameResult) -> str:
        mean = np.mean([ious[-1] for ious in self._ious.values()])
        return f"frame {result.index}   IoU {mean:.2f}"

    def save_sheet(self, path: Path) -> Path | None:
        """Write the contact sheet if there is a frame for it."""
        if not self._frames:
            return None
        self._sheet.save(path)
        return path

    def scores(self) -> tuple[ObjectScore, ...]:
        """Return the score of each object over the frames seen."""
        if not self._frames:
            return ()
        return tuple(self._score(object_id, ious) for object_id, ious in self._ious.items())

    def _score(self, object_id: int, ious: list[float]) -> ObjectScore:
        worst = int(np.argmin(ious))
        return ObjectScore(
            object_id=object_id,
            mean_iou=float(np.mean(ious)),
            worst_iou=ious[worst],
            worst_frame=self._frames[worst],
        )
