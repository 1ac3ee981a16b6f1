"""What SAA+ knows of each category of MVTec-AD: prompts, sizes and numbers.

Source: Cao et al., "Segment any anomaly without training via hybrid prompt regularization",
arXiv:2305.10724, with the prompts of its public code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import SourceError


@dataclass(frozen=True, slots=True)
class DefectPrompt:
    """A text that a detector is asked for.

    Attributes:
        text: of the prompt.
        background: boxes whose phrase holds this are of the object, not of a defect.
    """

    text: str
    background: str


@dataclass(frozen=True, slots=True)
class CategorySettings:
    """What is known of a category.

    Attributes:
        object_prompt: text that finds the object.
        prompts: texts that find defects.
        share: a defect is smaller than this share of the object's box.
        best: so many masks of the highest scores are combined.
    """

    object_prompt: str
    prompts: tuple[DefectPrompt, ...]
    share: float
    best: int = 5


def _published(category: str, share: float, *own: tuple[str, str]) -> CategorySettings:
    general = [(f"{kind} on {category}", category) for kind in ("defect", "damage", "flaw")]
    return CategorySettings(
        # With the comma of the sentence that the published code reads it from.
        object_prompt=f"{category},",
        prompts=tuple(DefectPrompt(*prompt) for prompt in (*general, *own)),
        share=share,
    )


def _category(category: str, share: float, *texts: str) -> CategorySettings:
    return _published(category, share, *((text, category) for text in texts))


MVTEC_SETTINGS: Mapping[str, CategorySettings] = {
    "carpet": _category("carpet", 0.9, "black hole", "thread", "defect."),
    "grid": _category("grid", 0.9, "irregular pattern", "defect."),
    "leather": _category("leather", 0.9, "defect."),
    "tile": _category("tile", 0.9, "defect."),
    "wood": _category("wood", 0.9, "defect."),
    "bottle": _category("bottle", 0.3, "broken part. contamination. white broken."),
    "cable": _category("cable", 0.9, "crack. flawed golden wire. black hole."),
    "capsule": _category("capsule", 0.6, "white crack. hole."),
    "hazelnut": _category("hazelnut", 0.9, "white print. crack. thread."),
    # Its general prompts have a background that no phrase holds: "metal _ nut" is how it is read.
    "metal_nut": _published(
        "metal_nut", 1.0, ("blue defect. black defect. red defect. scratch.", "nut")
    ),
    "pill": _category("pill", 1.0, "red defect. yellow defect. blue defect. crack. scratch."),
    "screw": _category("screw", 0.1, "defect."),
    "toothbrush": _category("toothbrush", 0.5, "defect."),
    "transistor": _category("transistor", 1.0, "defect."),
    "zipper": _category("zipper", 0.5, "crack. broken leather."),
}
"""The 15 categories, in the order of the published code."""


def load_settings(path: Path) -> dict[str, CategorySettings]:
    """Read settings of one's own.

    Args:
        path: a JSON object: category to `object_prompt`, `prompts` (a list of text and
            background), `share_of_object_area` and `k`.

    Raises:
        SourceError: if it cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): _read(item) for name, item in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = (
            f"{path} holds no settings of categories ({error}); each needs object_prompt, prompts, "
            "share_of_object_area and k"
        )
        raise SourceError(msg) from error


def _read(item: Mapping[str, Any]) -> CategorySettings:
    return CategorySettings(
        object_prompt=str(item["object_prompt"]),
        prompts=tuple(DefectPrompt(str(text), str(back)) for text, back in item["prompts"]),
        share=float(item["share_of_object_area"]),
        best=int(item["k"]),
    )
