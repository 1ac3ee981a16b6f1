"""`rvsam-video distill embed`: the teacher's embeddings of many pictures, on the disk."""

from __future__ import annotations

from pathlib import Path

import click

from rvsam_video.cli.options import report_options
from rvsam_video.cli.progress import reporter_for

_MOST_NAMED = 5


@click.command("embed")
@click.option(
    "--images",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="A folder, a tar archive, or a list of paths (.txt). Repeatable.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the embeddings; the same command goes on where it was stopped, and several at "
    "once share the work.",
)
@click.option("--teacher", default="sam-vit-h", show_default=True, help="Any learned segmenter.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of weights for the teacher, instead of the published ones.",
)
@click.option(
    "--side",
    type=click.IntRange(64, 1024),
    default=1024,
    show_default=True,
    help="Pixels of the square; less is for trying things out, and not for SAM's own encoders.",
)
@click.option("--batch", type=click.IntRange(1), default=4, show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Processes that read pictures.  [default: half of the processors, 8 at most]",
)
@click.option("--shard-size", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps.")
@report_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    images: tuple[Path, ...],
    out: Path,
    teacher: str,
    checkpoint: Path | None,
    side: int,
    batch: int,
    workers: int | None,
    shard_size: int,
    device: str,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Write the teacher's embeddings of all pictures: 2 MiB each.

    \b
    Example:
      rvsam-video distill embed --images sa_000000.tar --out embeddings
    """  # noqa: D301 (click reads \b)
    from rvsam_video.training.embedding import (
        EmbedSettings,
        embed_pictures,
        load_teacher,
        plan_store,
        space_needed,
    )
    from rvsam_video.training.pictures import find_pictures
    from rvsam_video.training.train import default_workers

    settings = EmbedSettings(
        side=side,
        shard_size=shard_size,
        batch=batch,
        workers=default_workers() if workers is None else workers,
        device=device,
    )
    with reporter_for(as_json=as_json, what="embedding", frames=False) as reporter:
        pictures = find_pictures(images)
        loaded = load_teacher(teacher, checkpoint)
        facts = plan_store(pictures, loaded, images, settings)
        needed, free = space_needed(out, facts)
        reporter.say(
            f"{len(pictures)} pictures, {facts.record_bytes / 2**20:.2f} MiB each: "
            f"{needed / 1e9:.2f} GB to write, {free / 1e9:.2f} GB free"
        )
        reporter.start(len(pictures), 0)
        outcome = embed_pictures(pictures, loaded, out, facts, settings, reporter.step)
        for name, reason in list(outcome.skipped.items())[:_MOST_NAMED]:
            reporter.say(f"skipped {name}: {reason}")
        reporter.end(
            {
                "folder": str(out),
                "embedded": outcome.embedded,
                "skipped": dict(outcome.skipped),
                "shards_of_others": outcome.elsewhere,
                "largest_rounding": outcome.largest_rounding,
            },
            [
                f"{outcome.embedded} embedded, {len(outcome.skipped)} skipped, "
                f"{outcome.elsewhere} shards left to other processes; float16 rounds by "
                f"{outcome.largest_rounding:.2g} at most; they are in {out}"
            ],
        )
