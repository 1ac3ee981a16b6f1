"""`LazyGroup`: a command group that imports a command's module only when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple

import click


class Later(NamedTuple):
    """A command that is not imported yet.

    Attributes:
        module: the module that holds it.
        help: what the list of commands says of it.
        name: what it is called there.
    """

    module: str
    help: str
    name: str = "command"


class LazyGroup(click.Group):
    """Lists its commands without importing them.

    Args:
        name: of the group, as typed.
        later: its commands by name, in the order of the list.
        settings: what `click.Group` takes besides.
    """

    def __init__(self, name: str, *, later: Mapping[str, Later], **settings: object) -> None:
        super().__init__(name, **settings)  # type: ignore[arg-type]
        self._later = later

    def list_commands(self, ctx: click.Context | None) -> list[str]:  # noqa: ARG002
        """Return the names of all commands."""
        return list(self._later)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Import the command, or return None if there is none of this name."""
        if cmd_name not in self._later:
            return None
        later = self._later[cmd_name]
        command = getattr(import_module(later.module), later.name)
        return command if isinstance(command, click.Command) else None

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, later.help) for name, later in self._later.items()])
