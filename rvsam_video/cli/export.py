"""`rvsam-video export`: a network as a file for ONNX Runtime, OpenVINO or Core ML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

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
    type=click.Choice(["encoder", "decoder"]),
    default="encoder",
    show_default=True,
    help="The image encoder, or prompt encoder and mask decoder.",
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
    out: Path | None,
    checkpoint: Path | None,
    overwrite: bool,
    cache: Path | None,
    offline: bool | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Write the network NAME for another runtime, and compare it with PyTorch.

    \b
    encoder: image (1,3,1024,1024), normalised, to embedding (1,256,64,64)
    decoder: image_embeddings (1,256,64,64), point_coords (1,N,2) x,y in the
             1024x1024 square, point_labels (1,N) 1 object, 0 background,
             2 and 3 corners of a box, -1 none (last, if there is no box),
             mask_input (1,1,256,256) logits, has_mask_input (1)
             to low_res_logits (1,4,256,256) and iou_predictions (1,4)
    """  # noqa: D301 (click reads \b)
    from rvsam_video.cli.weights import download_progress
    from rvsam_video.export import FORMATS, export_part
    from rvsam_video.segmenters.sam.exporting import named_part

    with download_progress(name, shown=not as_json) as progress:
        part, notes = named_part(
            name,
            part_name,
            checkpoint=checkpoint,
            cache=cache,
            offline=offline,
            progress=progress,
        )
    target = out or Path(f"{name}-{part_name}{FORMATS[format_name].suffix}")
    exported = export_part(part, format_name, target, metadata=notes, overwrite=overwrite)
    if as_json:
        click.echo(json.dumps({"event": "exported", **_facts(exported), **notes}))
        return
    click.echo(f"{exported.path}  {exported.size / 1e6:.1f} MB")
    click.echo(_parity_sentence(exported))


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
