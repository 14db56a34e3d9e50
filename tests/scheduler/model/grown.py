"""A kind is a file and a word in the list: what a copy of scheduler/ says that has one kind more."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[3]


def told(place: Path, folder: str, name: str, source: str, *, after: str, use: str) -> Any:
    """What the program `use` prints as JSON in a copy at `place`, whose `folder` of scheduler/model has a new
    file `name` with this source, and in its list, right after the last word (`after`), the name in capitals.
    """
    shutil.copytree(PROJECT / "scheduler", place / "scheduler", ignore=shutil.ignore_patterns("__pycache__"))
    package = place / "scheduler" / "model" / folder
    (package / f"{name}.py").write_text(source)
    listing, last = (package / "__init__.py").read_text(), f"{after})" if "," in after else f"{after},)"
    grown = listing.replace(f"({last}", f"({after}, {name.upper()})")
    assert grown != listing
    line = f"from scheduler.model.{folder}.{name} import {name.upper()}\n"
    grown = grown.replace("from scheduler.model.", f"{line}from scheduler.model.", 1)
    (package / "__init__.py").write_text(grown)
    result = subprocess.run(
        [sys.executable, "-c", use], cwd=place, env={"PYTHONPATH": str(place)}, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
