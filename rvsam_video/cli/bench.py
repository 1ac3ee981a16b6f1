"""`rvsam-video bench`: what the learned segmenters take on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from rvsam_video.errors import UsageError

if TYPE_CHECKING:
    from rvsam_video.segmenters.sam.timing import SegmenterSpeed


DEFAULT_NAMES = ("repvit-sam", "mobile-sam")


@click.command("bench")
@click.argument("names", nargs=-1)
@click.option("--objects", default="1,5,20", show_default=True, help="Numbers of objects.")
@click.option("--repeats", type=click.IntRange(1, 1000), default=3, show_default=True)
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads.  [default: all]")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda or mps.")
@click.option(
    "--backend",
    "backends",
    multiple=True,
    type=click.Choice(["torch", "onnxruntime", "openvino"]),
    default=["torch"],
    show_default=True,
    help="What runs the networks. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    *,
    names: tuple[str, ...],
    objects: str,
    repeats: int,
    threads: int | None,
    device: str,
    backends: tuple[str, ...],
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Time the segmenters NAMES (default: repvit-sam mobile-sam); needs no weights."""
    from rvsam_video.segmenters.sam.allocator import keep_freed_memory
    from rvsam_video.segmenters.sam.registry import SAM_VARIANTS
    from rvsam_video.segmenters.sam.timing import measure_segmenters

    counts = _counts(objects)
    unknown = [name for name in names if name not in SAM_VARIANTS]
    if unknown:
        msg = f"there is no learned segmenter named {unknown[0]!r}; choose from: " + ", ".join(
            SAM_VARIANTS
        )
        raise UsageError(msg)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    keep_freed_memory()
    measured = []
    for backend in backends:
        for speed in measure_segmenters(
            names or DEFAULT_NAMES, objects=counts, device=device, backend=backend, repeats=repeats
        ):
            measured.append(speed)
            if as_json:
                click.echo(json.dumps(asdict(speed)))
    if not as_json:
        _print_table(measured, counts)


def _counts(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and 1 <= int(part) <= 1000 for part in parts):
        msg = f"--objects is {text!r}; write numbers from 1 to 1000 with commas, such as 1,5,20"
        raise UsageError(msg)
    return [int(part) for part in parts]


def _print_table(measured: Sequence[SegmenterSpeed], counts: Sequence[int]) -> None:
    from rich.console import Console
    from rich.table import Table

    first = measured[0]
    table = Table(title=f"one frame of 854x480, {first.device}, {first.threads} threads")
    for heading in ("segmenter", "backend"):
        table.add_column(heading, no_wrap=True)
    decodes = [f"{count} object{'s' * (count > 1)}" for count in counts]
    for heading in ("weights", "GMAC", "encode", *decodes, "ratio"):
        table.add_column(heading, justify="right", no_wrap=True)
    slowest = max(speed.encode_seconds for speed in measured)
    for speed in measured:
        table.add_row(
            speed.name,
            speed.backend,
            f"{speed.parameters / 1e6:.1f} M",
            f"{speed.gmacs:.1f}",
            f"{speed.encode_seconds * 1e3:.0f} ms",
            *(f"{speed.decode_seconds[count] * 1e3:.0f} ms" for count in counts),
            f"{slowest / speed.encode_seconds:.2f}",
        )
    console = Console()
    # A table that is cut to fit tells nothing.
    console.print(table, width=max(console.width, 100))
    for speed in measured:
        rates = ", ".join(
            f"{speed.frames_per_second(count):.2f} with {count} object{'s' * (count > 1)}"
            for count in counts
        )
        click.echo(f"{speed.name} on {speed.backend}: expect frames per second: {rates}")
