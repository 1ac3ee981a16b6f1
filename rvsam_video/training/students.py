"""Students by name, and the weights that they start from under whatever names they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from rvsam_video.errors import UsageError, WeightsError, unknown_name
from rvsam_video.segmenters.sam.repvit import REPVIT_CONFIGS, RepViTConfig, RepViTEncoder
from rvsam_video.segmenters.sam.tiny_vit import TinyViTEncoder
from rvsam_video.weights.read import load_checked, load_state_dict

_ENCODER = "image_encoder."
_TIMM_STEM = "stem.conv1."
_SAFETENSORS = ".safetensors"
_UNUSED = ("norm_head.", "head.")
"""Parts of TinyViT that stand in the checkpoint and take no part in the embedding."""

_ALIASES = {"repvit-sam": "repvit-m2.3", "mobile-sam": "tiny-vit-5m"}


@dataclass(frozen=True, slots=True)
class StudentEntry:
    """A student by name.

    Attributes:
        name: what it is called.
        segmenter: name of the segmenter that its exported checkpoint is for.
        config: its size, of the RepViT family; None for TinyViT.
    """

    name: str
    segmenter: str
    config: RepViTConfig | None

    def build(self) -> nn.Module:
        """Return the encoder in its trained form, with random weights, ready to be trained."""
        encoder: nn.Module = TinyViTEncoder() if self.config is None else RepViTEncoder(self.config)
        for name, parameter in encoder.named_parameters():
            # They never get a gradient, which several processes would wait for.
            parameter.requires_grad_(not name.startswith(_UNUSED))
        return encoder.train()


STUDENTS: Mapping[str, StudentEntry] = {
    **{
        f"repvit-{size}": StudentEntry(f"repvit-{size}", "repvit-sam", config)
        for size, config in REPVIT_CONFIGS.items()
    },
    "tiny-vit-5m": StudentEntry("tiny-vit-5m", "mobile-sam", None),
}
"""All students by name."""


def find_student(name: str) -> StudentEntry:
    """Return the student of this name; names of segmenters stand for their encoders.

    Raises:
        UsageError: if there is none.
    """
    name = _ALIASES.get(name, name)
    if name not in STUDENTS:
        raise unknown_name("student", name, [*STUDENTS, *_ALIASES])
    return STUDENTS[name]


@dataclass(frozen=True, slots=True)
class FirstWeights:
    """What a file gave a student.

    Attributes:
        taken: number of tensors that were put into it.
        random: names of its tensors that the file has nothing for.
        unused: names of the file's tensors that it has no place for.
    """

    taken: int
    random: tuple[str, ...]
    unused: tuple[str, ...]


def initialise(encoder: nn.Module, entry: StudentEntry, path: Path) -> FirstWeights:
    """Put weights from a file into a student.

    Taken are timm's RepViT (`repvit_m2_3.dist_450e_in1k` and the like, from its `.safetensors` or
    `.bin`), the classifiers of the authors of RepViT and TinyViT, and SAM checkpoints in the
    official layout.

    Args:
        encoder: from `StudentEntry.build`.
        entry: the student.
        path: the file.

    Raises:
        WeightsError: if it cannot be read, or its trunk is that of another network.
        UsageError: if it is a `.safetensors` file and that package is missing.
    """
    own = encoder.state_dict()
    given = _with_own_names(_read(path), entry)
    # Heads of classifiers may have any number of classes, and nothing here uses them.
    fitting = {
        name: value for name, value in given.items() if name in own and not name.startswith(_UNUSED)
    }
    random = tuple(name for name in own if name not in fitting and not name.startswith(_UNUSED))
    # SAM's neck is in no classifier; anything else that is missing means another network.
    lost = [name for name in random if not name.startswith("neck.")]
    if lost:
        msg = f"{path} lacks {len(lost)} tensors of {entry.name}, such as {lost[0]}"
        raise WeightsError(f"{msg}; choose the file of this size, or another --student")
    # What the file does not have stays as it is.
    load_checked(encoder, {**own, **fitting}, str(path))
    return FirstWeights(len(fitting), random, tuple(name for name in given if name not in fitting))


def timm_prefixes(config: RepViTConfig) -> dict[str, str]:
    """Return where the layers of timm's RepViT are in ours, prefix by prefix.

    timm keeps the last block of a stage with the downsampling that follows it. Some prefixes are
    those of gates that only every other block has.
    """
    names = {"stem.conv1": "features.0.0", "stem.conv2": "features.0.2"}
    number = 1
    last_stage = len(config.depths) - 1
    for stage, depth in enumerate(config.depths):
        if stage > 0:
            names |= _downsampling_names(f"stages.{stage}", number)
            number += 1
        for index in range(depth):
            ends = index == depth - 1 and stage < last_stage
            timm = (
                f"stages.{stage + 1}.downsample.pre_block"
                if ends
                else (f"stages.{stage}.blocks.{index}")
            )
            names |= _block_names(timm, number)
            number += 1
    return names


def _block_names(timm: str, number: int) -> dict[str, str]:
    own = f"features.{number}"
    return {
        f"{timm}.token_mixer": f"{own}.token_mixer.0",
        f"{timm}.se": f"{own}.token_mixer.1",
        f"{timm}.channel_mixer.conv1": f"{own}.channel_mixer.m.0",
        f"{timm}.channel_mixer.conv2": f"{own}.channel_mixer.m.2",
    }


def _downsampling_names(timm: str, number: int) -> dict[str, str]:
    own = f"features.{number}"
    return {
        f"{timm}.downsample.spatial_downsample": f"{own}.token_mixer.0",
        f"{timm}.downsample.channel_downsample": f"{own}.token_mixer.2",
        f"{timm}.downsample.ffn.conv1": f"{own}.channel_mixer.m.0",
        f"{timm}.downsample.ffn.conv2": f"{own}.channel_mixer.m.2",
    }


def _with_own_names(state: Mapping[str, Tensor], entry: StudentEntry) -> dict[str, Tensor]:
    """Return the tensors under the encoder's own names; those of other parts keep theirs."""
    if any(name.startswith(_ENCODER) for name in state):
        # Prompt encoder and mask decoder are the teacher's.
        return {
            name.removeprefix(_ENCODER): value
            for name, value in state.items()
            if name.startswith(_ENCODER)
        }
    if entry.config is not None and any(name.startswith(_TIMM_STEM) for name in state):
        rename = partial(_renamed, prefixes=timm_prefixes(entry.config))
        return dict(zip(map(rename, state), state.values(), strict=True))
    return dict(state)


def _renamed(name: str, prefixes: Mapping[str, str]) -> str:
    for prefix in _prefixes_of(name):
        if prefix in prefixes:
            return prefixes[prefix] + name[len(prefix) :]
    return name


def _prefixes_of(name: str) -> Iterator[str]:
    """Yield `a.b.c`, `a.b` and `a` of `a.b.c.d`."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _read(path: Path) -> Mapping[str, Tensor]:
    if path.suffix != _SAFETENSORS:
        return load_state_dict(path)
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        msg = f"{path} needs the package safetensors; pip install 'rvsam-video[train]'"
        raise UsageError(msg) from error
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except Exception as error:
        # Its errors are of several kinds, none of them its own.
        msg = f"{path} is no readable safetensors file ({error}); fetch it again"
        raise WeightsError(msg) from error
    return tensors


def parameter_groups(modules: Mapping[str, nn.Module], decay: float) -> list[dict[str, object]]:
    """Return AdamW's groups: matrices and kernels with weight decay, vectors without.

    Args:
        modules: what is trained, by name.
        decay: of the first group.
    """
    learnt = [item for module in modules.values() for item in module.parameters()]
    learnt = [item for item in learnt if item.requires_grad]
    return [
        {"params": [item for item in learnt if item.ndim > 1], "weight_decay": decay},
        # Biases, norms: to draw them to 0 would change what a layer computes, not how smoothly.
        {"params": [item for item in learnt if item.ndim <= 1], "weight_decay": 0.0},
    ]


def has_batch_norms(module: nn.Module) -> bool:
    """Whether a network has BatchNorms, whose statistics are those of one process's batch."""
    return any(isinstance(item, nn.modules.batchnorm._BatchNorm) for item in module.modules())


def synchronised(module: nn.Module) -> nn.Module:
    """Return the network with BatchNorms that see the batches of all processes."""
    converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
    return converted
