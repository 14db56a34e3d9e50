"""`python -m tests.other_zones.node --config FILE`: a node that finds another tzdata beside its own files."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.resources import files
from pathlib import Path

VERSION = "2099a"
MOVED, AS = "Europe/Berlin", "Asia/Kolkata"


def make(folder: Path) -> None:
    """The package as a wheel would lay it down."""
    package = folder / "tzdata"
    if package.exists():
        return
    shutil.copytree(str(files("tzdata")), package, ignore=shutil.ignore_patterns("__pycache__"))
    rules, moved = (package.joinpath("zoneinfo", *name.split("/")) for name in (AS, MOVED))
    shutil.copyfile(rules, moved)
    (package / "__init__.py").write_text(f'__version__ = "2099.1"\nIANA_VERSION = "{VERSION}"\n')


if __name__ == "__main__":
    folder = Path(sys.argv[sys.argv.index("--config") + 1]).parent / "wheel"
    make(folder)
    os.environ["PYTHONPATH"] = str(folder)  # of core and front
    os.execv(sys.executable, [sys.executable, "-m", "node", *sys.argv[1:]])
