"""`Recipe`: all that decides how a student is trained, and the published recipes by name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from rvsam_video.errors import UsageError, unknown_name
from rvsam_video.training.losses import LOSSES

Objective = Literal["embeddings", "masks"]
RateSchedule = Literal["cosine", "cosine-from-start", "exponential"]
TrainingPrecision = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a student is trained.

    Attributes:
        objective: what the student is to match: the teacher's embeddings, or the masks that the
            teacher's decoder makes of them.
        loss: of embeddings, one of `rvsam_video.training.losses.LOSSES`.
        epochs: times that every picture is seen.
        batch: pictures a step, of all processes together.
        rate: learning rate at a batch of `rate_batch`; it grows in proportion to the batch.
        rate_batch: see `rate`.
        schedule: how the rate falls after the warm-up: along a cosine that begins there; along
            one that began at step 0 (EdgeSAM); or by `epoch_factor` after every epoch.
        warm_up: share of all steps in which the rate rises in a straight line.
        first_rate: where that line begins, as a share of the rate.
        last_rate: where a cosine ends, as a share of the rate.
        epoch_factor: of the exponential schedule.
        decay: AdamW's weight decay; none on biases, norms and other vectors.
        clip: longest gradient that is applied as it is; None for no limit.
        average: decay of an exponential moving average of the weights, kept and scored beside
            them; None for none.
        precision: in which networks compute; "auto" is bfloat16 on CUDA, else float32. Losses and
            the decoder are always in float32.
        seed: of the order of the pictures and of all other chance.
        prompts: of the objective "masks": objects of each picture that are asked for.
        rounds: of "masks": how often each is asked, each time with a point where it was wrong.
        train_decoder: of "masks": whether the mask decoder learns, too.
    """

    objective: Objective = "embeddings"
    loss: str = "valid-mse"
    epochs: int = 8
    batch: int = 16
    rate: float = 1e-3
    rate_batch: int = 16
    schedule: RateSchedule = "cosine"
    warm_up: float = 0.01
    first_rate: float = 0.0
    last_rate: float = 0.01
    epoch_factor: float = 0.5
    decay: float = 5e-4
    clip: float | None = 5.0
    average: float | None = None
    precision: TrainingPrecision = "auto"
    seed: int = 0
    prompts: int = 16
    rounds: int = 2
    train_decoder: bool = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: naming the one that makes no sense.
        """
        if self.loss not in LOSSES:
            raise unknown_name("loss", self.loss, LOSSES)
        for name in ("epochs", "batch", "rate_batch", "prompts", "rounds"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; give 1 or more")
        if not self.rate > 0:
            raise UsageError(f"rate is {self.rate}; give a positive number, such as 1e-3")
        if not 0 <= self.warm_up < 1:
            raise UsageError(f"warm_up is {self.warm_up}; give a share of all steps, below 1")
        if self.average is not None and not 0 < self.average < 1:
            raise UsageError(f"average is {self.average}; give a number between 0 and 1")

    def rate_at(self, step: int, steps: int, epoch_steps: int) -> float:
        """Return the learning rate of a step.

        A function of the step alone, so that a run that goes on needs no state of a schedule.

        Args:
            step: from 0.
            steps: of the whole run.
            epoch_steps: of one epoch.
        """
        top = self.rate * self.batch / self.rate_batch
        rising = int(self.warm_up * steps)
        if step < rising:
            return top * (self.first_rate + (1 - self.first_rate) * step / rising)
        if self.schedule == "exponential":
            return top * self.epoch_factor ** (step // epoch_steps)
        start = rising if self.schedule == "cosine" else 0
        share = (step - start) / max(1, steps - start)
        return top * (self.last_rate + (1 - self.last_rate) * (1 + math.cos(math.pi * share)) / 2)


RECIPES: MappingProxyType[str, Recipe] = MappingProxyType(
    {
        # The loss of EdgeSAM, the optimiser that MobileSAM-pytorch publishes at a stable batch, and
        # a schedule without cliffs.
        "default": Recipe(),
        # RepViT-SAM (arXiv 2312.05760, section 2.1): plain MSE, 8 epochs, "the same setting as
        # MobileSAM". What neither paper states (optimiser, rate, batch) is that of "default".
        "paper": Recipe(loss="mse"),
        # liuguoyou/MobileSAM-pytorch, its README's command and its code: AdamW 1e-3 at a batch of
        # 8 with decay 5e-4, halved after every epoch, no warm-up, no clipping.
        "mobile-sam": Recipe(
            loss="root", batch=8, rate_batch=8, schedule="exponential", warm_up=0.0, clip=None
        ),
        # chongzhou96/EdgeSAM, first phase: 0.1 at 512, half of all epochs warm-up, and timm's
        # cosine, which counts from step 0; timm's lowest rates 5e-7 and 5e-6 as shares of 0.1.
        "edge-sam": Recipe(
            epochs=10, batch=64, rate=0.1, rate_batch=512, schedule="cosine-from-start",
            warm_up=0.5, first_rate=5e-6, last_rate=5e-5, decay=0.01,
        ),
        # EdgeSAM, second phase: box or point prompts, binary cross-entropy and Dice on the
        # teacher's masks, two rounds, 3.2e-3 at 512, 16 prompts, gradients clipped at 0.01. The
        # number of epochs and the decay are choices made here.
        "masks": Recipe(
            objective="masks", epochs=5, batch=16, rate=3.2e-3, rate_batch=512, decay=0.01,
            clip=0.01,
        ),
    }
)  # fmt: skip
"""Recipes by name, each constant with where it is from."""


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name.

    Raises:
        UsageError: if there is none.
    """
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]
