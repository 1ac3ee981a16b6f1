"""`ObjectMemory`: all that is remembered of one object from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.base import Memory
from rvsam_video.segmenters.colour_models import ColourModel
from rvsam_video.segmenters.crop import Crop, Map
from rvsam_video.segmenters.dense_motion import Grey
from rvsam_video.segmenters.local_colours import LocalColours


@dataclass(frozen=True, slots=True, eq=False)
class ObjectMemory:
    """What one frame leaves for the next.

    Attributes:
        grey: (h, w) uint8, the frame's reduced brightness, to measure motion from.
        crop: the crop that the object was cut in.
        signed: (height, width) float32 over the crop, pixels of the picture to the object's
            boundary, above 0 inside.
        anchor: colours in the frame of the user's prompt.
        recent: colours lately.
        local: colours by place in this frame.
        area: pixels of the object when it was last seen.
    """

    grey: Grey
    crop: Crop
    signed: Map
    anchor: ColourModel
    recent: ColourModel
    local: LocalColours
    area: float

    def arrays(self) -> Memory:
        """Return the memory as plain arrays."""
        return {
            "grey": self.grey,
            "crop": self.crop.array(),
            "signed": self.signed,
            "anchor_on": self.anchor.on,
            "anchor_off": self.anchor.off,
            "recent_on": self.recent.on,
            "recent_off": self.recent.off,
            "local_evidence": self.local.evidence,
            "local_place": self.local.place,
            "area": np.array(self.area),
        }

    @classmethod
    def from_arrays(cls, arrays: Memory) -> ObjectMemory:
        """Rebuild a memory from what `arrays` returned."""

        def floats(name: str) -> NDArray[np.float32]:
            return np.asarray(arrays[name], np.float32)

        return cls(
            grey=np.asarray(arrays["grey"], np.uint8),
            crop=Crop(*(int(side) for side in arrays["crop"])),
            signed=floats("signed"),
            anchor=ColourModel(floats("anchor_on"), floats("anchor_off")),
            recent=ColourModel(floats("recent_on"), floats("recent_off")),
            local=LocalColours(floats("local_evidence"), floats("local_place")),
            area=float(arrays["area"]),
        )
