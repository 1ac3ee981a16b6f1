"""Options under titles: what `--help` of commands with many of them shows."""

from __future__ import annotations

import click

_TITLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "What to follow",
        (
            *("points", "boxes", "masks", "mask_mode", "names", "grid", "query_frame", "files"),
            *("most", "propose_every"),
        ),
    ),
    ("Data", ("root", "frames", "split", "year", "version", "videos", "sequences", "resolution")),
    ("Results", ("out", "save", "background", "trail", "overwrite")),
    (
        "Reading the source",
        (
            *("start", "end", "stride", "max_frames", "longest_side", "direction"),
            *("fps", "reader", "on_bad_frame", "live", "reconnect"),
        ),
    ),
    (
        "Method",
        (
            *("preset", "tracker", "segmenter", "restart_every", "overlap"),
            *("tracker_option", "segmenter_option", "seed"),
        ),
    ),
    ("Weights and devices", ("tracker_checkpoint", "checkpoint", "device", "backend", "workers")),
    (
        "The page",
        (
            *("host", "port", "token", "hosts", "cameras", "max_upload", "max_pixels"),
            *("max_visitors", "separate", "browser"),
        ),
    ),
)
"""Title to the options below it, by the names of their parameters, in this order."""

_REST = "Other"


class TitledCommand(click.Command):
    """A command whose help shows its options in groups, each under a title."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group by group; those of no group come last."""
        rows = {
            item.name: row
            for item in self.get_params(ctx)
            if (row := item.get_help_record(ctx)) is not None
        }
        for title, names in _TITLES:
            group = [rows.pop(name) for name in names if name in rows]
            if group:
                with formatter.section(title):
                    formatter.write_dl(group)
        with formatter.section(_REST):
            formatter.write_dl(list(rows.values()))
