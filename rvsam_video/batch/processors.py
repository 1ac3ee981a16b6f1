"""Sharing the processors and GPUs of a machine among workers."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def share_processors(workers: int) -> None:
    """Let the libraries use only this process's share of the processors.

    Args:
        workers: processes that work at the same time.
    """
    import cv2

    # Each process would take all processors otherwise, and they would wait for each other.
    threads = max(1, (os.cpu_count() or 1) // workers)
    cv2.setNumThreads(threads)
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(threads)


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES has them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [item for item in named.split(",") if item.strip()]
    # Not asked of CUDA: that would take memory on each of them.
    found = sorted(Path("/dev").glob("nvidia[0-9]*"), key=lambda path: (len(path.name), path.name))
    return [str(number) for number in range(len(found))]


def environment_of(worker: int, workers: int) -> dict[str, str]:
    """Return what the environment of a worker is to hold besides: its GPU, and its threads.

    Args:
        worker: its number; workers take turns if there are more of them than GPUs.
        workers: how many there are on this machine.
    """
    gpus = visible_gpus()
    values = {"CUDA_VISIBLE_DEVICES": gpus[worker % len(gpus)]} if gpus else {}
    # Libraries that are imported later look here; what somebody has set himself stays.
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // workers))
    # One for products of matrices, however many workers: sums in another order differ in their last
    # bits, and a clip must give the same whoever tracks it.
    products = os.environ.get("OPENBLAS_NUM_THREADS") or "1"
    return values | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": products}
