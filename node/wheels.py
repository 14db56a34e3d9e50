"""Another version of the packages that say which days and hours there are: `tzdata` and `holidays`.

A wheel is unpacked and stands before what is installed, in this process and from now on: so it is for a
process of its own, before anything has asked the package. What is in a wheel is run: it comes from whoever
gave its name.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import zipfile
from pathlib import Path

_IANA = re.compile(r"([0-9]{4})([a-z])")


class WheelError(ValueError):
    """Why this version cannot be had."""


def take(package: str, wanted: str, scratch: Path) -> str:
    """The version that this process goes by from now on. `wanted`: a wheel's file, or the version that is
    installed."""
    wheel = Path(wanted)
    if wheel.suffix == ".whl" or wheel.exists():
        return _unpacked(package, wheel, scratch)
    installed, meant = importlib.metadata.version(package), _released(wanted)
    if meant != installed:
        raise WheelError(
            f"{package} {wanted} is not installed here, {installed} is: bring its wheel with"
            f" pip download --no-deps {package}=={meant}, and give that file"
        )
    return installed


def _released(version: str) -> str:
    """Of tzdata also as IANA calls it: 2026f is released as 2026.6."""
    match = _IANA.fullmatch(version)
    return version if match is None else f"{match[1]}.{ord(match[2]) - ord('a') + 1}"


def _unpacked(package: str, wheel: Path, scratch: Path) -> str:
    folder = scratch / package
    try:
        with zipfile.ZipFile(wheel) as archive:
            if f"{package}/__init__.py" not in archive.namelist():
                raise WheelError(f"{wheel}: no wheel of {package}: there is no folder {package} in it")
            archive.extractall(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise WheelError(f"{wheel}: no wheel: {getattr(error, 'strerror', None) or error}") from error
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise WheelError(f"{wheel}: it does not say which version it is") from error
