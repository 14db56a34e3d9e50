"""Options that many commands share, and the types of their values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from cli.client import Client, connect
from cli.completing import context_names, namespaces
from cli.instants import span_s

F = TypeVar("F", bound=Callable[..., Any])


def naming(function: F) -> F:
    """The options that name a cluster: url, token and context."""
    for option in (
        click.option(
            "--context", metavar="NAME", shell_complete=context_names,
            help="A cluster named by `cronclave context add`.  [env: CRONCLAVE_CONTEXT]",
        ),
        click.option("--token", metavar="TOKEN", help="Bearer token.  [env: CRONCLAVE_TOKEN]"),
        click.option(
            "--url", metavar="URL", help="Node to talk to, or several with commas.  [env: CRONCLAVE_URL]"
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def reaching(function: F) -> F:
    """Gives the command, as its first argument, what makes a Client: for those that need none sometimes."""

    @naming
    @functools.wraps(function)
    def wrapped(*args: Any, url: str | None, token: str | None, context: str | None, **kwargs: Any) -> Any:
        return function(functools.partial(connect, url, token, context), *args, **kwargs)

    return wrapped  # type: ignore[return-value]  # the same command with three options more


def connected(function: F) -> F:
    """Gives the command a Client as its first argument."""

    @functools.wraps(function)
    def wrapped(reach: Callable[[], Client], *args: Any, **kwargs: Any) -> Any:
        return function(reach(), *args, **kwargs)

    return reaching(wrapped)  # type: ignore[return-value]  # as above


formatted = click.option(
    "-o", "--output", "form", type=click.Choice(["table", "json", "yaml"]), default="table",
    show_default=True, help="How to print.",
)  # fmt: skip

namespaced = click.option(
    "-n", "--namespace", default="default", show_default=True, metavar="NAME", help="Namespace of the job.",
    shell_complete=namespaces,
)  # fmt: skip

stale = click.option(
    "--stale", is_flag=True, help="What this node knows, also without a leader; it may be behind."
)


def consistency(is_stale: bool) -> str | None:
    return "stale" if is_stale else None


class Instant(click.ParamType[datetime]):
    """RFC 3339 with a zone, a date (midnight UTC), `now`, or relative: -1h, +2d."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return self._moment(value, param, ctx)
        except OverflowError:
            self.fail(f"{str(value)!r} does not lie between the years 1 and 9999", param, ctx)

    def _moment(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        if text == "now":
            return datetime.now(UTC)
        if text[:1] in "+-" and text[1:]:
            seconds = span_s(text[1:])
            if seconds is not None:
                return datetime.now(UTC) + timedelta(seconds=seconds if text[0] == "+" else -seconds)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            forms = "2026-01-31T23:00:00Z, 2026-01-31, now, -1h or +2d"
            self.fail(f"{text!r} is no instant; write {forms}", param, ctx)
        if moment.tzinfo is None:
            if len(text) == 10:
                return moment.replace(tzinfo=UTC)
            self.fail(f"{text!r} has no zone; end it with Z for UTC or an offset as +02:00", param, ctx)
        return moment.astimezone(UTC)


class Span(click.ParamType[float]):
    """A duration in seconds: 30s, 5m, 1h30m."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        seconds = span_s(str(value))
        if seconds is None or seconds <= 0:
            self.fail(f"{value!r} is no duration; write it as 30s, 5m or 1h30m", param, ctx)
        return seconds


class HostPort(click.ParamType[str]):
    """host:port, with the port as a number from 1 to 65535."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        host, _, port = str(value).rpartition(":")
        if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65_536:
            self.fail(f"{value!r} is no address; write host:port, such as 10.0.1.4:8322", param, ctx)
        return str(value)


class FileOrFolder(click.ParamType[str]):
    """The name of a file or a folder, or - ; a shell completes it."""

    name = "path"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


FILE_OR_FOLDER = FileOrFolder()
HOST_PORT = HostPort()
JOB_STATES = click.Choice(["active", "paused", "disabled", "unplaceable"])
INSTANT = Instant()
SPAN = Span()
