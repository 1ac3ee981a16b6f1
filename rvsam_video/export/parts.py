"""What can be exported: a part of a network, with named inputs and probes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, eq=False)
class ExportPart:
    """A network to export.

    Attributes:
        name: "encoder", "decoder", ...
        network: in evaluation mode, on the CPU, without gradients.
        inputs: names of its arguments, in order.
        outputs: names of its results, in order.
        dynamic: input name to the axis that may have any length; all these axes are equally long.
        probes: makes the argument lists that an exported file is compared on; the first one is
            the one to trace with.
    """

    name: str
    network: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dynamic: dict[str, int]
    probes: Callable[[], list[tuple[Tensor, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What a part is built from.

    Attributes:
        part: its name.
        weights: a file of weights in the official format.
        settings: of the tracker or segmenter; None for one that has none.
        count: the length of all axes that may have any, which is then fixed; None leaves them.
    """

    part: str
    weights: Path
    settings: Any = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Exports:
    """What can be exported of a tracker or segmenter.

    Attributes:
        parts: their names; all together do what the network does.
        build: builds one of them.
    """

    parts: tuple[str, ...]
    build: Callable[[ExportRequest], ExportPart]
