"""`rvsam-video distill export`: a trained student as a checkpoint, ONNX, OpenVINO or Core ML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rvsam_video.cli.options import report_options

if TYPE_CHECKING:
    from rvsam_video.training.finished import Which


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["checkpoint", "onnx", "openvino", "coreml"]),
    default="checkpoint",
    show_default=True,
    help="A checkpoint in the official layout, or for another runtime.",
)
@click.option(
    "--part",
    type=click.Choice(["encoder", "decoder"]),
    default="encoder",
    show_default=True,
    help="For other runtimes.",
)
@click.option(
    "--weights",
    type=click.Choice(["best", "last", "average"]),
    default="best",
    show_default=True,
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@report_options
def command(
    *,
    run: Path,
    out: Path,
    kind: str,
    part: str,
    weights: Which,
    overwrite: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Write the student of the training RUN into a file."""
    from rvsam_video.training.finished import export_student, trained_student

    student = trained_student(run, weights)
    said = export_student(student, out, kind=kind, part=part, overwrite=overwrite)
    if as_json:
        facts = {"path": str(out), "segmenter": student.segmenter, "step": student.step}
        click.echo(json.dumps({"event": "exported", **facts, "remark": said}))
    else:
        click.echo(said)
