"""Configuration files of the programs under test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_toml(
    path: Path, settings: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Settings, then tables; readable by its owner alone."""
    # JSON's strings, numbers, booleans and lists of strings are TOML as well.
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    for name, table in (tables or {}).items():
        lines += ["", f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
