"""Annotations in the form of COCO, checked so far that pycocotools can be trusted with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from ....errors import SourceError
from ....mask_rle import MAX_SIDE
from ...json_file import read_json
from ...segmentations import runs_of_segmentations

_NUMBER = (int, float)


@dataclass(frozen=True, slots=True)
class InstancePicture:
    """A picture of the set.

    Attributes:
        id: in the file.
        file_name: relative to the folder of the pictures.
        size: (width, height) in pixels.
    """

    id: int
    file_name: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class InstanceTruth:
    """Annotations of instances.

    Attributes:
        path: the file.
        document: what it holds, as pycocotools takes it.
        pictures: by id, in the order of the file.
        categories: names by id, in the order of the file.
    """

    path: Path
    document: Mapping[str, Any]
    pictures: Mapping[int, InstancePicture]
    categories: Mapping[int, str]

    @property
    def has_id_zero(self) -> bool:
        """Whether an annotation has the id 0, which pycocotools takes for "no partner"."""
        return any(item["id"] == 0 for item in self.document["annotations"])

    def renumbered(self) -> InstanceTruth:
        """Return the same annotations with ids from 1 on."""
        annotations = [
            {**item, "id": number} for number, item in enumerate(self.document["annotations"], 1)
        ]
        return replace(self, document={**self.document, "annotations": annotations})


def load_instances(path: Path) -> InstanceTruth:
    """Read annotations.

    Args:
        path: a JSON object with `images`, `categories` and `annotations`, as COCO has them.

    Raises:
        SourceError: if the file is missing, no JSON, or holds something else; it names the place.
    """
    return _Checks(path).truth(read_json(path))


class _Checks:
    """Looks through a document; knows the file's name for its errors."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def truth(self, document: object) -> InstanceTruth:
        if not isinstance(document, dict):
            self._refuse("the document must be a JSON object, with images and annotations")
        lists = {key: document.get(key) for key in ("images", "categories", "annotations")}
        for key, items in lists.items():
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                self._refuse(f"{key!r} must be a list of objects, as in COCO's annotations")
        pictures = {self._id(item, "image"): self._picture(item) for item in lists["images"] or ()}
        names = {
            self._id(item, "category"): str(item.get("name", item["id"]))
            for item in lists["categories"] or ()
        }
        by_picture: dict[int, list[dict[str, Any]]] = {}
        for item in lists["annotations"] or ():
            self._annotation(item, pictures, names)
            by_picture.setdefault(item["image_id"], []).append(item)
        for picture, items in by_picture.items():
            self._masks(pictures[picture], items)
        return InstanceTruth(self._path, document, pictures, names)

    def _id(self, item: dict[str, Any], kind: str) -> int:
        key = item.get("id")
        if not isinstance(key, int) or isinstance(key, bool):
            self._refuse(f"an {kind} has the id {key!r}; it must be a whole number")
        return key

    def _picture(self, item: dict[str, Any]) -> InstancePicture:
        size = item.get("width"), item.get("height")
        if not all(isinstance(side, int) and 1 <= side <= MAX_SIDE for side in size):
            self._refuse(
                f"image {item['id']} has width and height {size[0]!r} and {size[1]!r}; both must "
                f"be 1 to {MAX_SIDE}"
            )
        return InstancePicture(item["id"], str(item.get("file_name", "")), size)  # type: ignore[arg-type]

    def _annotation(
        self, item: dict[str, Any], pictures: Mapping[int, object], names: Mapping[int, str]
    ) -> None:
        key = self._id(item, "annotation")
        if item.get("image_id") not in pictures or item.get("category_id") not in names:
            self._refuse(
                f"annotation {key} is of image {item.get('image_id')!r} and category "
                f"{item.get('category_id')!r}, which are not both in the file"
            )
        area = item.get("area")
        if not isinstance(area, _NUMBER) or not math.isfinite(area):
            self._refuse(f"annotation {key} has the area {area!r}; it must be a number of pixels")
        if item.get("iscrowd", 0) not in (0, 1):
            self._refuse(f"annotation {key} has iscrowd {item['iscrowd']!r}; it must be 0 or 1")
        item.setdefault("iscrowd", 0)

    def _masks(self, picture: InstancePicture, items: Sequence[dict[str, Any]]) -> None:
        width, height = picture.size
        masks = [item.get("segmentation") or None for item in items]
        reason = mask_trouble(masks, height, width)
        if reason is not None:
            at, why = reason
            self._refuse(f"the mask of annotation {items[at]['id']} cannot be used: {why}")

    def _refuse(self, reason: str) -> NoReturn:
        msg = f"{self._path}: {reason}"
        raise SourceError(msg)


def mask_trouble(
    masks: Sequence[object], height: int, width: int, *, only_compressed: bool = False
) -> tuple[int, str] | None:
    """Return the first mask that pycocotools must not be given, and why; None if all are sound.

    Args:
        masks: run-length codes or polygons, of one picture.
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        only_compressed: allow only compressed run-length codes, as results must be.
    """
    if None in masks:
        return masks.index(None), "there is none"
    try:
        runs_of_segmentations(masks, height, width, only_compressed=only_compressed)
    except ValueError:
        for at, mask in enumerate(masks):
            try:
                runs_of_segmentations([mask], height, width, only_compressed=only_compressed)
            except ValueError as error:
                # It speaks of frames of a track; here there is one mask.
                return at, str(error).replace(" of frame 0", "")
    return None
