"""RepViT, the image encoder of RepViT-SAM, with the names of the official checkpoint.

Structure: Wang et al., "RepViT: Revisiting Mobile CNN From ViT Perspective" (arXiv 2307.09283) and
"RepViT-SAM: Towards Real-Time Segmenting Anything" (arXiv 2312.05760). This is the trained form,
which loads the checkpoint; `rvsam_video.segmenters.sam.fusing.fuse` turns it into the fast one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor, nn

from rvsam_video.segmenters.sam.encoder_layers import ConvBN, conv_stem, sam_neck
from rvsam_video.segmenters.sam.geometry import IMAGE_SIZE

# The same in all published sizes, as are the two below.
_MIXER_EXPANSION = 2
_SQUEEZE_RATIO = 4
_SQUEEZE_STEP = 8


@dataclass(frozen=True, slots=True)
class RepViTConfig:
    """Size of one member of the RepViT family.

    Attributes:
        widths: channels of the four stages.
        depths: blocks of the four stages, downsampling blocks not counted.
        last_stride: stride of the third downsampling: 1 for SAM, whose embedding has one sixteenth
            of the picture's side; 2 in the classifiers.
    """

    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    last_stride: int = 1


REPVIT_CONFIGS = MappingProxyType(
    {
        "m0.6": RepViTConfig((40, 80, 160, 320), (2, 2, 9, 1)),
        "m0.9": RepViTConfig((48, 96, 192, 384), (3, 3, 15, 2)),
        "m1.0": RepViTConfig((56, 112, 224, 448), (3, 3, 15, 2)),
        "m1.1": RepViTConfig((64, 128, 256, 512), (3, 3, 13, 2)),
        "m1.5": RepViTConfig((64, 128, 256, 512), (5, 5, 25, 4)),
        "m2.3": RepViTConfig((80, 160, 320, 640), (7, 7, 35, 2)),
    }
)
"""The published sizes by name. Only M2.3 has a SAM checkpoint."""

REPVIT_SAM = REPVIT_CONFIGS["m2.3"]
"""The size of the RepViT-SAM checkpoint."""

_FIRST_WEIGHT = "image_encoder.features.1.channel_mixer.m.0.c.weight"


def repvit_config_of(state_dict: Mapping[str, Tensor]) -> RepViTConfig:
    """Return the size of the RepViT in a checkpoint; that of RepViT-SAM if it is none of them.

    Args:
        state_dict: names and tensors of a checkpoint in the official layout.
    """
    blocks = {name.split(".")[2] for name in state_dict if name.startswith("image_encoder.feat")}
    width = state_dict[_FIRST_WEIGHT].shape[1] if _FIRST_WEIGHT in state_dict else 0
    for config in REPVIT_CONFIGS.values():
        # Two sizes are equally wide: only the number of blocks tells them apart. The stem and
        # three downsampling blocks are not among the depths.
        if config.widths[0] == width and sum(config.depths) + 4 == len(blocks):
            return config
    return REPVIT_SAM


class RepDW(nn.Module):
    """Re-parameterisable depthwise token mixer: 3x3, 1x1 and identity branches, then BatchNorm.

    Args:
        width: channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = ConvBN(width, width, kernel=3, groups=width)
        self.conv1 = nn.Conv2d(width, width, 1, groups=width)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the neighbours of each position of a (B, C, H, W) map."""
        # In this order: another one differs from the public code in the last bit.
        mixed: Tensor = self.bn(self.conv(x) + self.conv1(x) + x)
        return mixed


class SqueezeExcite(nn.Module):
    """Weigh each channel by a gate computed from the means of all channels.

    Hu et al., "Squeeze-and-Excitation Networks" (arXiv 1709.01507).

    Args:
        width: channels; the squeezed width is a quarter, rounded to a multiple of 8.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        quarter = width / _SQUEEZE_RATIO
        # Halves rounded up: timm's rule, which the shapes in the checkpoint follow.
        steps = int(quarter + _SQUEEZE_STEP / 2) // _SQUEEZE_STEP
        squeezed = max(1, steps) * _SQUEEZE_STEP
        self.fc1 = nn.Conv2d(width, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the gated (B, C, H, W) map."""
        mean = x.mean((2, 3), keepdim=True)
        gate: Tensor = self.fc2(self.fc1(mean).relu()).sigmoid()
        return x * gate


class Residual(nn.Module):
    """Add a module's output to its input.

    Args:
        module: keeps the shape of its input.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.m = module

    def forward(self, x: Tensor) -> Tensor:
        """Return `x + m(x)`."""
        out: Tensor = x + self.m(x)
        return out


class Block(nn.Module):
    """A token mixer, then a channel mixer with a residual.

    Args:
        token_mixer: works on positions.
        width: channels that leave the token mixer.
    """

    def __init__(self, token_mixer: nn.Sequential, width: int) -> None:
        super().__init__()
        self.token_mixer = token_mixer
        hidden = _MIXER_EXPANSION * width
        self.channel_mixer = Residual(
            nn.Sequential(ConvBN(width, hidden), nn.GELU(), ConvBN(hidden, width))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a (B, width, H, W) map, smaller by the token mixer's stride."""
        mixed: Tensor = self.channel_mixer(self.token_mixer(x))
        return mixed


def _plain_block(width: int, *, excite: bool) -> Block:
    gate = SqueezeExcite(width) if excite else nn.Identity()
    return Block(nn.Sequential(RepDW(width), gate), width)


def _downsample_block(inputs: int, outputs: int, stride: int) -> Block:
    spatial = ConvBN(inputs, inputs, kernel=3, stride=stride, groups=inputs)
    # The identity stands where other blocks may have a gate: it keeps the checkpoint's indices.
    return Block(nn.Sequential(spatial, nn.Identity(), ConvBN(inputs, outputs)), outputs)


def _feature_blocks(config: RepViTConfig) -> Iterator[nn.Module]:
    """Yield stem, blocks and downsampling blocks in the order of the checkpoint's indices."""
    # The public code tests for 320 channels instead of counting: only M2.3 has so many there.
    strides = (1, 2, 2, config.last_stride)
    last_stage = len(config.widths) - 1
    yield conv_stem(config.widths[0])
    for stage, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
        if stage > 0:
            yield _downsample_block(config.widths[stage - 1], width, strides[stage])
        for index in range(depth):
            # Every other block has a gate, but the last one before a downsampling never has.
            ends_stage = index == depth - 1 and stage < last_stage
            yield _plain_block(width, excite=index % 2 == 0 and not ends_stage)


class RepViTEncoder(nn.Module):
    """RepViT with SAM's neck; built in evaluation mode, with weights that are to be loaded.

    Args:
        config: size; the default is that of the RepViT-SAM checkpoint.

    Attributes:
        img_size: side in pixels of the square picture SAM's pre-processing makes.
        features: stem, blocks and downsampling blocks in one sequence.
        neck: two convolutions to the 256 channels of the embedding.
    """

    img_size = IMAGE_SIZE

    def __init__(self, config: RepViTConfig = REPVIT_SAM) -> None:
        super().__init__()
        self.features = nn.Sequential(*_feature_blocks(config))
        self.neck = sam_neck(config.widths[-1])
        # Norms with statistics of their own, not of the picture at hand, whoever builds it.
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            x: (B, 3, H, W) float32 RGB, normalised and then padded with zeros; H and W are
                multiples of 16.

        Returns:
            (B, 256, H / 16, W / 16) float32 embedding.
        """
        embedding: Tensor = self.neck(self.features(x))
        return embedding
