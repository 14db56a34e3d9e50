"""Files of a format, read."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from cli.importing.found import Found, Source, UnreadableError, Wishes
from cli.importing.gathering import NotTaken

if TYPE_CHECKING:
    from cli.importing.found import Reading


def read(name: str, sources: Sequence[Source], wishes: Wishes) -> Found:
    """What these files of the format `name` become. Raises UnreadableError where a file is none of it."""
    format_: Reading = import_module(f"cli.importing.formats.{name}")
    try:
        return format_.read(list(sources), wishes)
    except NotTaken as reason:  # of the file itself, no single job of it
        where = f"{reason.place.file}:{reason.place.line}" if reason.place else sources[0].name
        raise UnreadableError(where, str(reason)) from None
