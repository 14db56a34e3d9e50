"""`python -m agent.shown --config FILE`: the settings with which an agent would start, and who says so: JSON.

Read in the same way as an agent reads them, in this environment; what an agent would refuse is refused here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from agent.config import AgentConfig, ConfigError, config_file, load, variable_of
from settings.origins import DEFAULT, HIDDEN, Lines, Shown, tell


def shown(arguments: list[str], environment: Mapping[str, str]) -> list[Shown]:
    """Every setting. Raises ConfigError."""
    config = load(arguments, environment)
    path = config_file(arguments, environment)
    lines = Lines(Path(path).read_text(encoding="utf-8")) if path else Lines("")
    found = []
    for option in fields(AgentConfig):
        line = lines.of([option.name])
        origin = DEFAULT if line is None else f"{path}:{line}"
        if variable_of(option.name) in environment:
            origin = variable_of(option.name)
        flag = f"--{option.name.replace('_', '-')}"
        if any(each.partition("=")[0] == flag for each in arguments):
            origin = flag
        found.append(Shown(option.name, _value(option.name, getattr(config, option.name)), origin))
    return found


def _value(name: str, value: Any) -> Any:
    if name == "token":
        return HIDDEN if value else None
    return str(value) if isinstance(value, Path) else value


def main() -> int:
    return tell(lambda: shown(sys.argv[1:], os.environ), refused=ConfigError)


if __name__ == "__main__":
    sys.exit(main())
