"""Image encoders with the golden files' weights, and the picture those files were made from."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import deterministic_weights
import numpy as np
import synthetic_picture
import torch
from golden_data import golden, manifest
from torch import Tensor, nn

from rvsam_video.segmenters.sam.repvit import RepViTEncoder
from rvsam_video.segmenters.sam.tiny_vit import TinyViTEncoder

PREFIX = "image_encoder."
ENCODERS = {"repvit_sam": (RepViTEncoder, 0.66), "mobile_sam": (TinyViTEncoder, 1.0)}
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def summary(x: Tensor) -> dict[str, np.ndarray]:
    """Reduce a (1, C, H, W) map to what the golden files keep of a stage."""
    channels, height, width = x.shape[1:]
    chosen = x[0, torch.arange(16) * channels // 16]
    top, left = height // 2 - 3, width // 2 - 3
    crops = torch.stack((chosen[:, :6, :6], chosen[:, top : top + 6, left : left + 6]))
    stats = (x.mean(), x.std(correction=0), x.abs().max())
    return {
        "shape": np.array(x.shape),
        "stats": torch.stack(stats).double().numpy(),
        "crops": crops.numpy(),
    }


@dataclass(frozen=True, eq=False)
class EncoderGolden:
    """An encoder with golden weights, the arrays of its golden file, its manifest entries."""

    encoder: nn.Module
    arrays: Mapping[str, np.ndarray]
    manifest: Mapping[str, tuple[int, ...]]

    def stages(self, key: str) -> list[str]:
        names = [name.split("/") for name in self.arrays if name.startswith("stage/")]
        return [name for _, name, kind in names if kind == key]

    def check_embedding(self, embedding: Tensor, kind: str, limit: float) -> None:
        """Compare strided values, corner and channel statistics with `kind` of the golden file."""
        found = embedding[0].double()
        parts = {
            "strided": found[::4, ::4, ::4],
            "corner": found[:, :3, :3],
            "channel_mean": found.mean((1, 2)),
            "channel_std": found.std((1, 2), correction=0),
        }
        for name, part in parts.items():
            np.testing.assert_allclose(part, self.arrays[f"{kind}/{name}"], rtol=0, atol=limit)


@cache
def encoder_golden(name: str) -> EncoderGolden:
    """Build, once a session, the encoder of "repvit_sam" or "mobile_sam" with golden weights."""
    kind, gain = ENCODERS[name]
    # The recipe hashes whole names, so the encoder is filled inside a model of that shape.
    model = nn.Module()
    model.image_encoder = kind()
    deterministic_weights.fill(model, gain=gain)
    shapes = {
        key.removeprefix(PREFIX): shape
        for key, shape in manifest("sam", name).items()
        if key.startswith(PREFIX)
    }
    return EncoderGolden(model.image_encoder, golden(f"{name}_encoder"), shapes)


@cache
def golden_picture() -> Tensor:
    """Return the normalised (1, 3, 1024, 1024) picture of the encoders' golden files."""
    picture = synthetic_picture.synthetic_picture(1024, 1024, seed=11)
    assert zlib.crc32(picture.tobytes()) == int(golden("repvit_sam_encoder")["picture_crc32"])
    normal = (picture.astype(np.float32) - np.float32(MEAN)) / np.float32(STD)
    return torch.from_numpy(normal.transpose(2, 0, 1)[None].copy())


def stage_summaries(encoder: nn.Module, x: Tensor, names: list[str]) -> tuple[Tensor, dict]:
    """Run an encoder; return its embedding and the summaries of the named stages' outputs."""
    found: dict[str, dict[str, np.ndarray]] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: object, out: Tensor) -> None:
            if out.dim() == 3:  # attention: keep the first window
                side = int(out.shape[1] ** 0.5)
                out = out[:1].transpose(1, 2).unflatten(2, (side, side))
            found[name] = summary(out)

        return hook

    handles = [encoder.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    with torch.inference_mode():
        embedding = encoder(x)
    for handle in handles:
        handle.remove()
    return embedding, found
