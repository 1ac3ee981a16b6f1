"""Boxes that a text-prompted detector proposes, from a file, and which of them may be defects.

This program has no such detector; `demos/examples/grounding_dino_proposals.py` shows how to write
the files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ....errors import SourceError
from .settings import CategorySettings

_LEAST_SCORE = np.float32(0.1)
"""Boxes must be surer than this."""

_HIGHEST = 1.01
"""Coordinates and scores may exceed 1 by rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class TextBoxes:
    """What a detector answered to a text.

    Attributes:
        text: that it was asked for.
        boxes: (N, 4) float32, middle x and y, width and height, as shares of the picture.
        scores: (N,) float32, the largest probability of a token.
        phrases: (N,) the tokens that a box stands for; empty for the object's text.
    """

    text: str
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """What a detector answered on one picture.

    Attributes:
        thing: to the text of the object.
        defects: to the texts of defects.
    """

    thing: TextBoxes
    defects: tuple[TextBoxes, ...]


def load_proposals(path: Path, category: str, keys: Sequence[str]) -> dict[str, Proposals]:
    """Read the boxes of a category.

    Args:
        path: a JSON object with `category` and `images`: by `test/KIND/NAME.png`, `object` with
            `text`, `boxes` and `scores`, and `defects`, a list of the same with `phrases`.
        category: whose boxes they must be.
        keys: of the pictures that are needed.

    Returns:
        the boxes by key.

    Raises:
        SourceError: if the file is missing or damaged, or lacks a picture.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = (
            f"{path} cannot be read: {error.strerror}; "
            "demos/examples/grounding_dino_proposals.py shows how to write it"
        )
        raise SourceError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path} is not JSON: {error}"
        raise SourceError(msg) from error
    return _Reader(path).proposals(document, category, keys)


class _Reader:
    """Turns a document into proposals; knows the file's name for its errors."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def proposals(
        self, document: object, category: str, keys: Sequence[str]
    ) -> dict[str, Proposals]:
        if not isinstance(document, dict) or not isinstance(document.get("images"), dict):
            self._refuse("it must be a JSON object with category and images")
        if document.get("category") != category:
            self._refuse(f"it is of category {document.get('category')!r}, not {category!r}")
        images = document["images"]
        missing = [key for key in keys if key not in images]
        if missing:
            self._refuse(f"it has no boxes for {len(missing)} pictures, the first {missing[0]}")
        return {key: self._picture(images[key], key) for key in keys}

    def _picture(self, item: object, key: str) -> Proposals:
        if not isinstance(item, dict) or not isinstance(item.get("defects"), list):
            self._refuse(f"{key} must be an object with object and defects")
        thing = self._boxes(item.get("object"), f"the object of {key}", phrases=False)
        defects = [
            self._boxes(it, f"defects[{at}] of {key}", phrases=True)
            for at, it in enumerate(item["defects"])
        ]
        return Proposals(thing, tuple(defects))

    def _boxes(self, item: object, place: str, *, phrases: bool) -> TextBoxes:
        if not isinstance(item, dict) or not isinstance(item.get("text"), str):
            self._refuse(f"{place} must be an object with text, boxes and scores")
        scores = self._numbers(item.get("scores"), place, "scores")
        boxes = self._numbers(item.get("boxes"), place, "boxes").reshape(-1, 4)
        words = item.get("phrases") if phrases else [""] * len(scores)
        if not isinstance(words, list) or not len(boxes) == len(scores) == len(words):
            self._refuse(
                f"{place} has {len(boxes)} boxes and {len(scores)} scores, or not as many phrases"
            )
        return TextBoxes(item["text"], boxes, scores, tuple(map(str, words)))

    def _numbers(self, values: Any, place: str, name: str) -> NDArray[np.float32]:  # noqa: ANN401
        try:
            found = np.array(values, np.float32)
        except (TypeError, ValueError):
            self._refuse(f"{place} has {name} that are no numbers")
        fits = found.ndim == 2 and found.shape[1:] == (4,) if name == "boxes" else found.ndim == 1
        if found.size and not fits:
            self._refuse(f"{place} has {name} of shape {found.shape}")
        if not ((found >= 0) & (found <= _HIGHEST)).all():
            self._refuse(f"{place} has {name} outside of 0 to 1; they are shares of the picture")
        return found

    def _refuse(self, reason: str) -> NoReturn:
        msg = f"{self._path}: {reason}"
        raise SourceError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class DefectBoxes:
    """Boxes that may be defects.

    Attributes:
        boxes: (N, 4) float32 as in `TextBoxes`.
        scores: (N,) float32.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]

    def corners(self, width: int, height: int) -> NDArray[np.float32]:
        """Return (N, 4) x0, y0, x1, y1 in pixels of a picture."""
        scaled = self.boxes * np.array([width, height, width, height], np.float32)
        half = scaled[:, 2:] / 2
        return np.concatenate([scaled[:, :2] - half, scaled[:, :2] + half], axis=1)


def defect_boxes(proposals: Proposals, settings: CategorySettings, place: str) -> DefectBoxes:
    """Return the boxes of all texts that are sure enough, small enough, and not of the object.

    All comparisons are strict and in single precision, as in the published code.

    Args:
        proposals: of a picture.
        settings: of its category; its prompts say which texts, in which order.
        place: the picture, for messages.

    Raises:
        SourceError: if the detector was not asked for one of the texts.
    """
    largest = settings.share * object_area(proposals.thing)
    answers = {item.text: item for item in proposals.defects}
    kept = [DefectBoxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))]
    for prompt in settings.prompts:
        text = caption(prompt.text)
        if text not in answers:
            msg = (
                f"{place} has no boxes for the text {text!r}; ask the detector for all prompts, or "
                "give the settings that were used with --settings"
            )
            raise SourceError(msg)
        kept.append(suppressed_boxes(answers[text], prompt.background, largest))
    return DefectBoxes(
        np.concatenate([item.boxes for item in kept]),
        np.concatenate([item.scores for item in kept]),
    )


def caption(prompt: str) -> str:
    """Return a prompt as the detector is asked: in lower case, with a full stop at its end."""
    text = prompt.lower().strip()
    return text if text.endswith(".") else f"{text}."


def object_area(thing: TextBoxes) -> float:
    """Return the area of the largest box of the object, as a share of the picture; 1 if none."""
    areas = thing.boxes[:, 2] * thing.boxes[:, 3]
    sure = (thing.scores > _LEAST_SCORE) & (areas > 0) & (areas < 1)
    return float(areas[sure].max()) if sure.any() else 1.0


def suppressed_boxes(item: TextBoxes, background: str, largest: float) -> DefectBoxes:
    """Return the boxes of one text that may be defects.

    Args:
        item: what was answered to the text.
        background: boxes whose phrase holds it are left out.
        largest: area that they must be below, as a share of the picture.
    """
    areas = item.boxes[:, 2] * item.boxes[:, 3]
    kept = (item.scores > _LEAST_SCORE) & (areas > 0) & (areas < np.float32(largest))
    kept &= np.array([background not in phrase for phrase in item.phrases], np.bool_)
    return DefectBoxes(item.boxes[kept], item.scores[kept])
