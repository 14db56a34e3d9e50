"""Groups of commands. A word that is none is answered with the one that is meant; commands of a `LazyGroup`
are imported when they are called, not when help is shown."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


#: What people write before the command, where other programs have it.
AFTER = frozenset({"--url", "--token", "--context", "--namespace", "-n", "--output", "-o"})


class Lazy(NamedTuple):
    where: str  #: module:attribute
    help: str  #: its line in the group's help


#: What other programs call a command, and what it may be called here.
ALSO = {
    "get": ("show", "list"), "show": ("get", "list"), "describe": ("show", "get", "explain"),
    "ls": ("list",), "rm": ("delete", "remove", "revoke"), "remove": ("delete", "revoke"),
    "delete": ("remove", "revoke"),
    "create": ("apply", "put", "add"), "set": ("put", "apply", "use"), "put": ("apply",),
    "update": ("apply", "put"),
    "log": ("logs",), "start": ("run",), "trigger": ("run",), "kill": ("cancel", "stop"), "stop": ("cancel",),
    "status": ("show", "get", "list"), "why": ("explain",), "disable": ("pause",), "enable": ("resume",),
}  # fmt: skip


class Group(click.Group):
    """A group that knows what is meant by a word that is no command of it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            meant = [each for each in ALSO.get(args[0], ()) if each in known]
            near = meant or get_close_matches(args[0], known, 1)
            if near:
                ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group of `lazy` commands, listed in the order given."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = self.lazy.get(cmd_name)
        if found is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = found.where.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, found.help) for name, found in self.lazy.items()]
        rows += [(name, command.get_short_help_str(80)) for name, command in sorted(self.commands.items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As click does, without loading each command for its help."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        helps = {name: found.help for name, found in self.lazy.items()}
        helps |= {name: command.get_short_help_str() for name, command in self.commands.items()}
        fitting = [name for name in helps if name.startswith(incomplete)]
        return [CompletionItem(name, help=helps[name]) for name in fitting]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options of the cluster belong to the commands: who writes one before them is told so."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name not in AFTER:
                raise
            name = error.option_name
            ctx.fail(f"{name} stands after the command: {ctx.command_path} … {name} …")
