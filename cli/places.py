"""Which state of the past is meant, and out of what it is to be made: options of `state` and `diff`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.instants import milliseconds
from cli.options import INSTANT

F = TypeVar("F", bound=Callable[..., Any])
LATEST = "end:"
INDEX_DIGITS_MAX = 18


class Place(click.ParamType[str]):
    """An index, an instant, a backup's file, or `now`; as node/travel.py reads them."""

    name = "index|instant|file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        if text == "now":
            return LATEST
        if text.isascii() and text.isdigit():
            if len(text) > INDEX_DIGITS_MAX:
                self.fail(f"{text} is more than an index ever is", param, ctx)
            return f"index:{int(text)}"
        if Path(text).is_file():
            return f"file:{text}"
        if "/" in text or text.endswith(".db"):
            self.fail(f"{text!r}: there is no such file", param, ctx)
        try:
            return f"time:{milliseconds(INSTANT.convert(text, param, ctx))}"
        except click.BadParameter as error:
            self.fail(f"{error.message}; or an index as 5120, or the file of a backup", param, ctx)


PLACE = Place()


def made_of(function: F) -> F:
    for option in (
        click.option(
            "--data", type=click.Path(file_okay=False), metavar="DIR",
            help="The data directory of a node, which may run: its log is what leads from state to state.",
        ),
        click.option(
            "--backup", "backups", multiple=True, type=click.Path(dir_okay=False), metavar="FILE",
            help="A backup to begin with; may be given again.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function
