"""What the commands of instances have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from rvsam_video.cli.options import FILE, with_options

if TYPE_CHECKING:
    from rvsam_video.evals.images.instances.report import ScoredSet
    from rvsam_video.evals.images.instances.scoring import Protocol, ScoreKind
    from rvsam_video.evals.images.instances.truth import InstanceTruth

_Function = TypeVar("_Function", bound=Callable[..., object])

_OPTIONS = (
    click.option(
        "--annotations",
        type=FILE,
        required=True,
        help="The truth, as COCO's instances_val2017.json.",
    ),
    click.option(
        "--protocol",
        type=click.Choice(["mmdet", "coco"]),
        default="mmdet",
        show_default=True,
        help="Masks of a picture that count: as MMDetection calls pycocotools (100 for AP, 1000 "
        "for the others), or as COCO does (100).",
    ),
)

renumber_option = click.option(
    "--renumber", is_flag=True, help="Number the annotations from 1; an id of 0 cannot be found."
)


def instance_options(function: _Function) -> _Function:
    """Add the options that `eval instances` and `score instances` share."""
    return renumber_option(with_options(function, _OPTIONS))


def score_option(default: str) -> Callable[[_Function], _Function]:
    """Return the option that says by which score masks are ranked."""
    return click.option(
        "--score",
        "score_kind",
        type=click.Choice(
            ["given", "calibrated", "detector"]
            if default == "given"
            else ["calibrated", "detector"]
        ),
        default=default,
        show_default=True,
        help="What ranks masks: the detector's score, alone or times the predicted IoU.",
    )


def chosen_ids(truth: InstanceTruth, names: Sequence[str]) -> list[int]:
    """Return the ids that were chosen as text."""
    known = {str(key): key for key in truth.pictures}
    return [known[name] for name in names]


@dataclass(frozen=True, slots=True)
class Scoring:
    """How masks are scored."""

    protocol: Protocol = "coco"
    kind: ScoreKind = "given"
    renumber: bool = False

    def scored(
        self, truth: InstanceTruth, results: Path, images: Path | None, ids: Sequence[int]
    ) -> ScoredSet:
        """Score a file of masks.

        Args:
            truth: annotations.
            results: the file.
            images: folder of the pictures.
            ids: of the pictures that count.

        Raises:
            SourceError: if the results do not fit the truth.
        """
        from rvsam_video.evals.images.instances.report import ScoredSet
        from rvsam_video.evals.images.instances.scoring import load_masks, score_instances

        known = truth.renumbered() if self.renumber else truth
        wanted = set(ids)
        masks = [
            item for item in load_masks(results, known, self.kind) if item["image_id"] in wanted
        ]
        scores = score_instances(known, masks, protocol=self.protocol, pictures=ids)
        return ScoredSet(known, masks, scores, images)
