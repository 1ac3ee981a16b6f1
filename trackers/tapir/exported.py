"""`ExportedEngine`: online TAPIR networks run by another runtime, without PyTorch.

Three parts of the network are files, exported on first use: what it does with a picture, with new
points and with known ones. Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...export import ExportPart, KeptNetwork
from ...export.parts import ExportRequest
from ...export.runtimes import NetworkRun, check_backend, check_on_cpu
from ...frame import Image
from ...snapshot import Arrays
from ...weights.fetch import checkpoint_path, file_sha256
from .engine import MEMORY_SHAPE, Found, PointRows
from .tracker import Tapir
from .variants import (
    DESCRIBE,
    DESCRIBED_LEVELS,
    ENCODER,
    STEP,
    TAPIR_PARTS,
    TapirSettings,
    TapirVariant,
    map_names,
    sizes_of,
)

Pictures = Mapping[str, NDArray[np.float32]]
"""The maps of a picture by name."""


class ExportedEngine:
    """Runs a network that consists of files, on the CPU; see `Engine`.

    Args:
        levels: of the maps that the encoder gives of each size.
        runs: by part, what runs it.
        settings: those that the files were made with.
    """

    def __init__(
        self, levels: int, runs: Mapping[str, NetworkRun], settings: TapirSettings
    ) -> None:
        self.side = int(settings.resolution)
        self._maps = map_names(levels, settings)
        self._described = map_names(DESCRIBED_LEVELS, settings)
        self._runs = dict(runs)
        self._steps = MEMORY_SHAPE[0] * len(sizes_of(settings))

    def encode(self, picture: Image) -> Pictures:
        """Encode a (side, side, 3) uint8 RGB picture."""
        image = picture.astype(np.float32) / np.float32(255) * 2 - 1
        found = self._runs[ENCODER]({"image": np.ascontiguousarray(image.transpose(2, 0, 1)[None])})
        return dict(zip(self._maps, found, strict=True))

    def start(self, encoded: Pictures, xy: NDArray[np.float32]) -> PointRows:
        """Describe points at (N, 2) places of a picture; nothing is remembered of them yet."""
        places = np.asarray(xy, np.float32)
        maps = {name: encoded[name] for name in self._described}
        (queries,) = self._runs[DESCRIBE]({**maps, "xy": places})
        memory = np.zeros((len(xy), self._steps, *MEMORY_SHAPE[1:]), np.float32)
        return PointRows(queries, memory)

    def follow(self, encoded: Pictures, rows: PointRows) -> Found:
        """Find points in one more picture, and remember it in the rows."""
        given = {**encoded, "queries": rows.queries, "memory": rows.memory}
        xy, logits, rows.memory = self._runs[STEP](given)
        return Found(xy, logits)

    def join(self, parts: Sequence[PointRows]) -> PointRows:
        """Put rows below each other."""
        return PointRows(
            np.concatenate([rows.queries for rows in parts]),
            np.concatenate([rows.memory for rows in parts]),
        )

    def take(self, rows: PointRows, chosen: NDArray[np.bool_]) -> PointRows:
        """Return the points marked in `chosen`, (N,) bool."""
        return PointRows(rows.queries[chosen], rows.memory[chosen])

    def arrays(self, rows: PointRows) -> Arrays:
        """Return rows as plain arrays; the older of the two frames first."""
        return {"queries": rows.queries.copy(), "memory": rows.memory.copy()}

    def rows(self, arrays: Arrays) -> PointRows:
        """Undo `arrays`."""
        return PointRows(
            np.array(arrays["queries"], np.float32), np.array(arrays["memory"], np.float32)
        )


def load_exported_tapir(
    variant: TapirVariant,
    checkpoint: str | Path | None,
    device: str,
    backend: str,
    settings: TapirSettings | None = None,
) -> Tapir:
    """Build an online tracker that another runtime runs, from a file of weights.

    Args:
        variant: an entry of `TAPIR_VARIANTS` that is causal.
        checkpoint: a file in the official format; None takes the published one, which is
            downloaded on first use.
        device: "auto" or "cpu".
        backend: what runs it, one of `rvsam_video.export.BACKENDS` but "torch".
        settings: None takes those of the variant.

    Raises:
        UsageError: if there is no such backend, its package is missing, or the device is another.
        OutputError: if an exported file does not compute what PyTorch does.
        WeightsError: if the weights cannot be had, or are those of another network.
    """
    check_backend(backend)
    check_on_cpu(device, backend)
    chosen = settings or variant.settings
    path = checkpoint_path(variant.name) if checkpoint is None else Path(checkpoint)
    digest = file_sha256(path)
    runs = {
        part: KeptNetwork(
            name=_file_name(variant, chosen),
            part=part,
            weights_sha256=digest,
            make=partial(_make, variant, part, path, chosen),
        ).on(backend)
        for part in TAPIR_PARTS
    }
    engine = ExportedEngine(variant.levels, runs, chosen)
    return Tapir(variant.name, engine, chosen)


def _file_name(variant: TapirVariant, settings: TapirSettings) -> str:
    """Return the network's name with all settings that are fixed in its files."""
    mean = "m" if settings.mean_of_sizes and len(sizes_of(settings)) > 1 else ""
    return f"{variant.name}-{settings.resolution}{mean}-t{settings.temperature:g}"


def _make(variant: TapirVariant, part: str, weights: Path, settings: TapirSettings) -> ExportPart:
    from .exporting import tapir_part

    return tapir_part(variant, ExportRequest(part=part, weights=weights, settings=settings))
