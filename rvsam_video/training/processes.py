"""`Processes`: one process, or several that `torchrun` started, which learn together."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from rvsam_video.training.students import has_batch_norms, synchronised
from rvsam_video.weights.devices import choose_device

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those that learn together.

    Attributes:
        device: where this one computes.
        rank: its number, from 0; the first one writes.
        world: how many there are.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def summed(self, values: Tensor) -> Tensor:
        """Return the sum over all processes."""
        if self.world == 1:
            return values
        # NCCL knows no tensors of the main memory, and Apple's GPU no float64: back as it came.
        total = values.to(self.device)
        distributed.all_reduce(total)
        return total.to(values.device)

    def any(self, *, here: bool) -> bool:
        """Whether something is so in at least one process."""
        return bool(self.summed(torch.tensor(float(here))) > 0)

    def wait(self) -> None:
        """Go on when all have come here."""
        self.any(here=False)

    def together(self, network: nn.Module) -> nn.Module:
        """Let a network learn from the batches of all processes.

        On CUDA BatchNorms use the statistics of all; elsewhere PyTorch has no such norm, so each
        process uses its own, and those of the first are kept.
        """
        network = network.to(self.device)
        if self.world == 1:
            return network
        on_cuda = self.device.type == "cuda"
        if has_batch_norms(network):
            if on_cuda:
                network = synchronised(network)
            elif self.first:
                _LOGGER.warning(
                    "BatchNorm statistics are of each process's own part of the batch: there are "
                    "common ones on CUDA only, so results differ from those of one process"
                )
        devices = [self.device.index or 0] if on_cuda else None
        # Buffers are left alone: statistics are equal already, or meant to be each one's own.
        return DistributedDataParallel(network, device_ids=devices, broadcast_buffers=False)


@contextmanager
def joined_processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that `torchrun` started with this one; without it there is one.

    Args:
        device: "auto", or a PyTorch device; of several CUDA devices each process takes its own.

    Raises:
        UsageError: if there is no such device.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Processes(choose_device(device))
        return
    chosen = choose_device(device)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Processes(chosen, distributed.get_rank(), world)
    finally:
        distributed.destroy_process_group()
