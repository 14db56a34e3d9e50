"""The clusters that a person has named on this machine (`cronclave context add`): read here, never written.

The file is $XDG_CONFIG_HOME/cronclave/contexts.toml. One that others may read is refused while it holds a
token.
"""

from __future__ import annotations

import importlib
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cronclave.errors import CronclaveError

FILE_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Context:
    urls: str  #: of a node, or of several with commas
    token: str
    ca: str


def contexts_file() -> Path:
    told = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(told) if told.startswith("/") else Path.home() / ".config"
    return folder / "cronclave" / "contexts.toml"


def current_context() -> str:
    """The name of the one in use; empty: there is none. Raises CronclaveError."""
    return str(_read().get("current", ""))


def find_context(name: str, named_by: str) -> Context:
    """Raises CronclaveError."""
    named = _read().get("contexts", {})
    table = named.get(name) if isinstance(named, Mapping) else None
    if not isinstance(table, Mapping) or not isinstance(table.get("url"), str):
        raise CronclaveError(
            f"there is no context {name!r} ({named_by})",
            hint=f"cronclave context list, or cronclave context add {name} --url URL",
        )
    return Context(table["url"], _token(table, name), str(table.get("ca", "")))


def _token(table: Mapping[str, Any], name: str) -> str:
    if not table.get("token_file"):
        return str(table.get("token", ""))
    try:
        return Path(str(table["token_file"])).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise CronclaveError(f"context {name}: its token_file cannot be read: {error}") from None


def _read() -> dict[str, Any]:
    path = contexts_file()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(FILE_BYTES_MAX)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CronclaveError(f"{path} cannot be read: {error.strerror}") from None
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        found: dict[str, Any] = toml.loads(data.decode("utf-8"))
    except ValueError as error:
        raise CronclaveError(f"{path} is not TOML: {error}", hint="Mend it, or move it away.") from None
    named = found.get("contexts", {})
    tokens = isinstance(named, Mapping) and any("token" in each for each in named.values())
    if tokens and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CronclaveError(
            f"{path} holds tokens, and others may read it (mode {stat.S_IMODE(mode):04o})",
            hint=f"chmod 600 {path}; make new tokens if somebody has read them.",
        )
    return found
