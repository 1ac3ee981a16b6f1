"""A TAPIR network: its encoder, its first guess and its refinement, without any state.

Names are those of the released weights (google-deepmind/tapnet, `tapnet/torch/tapir_model.py` at
commit c2cbab8). Places are (x, y) in pixels of a picture of 256x256, whose first pixel has its
centre at (0.5, 0.5); so between maps of different sizes they are scaled by the plain ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from .correlation import SAMPLES, compare_around, read_between
from .encoder import HIGH_WIDTH, LOW_WIDTH, ExtraConvs, ResNet, unit_vectors
from .engine import STEPS
from .first_guess import FirstGuess
from .mixer import Mixer, Past
from .variants import BASE_SIDE, TapirVariant

QUERY_WIDTH = HIGH_WIDTH + LOW_WIDTH
"""Numbers that describe a point: what lies under it on the fine map, then on the coarse one."""

_STATE = 4
"""Numbers per point and frame besides its features: two zeros, and two logits."""


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What the encoder makes of F pictures of one size.

    Attributes:
        size: side of the pictures.
        levels: tensors (F, h, w, C) float32: the fine map, with S/4 cells a side and 128 channels;
            the coarse one, S/8 and 256; and of BootsTAPIR that once more at half its size. Vectors
            of the first two have the length 1.
    """

    size: int
    levels: tuple[Tensor, ...]


Pyramid = tuple[Maps, ...]
"""The maps of a picture at each size that points are refined at; the first size is 256."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Where M points are held to be, at one stage of looking for them.

    Attributes:
        xy: (M, 2) float32 places.
        logits: (M, 2) float32: hidden, and far off.
    """

    xy: Tensor
    logits: Tensor


class TapirNetwork(nn.Module):
    """A published network; to be arranged once its weights are loaded.

    Args:
        variant: which one.
    """

    def __init__(self, variant: TapirVariant) -> None:
        super().__init__()
        self.variant = variant
        self.resnet_torch = ResNet()
        if variant.extra_convs:
            self.extra_convs = ExtraConvs()
        self.torch_cost_volume_track_mods = FirstGuess()
        inputs = _STATE + QUERY_WIDTH + SAMPLES * variant.levels
        self.torch_pips_mixer = Mixer(inputs, _STATE + QUERY_WIDTH)

    def arrange(self) -> None:
        """Bring the weights into the form that they are used in; to be called when loaded."""
        self.torch_pips_mixer.arrange()
        self.to(memory_format=torch.channels_last)

    def pack(self) -> None:
        """Bring linear layers into their fastest form; they cannot be loaded or exported after."""
        self.torch_pips_mixer.pack()

    def encode(self, pictures: Tensor) -> Maps:
        """Encode (F, 3, S, S) pictures, RGB from -1 to 1, S a multiple of 8."""
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        high, low = self.resnet_torch(pictures)
        if self.variant.extra_convs:
            low = self.extra_convs(low)
        levels = [unit_vectors(high), unit_vectors(low)]
        if self.variant.levels > len(levels):
            halved = F.avg_pool2d(levels[-1].permute(0, 3, 1, 2), 2)
            levels.append(halved.permute(0, 2, 3, 1))
        return Maps(pictures.shape[-1], tuple(levels))

    def describe(self, maps: Maps, xy: Tensor) -> Tensor:
        """Return what lies under (N, 2) places of one picture, (N, 384)."""
        high, low = (
            read_between(level, xy * (level.shape[1] / BASE_SIDE)) for level in maps.levels[:2]
        )
        return torch.cat([high, low], 1)

    def guess(self, maps: Maps, queries: Tensor, temperature: float) -> Stage:
        """Look for points anywhere in one picture of 256x256.

        Args:
            maps: of that picture.
            queries: (N, 384) from `describe`.
            temperature: see `TapirSettings`.
        """
        grid = maps.levels[1][0]
        cells, logits = self.torch_cost_volume_track_mods(
            grid, queries[:, HIGH_WIDTH:], temperature
        )
        return Stage(cells * (BASE_SIDE / grid.shape[0]), logits)

    def around(self, maps: Maps, features: Tensor, xy: Tensor) -> Tensor:
        """Compare points, (M, 384), with what is around M places of one picture, on each level."""
        high, low = features[:, :HIGH_WIDTH], features[:, HIGH_WIDTH:]
        parts = [
            compare_around(level[0], low if number else high, xy * (level.shape[1] / BASE_SIDE))
            for number, level in enumerate(maps.levels)
        ]
        return torch.cat(parts, 1)

    def refine(
        self,
        size: int,
        features: Tensor,
        start: Stage,
        compare: Callable[[Tensor, Tensor], Tensor],
        mix: Callable[[int, Tensor], Tensor],
    ) -> list[Stage]:
        """Refine places at one size.

        Args:
            size: side of the pictures.
            features: (M, 384), the query of each.
            start: places and logits to start from.
            compare: compares features with what is around places, as `around`.
            mix: runs the mixer on (M, inputs); told which refinement it is.

        Returns:
            The stages after each refinement.
        """
        xy, logits = start.xy, start.logits
        # The mixer has inputs for a place; it is not told any.
        zeros = torch.zeros_like(xy)
        stages = []
        for step in range(STEPS):
            tokens = torch.cat([zeros, logits, features, compare(features, xy)], 1)
            change = mix(step, tokens)
            xy = xy + change[:, :2] * (BASE_SIDE / size)
            logits = logits + change[:, 2:_STATE]
            features = features + change[:, _STATE:]
            stages.append(Stage(xy, logits))
        return stages

    def step(
        self,
        pyramid: Pyramid,
        queries: Tensor,
        pasts: Sequence[Past],
        temperature: float,
    ) -> list[Stage]:
        """Follow points into one more frame.

        Args:
            pyramid: the frame.
            queries: (N, sizes, 384), the points.
            pasts: what is remembered of them, one a refinement of each size; the frame is entered.
            temperature: see `TapirSettings`.

        Returns:
            The first guess, and the stage after each refinement.
        """
        stages = [self.guess(pyramid[0], queries[:, 0], temperature)]
        for number, maps in enumerate(pyramid):
            # A new size starts from the place that was found, but from the logits of the guess.
            start = Stage(stages[-1].xy, stages[0].logits)
            own = pasts[number * STEPS : (number + 1) * STEPS]
            stages += self.refine(
                maps.size,
                queries[:, number],
                start,
                partial(self.around, maps),
                partial(self._mix_step, own),
            )
        return stages

    def _mix_step(self, pasts: Sequence[Past], step: int, tokens: Tensor) -> Tensor:
        return self.torch_pips_mixer.step(tokens, pasts[step])

    def clip(
        self,
        frames: Sequence[Pyramid],
        queries: Tensor,
        known: tuple[Tensor, Tensor],
        temperature: float,
    ) -> list[Stage]:
        """Follow points through all frames of a clip at once.

        Args:
            frames: the T frames.
            queries: (N, sizes, 384), the points.
            known: frame (N,) int64 and place (N, 2) where each was described: there the first
                guess is that place. Frames that are not in the clip are left out.
            temperature: see `TapirSettings`.

        Returns:
            The first guess, and the stage after each refinement, of N * T points: of each all
            frames.
        """
        guesses = [self.guess(pyramid[0], queries[:, 0], temperature) for pyramid in frames]
        xy = torch.stack([guess.xy for guess in guesses], 1)
        inside = torch.nonzero((known[0] >= 0) & (known[0] < len(frames)))[:, 0]
        xy[inside, known[0][inside]] = known[1][inside]
        logits = torch.stack([guess.logits for guess in guesses], 1).flatten(0, 1)
        stages = [Stage(xy.flatten(0, 1), logits)]
        for number in range(len(frames[0])):
            maps = [pyramid[number] for pyramid in frames]
            stages += self.refine(
                maps[0].size,
                queries[:, number].repeat_interleave(len(frames), 0),
                Stage(stages[-1].xy, logits),
                partial(self._around_frames, maps),
                partial(self._mix_frames, len(frames)),
            )
        return stages

    def _around_frames(self, maps: Sequence[Maps], features: Tensor, xy: Tensor) -> Tensor:
        parts = [
            self.around(one, features[number :: len(maps)], xy[number :: len(maps)])
            for number, one in enumerate(maps)
        ]
        return torch.stack(parts, 1).flatten(0, 1)

    def _mix_frames(self, frames: int, _step: int, tokens: Tensor) -> Tensor:
        together = tokens.view(-1, frames, tokens.shape[1])
        mixed = self.torch_pips_mixer.clip(together, causal=self.variant.causal)
        return mixed.flatten(0, 1)
