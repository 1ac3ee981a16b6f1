"""Image encoders run by other runtimes than PyTorch, from files exported on first use."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from rvsam_video import __version__
from rvsam_video.errors import UsageError
from rvsam_video.export import FORMATS, encoder_part, export_part, onnx, openvino
from rvsam_video.export.extras import require
from rvsam_video.export.onnx import NetworkRun
from rvsam_video.weights.cache import cache_folder, only_writer, writing_cache

Backend = Literal["torch", "onnxruntime", "openvino"]

_HASH_LETTERS = 16
"""Of the weights' hash in a file name: 64 bits tell all files of one machine apart."""


class ExportedEncoder(nn.Module):
    """An exported image encoder, called like the network that it was made from.

    It runs on the CPU in float32, wherever the pictures are.

    Args:
        run: runs the exported file.
    """

    def __init__(self, run: NetworkRun) -> None:
        super().__init__()
        self._run = run

    def forward(self, images: Tensor) -> Tensor:
        """Encode (B, 3, 1024, 1024) pictures to a (B, 256, 64, 64) float32 embedding."""
        # Whatever autocast made of them: the files take float32 in ordinary memory.
        pictures = images.detach().float().cpu().numpy()
        # One by one: the files are traced for a single picture.
        embeddings = [self._run({"image": picture[None]})[0] for picture in pictures]
        return torch.from_numpy(np.concatenate(embeddings)).to(images.device)


class OnnxEncoder(ExportedEncoder):
    """An image encoder run by ONNX Runtime.

    Args:
        path: an .onnx file made by `rvsam-video export`.

    Raises:
        UsageError: if the package `onnxruntime` is missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(onnx.open_onnx(path))


class OpenVinoEncoder(ExportedEncoder):
    """An image encoder run by OpenVINO.

    Args:
        path: an .xml file made by `rvsam-video export`, its .bin beside it.

    Raises:
        UsageError: if the package `openvino` is missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(openvino.open_openvino(path))


_KINDS: dict[str, tuple[str, str, type[OnnxEncoder | OpenVinoEncoder]]] = {
    "onnxruntime": ("onnx", onnx.ONNX_EXTRA, OnnxEncoder),
    "openvino": ("openvino", openvino.OPENVINO_EXTRA, OpenVinoEncoder),
}
"""Per backend, which is also the package's name: the export format, the extra and the class."""

BACKENDS = ("torch", *_KINDS)
"""All that can run an image encoder."""


def encoder_on_backend(
    encoder: nn.Module,
    backend: str,
    *,
    name: str,
    weights_sha256: str,
    cache: str | Path | None = None,
) -> nn.Module:
    """Return the image encoder as run by another runtime; exports it on first use.

    Args:
        encoder: with its weights loaded, on the CPU, fused if it has such a form.
        backend: one of `BACKENDS`; "torch" returns `encoder` itself.
        name: of the network, for the file's name.
        weights_sha256: of the file the weights came from; other weights make another file.
        cache: the folder that exported files are kept in, under `exported`; by default that of
            the weights.

    Raises:
        UsageError: if there is no such backend, or its package is missing.
        OutputError: if the exported file does not compute what the encoder does.
        WeightsError: if the cache cannot be written.
    """
    if backend not in BACKENDS:
        msg = f"there is no backend named {backend!r}; choose one of: {', '.join(BACKENDS)}"
        raise UsageError(msg)
    if backend == "torch":
        return encoder
    format_name, extra, kind = _KINDS[backend]
    require(backend, extra)
    folder = cache_folder(cache) / "exported"
    # The version is in the name because another one may build or fuse the network differently.
    stem = f"{name}-{weights_sha256[:_HASH_LETTERS]}-{__version__}"
    path = folder / f"{stem}{FORMATS[format_name].suffix}"
    # Looked for before the lock: a file that is there needs no leave to write.
    if not path.is_file():
        with writing_cache(folder), only_writer(path):
            # And again: another process may have made it while this one waited.
            if not path.is_file():
                notes = {"network": name, "part": "encoder", "weights_sha256": weights_sha256}
                export_part(encoder_part(encoder), format_name, path, metadata=notes)
    return kind(path)
