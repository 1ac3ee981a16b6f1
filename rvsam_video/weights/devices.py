"""Which processor networks run on."""

from __future__ import annotations

import torch

from rvsam_video.errors import UsageError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of this name; "auto" takes CUDA, else Apple's GPU, else the CPU.

    Raises:
        UsageError: if PyTorch knows no such device, or this machine has none.
    """
    if name == "auto":
        return torch.device(_best())
    try:
        device = torch.device(name)
        # Tried out: PyTorch accepts names of devices that this machine does not have.
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"the device {name!r} cannot be used here ({reason}); choose auto, cuda, mps or cpu"
        raise UsageError(msg) from error
    return device


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
