"""`rvsam-video distill`: the group of the commands that train a small segmenter."""

from __future__ import annotations

import click

from rvsam_video.cli.group import Later, LazyGroup


def _here(module: str, about: str) -> Later:
    return Later(f"rvsam_video.cli.distill.{module}", about)


_COMMANDS = {
    "embed": _here("embed", "Write the teacher's embeddings of many pictures."),
    "train": _here("train", "Train a student on them; goes on where it was stopped."),
    "evaluate": _here("evaluate", "Score a student against its teacher, and on DAVIS."),
    "export": _here("export", "Write a checkpoint in the official layout, ONNX or Core ML."),
}


@click.command("distill", cls=LazyGroup, later=_COMMANDS)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(debug: bool) -> None:
    """Train a small segmenter to do what a large one does: embed, train, evaluate, export."""
