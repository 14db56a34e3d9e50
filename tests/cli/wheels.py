"""Wheels of `tzdata` and `holidays` that say something else than those that are installed."""

from __future__ import annotations

import zipfile
from importlib.resources import files
from pathlib import Path

HOLIDAYS = '''
def list_supported_countries(include_aliases=True):
    return {"DE": ["BE"]}


def country_holidays(country, subdiv=None, years=()):
    from datetime import date

    return {date(year, 1, 20) for year in years}
'''


def tzdata_wheel(folder: Path, moved: str, to: str) -> Path:
    """As it is installed, but this zone has the rules of another one."""
    root, path = files("tzdata"), folder / "tzdata-2030.1-py2.py3-none-any.whl"
    zones = root.joinpath("zones").read_text(encoding="ascii")
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tzdata/__init__.py", 'IANA_VERSION = "2030a"\n')
        wheel.writestr("tzdata/zones", zones)
        for name in zones.split():
            source = to if name == moved else name
            body = root.joinpath("zoneinfo", *source.split("/")).read_bytes()
            wheel.writestr(f"tzdata/zoneinfo/{name}", body)
        _say(wheel, "tzdata", "2030.1")
    return path


def holidays_wheel(folder: Path) -> Path:
    """Of Germany alone, where the 20th of January is the only one."""
    path = folder / "holidays-99.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("holidays/__init__.py", HOLIDAYS)
        _say(wheel, "holidays", "99.1")
    return path


def _say(wheel: zipfile.ZipFile, name: str, version: str) -> None:
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    wheel.writestr(f"{name}-{version}.dist-info/METADATA", text)
