"""TAPIR's mixer: twelve blocks that look along time, for every point by itself.

A block has two convolutions over time of width 3, one right after the other. To go on frame by
frame, the causal one needs the last two inputs of either and nothing else: that is all the state.

Names are those of the released weights (google-deepmind/tapnet, `tapnet/torch/nets.py` at commit
c2cbab8). Both convolutions are depthwise; channel c of 512 becomes the four channels 4c to 4c + 3
of 2048, whose sum it is in the end. Here the four are kept apart, as (4, 512): that way they are
long rows, which processors take many elements of at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from .engine import BLOCKS, COPIES, WIDTH
from .packed_linear import packed

TAPS = 3

_HIDDEN = 2048
_EPS = 1e-5


class Past(Protocol):
    """What a causal mixer remembers of N points, for one of its runs on a frame.

    Of a frame that is, per block, the normalised input and the four copies that came of it.
    """

    def read(self, block: int) -> tuple[Tensor, Tensor]:
        """Return the frame before the last and the last, each (N, 5, 512) float32."""

    def write(self, block: int, normal: Tensor, copies: Tensor) -> None:
        """Take the new frame, (N, 512) and (N, 4, 512); the block reads no more."""


class _Norm(nn.Module):
    """Layer norm without bias."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, (WIDTH,), self.weight, None, _EPS)


class _TimeConv(nn.Module):
    """Weights of a depthwise convolution over time; `arrange` brings them into rows."""

    taps: Tensor
    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(COPIES * WIDTH, 1, TAPS))
        self.bias = nn.Parameter(torch.zeros(COPIES * WIDTH))
        self.register_buffer("taps", torch.zeros(TAPS, COPIES, WIDTH), persistent=False)
        self.register_buffer("offset", torch.zeros(COPIES, WIDTH), persistent=False)

    def arrange(self) -> None:
        """Read the weights."""
        taps = self.weight.detach().view(WIDTH, COPIES, TAPS)
        self.taps = taps.permute(2, 1, 0).contiguous()
        self.offset = self.bias.detach().view(WIDTH, COPIES).t().contiguous()


class _ChannelMixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mlp2_up: nn.Module = nn.Linear(WIDTH, _HIDDEN)
        self.mlp2_down: nn.Module = nn.Linear(_HIDDEN, WIDTH)

    def pack(self) -> None:
        self.mlp2_up, self.mlp2_down = packed(self.mlp2_up), packed(self.mlp2_down)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.mlp2_down(F.gelu(self.mlp2_up(x), approximate="tanh"))
        return found


class MixerBlock(nn.Module):
    """Two convolutions along time, then two linear layers; both add to what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.layer_norm = _Norm()
        self.mlp1_up = _TimeConv()
        self.mlp1_up_1 = _TimeConv()
        self.layer_norm_1 = _Norm()
        self.conv_channels_mixer = _ChannelMixer()

    def arrange(self) -> None:
        """Read the weights of the convolutions."""
        self.mlp1_up.arrange()
        self.mlp1_up_1.arrange()

    def up(self, first: Tensor, second: Tensor, third: Tensor) -> Tensor:
        """Convolve normalised inputs (..., 512) of three frames, in order, to (..., 4, 512)."""
        taps = self.mlp1_up.taps
        found = torch.addcmul(self.mlp1_up.offset, taps[0], first[..., None, :])
        found = torch.addcmul(found, taps[1], second[..., None, :])
        return F.gelu(torch.addcmul(found, taps[2], third[..., None, :]), approximate="tanh")

    def down(self, first: Tensor, second: Tensor, third: Tensor) -> Tensor:
        """Convolve what `up` gave for three frames, and add the four up: (..., 512)."""
        taps = self.mlp1_up_1.taps
        found = torch.addcmul(self.mlp1_up_1.offset, taps[0], first)
        found = torch.addcmul(torch.addcmul(found, taps[1], second), taps[2], third)
        return found.sum(-2)

    def finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        """Add what the convolutions gave, then what the linear layers make of that."""
        x = x + mixed
        found: Tensor = x + self.conv_channels_mixer(self.layer_norm_1(x))
        return found

    def clip(self, x: Tensor, *, causal: bool) -> Tensor:
        """Mix all frames of a clip.

        Args:
            x: (N, T, 512).
            causal: look at each frame and the two before; else at those beside it.
        """
        # Zeros where there is no frame, before either convolution: for the second these are not
        # what the first would have made of zeros.
        normal = _three_frames(self.layer_norm(x), causal=causal)
        copies = self.up(*normal)
        mixed = self.down(*_three_frames(copies, causal=causal))
        return self.finish(x, mixed)

    def step(self, x: Tensor, past: Past, number: int) -> Tensor:
        """Mix one more frame, (N, 512) to (N, 512); `number` is that of the block."""
        older, last = past.read(number)
        normal = self.layer_norm(x)
        copies = self.up(older[:, 0], last[:, 0], normal)
        mixed = self.down(older[:, 1:], last[:, 1:], copies)
        past.write(number, normal, copies)
        return self.finish(x, mixed)


def _three_frames(x: Tensor, *, causal: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return (N, T, ...) shifted such that each frame meets the three that it looks at."""
    frames = x.shape[1]
    before, after = (TAPS - 1, 0) if causal else (1, 1)
    shape = list(x.shape)
    shape[1] = before
    parts = [x.new_zeros(shape), x]
    if after:
        shape[1] = after
        parts.append(x.new_zeros(shape))
    padded = torch.cat(parts, 1)
    return padded[:, :frames], padded[:, 1 : frames + 1], padded[:, 2:]


class Mixer(nn.Module):
    """The whole mixer.

    Args:
        inputs: numbers per point and frame that go in.
        outputs: numbers that come out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear: nn.Module = nn.Linear(inputs, WIDTH)
        self.blocks = nn.ModuleList(MixerBlock() for _ in range(BLOCKS))
        self.layer_norm = _Norm()
        self.linear_1: nn.Module = nn.Linear(WIDTH, outputs)

    def arrange(self) -> None:
        """Read the weights of the convolutions; to be called once they are loaded."""
        for block in self._each():
            block.arrange()

    def pack(self) -> None:
        """Bring linear layers into their fastest form; they cannot be loaded or exported after."""
        self.linear, self.linear_1 = packed(self.linear), packed(self.linear_1)
        for block in self._each():
            block.conv_channels_mixer.pack()

    def clip(self, tokens: Tensor, *, causal: bool) -> Tensor:
        """Mix all frames of a clip, (N, T, inputs) to (N, T, outputs)."""
        x: Tensor = self.linear(tokens)
        for block in self._each():
            x = block.clip(x, causal=causal)
        return self._end(x)

    def step(self, tokens: Tensor, past: Past) -> Tensor:
        """Mix one more frame, (N, inputs) to (N, outputs), and remember it."""
        x: Tensor = self.linear(tokens)
        for number, block in enumerate(self._each()):
            x = block.step(x, past, number)
        return self._end(x)

    def _each(self) -> Iterator[MixerBlock]:
        return iter(cast("Iterable[MixerBlock]", self.blocks))

    def _end(self, x: Tensor) -> Tensor:
        found: Tensor = self.linear_1(self.layer_norm(x))
        return found
