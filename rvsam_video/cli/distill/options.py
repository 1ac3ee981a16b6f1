"""Options that several commands of `rvsam-video distill` have."""

from __future__ import annotations

from pathlib import Path

import click

images_option = click.option(
    "--images",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Where the pictures are now.  [default: where they were embedded from]",
)
