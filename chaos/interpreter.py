"""How a Python was built: with optimisations it needs a third less CPU for what this product does.

Rules: what its own configuration says, and no guess. A packager may take the profile's flags off what is told
(Debian does, whose builds are optimised): flags that are gone were there.
"""

from __future__ import annotations

import platform
import sysconfig
from collections.abc import Mapping
from typing import Any

USES_PROFILE = "PGO_PROF_USE_FLAG"


def flags(variables: Mapping[str, Any]) -> str:
    """PGO and LTO, by the variables of `sysconfig`."""
    arguments = str(variables.get("CONFIG_ARGS") or "")
    is_stripped = not variables.get(USES_PROFILE)
    by_packager = "yes, by its packager" if is_stripped else "no"
    profile = "yes" if "--enable-optimizations" in arguments else by_packager
    linked = "yes" if "--with-lto" in arguments else "not told" if is_stripped else "no"
    return f"PGO {profile}, LTO {linked}"


def describe() -> str:
    """The version of this one, and how it was built."""
    compiler = platform.python_compiler()
    return f"Python {platform.python_version()} ({compiler}; {flags(sysconfig.get_config_vars())})"
