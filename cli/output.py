"""How results are printed.

A table on a terminal is drawn by rich; into a pipe it is plain text with columns apart by two spaces, uncut,
for awk and grep. JSON and YAML are the API's own documents, with escapes for what would drive a terminal.
NO_COLOR is obeyed. Text that came from outside is printed without its control characters: a job's name or
output tail must not drive the terminal (cli/terminal.py is the last wall for whatever forgets that).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from cli.terminal import drives, escaped_json

Row = Sequence[object]

_STYLES = {
    "succeeded": "green", "ran": "green", "active": "green", "connected": "green", "leader": "bold green",
    "yes": "green", "running": "cyan", "pending": "yellow", "failed": "red", "timed_out": "red",
    "lost": "red", "expired": "red", "missed": "red", "unplaceable": "red", "disconnected": "red",
    "no": "red", "cancelled": "yellow", "skipped": "yellow", "coalesced": "yellow", "paused": "yellow",
    "disabled": "yellow",
}  # fmt: skip


def show(form: str, document: Any, columns: Sequence[str], rows: Callable[[], Sequence[Row]]) -> None:
    """The document as JSON or YAML, or its rows as a table."""
    if form == "json":
        click.echo(escaped_json(json.dumps(document, indent=2, ensure_ascii=False)))
    elif form == "yaml":
        click.echo(yaml_text(document), nl=False)
    else:
        table(columns, rows())


def yaml_text(document: Any) -> str:
    from scheduler.model.written import write_yaml

    text = write_yaml([document], starts=False)
    return write_yaml([document], starts=False, ascii_only=True) if drives(text) else text


def table(columns: Sequence[str], rows: Sequence[Row]) -> None:
    cells = [[cell_text(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _drawn(columns, cells)
        return
    widths = [max(len(row[i]) for row in [list(columns), *cells]) for i in range(len(columns))]
    for row in [[name.upper() for name in columns], *cells]:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _drawn(columns: Sequence[str], cells: list[list[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        drawn.add_column(name)
    for row in cells:
        drawn.add_row(*(Text(text, style=_STYLES.get(text.partition(" ")[0], "")) for text in row))
    Console().print(drawn)


def cell_text(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(cell_text(item) for item in value) or "-"
    if isinstance(value, dict):
        return ",".join(f"{key}={_value(item)}" for key, item in value.items()) or "-"
    return printable(str(value))


def _value(value: object) -> str:
    """A value of a job's own, as it is written in a job and given to a run."""
    return str(value).lower() if isinstance(value, bool) else cell_text(value)


def printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def facts(pairs: Sequence[tuple[str, object]]) -> None:
    """One thing, a line a fact."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        click.echo(f"{click.style(name.ljust(width), dim=True)}  {cell_text(value)}")


def more(there_is_more: bool, shown: int) -> None:
    if there_is_more:
        click.echo(f"… there are more than {shown}: see them with a larger --limit", err=True)


def with_warning(item: dict[str, Any]) -> str:
    """The state of a run or task, as people read it."""
    return f"{item['state']} (warned)" if item.get("warned") else str(item["state"])


def counted(number: int, one: str, many: str = "") -> str:
    """`1 run`, `2,000 runs`. `many`: where it is not `one` and an s, such as `runs wait`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
