"""The golden clips of SAM-PT: their cases, and stand-ins with closed-form answers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import closed_form_sam
import numpy as np
import torch
from golden_data import golden_part

from rvsam_video import Frame, SegmentationSettings
from rvsam_video.clips.segmenter import ClipObject, ClipSegmenter
from rvsam_video.segmenters.base import MaskPrediction, ObjectPrompt
from rvsam_video.segmenters.sam.geometry import Geometry
from rvsam_video.segmenters.sam.prompts import DecodeRequest, DecodeResult
from rvsam_video.segmenters.sam.segmenter import SamSegmenter
from rvsam_video.segmenters.sam.transforms import to_picture_size
from rvsam_video.trackers.base import QueryPoints, TrackedPoints


class Case:
    """The arrays of one golden case by their short names."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrays = golden_part("sam_pt_pipeline", name)

    def __getitem__(self, key: str) -> np.ndarray:
        return self.arrays[key]

    def settings(self, **changes: Any) -> SegmentationSettings:
        """The case's options as settings; `changes` come last."""
        options = ast.literal_eval(str(self["options"]))
        others = options["add_other_objects_positive_points_as_negative_points"]
        values = {
            "positive_points": options["positive_points_per_mask"],
            "negative_points": options["negative_points_per_mask"],
            "other_objects_as_negatives": others,
            "refinements": options["iterative_refinement_iterations"],
            "score_threshold": options["sam_iou_threshold"],
            "group_size": options["point_tracker_mask_batch_size"],
            "border": 0.01,
            "best_of_three": False,
            "sam_pt_exact": True,
        }
        return SegmentationSettings(**(values | changes))

    def masks(self, shape: tuple[int, ...]) -> np.ndarray:
        """The packed masks, unpacked to this shape."""
        packed = self["masks_packed"]
        if packed.ndim > 1:
            count = int(np.prod(shape[-2:]))
            rows = np.unpackbits(packed, axis=1, count=count)
            return rows.reshape(shape).astype(np.bool_)
        return np.unpackbits(packed, count=int(np.prod(shape))).reshape(shape).astype(np.bool_)

    def objects(self, first_id: int = 1) -> list[ClipObject]:
        """Objects from frame 0 on, with the case's points."""
        places = self["in_trajectories"][0]
        labels = self.labels(places.shape[1])
        return [
            ClipObject(object_id=first_id + k, frame=0, points=places[k], labels=labels)
            for k in range(len(places))
        ]

    def labels(self, count: int) -> np.ndarray:
        negatives = self.settings().negative_points
        return np.repeat(np.array([1, 0], np.int8), [count - negatives, negatives])


class ScriptedTracker:
    """Plays stored trajectories back: objects in the order of their points' ids."""

    name = "scripted"

    def __init__(self, trajectories: np.ndarray, visibilities: np.ndarray) -> None:
        self.xy = trajectories.reshape(len(trajectories), -1, 2)
        self.visible = visibilities.reshape(len(visibilities), -1) == 1
        self.groups: list[int] = []
        self.query_frames: list[list[int]] = []
        self.sizes: list[tuple[int, int]] = []

    def track_clip(
        self, frames: Callable[[], Iterable[Any]], queries: QueryPoints
    ) -> Iterable[TrackedPoints]:
        self.groups.append(len(queries))
        self.query_frames.append(queries.frames.tolist())
        for t, frame in enumerate(frames()):
            self.sizes.append(frame.size)
            yield TrackedPoints(
                frame.index,
                queries.ids,
                self.xy[t, queries.ids],
                self.visible[t, queries.ids],
                np.ones(len(queries), np.float32),
            )


class NotingClipSegmenter(ClipSegmenter):
    """Keeps the predictions of every frame, which results do not carry."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.predictions: list[list[MaskPrediction]] = []

    def predict(self, frame: Frame, prompts: Sequence[ObjectPrompt]) -> list[MaskPrediction]:
        self.predictions.append(super().predict(frame, prompts))
        return self.predictions[-1]


@dataclass(frozen=True, eq=False)
class Bright:
    """What the closed-form segmenter keeps of a picture."""

    geometry: Geometry
    brightness: float
    number: int


@dataclass
class Call:
    """One object in one pass of the decoder."""

    frame: int
    xy: np.ndarray
    labels: np.ndarray
    box: np.ndarray | None
    mask_mean: float | None
    iou: float
    low: np.ndarray
    geometry: Geometry

    def mask(self) -> np.ndarray:
        """The answer at the size of the picture, (H, W) bool."""
        low = torch.from_numpy(self.low)[None]
        return (to_picture_size(low, self.geometry)[0] > 0).numpy()


class ClosedFormDecoder:
    """Answers like `closed_form_sam.py`, and notes every call."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.batches: list[int] = []

    def decode(
        self, image: Any, requests: Sequence[DecodeRequest], *, multimask: bool
    ) -> DecodeResult:
        assert not multimask
        self.batches.append(len(requests))
        answers = [self._one(image, request) for request in requests]
        low = np.stack([answer.low for answer in answers])
        iou = torch.tensor([[answer.iou] for answer in answers], dtype=torch.float32)
        return DecodeResult(torch.from_numpy(low)[:, None], iou)

    def decode_best(
        self, image: Any, requests: Sequence[DecodeRequest], ambiguous: Sequence[bool]
    ) -> DecodeResult:
        assert not any(ambiguous)
        if not requests:
            return DecodeResult(torch.zeros(0, 1, 256, 256), torch.zeros(0, 1))
        return self.decode(image, requests, multimask=False)

    def enlarge(self, low_res_logits: torch.Tensor, geometry: Geometry) -> torch.Tensor:
        return to_picture_size(low_res_logits, geometry)

    def _one(self, image: Bright, request: DecodeRequest) -> Call:
        closed = closed_form_sam
        xy = image.geometry.to_network(request.points)
        box = request.box
        if box is not None:
            box = image.geometry.to_network(box.reshape(2, 2)).reshape(4)
        mask = None if request.mask_input is None else request.mask_input.numpy()
        low = closed.low_res_mask(xy, request.labels, image.brightness, mask, box)
        iou = closed.quality(request.labels, mask is not None, box is not None)
        mean = None if mask is None else float(mask.mean())
        self.calls.append(
            Call(image.number, xy, request.labels, box, mean, iou, low, image.geometry)
        )
        return self.calls[-1]


class ClosedFormSegmenter(SamSegmenter):
    """The engine's own segmenter around the closed-form decoder."""

    def __init__(self) -> None:
        self.name = "closed-form"
        self.one_by_one = False
        self.device = torch.device("cpu")
        self.decoder = ClosedFormDecoder()
        self.embeds = 0

    def embed(self, image: np.ndarray) -> Bright:
        self.embeds += 1
        brightness = closed_form_sam.brightness(image)
        return Bright(Geometry.of(image), brightness, self.embeds - 1)

    def predict(self, embedding: Any, prompts: Sequence[ObjectPrompt]) -> list[MaskPrediction]:
        """Ask object by object where the order of the calls is to be the public code's."""
        if not self.one_by_one:
            return super().predict(embedding, prompts)
        return [super(type(self), self).predict(embedding, [prompt])[0] for prompt in prompts]
