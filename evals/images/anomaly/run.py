"""Draw a map of anomalies of every picture of MVTec-AD, from proposed boxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from ....errors import UsageError
from ....json_values import Json
from ....methods import Part
from ....weights.fetch import describe_weights
from ....writing import replacing, writing
from ...workers import Watch
from ..instances.run import segment_boxes
from ..pictures import read_picture
from ..running import (
    Pace,
    Work,
    evaluation_folder,
    go_through,
    identity_of,
    segmenter_in_this_process,
)
from .combining import combined, rescored
from .layout import AnomalyPicture, AnomalySet
from .proposals import DefectBoxes, defect_boxes, load_proposals
from .settings import CategorySettings
from .unlikeness import SaliencyName, unlikeness_in_this_process

MAPS_FOLDER = "maps"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyOptions:
    """How maps are drawn; the defaults are the published way.

    Attributes:
        channels: "bgr" gives the networks the channels in the order in which the published code
            reads them, "rgb" in that which they were trained with.
        saliency: what measures how unlike the rest of the picture a place is.
        saliency_checkpoint: a file of weights for that, instead of the published ones.
    """

    channels: Literal["bgr", "rgb"] = "bgr"
    saliency: SaliencyName = "wide-resnet50-racm"
    saliency_checkpoint: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            UsageError: if weights are given for no network.
        """
        if self.saliency == "none" and self.saliency_checkpoint is not None:
            msg = "weights of a saliency were given, but none is to be used; leave one of them out"
            raise UsageError(msg)

    @property
    def is_published(self) -> bool:
        """Whether the maps are those of the published way."""
        return self == AnomalyOptions(saliency_checkpoint=self.saliency_checkpoint)

    def identity(self) -> dict[str, Json]:
        """Return all that decides the maps.

        Raises:
            WeightsError: if a file of weights is not there.
        """
        weights = None
        if self.saliency != "none":
            weights = describe_weights(self.saliency, self.saliency_checkpoint).get("sha256")
        return {"channels": self.channels, "saliency": self.saliency, "saliency_weights": weights}


@dataclass(frozen=True, slots=True, eq=False)
class ProposedPicture:
    """One picture with the boxes that may be defects, and how many masks are combined."""

    picture: AnomalyPicture
    boxes: DefectBoxes
    best: int


@dataclass(frozen=True, slots=True, eq=False)
class ProposedSet:
    """The pictures of a set with their boxes.

    Attributes:
        chosen: the set.
        folder: that the boxes are from.
        settings: by category, also of those that were not chosen.
        pictures: with boxes.
    """

    chosen: AnomalySet
    folder: Path
    settings: Mapping[str, CategorySettings]
    pictures: tuple[ProposedPicture, ...]


def propose(
    chosen: AnomalySet, folder: Path, settings: Mapping[str, CategorySettings]
) -> ProposedSet:
    """Read the proposals of all pictures, and keep the boxes that may be defects.

    Args:
        chosen: from `find_mvtec`.
        folder: holds `CATEGORY.json`.
        settings: by category.

    Raises:
        UsageError: if there are no settings of a category.
        SourceError: if a file is missing or damaged, or lacks a picture or a text.
    """
    found = []
    for category in chosen.categories:
        if category not in settings:
            msg = (
                f"there are no settings of category {category!r}; there are: {', '.join(settings)}"
            )
            raise UsageError(msg)
        pictures = [item for item in chosen.pictures if item.category == category]
        path = folder / f"{category}.json"
        proposals = load_proposals(path, category, [item.key for item in pictures])
        for item in pictures:
            own = settings[category]
            boxes = defect_boxes(proposals[item.key], own, f"{path}: {item.key}")
            found.append(ProposedPicture(item, boxes, own.best))
    return ProposedSet(chosen, folder, settings, tuple(found))


def run_anomaly(
    proposed: ProposedSet,
    out: Path,
    part: Part,
    options: AnomalyOptions,
    *,
    workers: int = 1,
    overwrite: bool = False,
    watch: Watch[float | None] | None = None,
) -> Pace:
    """Draw the map of every picture to `OUT/maps/CATEGORY/KIND/NAME.npz`.

    A file holds `map` (400, 400) float32, `boxes` (N, 4) in pixels, as `proposed`, with `scores`
    and `rescored`. A picture whose map is there, from the same boxes, is not done again.

    Args:
        proposed: from `propose`.
        out: folder of the evaluation; made if it is missing.
        part: the segmenter, from `Method.resolve_segmenter`; any that takes boxes.
        options: how maps are drawn.
        workers: processes, each with the networks; pictures are shared out among them.
        overwrite: begin anew where another evaluation has been.
        watch: is told how far it is: ticks are pictures.

    Raises:
        UsageError: if there is no such device or backend.
        WeightsError: if weights cannot be had.
        SourceError: if a picture is damaged.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    # Here too, so that what is wrong with a network shows before the folder is made.
    segmenter_in_this_process(part, workers)
    if options.saliency != "none":
        unlikeness_in_this_process(options.saliency, options.saliency_checkpoint, part.place)
    command: dict[str, Json] = {
        "evaluation": "anomalies",
        "data": str(proposed.chosen.root.resolve()),
        "proposals": str(proposed.folder.resolve()),
        "categories": {name: asdict(item) for name, item in proposed.settings.items()},
        **options.identity(),
        **identity_of(part),
    }
    results = [f"{MAPS_FOLDER}/*/*/*.npz"]
    with evaluation_folder(out, command, results=results, overwrite=overwrite) as folder:
        for item in proposed.pictures:
            with writing(out):
                _target(item, out).parent.mkdir(parents=True, exist_ok=True)
        work = Work(
            partial(_is_there, out=out),
            partial(_draw, out=out, part=part, options=options, workers=workers),
        )
        return go_through(proposed.pictures, work, folder, workers=workers, watch=watch)


def _target(item: ProposedPicture, out: Path) -> Path:
    picture = item.picture
    return out / MAPS_FOLDER / picture.category / picture.kind / f"{picture.name}.npz"


def _is_there(item: ProposedPicture, out: Path) -> bool:
    target = _target(item, out)
    if not target.is_file():
        return False
    # Boxes of other files of the same names must not be taken for these.
    with np.load(target, allow_pickle=False) as file:
        same = np.array_equal(file["proposed"], item.boxes.boxes)
        return same and np.array_equal(file["scores"], item.boxes.scores)


def _draw(
    item: ProposedPicture, out: Path, part: Part, options: AnomalyOptions, workers: int
) -> None:
    image = read_picture(item.picture.picture)
    if options.channels == "bgr":
        image = np.ascontiguousarray(image[..., ::-1])
    boxes = item.boxes.corners(image.shape[1], image.shape[0])
    answers = segment_boxes(lambda: segmenter_in_this_process(part, workers), image, boxes)
    masks = [mask for mask, _ in answers]
    scores = item.boxes.scores.astype(np.float64)
    if options.saliency != "none" and masks:
        measure = unlikeness_in_this_process(
            options.saliency, options.saliency_checkpoint, part.place
        )
        scores = rescored(masks, scores, measure(image))
    found = combined(masks, scores, item.best)
    with replacing(_target(item, out)) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            map=found,
            boxes=boxes,
            proposed=item.boxes.boxes,
            scores=item.boxes.scores,
            rescored=scores,
        )
