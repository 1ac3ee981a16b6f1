"""`TrackedObject`: what is known of one object besides its points."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.base import MaskPrediction, Memory
from rvsam_video.snapshot import Arrays, nested, prefixed


@dataclass(slots=True)
class TrackedObject:
    """What is known of one object besides its points.

    Attributes:
        start: frame of its first prompt.
        memory: what the segmenter remembers of it.
        answers: predictions made when a prompt was given, by frame; they are the result of
            that frame.
        corrections: ids of the points that the user corrected it with in frames that are still to
            be segmented, by frame.
    """

    start: int
    memory: Memory | None = None
    answers: dict[int, MaskPrediction] = field(default_factory=dict)
    corrections: dict[int, list[int]] = field(default_factory=dict)

    def to_arrays(self) -> Arrays:
        """Return it as plain arrays."""
        arrays: dict[str, NDArray[np.generic]] = {
            "start": np.array(self.start),
            "answers": np.array(list(self.answers), np.int64),
            "corrections": np.array(
                [(frame, key) for frame, keys in self.corrections.items() for key in keys], np.int64
            ).reshape(-1, 2),
            **_memory_to_arrays(self.memory),
        }
        for frame, answer in self.answers.items():
            fields = {
                "logits": answer.logits,
                "score": np.array(answer.score),
                "prompted": np.array(answer.prompted),
            }
            if answer.low_res_logits is not None:
                fields["low_res_logits"] = answer.low_res_logits
            arrays |= prefixed(f"answer/{frame}", fields)
            arrays |= prefixed(f"answer/{frame}", _memory_to_arrays(answer.memory))
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> TrackedObject:
        """Undo `to_arrays`."""
        item = cls(int(arrays["start"]), _memory_from_arrays(arrays))
        for frame, key in arrays["corrections"].tolist():
            item.corrections.setdefault(frame, []).append(key)
        for frame in arrays["answers"]:
            part = nested(f"answer/{frame}", arrays)
            low_res = part.get("low_res_logits")
            item.answers[int(frame)] = MaskPrediction(
                np.asarray(part["logits"], np.float32),
                float(part["score"]),
                _memory_from_arrays(part),
                bool(part["prompted"]),
                None if low_res is None else np.asarray(low_res, np.float32),
            )
        return item


def _memory_to_arrays(memory: Memory | None) -> Arrays:
    return {} if memory is None else {"remembers": np.array(1), **prefixed("memory", memory)}


def _memory_from_arrays(arrays: Arrays) -> Memory | None:
    return nested("memory", arrays) if "remembers" in arrays else None
