"""The worker loop: passes over a list of units, and does what nobody has, until none is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from rvsam_video.batch.claims import Claim
from rvsam_video.errors import OutputError, RvsamError

CLAIMS_FOLDER = ".batch"
"""Below the folder of the results: who works on what, and how often it was tried."""

DEFAULT_RETRIES = 3


class Unit(Protocol):
    """A piece of work whose results on disk say how far it is; it is sent between processes."""

    @property
    def name(self) -> str:
        """Its name, different from all others and fit for a file."""

    def complete(self) -> bool:
        """Whether nothing is left to do."""

    def progress(self) -> str:
        """Return a text that changes when it gets further."""

    def work(self, tick: Callable[[int], None], should_stop: Callable[[], bool]) -> bool:
        """Do it, or go on with it; return whether it is complete.

        Args:
            tick: to be called now and then, with the frames that are done.
            should_stop: to be asked as often; once it says yes, what there is is saved.

        Raises:
            RvsamError: if it cannot be done, and trying again makes no sense.
        """


UnitState = Literal["begun", "tick", "complete", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class UnitEvent:
    """What a worker tells.

    Attributes:
        worker: its number.
        state: of the unit.
        name: of the unit.
        frames: done so far, with "tick".
        error: why it failed, with "failed".
    """

    worker: int
    state: UnitState
    name: str
    frames: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """What all workers of one command have in common.

    Attributes:
        place: folder of the results.
        retries: how often a unit is tried again that ended its worker without getting further.
        since: when the command was started, in seconds.
        workers: how many there are on this machine.
    """

    place: Path
    retries: int = DEFAULT_RETRIES
    since: float = 0.0
    workers: int = 1


def work_until_done(
    units: Sequence[Unit],
    order: WorkOrder,
    worker: int,
    tell: Callable[[UnitEvent], None],
    should_stop: Callable[[], bool],
    begin: float = 0.0,
) -> None:
    """Do what nobody else does, until a pass over the list finds nothing.

    Args:
        units: all there are; every worker has the same list.
        order: what all workers have in common.
        worker: number of this one.
        tell: is told what happens.
        should_stop: asked now and then.
        begin: where in the list to begin, 0 to 1: apart from other workers, so that they seldom
            want the same.
    """
    first = int(begin * len(units)) % max(1, len(units))
    mine = [*units[first:], *units[:first]]
    found = True
    while found and not should_stop():
        found = False
        for unit in mine:
            if should_stop():
                return
            found = _try(unit, order, worker, tell, should_stop) or found


def _try(
    unit: Unit,
    order: WorkOrder,
    worker: int,
    tell: Callable[[UnitEvent], None],
    should_stop: Callable[[], bool],
) -> bool:
    """Do a unit if it is to be done and nobody has it; return whether it was."""
    if unit.complete():
        return False
    claim = Claim(order.place / CLAIMS_FOLDER, unit.name)
    if not claim.take():
        return False
    try:
        # Somebody may have ended it a moment ago.
        if unit.complete() or not claim.begin(unit.progress(), order.retries, order.since):
            return False
        tell(UnitEvent(worker, "begun", unit.name))

        def tick(frames: int) -> None:
            claim.renew()
            tell(UnitEvent(worker, "tick", unit.name, frames))

        try:
            done = unit.work(tick, should_stop)
        except RvsamError as error:
            # A disk may have space again; a clip that cannot be read stays so.
            claim.end(str(error), final=not isinstance(error, OutputError))
            tell(UnitEvent(worker, "failed", unit.name, error=str(error)))
        except Exception as error:
            # Perhaps memory was short, so it is tried again; it must not end the other clips.
            text = f"{type(error).__name__}: {error}"
            claim.end(text)
            tell(UnitEvent(worker, "failed", unit.name, error=text))
        else:
            claim.end()
            tell(UnitEvent(worker, "complete" if done else "interrupted", unit.name))
        return True
    finally:
        claim.release()
