"""`rvsam-video export`: a network as a file for ONNX Runtime, OpenVINO or Core ML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rvsam_video.errors import UsageError
from rvsam_video.export.parts import ExportRequest, Exports
from rvsam_video.part_settings import changed, words_of

if TYPE_CHECKING:
    from rvsam_video.export import Exported


@click.command("export")
@click.argument("name")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["onnx", "openvino", "coreml"]),
    default="onnx",
    show_default=True,
    help="For which runtime.",
)
@click.option(
    "--part",
    "part_name",
    help="What of the network, see below.  [default: encoder]",
    default="encoder",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    help="A fixed number of points, for runtimes that want to know all shapes.  [default: any]",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the tracker; rvsam-video info --settings NAME lists them. Repeatable.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The file.  [default: NAME-PART with the format's suffix, in this folder]",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of weights, instead of the published ones.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the weights.  [default: RVSAM_CACHE, or the system's cache]",
)
@click.option("--offline", is_flag=True, default=None, help="Never use the network.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(  # noqa: PLR0913, PLR0917 (one parameter per option)
    name: str,
    format_name: str,
    part_name: str,
    count: int | None,
    options: tuple[str, ...],
    out: Path | None,
    checkpoint: Path | None,
    overwrite: bool,
    cache: Path | None,
    offline: bool | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Write a part of the network NAME for another runtime, and compare it with PyTorch.

    \b
    SAM's family, together the whole segmenter:
    encoder   image (1,3,1024,1024), normalised, to embedding (1,256,64,64)
    decoder   image_embeddings (1,256,64,64), point_coords (1,N,2) x,y in the
              1024x1024 square, point_labels (1,N) 1 object, 0 background,
              2 and 3 corners of a box, -1 none (last, if there is no box),
              mask_input (1,1,256,256) logits, has_mask_input (1)
              to low_res_logits (1,4,256,256) and iou_predictions (1,4)
    \b
    tapir-online, together the whole tracker; x,y in pixels of a 256x256
    picture, from its outer corner:
    encoder   image (1,3,256,256), -1 to 1, to high_256 (1,64,64,128),
              low_256 (1,32,32,256), lowest_256 (1,16,16,256)
    describe  high, low, xy (N,2) to queries (N,1,384)
    step      all three, queries, memory (N,4,2,12,5,512), zeros for new points,
              to xy (N,2), logits (N,2) hidden and far off, memory_out
    """  # noqa: D301 (click reads \b)
    from rvsam_video import __version__
    from rvsam_video.cli.weights import download_progress
    from rvsam_video.export import FORMATS, export_part
    from rvsam_video.weights.fetch import checkpoint_path, file_sha256, find_weights

    exports, defaults = _entry(name, part_name)
    settings = changed(defaults, words_of(options, "--option"), name)
    with download_progress(name, shown=not as_json) as progress:
        weights = checkpoint or checkpoint_path(
            name, cache=cache, offline=offline, progress=progress
        )
    part = exports.build(
        ExportRequest(part=part_name, weights=weights, settings=settings, count=count)
    )
    notes = {
        "network": name,
        "part": part_name,
        "weights_sha256": file_sha256(weights),
        # A file of one's own may be anything; claiming the published licence would be a guess.
        "weights_licence": "unknown" if checkpoint else find_weights(name).licence,
        "made_by": f"rvsam-video {__version__}",
    }
    target = out or Path(f"{name}-{part_name}{FORMATS[format_name].suffix}")
    exported = export_part(part, format_name, target, metadata=notes, overwrite=overwrite)
    if as_json:
        click.echo(json.dumps({"event": "exported", **_facts(exported), **notes}))
        return
    click.echo(f"{exported.path}  {exported.size / 1e6:.1f} MB")
    click.echo(_parity_sentence(exported))


def _entry(name: str, part: str) -> tuple[Exports, object]:
    """Return what can be exported of this name, if that part is among it, and its settings."""
    from rvsam_video.segmenters import SEGMENTERS
    from rvsam_video.trackers import TRACKERS

    able = {
        known: (entry.exports, entry.settings)
        for registry in (SEGMENTERS, TRACKERS)
        for known in registry.names()
        if (entry := registry.find(known)).exports is not None
    }
    if name not in able:
        msg = f"{name!r} cannot be exported; choose one of: {', '.join(able)}"
        raise UsageError(msg)
    exports, settings = able[name]
    if part not in exports.parts:
        msg = f"{name} has no part {part!r}; choose one of: {', '.join(exports.parts)}"
        raise UsageError(msg)
    return exports, settings


def _facts(exported: Exported) -> dict[str, object]:
    parity = exported.parity
    return {
        "path": str(exported.path),
        "size": exported.size,
        "max_abs_difference": None if parity is None else parity.difference,
        "allowed_difference": None if parity is None else parity.allowed,
        "remark": exported.remark,
    }


def _parity_sentence(exported: Exported) -> str:
    parity = exported.parity
    if parity is None:
        return exported.remark
    return f"largest difference from PyTorch {parity.difference:.2g} (allowed {parity.allowed:.2g})"
