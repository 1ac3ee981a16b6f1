"""Does an exported file compute what PyTorch computes?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rvsam_video.errors import OutputError
from rvsam_video.export.parts import ExportPart
from rvsam_video.export.runtimes import NetworkRun

PARITY_TOLERANCE = 5e-4
"""Largest difference allowed, as a share of the largest value (at least 1) of a result. Measured
are up to 6e-5, the noise of float32 sums in another order; a wrong operation gives over 1e-2."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far an exported file is from PyTorch.

    Attributes:
        difference: largest absolute difference of any value of any result on any probe.
        allowed: the largest that would have passed, for the result that came closest to failing.
    """

    difference: float
    allowed: float


def check_parity(part: ExportPart, run: NetworkRun) -> Parity:
    """Compare an exported file with PyTorch on the part's probes.

    Raises:
        OutputError: if a result differs by more than `PARITY_TOLERANCE`.
    """
    worst = Parity(0.0, PARITY_TOLERANCE)
    for probe in part.probes():
        named = {name: value.numpy() for name, value in zip(part.inputs, probe, strict=True)}
        with torch.inference_mode():
            expected = part.network(*probe)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for name, found, wanted in zip(part.outputs, run(named), expected, strict=True):
            here = _compare(name, found, wanted.numpy())
            # By what was allowed: results differ in scale, so absolute differences do not compare.
            worst = max(worst, here, key=lambda parity: parity.difference / parity.allowed)
    return worst


def _compare(name: str, found: np.ndarray, wanted: np.ndarray) -> Parity:
    if found.shape != wanted.shape:
        msg = f"the exported file gives {name} with shape {found.shape} instead of {wanted.shape}"
        raise OutputError(msg)
    difference = float(np.abs(found - wanted).max())
    allowed = PARITY_TOLERANCE * max(1.0, float(np.abs(wanted).max()))
    # Written so that a difference that is not a number fails, too.
    if not difference <= allowed:
        msg = (
            f"the exported file gives {name} up to {difference:.2g} away from PyTorch, more than "
            f"the {allowed:.2g} allowed; it was removed; try other versions of the packages"
        )
        raise OutputError(msg)
    return Parity(difference, allowed)
