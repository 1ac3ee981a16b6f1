"""`Trainer`: the loop that makes a student learn, and goes on exactly where it was stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rvsam_video.errors import OutputError, RvsamError
from rvsam_video.training.batches import Batch, BatchPlan
from rvsam_video.training.journal import TrainingJournal
from rvsam_video.training.moving_average import MovingAverage
from rvsam_video.training.objectives import StudentObjective
from rvsam_video.training.processes import Processes
from rvsam_video.training.recipe import Recipe
from rvsam_video.training.run_folder import TrainingFolder, TrainingState
from rvsam_video.training.students import parameter_groups

STATE_FORMAT = 1

_BETAS, _EPS = (0.9, 0.999), 1e-8
_PATIENCE = {"float32": 1, "bfloat16": 3, "float16": 16}
"""Steps in a row whose gradient may be no number. float16 begins with a scale of losses that is too
large on purpose, and halves it sixteen times until it is 1."""


class TrainingWatch(Protocol):
    """What is told how a training goes."""

    def stepped(self, pictures: int) -> None:
        """Hear how many pictures have been learnt from, each epoch's counted again."""

    def logged(self, row: Mapping[str, float]) -> None:
        """Hear what was written to the log."""

    def scored(self, row: Mapping[str, float]) -> None:
        """Hear the scores."""

    def asked_to_stop(self) -> bool:
        """Whether to keep a checkpoint and stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPace:
    """How often things are done; none of it changes what is learnt.

    Attributes:
        log: steps between two lines of the log.
        save: steps between two checkpoints; there is one at every epoch's end, too.
        score: steps between two scorings; 0 for every epoch's end.
    """

    log: int = 20
    save: int = 500
    score: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOutcome:
    """How a training went, of this call alone.

    Attributes:
        step: steps that are done, those of earlier calls included.
        steps: of the whole training.
        seconds: of this call, scoring and saving included.
        pictures: learnt from in this call.
        waiting: share of the time of learning spent waiting for pictures.
        scores: the last ones; empty if there were none.
    """

    step: int
    steps: int
    seconds: float
    pictures: int
    waiting: float
    scores: Mapping[str, float]

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to learn."""
        return self.step >= self.steps


@dataclass(slots=True)
class _Group:
    """What happened since the last line of the log."""

    loss: float = 0.0
    norm: float = 0.0
    count: int = 0
    seconds: float = 0.0
    waited: float = 0.0


class Trainer:
    """Trains one student.

    Args:
        objective: the student and its loss.
        recipe: how it learns.
        precision: as the recipe says, with "auto" decided.
        plan: which pictures come when.
        batches: gives this process's batches from a step on.
        score: scores a student; None for no scoring.
        processes: that learn together.
        folder: for checkpoints; of the first process alone, None in the others.
        journal: for logs; likewise.
        pace: how often to log, save and score.
        watch: told how it goes.
    """

    def __init__(  # noqa: PLR0913 (one argument per part)
        self,
        *,
        objective: StudentObjective,
        recipe: Recipe,
        precision: str,
        plan: BatchPlan,
        batches: Callable[[int], Iterator[Batch]],
        score: Callable[[StudentObjective], dict[str, float]] | None,
        processes: Processes,
        folder: TrainingFolder | None,
        journal: TrainingJournal | None,
        pace: TrainingPace,
        watch: TrainingWatch,
    ) -> None:
        self._objective = objective.train()
        self._recipe, self._plan, self._pace = recipe, plan, pace
        self._batches, self._score, self._processes = batches, score, processes
        self._folder, self._journal, self._watch = folder, journal, watch
        if processes.device.type == "cuda":
            objective.student.to(memory_format=torch.channels_last)
        self._network = processes.together(objective)
        groups = parameter_groups(objective.learnt(), recipe.decay)
        self._optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=_BETAS, eps=_EPS)
        self._scaler = torch.amp.GradScaler(processes.device.type, enabled=precision == "float16")
        self._average = (
            None if recipe.average is None else MovingAverage(objective.student, recipe.average)
        )
        self._patience, self._bad = _PATIENCE[precision], 0
        self._step, self._best, self._group = 0, math.inf, _Group()
        self._scores: dict[str, float] = {}

    def run(self, state: TrainingState | None = None) -> TrainOutcome:
        """Learn until the end, or until somebody asks to stop.

        Args:
            state: a checkpoint to go on from.

        Raises:
            OutputError: if something cannot be written.
            RvsamError: if the student's gradients are no numbers any more.
        """
        self._restore(state)
        began = last = time.perf_counter()
        first, waited, learning = self._step, 0.0, 0.0
        for batch in self._batches(self._step):
            arrived = time.perf_counter()
            self._learn(batch.to(self._processes.device))
            done = time.perf_counter()
            self._group.waited += arrived - last
            self._group.seconds += done - last
            waited, learning = waited + arrived - last, learning + done - last
            if self._after_step():
                break
            last = time.perf_counter()
        self._finish()
        return TrainOutcome(
            step=self._step,
            steps=self._plan.steps,
            seconds=time.perf_counter() - began,
            pictures=(self._step - first) * self._plan.batch,
            waiting=waited / learning if learning else 0.0,
            scores=self._scores,
        )

    def _learn(self, batch: Batch) -> None:
        """Make one step."""
        rate = self._recipe.rate_at(self._step, self._plan.steps, self._plan.epoch_steps)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        loss: Tensor = self._network(batch)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimiser)
        limit = math.inf if self._recipe.clip is None else self._recipe.clip
        learnt = [item for group in self._optimiser.param_groups for item in group["params"]]
        # Its length is the same in every process, so all decide alike.
        norm = float(nn.utils.clip_grad_norm_(learnt, limit))
        if math.isfinite(norm) or self._scaler.is_enabled():
            # With a scaler also otherwise: it leaves the weights alone and lowers its scale.
            self._scaler.step(self._optimiser)
        self._scaler.update()
        self._judge(norm)
        if self._average is not None:
            self._average.update()
        self._group.loss += float(loss.detach())
        self._group.norm += norm
        self._group.count += 1
        self._step += 1

    def _judge(self, norm: float) -> None:
        self._bad = 0 if math.isfinite(norm) else self._bad + 1
        if self._bad >= self._patience:
            msg = (
                f"the gradient was no number in {self._bad} steps in a row, the last of them step "
                f"{self._step}; go on from the last checkpoint with a lower --rate or --precision "
                "float32, in another folder"
            )
            raise RvsamError(msg)

    def _after_step(self) -> bool:
        """Log, score and save where it is time; say whether to stop."""
        step, pace = self._step, self._pace
        self._watch.stepped(step * self._plan.batch)
        epoch_ends = step % self._plan.epoch_steps == 0
        logs = step % pace.log == 0
        # Among several processes they agree only here: each time is a wait for all of them.
        stop = False
        if logs or epoch_ends or self._processes.world == 1:
            stop = self._processes.any(here=self._watch.asked_to_stop())
        if logs or step == self._plan.steps:
            self._log()
        if self._score is not None and (step % pace.score == 0 if pace.score else epoch_ends):
            best = self._note_scores(self._score)
        else:
            best = False
        if best or epoch_ends or stop or step % pace.save == 0:
            self._save(best=best)
        return stop

    def _log(self) -> None:
        count = self._group.count
        loss = self._processes.summed(torch.tensor(self._group.loss, dtype=torch.float64))
        pictures = count * self._plan.batch
        row = {
            "step": self._step,
            "epoch": self._step / self._plan.epoch_steps,
            "loss": float(loss) / self._processes.world / count,
            "rate": self._optimiser.param_groups[0]["lr"],
            "gradient_norm": self._group.norm / count,
            "pictures_per_second": round(pictures / self._group.seconds, 3),
            "waiting_share": round(self._group.waited / self._group.seconds, 4),
            "memory_mib": _memory(self._processes.device),
        }
        self._group = _Group()
        if self._journal is not None:
            self._journal.log(row)
        self._watch.logged(row)

    def _note_scores(self, score: Callable[[StudentObjective], dict[str, float]]) -> bool:
        """Score the student, and the average of its weights; say whether it is the best so far."""
        scores = score(self._objective)
        if self._average is not None:
            with self._average.in_place():
                averaged = score(self._objective)
            scores |= {f"average_{name}": value for name, value in averaged.items()}
        self._scores = scores
        row = {"step": self._step, "epoch": self._step / self._plan.epoch_steps, **scores}
        if self._journal is not None:
            self._journal.score(row)
        self._watch.scored(row)
        # Lower is better in both.
        masks = self._recipe.objective == "masks"
        value = -scores["box_miou"] if masks else scores["embedding_mse"]
        better = value < self._best
        self._best = min(self._best, value)
        return better

    def _save(self, *, best: bool) -> None:
        if self._folder is None or self._journal is None:
            return
        learnt = self._objective.learnt().items()
        state: dict[str, Any] = {
            "format": STATE_FORMAT,
            "step": self._step,
            "best": self._best,
            "modules": {name: module.state_dict() for name, module in learnt},
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "average": None if self._average is None else self._average.state(),
            "bad": self._bad,
            "scores": self._scores,
            # So that a line of the log is the same whether a run was stopped before it or not.
            "group": [self._group.loss, self._group.norm, self._group.count],
            "group_times": [self._group.seconds, self._group.waited],
            "chance": _chance_state(),
            "marks": self._journal.marks(),
        }
        self._folder.save(self._step, state, best=best)

    def _restore(self, state: TrainingState | None) -> None:
        if state is None:
            return
        if state.get("format") != STATE_FORMAT:
            msg = f"the checkpoint has format {state.get('format')}, this version reads "
            raise OutputError(f"{msg}{STATE_FORMAT}; use --overwrite to begin again")
        for name, module in self._objective.learnt().items():
            module.load_state_dict(state["modules"][name])
        self._optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])
        if self._average is not None:
            self._average.restore(state["average"])
        self._step, self._best, self._bad = state["step"], state["best"], state["bad"]
        self._scores = dict(state["scores"])
        loss, norm, count = state["group"]
        self._group = _Group(loss, norm, count, *state["group_times"])
        _restore_chance(state["chance"])

    def _finish(self) -> None:
        if self._journal is not None:
            self._journal.draw()


def _memory(device: torch.device) -> float:
    """Return MiB: the most that CUDA tensors took, or else that this process took."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    try:
        import resource
    except ImportError:
        return math.nan
    # Linux counts in KiB.
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10, 1)


def _chance_state() -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _restore_chance(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["cpu"])
    # A run may go on with another number of devices; nothing it learns from depends on them.
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
