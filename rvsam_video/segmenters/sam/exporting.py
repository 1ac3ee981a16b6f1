"""The parts of a named network with its published weights, or with a file's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rvsam_video import __version__
from rvsam_video.errors import UsageError
from rvsam_video.export.parts import ExportPart, decoder_part, encoder_part
from rvsam_video.weights.fetch import (
    checkpoint_path,
    file_sha256,
    find_weights,
    load_state_dict,
)

if TYPE_CHECKING:
    from rvsam_video.weights.download import Progress

PARTS = ("encoder", "decoder")


def named_part(
    name: str,
    part: str,
    *,
    checkpoint: str | Path | None = None,
    cache: str | Path | None = None,
    offline: bool | None = None,
    progress: Progress | None = None,
) -> tuple[ExportPart, dict[str, str]]:
    """Build a part of a network of the SAM family.

    Args:
        name: of the segmenter.
        part: "encoder" or "decoder".
        checkpoint: a file of weights; None takes the published ones, fetched on first use.
        cache: where they are kept; see `checkpoint_path`.
        offline: never use the network.
        progress: told of a download.

    Returns:
        The part, encoders in their fused form, and what to note in the exported file.

    Raises:
        UsageError: if there is no such network or part.
        WeightsError: if the weights cannot be had, or are those of another network.
    """
    from rvsam_video.segmenters.sam.registry import SAM_VARIANTS, sam_network

    if name not in SAM_VARIANTS or part not in PARTS:
        msg = (
            f"the {part} of {name!r} cannot be exported; choose {' or '.join(PARTS)} of one of: "
            f"{', '.join(SAM_VARIANTS)}"
        )
        raise UsageError(msg)
    if checkpoint is None:
        path = checkpoint_path(name, cache=cache, offline=offline, progress=progress)
        licence = find_weights(name).licence
    else:
        # A file of one's own may be anything; claiming the published licence for it would be a
        # guess.
        path, licence = Path(checkpoint), "unknown"
    sam = sam_network(SAM_VARIANTS[name], load_state_dict(path), source=str(path))
    built = (
        encoder_part(sam.image_encoder)
        if part == "encoder"
        else decoder_part(sam.prompt_encoder, sam.mask_decoder)
    )
    return built, {
        "network": name,
        "part": part,
        "weights_sha256": file_sha256(path),
        "weights_licence": licence,
        "made_by": f"rvsam-video {__version__}",
    }
