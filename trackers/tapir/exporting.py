"""What can be exported of an online TAPIR network: the encoder, and what it does with points.

    encoder    image (1, 3, S, S) float32, RGB from -1 to 1
               -> its maps: high_256 (1, 64, 64, 128), low_256 (1, 32, 32, 256) and lowest_256
                  (1, 16, 16, 256); at S = 512 those of that size as well
    describe   the maps but for the lowest; xy (N, 2) -> queries (N, sizes, 384)
    step       the maps; queries; memory (N, 4 sizes, 2, 12, 5, 512), zeros for new points
               -> xy (N, 2), logits (N, 2): hidden, and far off; memory for the next frame

Places are (x, y) in pixels of a picture of 256x256, the centre of whose first pixel is at
(0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from ...export.parts import ExportPart, ExportRequest
from ...weights.read import load_state_dict
from .engine import MEMORY_SHAPE
from .loading import tapir_with_weights
from .network import Maps, Pyramid, TapirNetwork
from .torch_engine import answer_of, resized
from .variants import (
    BASE_SIDE,
    DESCRIBE,
    DESCRIBED_LEVELS,
    ENCODER,
    TapirSettings,
    TapirVariant,
    map_names,
    sizes_of,
)

_COUNTS = (5, 1, 12)
"""Numbers of points of the probes: the traced one, fewer and more."""

_BEYOND = 8
"""Pixels around the picture that probes look for points in as well."""


def tapir_part(variant: TapirVariant, request: ExportRequest) -> ExportPart:
    """Build a part of an online network.

    Args:
        variant: an entry of `TAPIR_VARIANTS`.
        request: which of `TAPIR_PARTS`, of which weights, for how many points.

    Raises:
        WeightsError: if the weights cannot be read, or are those of another network.
    """
    state_dict = load_state_dict(request.weights)
    network = tapir_with_weights(variant, state_dict, source=str(request.weights))
    return network_part(network, request.part, request.settings or variant.settings, request.count)


def network_part(
    network: TapirNetwork, part: str, settings: TapirSettings, count: int | None = None
) -> ExportPart:
    """Describe a part of a network.

    Args:
        network: with its weights, not packed.
        part: one of `TAPIR_PARTS`.
        settings: how it is used; the temperature and the resolution are fixed in the file.
        count: the number of points, if it is to be fixed.
    """
    maps = map_names(network.variant.levels, settings)
    probes = _Probes(network, settings, _COUNTS if count is None else (count,))
    fixed = count is not None
    if part == ENCODER:
        encoder = _Encoder(network, settings)
        return ExportPart(part, encoder, ("image",), maps, {}, lambda: probes.encoder)
    if part == DESCRIBE:
        return ExportPart(
            part,
            _Describe(network, settings),
            (*map_names(DESCRIBED_LEVELS, settings), "xy"),
            ("queries",),
            {} if fixed else {"xy": 0},
            lambda: probes.describe,
        )
    return ExportPart(
        part,
        _Step(network, settings),
        (*maps, "queries", "memory"),
        ("xy", "logits", "memory_out"),
        {} if fixed else {"queries": 0, "memory": 0},
        lambda: probes.step,
    )


class _Part(nn.Module):
    """A part of a network, with maps as separate arrays."""

    def __init__(self, network: TapirNetwork, settings: TapirSettings) -> None:
        super().__init__()
        self.network = network
        self.settings = settings
        self.eval().requires_grad_(requires_grad=False)

    def pyramid(self, maps: Sequence[Tensor]) -> Pyramid:
        """Put arrays together again."""
        levels = len(maps) // len(sizes_of(self.settings))
        return tuple(
            Maps(size, tuple(maps[number * levels : (number + 1) * levels]))
            for number, size in enumerate(sizes_of(self.settings))
        )


class _Encoder(_Part):
    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        sizes = sizes_of(self.settings)
        encoded = [self.network.encode(resized(image, size)) for size in sizes]
        return tuple(level for maps in encoded for level in maps.levels)


class _Describe(_Part):
    def forward(self, *inputs: Tensor) -> Tensor:
        *maps, xy = inputs
        parts = [self.network.describe(one, xy) for one in self.pyramid(maps)]
        return torch.stack(parts, 1)


class _PastKept:
    """What is remembered, read from one array and put together to another."""

    def __init__(self, memory: Tensor) -> None:
        self._memory = memory
        self._new: list[Tensor] = []

    def read(self, block: int) -> tuple[Tensor, Tensor]:
        return self._memory[:, 0, block], self._memory[:, 1, block]

    def write(self, block: int, normal: Tensor, copies: Tensor) -> None:  # noqa: ARG002
        # Blocks come in their order.
        self._new.append(torch.cat([normal[:, None], copies], 1))

    def after(self) -> Tensor:
        """Return the last frame, which is now the one before, and the new one."""
        return torch.stack([self._memory[:, 1], torch.stack(self._new, 1)], 1)


class _Step(_Part):
    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        *maps, queries, memory = inputs
        pasts = [_PastKept(memory[:, step]) for step in range(memory.shape[1])]
        pyramid = self.pyramid(maps)
        stages = self.network.step(pyramid, queries, pasts, self.settings.temperature)
        answer = answer_of(stages, self.settings)
        return answer.xy, answer.logits, torch.stack([past.after() for past in pasts], 1)


class _Probes:
    """Arguments to compare an exported file on: a picture, and points that are in it.

    Points of noise would be anywhere, and a first guess between two equally good cells falls either
    way with the last bit.
    """

    def __init__(
        self, network: TapirNetwork, settings: TapirSettings, counts: Sequence[int]
    ) -> None:
        self._network, self._settings, self._counts = network, settings, counts

    @cached_property
    def encoder(self) -> list[tuple[Tensor, ...]]:
        coarse = torch.rand(1, 3, 32, 32, generator=_generator()) * 2 - 1
        return [(resized(coarse, int(self._settings.resolution)),)]

    @cached_property
    def describe(self) -> list[tuple[Tensor, ...]]:
        random, maps = _generator(), self._described()
        return [
            (*maps, torch.rand(count, 2, generator=random) * (BASE_SIDE + 2 * _BEYOND) - _BEYOND)
            for count in self._counts
        ]

    @cached_property
    def step(self) -> list[tuple[Tensor, ...]]:
        random, maps = _generator(), self._maps
        sizes = len(sizes_of(self._settings))
        steps, *rest = MEMORY_SHAPE
        describe = _Describe(self._network, self._settings)
        probes: list[tuple[Tensor, ...]] = []
        for count in self._counts:
            xy = torch.rand(count, 2, generator=random) * BASE_SIDE
            memory = torch.randn(count, steps * sizes, *rest, generator=random)
            probes.append((*maps, describe(*self._described(), xy), memory))
        return probes

    def _described(self) -> tuple[Tensor, ...]:
        """Return the maps that points are described by."""
        levels, maps = self._network.variant.levels, self._maps
        return tuple(
            level for number, level in enumerate(maps) if number % levels < DESCRIBED_LEVELS
        )

    @cached_property
    def _maps(self) -> tuple[Tensor, ...]:
        found: tuple[Tensor, ...] = _Encoder(self._network, self._settings)(*self.encoder[0])
        return found


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
