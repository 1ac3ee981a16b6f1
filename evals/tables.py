"""Small tables for people, as the commands of benchmarks print them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, slots=True)
class TableRows:
    """A small table: a title, the headings, and the cells of each row."""

    title: str
    headings: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]


def show(tables: Sequence[TableRows], console: Console) -> None:
    """Print tables, whole even where the screen is narrow."""
    from rich.table import Table

    for rows in tables:
        if rows.title:
            console.print(rows.title, markup=False, highlight=False, soft_wrap=True)
        table = Table()
        for at, heading in enumerate(rows.headings):
            left = at == 0 and len(rows.cells) > 1
            # A name on the left, numbers on the right so that their points stand below each other.
            table.add_column(heading, justify="left" if left else "right", no_wrap=True)
        for cells in rows.cells:
            table.add_row(*cells)
        console.print(table, width=max(console.width, 80), markup=False)
