"""TinyViT-5M, the image encoder of MobileSAM, with the names of the official checkpoint.

Structure: Wu et al., "TinyViT: Fast Pretraining Distillation for Small Vision Transformers"
(arXiv 2207.10666) and Zhang et al., "Faster Segment Anything" (arXiv 2306.14289). This is the
trained form, which loads the checkpoint; `fusing.fuse` makes the fast one.
Maps are (B, C, H, W) between blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from rvsam_video.segmenters.sam.encoder_layers import ConvBN, conv_stem, sam_neck
from rvsam_video.segmenters.sam.geometry import IMAGE_SIZE

# The same in all layers and sizes; the checkpoint's shapes follow from them.
_HEAD_WIDTH = 32
_MBCONV_EXPANSION = 4
_MLP_RATIO = 4
# ImageNet's, for a head that is only there to be loaded.
_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class TinyViTConfig:
    """Size of one member of the TinyViT family.

    Attributes:
        widths: channels of the four layers; the first is convolutional, the others attend.
        depths: blocks of the four layers.
        windows: sides of the attention windows of layers 1, 2 and 3, in positions.
        strides: strides of the mergings after layers 0, 1 and 2; the last is 1 for SAM.
    """

    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    windows: tuple[int, int, int]
    strides: tuple[int, int, int] = (2, 2, 1)


TINY_VIT_CONFIGS = MappingProxyType(
    {"5m": TinyViTConfig((64, 128, 160, 320), (2, 2, 6, 2), (7, 14, 7))}
)
"""The sizes with a SAM checkpoint, by name."""

MOBILE_SAM = TINY_VIT_CONFIGS["5m"]
"""The size of the MobileSAM checkpoint."""


class MBConv(nn.Module):
    """Inverted bottleneck with a residual and an activation after the sum.

    Args:
        width: channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = _MBCONV_EXPANSION * width
        self.conv1 = ConvBN(width, hidden)
        self.conv2 = ConvBN(hidden, hidden, kernel=3, groups=hidden)
        self.conv3 = ConvBN(hidden, width)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape."""
        inner = self.conv3(self.act(self.conv2(self.act(self.conv1(x)))))
        # After the sum, unlike RepViT's mixers.
        out: Tensor = self.act(inner + x)
        return out


class PatchMerging(nn.Module):
    """Change the number of channels and, with a stride of 2, halve the sides of the map.

    Args:
        inputs: channels in.
        outputs: channels out.
        stride: step of the depthwise convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvBN(inputs, outputs)
        self.conv2 = ConvBN(outputs, outputs, kernel=3, stride=stride, groups=outputs)
        self.conv3 = ConvBN(outputs, outputs)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """Return a (B, outputs, H / stride, W / stride) map."""
        merged: Tensor = self.conv3(self.act(self.conv2(self.act(self.conv1(x)))))
        return merged


def _offset_index(window: int) -> Tensor:
    """Number the offsets |Δrow| * window + |Δcolumn| of all pairs of positions of a window."""
    # Absolute offsets: left and right share a bias, and offsets are numbered row by row.
    rows, columns = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    rows, columns = rows.flatten(), columns.flatten()
    return (rows[:, None] - rows).abs() * window + (columns[:, None] - columns).abs()


def heads_of(mixed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Split a projection (N, L, 3 * C) into queries, keys and values, each (N, heads, L, 32)."""
    # The projection is laid out head by head: 32 channels of q, then of k, then of v.
    by_head = mixed.reshape(*mixed.shape[:2], -1, 3 * _HEAD_WIDTH).transpose(1, 2)
    query, key, value = by_head.chunk(3, dim=-1)
    return query, key, value


class Attention(nn.Module):
    """Multi-head attention inside a window, with its LayerNorm and a bias per head and offset.

    Args:
        width: channels; 32 per head.
        window: side of the window in positions.
    """

    index: Tensor

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.heads = width // _HEAD_WIDTH
        self.window = window
        # PyTorch's eps of 1e-5 here, where the neck and SAM's own encoder have 1e-6.
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(self.heads, window**2))
        # Not in the checkpoint.
        self.register_buffer("index", _offset_index(window), persistent=False)

    def bias(self) -> Tensor:
        """Gather the (heads, window**2, window**2) bias from the table as it is loaded now."""
        # Each time: the public code caches this when eval() is called, and its builder does so
        # before weights are loaded, which leaves zeros.
        return self.attention_biases[:, self.index]

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend within each of N windows: (N, L, C) to (N, L, C), L = window squared."""
        query, key, value = heads_of(self.qkv(self.norm(tokens)))
        weights = (query @ key.transpose(-2, -1)) * _HEAD_WIDTH**-0.5 + self.bias()
        attended = weights.softmax(dim=-1) @ value
        out: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return out


class MLP(nn.Module):
    """LayerNorm, then two linear layers with a GELU between them.

    Args:
        width: channels in and out; four times as many inside.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, _MLP_RATIO * width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(_MLP_RATIO * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Transform the last dimension of (..., C)."""
        out: Tensor = self.fc2(self.act(self.fc1(self.norm(x))))
        return out


def to_windows(x: Tensor, window: int) -> Tensor:
    """Cut a (B, H, W, C) map into windows (N, window**2, C), padded with zeros right and below."""
    batch, height, width, channels = x.shape
    # From the last dimension on: channels none, columns on the right, rows below.
    x = F.pad(x, (0, 0, 0, -width % window, 0, -height % window))
    rows, columns = x.shape[1] // window, x.shape[2] // window
    x = x.reshape(batch, rows, window, columns, window, channels).transpose(2, 3)
    return x.reshape(-1, window**2, channels)


def from_windows(windows: Tensor, window: int, height: int, width: int) -> Tensor:
    """Put windows (N, window**2, C) back together and crop to (B, height, width, C)."""
    # Rounded up without negative numbers: exporters trace this, and ONNX divides towards zero.
    rows, columns = (height + window - 1) // window, (width + window - 1) // window
    x = windows.reshape(-1, rows, columns, window, window, windows.shape[-1]).transpose(2, 3)
    x = x.reshape(-1, rows * window, columns * window, windows.shape[-1])
    return x[:, :height, :width]


class AttentionBlock(nn.Module):
    """Windowed attention, a depthwise convolution across windows, then an MLP.

    Args:
        width: channels.
        window: side of the attention windows in positions.
    """

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = Attention(width, window)
        self.mlp = MLP(width)
        self.local_conv = ConvBN(width, width, kernel=3, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        """Return a (B, C, H, W) map of the same shape."""
        height, width = x.shape[2:]
        # The padding comes before the attention's LayerNorm: padded positions turn into its bias
        # and take part as keys and values, as they did in training.
        attended = self.attn(to_windows(x.permute(0, 2, 3, 1), self.window))
        x = x + from_windows(attended, self.window, height, width).permute(0, 3, 1, 2)
        # In place of x, not added to it: this convolution has no residual.
        x = self.local_conv(x)
        transformed: Tensor = self.mlp(x.permute(0, 2, 3, 1))
        return x + transformed.permute(0, 3, 1, 2)


class TinyViTLayer(nn.Module):
    """A run of blocks, then a merging.

    Args:
        blocks: keep the shape of the map.
        downsample: follows the blocks.
    """

    def __init__(self, blocks: Iterable[nn.Module], downsample: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Return the map after the merging."""
        merged: Tensor = self.downsample(self.blocks(x))
        return merged


class PatchEmbed(nn.Module):
    """The stem, under the name the checkpoint gives it.

    Args:
        width: channels out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.seq = conv_stem(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return a (B, width, H / 4, W / 4) map."""
        stem: Tensor = self.seq(x)
        return stem


def _layers(config: TinyViTConfig) -> nn.Sequential:
    widths, depths = config.widths, config.depths
    blocks = [[MBConv(widths[0]) for _ in range(depths[0])]] + [
        [AttentionBlock(width, window) for _ in range(depth)]
        for width, depth, window in zip(widths[1:], depths[1:], config.windows, strict=True)
    ]
    # One longer than the others on purpose: four layers have three mergings between them.
    steps = zip(widths, widths[1:], config.strides, strict=False)
    mergings = [PatchMerging(*step) for step in steps]
    return nn.Sequential(*map(TinyViTLayer, blocks, [*mergings, nn.Identity()]))


class TinyViTEncoder(nn.Module):
    """TinyViT with SAM's neck; built in evaluation mode, with weights that are to be loaded.

    Args:
        config: size; the default is that of the MobileSAM checkpoint.

    Attributes:
        img_size: side in pixels of the square picture SAM's pre-processing makes.
        norm_head: left over from classification: in the checkpoint, never used.
        head: likewise.
    """

    img_size = IMAGE_SIZE

    def __init__(self, config: TinyViTConfig = MOBILE_SAM) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(config.widths[0])
        self.layers = _layers(config)
        # Loading is strict, so what the checkpoint has must be here.
        self.norm_head = nn.LayerNorm(config.widths[-1])
        self.head = nn.Linear(config.widths[-1], _CLASSES)
        self.neck = sam_neck(config.widths[-1])
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            x: (B, 3, H, W) float32 RGB, normalised and then padded with zeros; H and W are
                multiples of 16.

        Returns:
            (B, 256, H / 16, W / 16) float32 embedding.
        """
        embedding: Tensor = self.neck(self.layers(self.patch_embed(x)))
        return embedding
