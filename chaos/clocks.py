"""A node whose host has another tzdata than the others, and a job that is due by a zone.

Rules:
1. What the cluster decides by is the zone data of the node that was asked first to put something with a zone:
   the job is put to a node with the data of everybody else, before anything else.
2. In the other data clocks of the zone show what those of another do, some hours ahead. The job is due in the
   hours of the load alone: who decides by the data of its own host finds that nothing is due.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

JOB, ZONE, AS = "zoned", "Europe/Berlin", "Asia/Kolkata"
VERSION = "2099a"
AROUND_H = (-1, 0, 1, 2)  #: before and behind the load's begin, clocks an hour ahead included


def trigger(now: datetime | None = None) -> dict[str, str]:
    """Every second second, in the hours of now."""
    local = (now or datetime.now(UTC)).astimezone(ZoneInfo(ZONE))
    hours = sorted({(local + timedelta(hours=each)).hour for each in AROUND_H})
    return {"cron": f"*/2 * {','.join(map(str, hours))} * * *", "tz": ZONE}


def lay_down(folder: Path) -> None:
    """Another tzdata, as a wheel would lay it down."""
    spec = importlib.util.find_spec("tzdata")
    assert spec is not None
    assert spec.origin is not None
    package = folder / "tzdata"
    shutil.copytree(Path(spec.origin).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    rules, moved = (package.joinpath("zoneinfo", *name.split("/")) for name in (AS, ZONE))
    shutil.copyfile(rules, moved)
    (package / "__init__.py").write_text(f'__version__ = "2099.1"\nIANA_VERSION = "{VERSION}"\n')


def with_wheel(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """What a program is started with that finds it before its own."""
    paths = [str(folder), *filter(None, [environment.get("PYTHONPATH", "")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)}
